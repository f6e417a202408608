import { chipFacts, type EspChip, MAGIC_ADDRESS } from '../../esp/chips.ts';

/** The chips that there are as virtual boards. */
export type VirtualEspChip = Extract<EspChip, 'esp32' | 'esp32s3' | 'esp32c3'>;

export interface EspProfile {
  readonly chip: VirtualEspChip;
  /** What the ROM prints at a reset, before the line that tells the reason. */
  readonly banner: string;
  readonly reset: string;
  readonly boot: { readonly flash: string; readonly download: string };
  /** Whether it answers the security command with 20 bytes; the ESP32 does not know it. */
  readonly tellsSecurity: boolean;
  /** Registers that read as something else than 0. */
  readonly registers: ReadonlyMap<number, number>;
  readonly efuse: { readonly cryptCount: number; readonly secureBoot: number };
}

/** An address of the block 00:00:5E that is reserved for documents (RFC 7042). */
const MAC_LOW = 0x5e0053c3;
const MAC_HIGH = 0x0000;

/** ESP32 reference manual, eFuse block 0: version 3 of the chip in word 3 and 5, calibration and clock in word 4. */
const esp32Registers = new Map([
  [MAGIC_ADDRESS, chipFacts.esp32.magic!],
  [0x3ff5a004, MAC_LOW],
  [0x3ff5a008, MAC_HIGH],
  [0x3ff5a00c, 0x0000_8200],
  [0x3ff5a010, 100],
  [0x3ff5a014, 0x0010_0000],
  [0x3ff6607c, 0x8000_0000],
  // 40 MHz over 115,200 baud.
  [0x3ff40014, 347],
  // What makes the ROM conclude that its crystal has 40 MHz.
  [0x3ff5f06c, 1024 << 7],
]);

function laterRegisters(chip: 'esp32s3' | 'esp32c3'): Map<number, number> {
  const mac = chipFacts[chip].macAddress;
  return new Map([
    [mac, MAC_LOW],
    [mac + 4, MAC_HIGH],
    [0x60000014, 347],
  ]);
}

export const profiles: Readonly<Record<VirtualEspChip, EspProfile>> = {
  esp32: {
    chip: 'esp32',
    banner: 'ets Jul 29 2019 12:21:46\r\n\r\n',
    reset: 'rst:0x1 (POWERON_RESET)',
    boot: {
      flash: 'boot:0x13 (SPI_FAST_FLASH_BOOT)',
      download: 'boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))',
    },
    tellsSecurity: false,
    registers: esp32Registers,
    efuse: { cryptCount: 0x3ff5a000, secureBoot: 0x3ff5a018 },
  },
  esp32s3: {
    chip: 'esp32s3',
    banner: 'ESP-ROM:esp32s3-20210327\r\nBuild:Mar 27 2021\r\n',
    reset: 'rst:0x1 (POWERON)',
    boot: { flash: 'boot:0x8 (SPI_FAST_FLASH_BOOT)', download: 'boot:0x0 (DOWNLOAD(USB/UART0))' },
    tellsSecurity: true,
    registers: laterRegisters('esp32s3'),
    efuse: { cryptCount: 0x60007034, secureBoot: 0x60007038 },
  },
  esp32c3: {
    chip: 'esp32c3',
    banner: 'ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\n',
    reset: 'rst:0x1 (POWERON)',
    boot: { flash: 'boot:0xc (SPI_FAST_FLASH_BOOT)', download: 'boot:0x4 (DOWNLOAD(USB/UART0/1))' },
    tellsSecurity: true,
    registers: laterRegisters('esp32c3'),
    efuse: { cryptCount: 0x60008834, secureBoot: 0x60008838 },
  },
};

export function isVirtualEspChip(chip: EspChip): chip is VirtualEspChip {
  return Object.hasOwn(profiles, chip);
}
