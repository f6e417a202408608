/** Exit code a failure maps to: 1 the user's input, 2 the device or a tool, 3 a budget or check failed. */
export type FailureExit = 1 | 2 | 3;

/** The parts of a failure that a user reads, in the order they are printed. */
export interface Failure {
  /** Stable identifier, `E_` and upper-case words; scripts and tests match on it. */
  readonly code: string;
  readonly exit: FailureExit;
  /** What is wrong and where, in the user's own names; lower case, no full stop. */
  readonly what: string;
  /** How much: a count, a size, the rest of a list. One line each. */
  readonly measure?: string | readonly string[];
  /** The next move. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * The one error class for everything a user can cause or meet. Made only by the named functions in each
 * folder's `errors.ts`, so that all messages of a folder stand together.
 */
export class TinymlError extends Error {
  readonly code: string;
  readonly exit: FailureExit;
  readonly measure: readonly string[];
  readonly hint: string | undefined;

  constructor(failure: Failure) {
    super(failure.what, failure.cause === undefined ? {} : { cause: failure.cause });
    this.name = 'TinymlError';
    this.code = failure.code;
    this.exit = failure.exit;
    this.measure = typeof failure.measure === 'string' ? [failure.measure] : (failure.measure ?? []);
    this.hint = failure.hint;
  }
}
