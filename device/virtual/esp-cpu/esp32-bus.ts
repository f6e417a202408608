import type { Bus, RomFunction } from './bus.ts';
import { valueAt } from './esp32c3-bus.ts';
import type { Uart } from './uart.ts';

// ESP32 Technical Reference Manual, chapter 1 (memory map), and the registers' own chapters.
const DEVICES = { from: 0x3ff00000, to: 0x3ff80000 } as const;
const WINDOW = { from: 0x3f400000, to: 0x3f800000 } as const;
const CACHE = 0x3ff00040;
const CACHE_BUSES = 0x3ff00044;
const CACHE_PAGES = 0x3ff10000;
const UART0 = 0x3ff40000;
const TIMER = 0x3ff5f000;

const PAGE_BYTES = 65_536;
const PAGE_INVALID = 0x100;
const CACHE_ON = 1 << 3;
const CACHE_FLUSH = 1 << 4;
const CACHE_FLUSHED = 1 << 5;
const CONSTANTS_SHUT = 1 << 4;
const ALL_SHUT = 0x3f;

/** The timer counts 40 MHz; instructions are told as cycles of 240 MHz. */
const INSTRUCTIONS_EACH_TICK = 6;

export interface Esp32BusOptions {
  readonly uart: Uart;
  readonly flash: () => Uint8Array;
  readonly retired: () => number;
}

/** The devices that tinyml's firmware uses. Registers without a model keep what is written. */
export class Esp32Bus implements Bus {
  private readonly options: Esp32BusOptions;
  private readonly registers = new Map<number, number>();
  private timer = 0;

  constructor(options: Esp32BusOptions) {
    this.options = options;
  }

  reset(): void {
    this.registers.clear();
    this.registers.set(CACHE_BUSES, ALL_SHUT);
    for (let page = 0; page < (WINDOW.to - WINDOW.from) / PAGE_BYTES; page++)
      this.registers.set(CACHE_PAGES + 4 * page, PAGE_INVALID);
  }

  /** What the ROM does for a program, by address (esp32.rom.ld of ESP-IDF): writing to the PLL's own registers. */
  readonly rom: ReadonlyMap<number, RomFunction> = new Map([[0x400041a4, () => 0]]);

  load(address: number, bytes: number): number | undefined {
    if (address >= WINDOW.from && address < WINDOW.to) return this.mapped(address, bytes);
    return address >= DEVICES.from && address < DEVICES.to && bytes === 4
      ? this.register(address)
      : undefined;
  }

  store(address: number, bytes: number, value: number): boolean {
    if (address < DEVICES.from || address >= DEVICES.to || bytes !== 4) return false;
    if (address >= UART0 && address < UART0 + 0x100) this.options.uart.write(address - UART0, value);
    else if (address === TIMER + 0x0c)
      this.timer = Math.floor(this.options.retired() / INSTRUCTIONS_EACH_TICK);
    else this.registers.set(address, value >>> 0);
    return true;
  }

  private register(address: number): number {
    if (address >= UART0 && address < UART0 + 0x100) return this.options.uart.read(address - UART0);
    if (address === TIMER + 4) return this.timer >>> 0;
    if (address === TIMER + 8) return Math.floor(this.timer / 2 ** 32);
    const value = this.registers.get(address) ?? 0;
    if (address === CACHE) return value & CACHE_FLUSH ? value | CACHE_FLUSHED : value & ~CACHE_FLUSHED;
    return value;
  }

  /** Through the cache: only while it is on, its bus open and the page mapped to flash that is there. */
  private mapped(address: number, bytes: number): number | undefined {
    const { registers } = this;
    if (!((registers.get(CACHE) ?? 0) & CACHE_ON) || registers.get(CACHE_BUSES)! & CONSTANTS_SHUT)
      return undefined;
    const offset = address - WINDOW.from;
    const page = registers.get(CACHE_PAGES + 4 * Math.floor(offset / PAGE_BYTES))!;
    const place = (page & 0xff) * PAGE_BYTES + (offset % PAGE_BYTES);
    const flash = this.options.flash();
    return page & PAGE_INVALID || place + bytes > flash.length ? undefined : valueAt(flash, place, bytes);
  }
}
