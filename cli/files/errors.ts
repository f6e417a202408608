import { systemReason } from '../../common/system-reason.ts';
import { TinymlError } from '../../common/tinyml-error.ts';

export function fileMissing(path: string, what: string): TinymlError {
  return new TinymlError({
    code: 'E_FILE_MISSING',
    exit: 1,
    what: `${path}: no such ${what}`,
    hint: 'check the path; a relative one starts at the current folder',
  });
}

/** `is` names what stands there instead of a plain file ("a folder", "a named pipe"). */
export function notAFile(path: string, is: string, expected: string): TinymlError {
  return new TinymlError({
    code: 'E_NOT_A_FILE',
    exit: 1,
    what: `${path}: is ${is}, expected ${expected}`,
  });
}

export function fileUnreadable(path: string, cause: unknown): TinymlError {
  return new TinymlError({
    code: 'E_FILE_UNREADABLE',
    exit: 1,
    what: `${path}: cannot be read (${systemReason(cause)})`,
    cause,
  });
}

export function fileTooBig(path: string, bytes: number, limit: number): TinymlError {
  return new TinymlError({
    code: 'E_FILE_TOO_BIG',
    exit: 1,
    what: `${path}: is too big`,
    measure: `${bytes} bytes, the limit is ${limit}`,
  });
}

/** The file's content is of another kind than its use asks for. */
export function wrongKind(path: string, is: string, expected: string, hint?: string): TinymlError {
  return new TinymlError({
    code: 'E_WRONG_KIND',
    exit: 1,
    what: `${path}: is ${is}, expected ${expected}`,
    ...(hint === undefined ? {} : { hint }),
  });
}

export function externalPathRefused(model: string, location: string, reason: string): TinymlError {
  return new TinymlError({
    code: 'E_EXTERNAL_PATH',
    exit: 1,
    what: `${model}: external data ${JSON.stringify(location.slice(0, 200))} is refused: ${reason}`,
    hint: "weights may only be read from plain files in the model's own folder",
  });
}

export function outputFailed(path: string, cause: unknown): TinymlError {
  return new TinymlError({
    code: 'E_OUTPUT',
    exit: 1,
    what: `${path}: cannot be written (${systemReason(cause)})`,
    hint: 'nothing was changed; check the folder, its permissions and the free space',
    cause,
  });
}

interface Place {
  readonly path: string;
  /** The option that names it; empty where none does. */
  readonly by: string;
}

const named = ({ path, by }: Place) => (by === '' ? path : `${path} (${by})`);

/** `output` would be written where `input` is read. */
export function outputIsInput(output: Place, input: Place): TinymlError {
  return new TinymlError({
    code: 'E_OUTPUT_IS_INPUT',
    exit: 1,
    what: `${named(output)}: is an input of this command and would be overwritten`,
    measure: `it is read as ${named(input)}; nothing was changed`,
    hint: `choose another place${output.by === '' ? '' : ` with ${output.by}`}`,
  });
}

export function outputTwice(one: Place, other: Place): TinymlError {
  return new TinymlError({
    code: 'E_OUTPUT_TWICE',
    exit: 1,
    what: `${named(one)} and ${named(other)} are the same place; one would replace the other`,
    measure: 'nothing was changed',
    hint: `choose another place with ${other.by}`,
  });
}

const shownNames = 8;

function someOf(names: readonly string[]): string {
  const more = names.length - shownNames;
  return names.slice(0, shownNames).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** A folder that holds what is not ours; `names` are its entries. */
export function folderNotOurs(path: string, names: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_OUTPUT_FOREIGN',
    exit: 1,
    what: `${path}: is not empty, and tinyml did not write what is there`,
    measure: `it holds ${someOf(names)}; nothing was changed`,
    hint: 'name a new folder; or --force, which writes among those files, keeps them, and tells which it replaces',
  });
}

/** Files of others in a folder of ours that stand where ours would come. */
export function filesNotOurs(path: string, names: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_OUTPUT_FOREIGN',
    exit: 1,
    what: `${path}: tinyml did not write files there that it would replace`,
    measure: `${someOf(names)}; nothing was changed`,
    hint: 'move them, or name another folder; --force replaces them',
  });
}

export function outputNotPlain(path: string, is: string): TinymlError {
  return new TinymlError({ code: 'E_OUTPUT', exit: 1, what: `${path}: cannot be written, it is ${is}` });
}

export function tooManyFiles(folder: string, limit: number): TinymlError {
  return new TinymlError({
    code: 'E_DATA_FILES',
    exit: 1,
    what: `${folder}: holds more than ${limit} samples`,
    hint: 'take a selection; a few hundred are enough for calibration',
  });
}
