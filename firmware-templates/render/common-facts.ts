/** A pin such as `PA9`. */
export interface Pin {
  /** 0 for port A. */
  readonly port: number;
  readonly pin: number;
}

export interface MemoryRegion {
  readonly origin: number;
  readonly bytes: number;
}

export interface NamedRegion extends MemoryRegion {
  /** Lower-case letters, digits and hyphens. */
  readonly name: string;
}

export interface Memories {
  readonly id: string;
  readonly flash: MemoryRegion;
  /** Data, stack, and as much of the model's arena as there is room for. */
  readonly ram: MemoryRegion;
  /** Where the rest of the arena goes. */
  readonly arenaRam: readonly NamedRegion[];
}
