/** Everything that a core reaches beside the memory it runs from: devices, mapped flash, other addresses of its memory. */
export interface Bus {
  /** The value of `bytes` bytes (1, 2 or 4) without sign, or undefined where there is nothing. */
  load(address: number, bytes: number): number | undefined;
  /** False where nothing can be written. */
  store(address: number, bytes: number, value: number): boolean;
}

/** Memory that a core keeps instructions and data in. */
export interface CoreMemory {
  readonly bytes: Uint8Array;
  /** Where loads and stores see its first byte, and where instruction fetches do. */
  readonly dataAddress: number;
  readonly codeAddress: number;
}

/** A function in ROM, done in one go instead of by instructions; `argument(i)` is what it was called with. */
export type RomFunction = (argument: (index: number) => number) => number;
