/** Puts a layer's constants one behind the other as the assembly reads them: little-endian words, and bytes. */
export class StreamWriter {
  private readonly list: number[] = [];

  words(...values: readonly number[]): void {
    for (const value of values)
      this.list.push(value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff);
  }

  bytes(...values: readonly number[]): void {
    for (const value of values) this.list.push(value & 0xff);
  }

  /** Up to the next whole word. */
  align(): void {
    while (this.list.length % 4 !== 0) this.list.push(0);
  }

  finish(): Int32Array {
    this.align();
    const view = new DataView(Uint8Array.from(this.list).buffer);
    return Int32Array.from({ length: this.list.length / 4 }, (_, i) => view.getInt32(4 * i, true));
  }
}
