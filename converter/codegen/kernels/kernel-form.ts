import type { Walk } from '../overlap.ts';

/** How one kernel of the C library is called on a kind of machine. */
export interface KernelForm {
  /** The header that defines it. */
  readonly header: string;
  /** Tag of its parameter struct. */
  readonly struct: string;
  /** How it goes over input and result, where the two may overlap; absent where they may not. */
  readonly walk?: Walk;
}

/**
 * The kernels of one kind of machine, by the name in a `KernelCall`. Faster forms replace entries and may rewrite
 * the call (weights packed offline), under the same name and test.
 */
export type KernelTable = ReadonlyMap<string, KernelForm>;
