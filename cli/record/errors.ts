import { TinymlError } from '../../common/tinyml-error.ts';

/** The board runs, but not the firmware that takes samples. */
export function recorderMissing(board: string): TinymlError {
  return new TinymlError({
    code: 'E_WRONG_FIRMWARE',
    exit: 2,
    what: `${board} runs firmware that takes no samples`,
    hint: '--flash writes the firmware that does, in place of what is there',
  });
}
