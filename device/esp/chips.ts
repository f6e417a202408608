/** What the flasher knows of Espressif's chips; addresses are those of the technical reference manuals. */

export const espChips = ['esp32', 'esp32s2', 'esp32s3', 'esp32c3', 'esp32c6', 'esp32p4'] as const;
export type EspChip = (typeof espChips)[number];

/** Registers of the controller that talks to the flash, as offsets from its base. */
export interface SpiRegisters {
  readonly base: number;
  readonly user: number;
  readonly user1: number;
  readonly user2: number;
  readonly mosiLength: number;
  readonly misoLength: number;
  readonly data: number;
}

/** The watchdogs that USB-serial-JTAG leaves running in the loader, and one of which can restart the chip. */
export interface WatchdogRegisters {
  readonly config0: number;
  readonly config1: number;
  readonly protect: number;
  readonly key: number;
  readonly superConfig: number | undefined;
  readonly superProtect: number;
  readonly superKey: number;
  readonly superAutoFeed: number;
}

export interface EspChipFacts {
  readonly name: string;
  /** As in the header of an image, and in the answer to the security command from the ESP32-S3 on. */
  readonly chipId: number;
  /** What stands at `MAGIC_ADDRESS`, in the chips that do not tell their id. */
  readonly magic?: number;
  /** Where in flash the ROM looks for the program that it starts. */
  readonly bootOffset: number;
  readonly spi: SpiRegisters;
  /** Two words: the low 32 and the high 16 bits of the MAC address. */
  readonly macAddress: number;
  readonly watchdog?: WatchdogRegisters;
  /** A bit that keeps chips with USB in the loader over a reset; its register and mask. */
  readonly forceDownload?: { readonly address: number; readonly mask: number };
}

/** In the ROM of every chip, and different in each. */
export const MAGIC_ADDRESS = 0x40001000;

const WATCHDOG_KEY = 0x50d83aa1;

const spiAt = (base: number): SpiRegisters => ({
  base,
  user: 0x18,
  user1: 0x1c,
  user2: 0x20,
  mosiLength: 0x24,
  misoLength: 0x28,
  data: 0x58,
});

const rtcWatchdog = (first: number, protect: number, superConfig: number): WatchdogRegisters => ({
  config0: first,
  config1: first + 4,
  protect,
  key: WATCHDOG_KEY,
  superConfig,
  superProtect: superConfig + 4,
  superKey: 0x8f1d312a,
  superAutoFeed: 0x8000_0000,
});

/** Chips whose watchdogs stand in the low-power domain. */
const lowPowerWatchdog = (base: number): WatchdogRegisters => ({
  config0: base,
  config1: base + 4,
  protect: base + 0x18,
  key: WATCHDOG_KEY,
  superConfig: base + 0x1c,
  superProtect: base + 0x20,
  superKey: WATCHDOG_KEY,
  superAutoFeed: 1 << 18,
});

export const chipFacts: Readonly<Record<EspChip, EspChipFacts>> = {
  esp32: {
    name: 'ESP32',
    chipId: 0,
    magic: 0x00f01d83,
    bootOffset: 0x1000,
    spi: {
      base: 0x3ff42000,
      user: 0x1c,
      user1: 0x20,
      user2: 0x24,
      mosiLength: 0x28,
      misoLength: 0x2c,
      data: 0x80,
    },
    macAddress: 0x3ff5a004,
  },
  esp32s2: {
    name: 'ESP32-S2',
    chipId: 2,
    magic: 0x000007c6,
    bootOffset: 0x1000,
    spi: spiAt(0x3f402000),
    macAddress: 0x3f41a044,
    watchdog: {
      ...rtcWatchdog(0x3f408094, 0x3f4080ac, 0),
      superConfig: undefined,
    },
    forceDownload: { address: 0x3f408128, mask: 1 },
  },
  esp32s3: {
    name: 'ESP32-S3',
    chipId: 9,
    bootOffset: 0,
    spi: spiAt(0x60002000),
    macAddress: 0x60007044,
    watchdog: rtcWatchdog(0x60008098, 0x600080b0, 0x600080b4),
    forceDownload: { address: 0x6000812c, mask: 1 },
  },
  esp32c3: {
    name: 'ESP32-C3',
    chipId: 5,
    bootOffset: 0,
    spi: spiAt(0x60002000),
    macAddress: 0x60008844,
    watchdog: rtcWatchdog(0x60008090, 0x600080a8, 0x600080ac),
  },
  esp32c6: {
    name: 'ESP32-C6',
    chipId: 13,
    bootOffset: 0,
    spi: spiAt(0x60003000),
    macAddress: 0x600b0844,
    watchdog: lowPowerWatchdog(0x600b1c00),
  },
  esp32p4: {
    name: 'ESP32-P4',
    chipId: 18,
    bootOffset: 0x2000,
    spi: spiAt(0x5008d000),
    macAddress: 0x5012d044,
    watchdog: lowPowerWatchdog(0x50116000),
    forceDownload: { address: 0x50110008, mask: 4 },
  },
};

/** The chip with this id in the header of an image; undefined for those that tinyml does not know. */
export function chipById(id: number): EspChip | undefined {
  return espChips.find((chip) => chipFacts[chip].chipId === id);
}

export function chipByMagic(magic: number): EspChip | undefined {
  return espChips.find((chip) => chipFacts[chip].magic === magic);
}
