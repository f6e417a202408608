import { z } from 'zod';
import type { BoardProblem } from '../errors.ts';
import {
  boardFields,
  hexNumber,
  how,
  identifier,
  kib,
  ramRegions,
  serialFields,
  sources,
  words,
} from '../fields.ts';
import { pinRanges } from '../pin-ranges.ts';

/** Espressif's chips: all can be flashed; `firmware-templates/` says for which there is a port without ESP-IDF. */
export const espFamilies = ['esp32', 'esp32s2', 'esp32s3', 'esp32c3', 'esp32c6', 'esp32p4'] as const;
export type EspFamily = (typeof espFamilies)[number];

const KIB = 1024;
/** What one erase command takes: a sector (all SPI flash that the ROM loaders know). */
const SECTOR_BYTES = 4 * KIB;

const gpio = z.string().regex(/^GPIO([1-4]?[0-9]|5[0-4])$/, 'must be a pin such as GPIO8');
const peripheral = z.enum(['uart0', 'usb-serial-jtag', 'usb-otg']);
const region = z.strictObject({ origin: hexNumber(8), kib });

export const espChipSchema = z.strictObject({
  id: identifier,
  name: words(40),
  sources,
  ram: ramRegions,
  family: z.enum(espFamilies),
  cpu: z.enum(['xtensa-lx6', 'xtensa-lx7', 'rv32imc', 'rv32imac', 'rv32imafc']),
  cores: z.union([z.literal(1), z.literal(2)]),
  counter: z.literal('cycles'),
  clock: z.strictObject({ sysclkHz: z.number().int().multipleOf(1_000_000).min(1_000_000) }),
  /** Where instructions can be run from RAM; `shared` where that is the data RAM under another address. */
  iram: z.strictObject({ ...region.shape, shared: z.boolean() }),
  /** The window through which constants in flash are read, and the size of a page of its mapping. */
  mappedFlash: z.strictObject({
    ...region.shape,
    kib: z.number().int().min(64).max(65_536),
    pageKib: z.literal(64),
  }),
  bootloader: z.strictObject({
    protocol: z.literal('esp-rom'),
    /** `chip_id` of the image header. */
    chipId: z.number().int().min(0).max(0xffff),
    /** Where in flash the ROM looks for the image that it starts. */
    imageOffset: hexNumber(8),
  }),
  /** The pins that there are, and those of them that cannot be driven (data sheet; ESP-IDF's soc_caps.h). */
  gpio: z.strictObject({ pins: pinRanges, inputOnly: pinRanges.optional() }),
  uart0: z.strictObject({ tx: gpio, rx: gpio }),
  usb: z.array(z.enum(['usb-serial-jtag', 'usb-otg'])),
});

/**
 * How a port's modem lines start the ROM's loader: `classic` through two transistors on EN and IO0, `usb-jtag-serial`
 * through the chip's own USB controller, `manual` by the buttons.
 */
const namedReset = z.enum(['classic', 'usb-jtag-serial', 'manual']);

/** Steps of a board's own, as esptool's `custom_reset_sequence` writes them: DTR, RTS, both at once, seconds. */
const resetSteps = z
  .string()
  .regex(
    /^(D[01]|R[01]|U[01],[01]|W[0-9]([.][0-9]{1,3})?)([|](D[01]|R[01]|U[01],[01]|W[0-9]([.][0-9]{1,3})?)){0,31}$/,
    'must be classic, usb-jtag-serial, manual, or steps such as D0|R1|W0.1|D1|R0|W0.05|D0',
  );
const reset = z.union([namedReset, resetSteps]);

export const espBoardSchema = z.strictObject({
  ...boardFields,
  memory: z.strictObject({
    flashMib: z.union([1, 2, 4, 8, 16, 32].map((mib) => z.literal(mib))),
    psramMib: z.union([0, 2, 4, 8, 16, 32].map((mib) => z.literal(mib))),
  }),
  serial: z.strictObject({ peripheral, ...serialFields }),
  flash: z
    .array(
      z.strictObject({
        method: z.literal('esp-serial'),
        /** Highest rate that is asked for once the loader runs. */
        baud: z.number().int().min(9600).max(2_000_000),
        reset,
        how,
      }),
    )
    .min(1)
    .max(4),
  led: z.strictObject({ pin: gpio, kind: z.enum(['plain', 'ws2812']), activeLow: z.boolean() }).optional(),
  /** tinyml's own interpreter of the chip, which counts instructions. */
  emulator: z.strictObject({ program: z.literal('tinyml') }).optional(),
});

export type EspChipFile = z.infer<typeof espChipSchema>;
export type EspBoardFile = z.infer<typeof espBoardSchema>;

interface Region {
  readonly origin: number;
  readonly bytes: number;
}

