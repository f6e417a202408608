import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { flashFileRefused } from '../errors.ts';
import { expandSectors, f405Sectors, type Sector, type SectorRun } from '../sectors.ts';

export const FLASH_ADDRESS = 0x08000000;
const SRAM_ADDRESS = 0x20000000;
/** RM0090 section 2.4: boot loader, OTP area and factory data. */
const SYSTEM_ADDRESS = 0x1fff0000;
const SYSTEM_BYTES = 0x8000;
/** RM0090 section 39: unique id (96 bits) and flash size in KiB. */
const UNIQUE_ID_OFFSET = 0x7a10;
const FLASH_SIZE_OFFSET = 0x7a22;
const OPTION_ADDRESS = 0x1fffc000;
/** Reset value of the option bytes: no read protection (0xAA), all sectors unprotected. */
const OPTION_BYTES = [0xef, 0xaa, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0];
const ERASED = 0xff;

export interface EmulatedChipOptions {
  readonly flashBytes: number;
  readonly sramBytes: number;
  readonly sectors?: readonly SectorRun[];
  /** What erasing leaves in every byte: 0xff when not given. */
  readonly erased?: number;
  /** Kept on disk when given: content survives the virtual board, and QEMU loads it. */
  readonly flashFile?: string;
}

interface Region {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly kind: 'flash' | 'sram' | 'read-only';
}

/**
 * The memories that a boot loader can reach, with the way flash behaves: writing clears bits, erasing sets them, or the
 * other way round.
 */
export class EmulatedChip {
  readonly sectors: readonly Sector[];
  readonly flash: Uint8Array;
  readonly erased: number;
  /** Sectors that ignore erasing and writing, without an error, as the boot loader of the chip does. */
  readonly writeProtected = new Set<number>();
  readProtected = false;
  private readonly regions: readonly Region[];
  private readonly file: number | undefined;

  constructor(options: EmulatedChipOptions) {
    this.sectors = expandSectors(options.sectors ?? f405Sectors, FLASH_ADDRESS, options.flashBytes);
    this.erased = options.erased ?? ERASED;
    this.flash = new Uint8Array(options.flashBytes).fill(this.erased);
    const system = new Uint8Array(SYSTEM_BYTES).fill(ERASED);
    for (let i = 0; i < 12; i++) system[UNIQUE_ID_OFFSET + i] = 0x54 + i;
    new DataView(system.buffer).setUint16(FLASH_SIZE_OFFSET, options.flashBytes / 1024, true);
    this.regions = [
      { address: FLASH_ADDRESS, bytes: this.flash, kind: 'flash' },
      { address: SRAM_ADDRESS, bytes: new Uint8Array(options.sramBytes), kind: 'sram' },
      { address: SYSTEM_ADDRESS, bytes: system, kind: 'read-only' },
      { address: OPTION_ADDRESS, bytes: Uint8Array.from(OPTION_BYTES), kind: 'read-only' },
    ];
    this.file = options.flashFile === undefined ? undefined : this.openFile(options.flashFile);
  }

  /** Whether the vector table is erased, so that a reset starts nothing. */
  get blank(): boolean {
    return this.flash.subarray(0, 8).every((byte) => byte === this.erased);
  }

  /** Undefined when the range is not all in one memory. */
  read(address: number, length: number): Uint8Array | undefined {
    return this.find(address, length)?.bytes;
  }

  /** Whether a write to this address is something the chip has memory for. */
  writable(address: number): boolean {
    const found = this.find(address, 1);
    return found !== undefined && found.kind !== 'read-only';
  }

  /** False when the range is not all in one memory that can be written. */
  write(address: number, data: Uint8Array): boolean {
    const found = this.find(address, data.length);
    if (!found || found.kind === 'read-only') return false;
    if (found.kind === 'sram') found.bytes.set(data);
    else this.program(address - FLASH_ADDRESS, data);
    return true;
  }

  /** False when there is no such sector. */
  erase(index: number): boolean {
    const sector = this.sectors.find((one) => one.index === index);
    if (!sector) return false;
    if (this.writeProtected.has(index)) return true;
    const offset = sector.address - FLASH_ADDRESS;
    this.flash.fill(this.erased, offset, offset + sector.bytes);
    this.save(offset, sector.bytes);
    return true;
  }

  hasSector(index: number): boolean {
    return this.sectors.some((sector) => sector.index === index);
  }

  eraseAll(): void {
    for (const sector of this.sectors) this.erase(sector.index);
  }

  close(): void {
    if (this.file !== undefined) closeSync(this.file);
  }

  private find(address: number, length: number): Region | undefined {
    for (const region of this.regions) {
      const offset = address - region.address;
      if (offset >= 0 && offset + length <= region.bytes.length) {
        return { ...region, bytes: region.bytes.subarray(offset, offset + length) };
      }
    }
    return undefined;
  }

  private program(offset: number, data: Uint8Array): void {
    for (let i = 0; i < data.length; i++) {
      if (this.protectedAt(offset + i)) continue;
      if (this.erased === 0) this.flash[offset + i]! |= data[i]!;
      else this.flash[offset + i]! &= data[i]!;
    }
    this.save(offset, data.length);
  }

  private protectedAt(offset: number): boolean {
    if (this.writeProtected.size === 0) return false;
    const address = FLASH_ADDRESS + offset;
    const sector = this.sectors.find((one) => address >= one.address && address < one.address + one.bytes);
    return sector !== undefined && this.writeProtected.has(sector.index);
  }

  private openFile(path: string): number {
    let file: number | undefined;
    try {
      file = openSync(path, 'a+');
      closeSync(file);
      file = openSync(path, 'r+');
      const { size } = fstatSync(file);
      if (size > this.flash.length) throw new Error(`it has ${size} bytes, the flash ${this.flash.length}`);
      readSync(file, this.flash, 0, size, 0);
      // A full disk takes a part; what is left of it then says why.
      for (let at = 0; at < this.flash.length; )
        at += writeSync(file, this.flash, at, this.flash.length - at, at);
      return file;
    } catch (error) {
      throw flashFileRefused(path, (error as NodeJS.ErrnoException).code ?? (error as Error).message);
    }
  }

  private save(offset: number, length: number): void {
    if (this.file !== undefined) writeSync(this.file, this.flash, offset, length, offset);
  }
}
