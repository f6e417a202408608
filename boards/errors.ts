import { nearest } from '../common/nearest.ts';
import { TinymlError } from '../common/tinyml-error.ts';

export function unknownBoard(name: string, ids: readonly string[]): TinymlError {
  const match = nearest(name, ids);
  const question = match === undefined ? '' : `; did you mean ${match}?`;
  return new TinymlError({
    code: 'E_UNKNOWN_BOARD',
    exit: 1,
    what: `there is no board ${JSON.stringify(name.slice(0, 80))}${question}`,
    measure: `boards: ${ids.join(', ')}`,
    hint: 'a board of your own is a file, as in --board ./my-board.json (docs/boards.md)',
  });
}

export function boardFileTooBig(source: string, bytes: number, limit: number): TinymlError {
  return new TinymlError({
    code: 'E_BOARD_FILE',
    exit: 1,
    what: `${source}: is not a board file`,
    measure: `it has ${bytes} bytes; a board file has at most ${limit}`,
    hint: 'docs/boards.md shows a board file',
  });
}

export function boardNotJson(source: string, cause: unknown): TinymlError {
  return new TinymlError({
    code: 'E_BOARD_FILE',
    exit: 1,
    what: `${source}: is not JSON`,
    measure: (cause instanceof Error ? cause.message : String(cause)).slice(0, 200),
    hint: 'docs/boards.md shows a board file',
    cause,
  });
}

/** One thing wrong in a board file, at a JSON pointer (RFC 6901). */
export interface BoardProblem {
  readonly pointer: string;
  readonly message: string;
}

export function badBoard(source: string, problems: readonly BoardProblem[]): TinymlError {
  const [first, ...rest] = problems.map(({ pointer, message }) =>
    `${pointer || '/'}: ${message}`.slice(0, 300),
  );
  const shown = rest.slice(0, 9);
  const hidden = rest.length - shown.length;
  return new TinymlError({
    code: 'E_BOARD_FILE',
    exit: 1,
    what: `${source}: ${first}`,
    measure: hidden > 0 ? [...shown, `and ${hidden} more`] : shown,
    hint: 'docs/boards.md describes every field',
  });
}