/** A chip; the flash beside it is the board's, so that a chip by itself has none. */
export interface EspChip extends Omit<EspChipFile, 'ram' | 'iram' | 'mappedFlash'> {
  /** `origin` is where flash is seen in memory; offsets in flash count from 0. It is erased by sectors. */
  readonly flash: Region & { readonly sectorBytes: number };
  readonly ram: readonly (Region & { readonly name: string; readonly use: 'data' | 'arena' | 'none' })[];
  readonly iram: Region & { readonly shared: boolean };
  readonly mappedFlash: Region & { readonly pageBytes: number };
}

export interface EspBoard extends Omit<EspBoardFile, 'chip'> {
  readonly family: EspFamily;
  readonly chip: EspChip;
}

const sized = <T extends { kib: number }>({ kib, ...rest }: T) => ({ ...rest, bytes: kib * KIB });

export function espChipOf({ mappedFlash, ...file }: EspChipFile): EspChip {
  const { pageKib, ...window } = mappedFlash;
  return {
    ...file,
    flash: { origin: window.origin, bytes: 0, sectorBytes: SECTOR_BYTES },
    ram: file.ram.map(sized),
    iram: sized(file.iram),
    mappedFlash: { ...sized(window), pageBytes: pageKib * KIB },
  };
}

function ledProblems(
  { led }: EspBoardFile,
  { id, name, gpio: { pins, inputOnly } }: EspChip,
): BoardProblem[] {
  if (!led) return [];
  const pointer = '/led/pin';
  const pin = gpioNumber(led.pin);
  if (!pins.includes(pin)) return [{ pointer, message: `the ${name} has no pin ${led.pin}` }];
  return inputOnly?.includes(pin) ? [{ pointer, message: `${led.pin} of the ${id} is an input only` }] : [];
}

/** What a board file says that its chip cannot do. */
function problemsOf(file: EspBoardFile, chip: EspChip): BoardProblem[] {
  const { peripheral } = file.serial;
  const ports = ['uart0', ...chip.usb];
  const message = `the ${chip.id} has no ${peripheral}; ports: ${ports.join(', ')}`;
  const serial = ports.includes(peripheral) ? [] : [{ pointer: '/serial/peripheral', message }];
  return [...serial, ...ledProblems(file, chip)];
}

/** The board of a file that follows the schema, or what is wrong with it. */
export function espBoardOf(file: EspBoardFile, chip: EspChip): EspBoard | readonly BoardProblem[] {
  const problems = problemsOf(file, chip);
  if (problems.length > 0) return problems;
  const bytes = file.memory.flashMib * KIB * KIB;
  return { ...file, family: chip.family, chip: { ...chip, flash: { ...chip.flash, bytes } } };
}

/** Whether a board or a chip is one of Espressif's. */
export function isEsp<T extends { readonly family: string }>(
  one: T,
): one is Extract<T, { family: EspFamily }> {
  return (espFamilies as readonly string[]).includes(one.family);
}

/** `GPIO8` as 8. */
const gpioNumber = (name: string) => Number(name.slice('GPIO'.length));

/** What firmware has to know of a board beside its memories. */
export function espFacts({ chip, serial, led, emulator }: EspBoard) {
  return {
    family: chip.family,
    cpu: chip.cpu,
    clockHz: chip.clock.sysclkHz,
    iram: chip.iram,
    mappedFlash: chip.mappedFlash,
    boot: { chipId: chip.bootloader.chipId, imageOffset: chip.bootloader.imageOffset },
    serial: { peripheral: serial.peripheral, baud: serial.baud },
    led: led?.kind === 'plain' ? { pin: gpioNumber(led.pin), activeLow: led.activeLow } : undefined,
    counter: emulator ? ('instructions' as const) : ('cycles' as const),
  };
}

function serialText({ serial, chip }: EspBoard): string {
  if (serial.peripheral === 'usb-serial-jtag') return `USB serial/JTAG of the chip: ${serial.reach}`;
  if (serial.peripheral === 'usb-otg') return `USB OTG of the chip: ${serial.reach}`;
  return `UART0, TX ${chip.uart0.tx}, RX ${chip.uart0.rx}, ${serial.baud} baud: ${serial.reach}`;
}

/** Rows of the board's table in docs/boards.md. */
export function espRows(board: EspBoard): string[][] {
  const { chip, led, memory } = board;
  const ledText = led?.kind === 'ws2812' ? 'addressable (WS2812), left alone' : 'lit while the firmware runs';
  return [
    ...(memory.psramMib > 0 ? [['PSRAM', `${memory.psramMib} MiB, left alone without ESP-IDF`]] : []),
    ['clock', `${chip.clock.sysclkHz / 1_000_000} MHz from a crystal of 40 MHz`],
    ['serial port', serialText(board)],
    ...(led ? [['LED', `${led.pin}, ${ledText}`]] : []),
  ];
}
