/**
 * One exchange with the loader went wrong. Stays inside this folder; whoever repeats the exchange decides what it
 * means for the user.
 */
export class LoaderFault extends Error {
  /**
   * `refused`: it said no, for `reason`. `silence`: no answer that makes sense came in time. `restarted`: the loader
   * had to be started anew, so that what it was told before is forgotten.
   */
  readonly kind: 'refused' | 'silence' | 'restarted';
  readonly reason: number;

  constructor(kind: LoaderFault['kind'], reason = 0) {
    super(kind);
    this.kind = kind;
    this.reason = reason;
  }

  /** Whether the request certainly changed nothing, because it arrived damaged. */
  get arrivedDamaged(): boolean {
    return this.kind === 'refused' && DAMAGED.has(this.reason);
  }
}

/** The ROM's and the stub's words for a wrong checksum; a wrong length. */
const DAMAGED = new Set([0x0107, 0xc100, 0x0105, 0xc000, 0xc900]);

export function isFault(error: unknown): error is LoaderFault {
  return error instanceof LoaderFault;
}
