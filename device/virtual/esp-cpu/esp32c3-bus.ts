import type { Bus, RomFunction } from './bus.ts';
import type { Uart } from './uart.ts';

// ESP32-C3 Technical Reference Manual, chapter 3 (memory map), and the registers' own chapters.
const UART0 = 0x60000000;
const SYSTIMER = 0x60023000;
const CACHE = 0x600c4000;
const CACHE_PAGES = 0x600c5000;
const DEVICES = { from: 0x60000000, to: 0x60100000 } as const;
const WINDOW = { from: 0x3c000000, to: 0x3c800000 } as const;

const PAGE_BYTES = 65_536;
const PAGE_INVALID = 0x100;
const CACHE_ENABLED = 1;
const BUSES_SHUT = 3;

/** The timer counts 16 MHz from the crystal; instructions are told as cycles of 160 MHz. */
const INSTRUCTIONS_EACH_TICK = 10;

export interface C3BusOptions {
  readonly uart: Uart;
  readonly flash: () => Uint8Array;
  /** Other addresses of the core's memory: instructions can be read as data. */
  readonly memory: { readonly bytes: Uint8Array; readonly codeAddress: number };
  readonly retired: () => number;
}

/** The devices that tinyml's firmware uses. Registers without a model keep what is written. */
export class Esp32c3Bus implements Bus {
  private readonly options: C3BusOptions;
  private readonly registers = new Map<number, number>();
  private timer = 0;

  constructor(options: C3BusOptions) {
    this.options = options;
  }

  reset(): void {
    this.registers.clear();
    this.registers.set(CACHE + 4, BUSES_SHUT);
    for (let page = 0; page < (WINDOW.to - WINDOW.from) / PAGE_BYTES; page++)
      this.registers.set(CACHE_PAGES + 4 * page, PAGE_INVALID);
  }

  /** What the ROM does for a program, by address (esp32c3.rom.ld of ESP-IDF). */
  get rom(): ReadonlyMap<number, RomFunction> {
    const enable = (on: number) => {
      this.registers.set(CACHE, on);
      return 0;
    };
    return new Map<number, RomFunction>([
      [0x4000195c, () => 0],
      [0x40001960, () => 0],
      [0x4000051c, () => enable(0)],
      [0x40000520, () => enable(CACHE_ENABLED)],
      [0x400004d8, () => 0],
    ]);
  }

  load(address: number, bytes: number): number | undefined {
    if (address >= WINDOW.from && address < WINDOW.to) return this.mapped(address, bytes);
    if (address >= DEVICES.from && address < DEVICES.to)
      return bytes === 4 ? this.register(address) : undefined;
    const { memory } = this.options;
    const offset = address - memory.codeAddress;
    return offset >= 0 && offset < memory.bytes.length ? valueAt(memory.bytes, offset, bytes) : undefined;
  }

  store(address: number, bytes: number, value: number): boolean {
    if (address < DEVICES.from || address >= DEVICES.to || bytes !== 4) return false;
    if (address >= UART0 && address < UART0 + 0x100) this.options.uart.write(address - UART0, value);
    else if (address === SYSTIMER + 4)
      this.timer = Math.floor(this.options.retired() / INSTRUCTIONS_EACH_TICK);
    else this.registers.set(address, value >>> 0);
    return true;
  }

  private register(address: number): number {
    if (address >= UART0 && address < UART0 + 0x100) return this.options.uart.read(address - UART0);
    if (address === SYSTIMER + 4) return 1 << 29;
    if (address === SYSTIMER + 0x40) return Math.floor(this.timer / 2 ** 32);
    if (address === SYSTIMER + 0x44) return this.timer >>> 0;
    return this.registers.get(address) ?? 0;
  }

  /** Through the cache: only while it is on, its bus open and the page mapped to flash that is there. */
  private mapped(address: number, bytes: number): number | undefined {
    const { registers } = this;
    if (!(registers.get(CACHE)! & CACHE_ENABLED) || registers.get(CACHE + 4)! & 2) return undefined;
    const offset = address - WINDOW.from;
    const page = registers.get(CACHE_PAGES + 4 * Math.floor(offset / PAGE_BYTES))!;
    const place = (page & 0xff) * PAGE_BYTES + (offset % PAGE_BYTES);
    const flash = this.options.flash();
    return page & PAGE_INVALID || place + bytes > flash.length ? undefined : valueAt(flash, place, bytes);
  }
}

/** A little-endian number of 1, 2 or 4 bytes. */
export function valueAt(memory: Uint8Array, at: number, bytes: number): number {
  if (bytes === 1) return memory[at]!;
  const low = memory[at]! | (memory[at + 1]! << 8);
  return bytes === 2 ? low : (low | (memory[at + 2]! << 16) | (memory[at + 3]! << 24)) >>> 0;
}
