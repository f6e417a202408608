/** Reads a body from front to back; every read that does not fit makes the whole body bad. */
export class BodyReader {
  private readonly view: DataView;
  private readonly bytes: Uint8Array;
  private at = 0;
  private short = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Whether all reads fitted and nothing is left over. */
  get exact(): boolean {
    return !this.short && this.at === this.bytes.length;
  }

  u8(): number {
    return this.take(1, (at) => this.view.getUint8(at), 0);
  }

  u16(): number {
    return this.take(2, (at) => this.view.getUint16(at, true), 0);
  }

  u32(): number {
    return this.take(4, (at) => this.view.getUint32(at, true), 0);
  }

  u64(): bigint {
    return this.take(8, (at) => this.view.getBigUint64(at, true), 0n);
  }

  raw(count: number): Uint8Array {
    return this.take(count, (at) => this.bytes.slice(at, at + count), new Uint8Array(0));
  }

  u32s(count: number): number[] {
    // Not longer than what is there, whatever the count says.
    const room = Math.floor((this.bytes.length - this.at) / 4);
    if (count > room) this.short = true;
    return Array.from({ length: Math.min(count, room) }, () => this.u32());
  }

  private take<T>(count: number, read: (at: number) => T, nothing: T): T {
    if (this.at + count > this.bytes.length) {
      this.short = true;
      return nothing;
    }
    const value = read(this.at);
    this.at += count;
    return value;
  }
}
