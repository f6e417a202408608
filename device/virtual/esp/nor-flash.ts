import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { flashFileRefused } from '../../errors.ts';
import { SECTOR_BYTES } from '../../esp/protocol.ts';

const ERASED = 0xff;

/** A serial NOR flash: erasing sets the bits of whole sectors, writing clears bits. Kept in a file on request. */
export class NorFlash {
  readonly bytes: Uint8Array;
  private readonly file: number | undefined;

  constructor(size: number, path?: string) {
    this.bytes = new Uint8Array(size).fill(ERASED);
    this.file = path === undefined ? undefined : this.open(path);
  }

  get size(): number {
    return this.bytes.length;
  }

  has(address: number, length: number): boolean {
    return address + length <= this.bytes.length;
  }

  read(address: number, length: number): Uint8Array {
    return this.bytes.subarray(address, address + length);
  }

  program(address: number, data: Uint8Array): void {
    for (let i = 0; i < data.length; i++) this.bytes[address + i]! &= data[i]!;
    this.save(address, data.length);
  }

  /** The sectors that hold any of these bytes. */
  erase(address: number, length: number): void {
    const start = address - (address % SECTOR_BYTES);
    const end = Math.min(Math.ceil((address + length) / SECTOR_BYTES) * SECTOR_BYTES, this.bytes.length);
    this.bytes.fill(ERASED, start, end);
    this.save(start, end - start);
  }

  close(): void {
    if (this.file !== undefined) closeSync(this.file);
  }

  private open(path: string): number {
    try {
      closeSync(openSync(path, 'a+'));
      const file = openSync(path, 'r+');
      const { size } = fstatSync(file);
      if (size > this.bytes.length) {
        closeSync(file);
        throw new Error(`it has ${size} bytes, the flash ${this.bytes.length}`);
      }
      readSync(file, this.bytes, 0, size, 0);
      // A full disk takes a part; what is left of it then says why.
      for (let at = 0; at < this.bytes.length; )
        at += writeSync(file, this.bytes, at, this.bytes.length - at, at);
      return file;
    } catch (error) {
      throw flashFileRefused(path, (error as NodeJS.ErrnoException).code ?? (error as Error).message);
    }
  }

  private save(address: number, length: number): void {
    if (this.file !== undefined) writeSync(this.file, this.bytes, address, length, address);
  }
}
