import { systemReason } from './system-reason.ts';
import { TinymlError } from './tinyml-error.ts';

/** The folder for temporary files cannot be used, or is full. */
export function noTemporaryPlace(folder: string, cause: unknown): TinymlError {
  return new TinymlError({
    code: 'E_TEMPORARY',
    exit: 1,
    what: `${folder}: temporary files cannot be written there (${systemReason(cause)})`,
    hint: 'make room there, or set TMPDIR to a folder that can be written and has some',
    cause,
  });
}
