import type { z } from 'zod';
import type { chipFields } from './fields.ts';

/** Memories of a chip, in bytes. */
interface Memories {
  /** Flash as it is erased: sectors in address order, sizes in bytes. */
  readonly flash: {
    readonly origin: number;
    readonly bytes: number;
    readonly sectors: readonly number[];
    /** The same as runs of one size; `first` is the number of a run's first sector, where it is not the next. */
    readonly runs: readonly { readonly count: number; readonly bytes: number; readonly first?: number }[];
  };
  /**
   * `use` is `data` for the one region that programs of ours take, and `arena` for those where a model's working
   * memory goes on when that one is full.
   */
  readonly ram: readonly {
    readonly name: string;
    readonly origin: number;
    readonly bytes: number;
    readonly use: 'data' | 'arena' | 'none';
  }[];
}

/** A chip as its file has it, with its memories in bytes. */
export type WithMemories<File> = Omit<File, 'flash' | 'ram'> & Memories;

const KIB = 1024;

/** Memories as the file of a chip writes them. */
interface MemoryFields {
  readonly flash: z.infer<typeof chipFields.flash>;
  readonly ram: z.infer<typeof chipFields.ram>;
}

export function memoriesOf({ flash, ram }: MemoryFields): Memories {
  const sectors = flash.sectors.flatMap(({ count, kib }) => new Array<number>(count).fill(kib * KIB));
  const runs = flash.sectors.map(({ count, kib, first }) => ({
    count,
    bytes: kib * KIB,
    ...(first === undefined ? {} : { first }),
  }));
  const bytes = sectors.reduce((sum, size) => sum + size, 0);
  return {
    flash: { origin: flash.origin, bytes, sectors, runs },
    ram: ram.map(({ name, origin, kib, use }) => ({ name, origin, bytes: kib * KIB, use })),
  };
}
