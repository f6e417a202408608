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

export function outputIsInput(path: string): TinymlError {
  return new TinymlError({
    code: 'E_OUTPUT_IS_INPUT',
    exit: 1,
    what: `${path}: is an input of this command and would be overwritten`,
    hint: 'choose another place with -o',
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

/** The errno of a system error in words, without its path. */
export function systemReason(cause: unknown): string {
  const code = (cause as { code?: unknown } | null)?.code;
  const known = new Map([
    ['ENOSPC', 'no space left on the device'],
    ['EDQUOT', 'disk quota used up'],
    ['EACCES', 'permission denied'],
    ['EPERM', 'not permitted'],
    ['EROFS', 'the file system is read-only'],
    ['EIO', 'input/output error'],
    ['ENOTDIR', 'a part of the path is not a folder'],
    ['ENAMETOOLONG', 'the name is too long'],
    ['ENOENT', 'no such file or folder'],
    ['EISDIR', 'it is a folder'],
    ['ELOOP', 'too many symbolic links'],
    ['EMFILE', 'too many open files'],
    ['EBUSY', 'it is in use'],
  ]);
  if (typeof code === 'string') return known.get(code) ?? code;
  return cause instanceof Error ? cause.message : String(cause);
}
