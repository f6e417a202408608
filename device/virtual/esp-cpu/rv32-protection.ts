/** Rights of a configuration byte (RISC-V privileged specification, 3.7). */
export const RIGHT = { read: 1, write: 2, execute: 4 } as const;
const LOCKED = 0x80;
const FROM_LAST = 1;
const ENTRIES = 16;

/**
 * Physical memory protection with the one way of matching that firmware of ours uses: ranges from the last entry's end
 * to this one's. Only locked entries bind a program in machine mode.
 */
export class Protection {
  private readonly config = new Uint8Array(ENTRIES);
  private readonly ends = new Float64Array(ENTRIES);

  reset(): void {
    this.config.fill(0);
    this.ends.fill(0);
  }

  readConfig(index: number): number {
    return new DataView(this.config.buffer).getInt32(4 * index, true);
  }

  /** Four entries at once; locked ones stay as they are. */
  writeConfig(index: number, value: number): void {
    for (let i = 0; i < 4; i++) {
      if (!(this.config[4 * index + i]! & LOCKED)) this.config[4 * index + i] = value >>> (8 * i);
    }
  }

  readEnd(index: number): number {
    return (this.ends[index]! / 4) | 0;
  }

  writeEnd(index: number, value: number): void {
    const next = this.config[index + 1] ?? 0;
    const fixed = this.config[index]! & LOCKED || (next & LOCKED && ((next >> 3) & 3) === FROM_LAST);
    if (!fixed) this.ends[index] = (value >>> 0) * 4;
  }

  allows(address: number, right: number): boolean {
    const entry = this.entryOf(address);
    return entry === undefined || (this.config[entry]! & right) !== 0;
  }

  /** The part of a memory, as offsets, that may be both read and written without asking each time. */
  openPart(origin: number, bytes: number): { from: number; to: number } {
    let from = 0;
    let open = { from: 0, to: 0 };
    const ends = [...this.ends].map((end) => Math.min(Math.max(end - origin, 0), bytes));
    for (const end of [...ends, bytes]) {
      if (end <= from) continue;
      const free = this.allows(origin + from, RIGHT.read) && this.allows(origin + from, RIGHT.write);
      if (free && end - from > open.to - open.from) open = { from, to: end };
      from = end;
    }
    return open;
  }

  private entryOf(address: number): number | undefined {
    for (let i = 0; i < ENTRIES; i++) {
      const config = this.config[i]!;
      if (!(config & LOCKED) || ((config >> 3) & 3) !== FROM_LAST) continue;
      if (address >= (i === 0 ? 0 : this.ends[i - 1]!) && address < this.ends[i]!) return i;
    }
    return undefined;
  }
}
