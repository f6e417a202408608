import { Unzlib } from 'fflate';
import type { NorFlash } from './nor-flash.ts';

/** Where the bytes of a series of data commands go: each is put behind the one before, whatever its number says. */
export class FlashSession {
  /** Bytes that are still to come, after decompression. */
  remaining: number;
  private address: number;
  private readonly flash: NorFlash;
  private readonly inflate: Unzlib | undefined;

  constructor(flash: NorFlash, address: number, size: number, compressed: boolean) {
    this.flash = flash;
    this.address = address;
    this.remaining = size;
    this.inflate = compressed ? new Unzlib((bytes) => this.program(bytes)) : undefined;
  }

  /** False when compressed data is damaged. */
  write(bytes: Uint8Array): boolean {
    if (!this.inflate) {
      this.program(bytes);
      return true;
    }
    try {
      this.inflate.push(bytes.slice());
      return true;
    } catch {
      return false;
    }
  }

  private program(bytes: Uint8Array): void {
    const part = bytes.subarray(0, Math.min(this.remaining, this.flash.size - this.address));
    this.flash.program(this.address, part);
    this.address += part.length;
    this.remaining -= part.length;
  }
}
