/** How far a command had come: its code, its address, its data or the wait for its result. */
export type Stage = 'command' | 'address' | 'data';

/**
 * One exchange with the boot loader went wrong: it said no, nothing, something else, or less than it should.
 * Stays inside this folder; whoever repeats the exchange decides what it means for the user.
 */
export class LinkFault extends Error {
  readonly kind: 'refused' | 'silence' | 'garbled' | 'short';
  readonly stage: Stage;

  constructor(kind: LinkFault['kind'], stage: Stage) {
    super(`${kind} at ${stage}`);
    this.kind = kind;
    this.stage = stage;
  }
}
