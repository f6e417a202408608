import type { FlasherStub } from '../../esp/stub.ts';

/** What was loaded into RAM, in the order of its loading. */
export class LoadedRam {
  private parts: { readonly address: number; readonly bytes: Uint8Array }[] = [];

  clear(): void {
    this.parts = [];
  }

  load(address: number, bytes: Uint8Array): void {
    this.parts.push({ address, bytes: bytes.slice() });
  }

  /** Undefined unless every byte of the range was loaded. */
  read(address: number, length: number): Uint8Array | undefined {
    const bytes = new Uint8Array(length);
    const loaded = new Uint8Array(length);
    for (const part of this.parts) {
      const start = Math.max(address, part.address);
      const end = Math.min(address + length, part.address + part.bytes.length);
      if (start >= end) continue;
      bytes.set(part.bytes.subarray(start - part.address, end - part.address), start - address);
      loaded.fill(1, start - address, end - address);
    }
    return loaded.every((one) => one === 1) ? bytes : undefined;
  }

  /**
   * Whether jumping to `entry` starts a flasher stub: that of tinyml only if it arrived unharmed; any other that was
   * loaded there is taken to be esptool's, and whole.
   */
  startsStub(entry: number, ours: FlasherStub | undefined): boolean {
    if (!this.read(entry, 1)) return false;
    const found = ours?.segments.map(({ address, bytes }) => this.read(address, bytes.length));
    if (!ours || !found || found.includes(undefined)) return true;
    const whole = ours.segments.every(({ bytes }, i) => Buffer.compare(bytes, found[i]!) === 0);
    return whole && entry === ours.entry;
  }
}
