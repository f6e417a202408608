import type { Lifetime } from './lifetime.ts';
import type { Output } from './output.ts';

/** What every command is given: how to speak, when to stop, what to clean up. */
export interface Context {
  readonly output: Output;
  readonly lifetime: Lifetime;
}
