import { z } from 'zod';
import { boardFields, chipFields, hexNumber, how, serialFields, tickHz, words } from '../fields.ts';
import type { WithMemories } from '../memories.ts';
import { pinRanges } from '../pin-ranges.ts';

const pinName = z.string().regex(/^P[A-K](1[0-5]|[0-9])$/, 'must be a pin such as PA9');
const portLetter = z.enum(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k']);
const peripheral = z.enum(['usart1', 'usart2', 'usart3', 'uart4', 'uart5', 'usart6', 'lpuart1']);
const uartPins = z.strictObject({ peripheral, tx: pinName, rx: pinName });
const alternate = z.number().int().min(0).max(15);

const chipUart = z.strictObject({
  tx: z.array(pinName).min(1),
  rx: z.array(pinName).min(1),
  /** Number of the pins' alternate function; an STM32F1 has none. */
  alternate: alternate.optional(),
  /** The pins that have it under another number. */
  alternateOf: z.partialRecord(pinName, alternate).optional(),
  /** The bus that clocks it, where the chip differs from its line: USART1 of an STM32F303x6/8 hangs on the second, and runs from the first. */
  bus: z.union([z.literal(1), z.literal(2)]).optional(),
});

const divider = z.union([z.literal(1), z.literal(2), z.literal(4), z.literal(8), z.literal(16)]);
const megahertzHz = z.number().int().multipleOf(1_000_000).min(1_000_000);

/** How the line's clock is brought to its full speed; firmware-templates/render/stm32 makes register contents of it. */
const clock = z.strictObject({
  sysclkHz: megahertzHz,
  /** What is reached without a crystal, where that is less. */
  internalHz: megahertzHz.optional(),
  ahbDivider: divider.optional(),
  apb1Divider: divider,
  apb2Divider: divider,
  flashWaitStates: z.number().int().min(0).max(8),
  /** F2, F4, F7: the PLL's output divider P. */
  pllDivider: z.union([z.literal(2), z.literal(4), z.literal(6), z.literal(8)]).optional(),
  /** F4, F7: value of PWR_CR's VOS field. */
  voltageScale: z.number().int().min(1).max(3).optional(),
  /** F4, F7: over-drive. G4, L4+, U5: the regulator's boost. */
  overDrive: z.boolean().optional(),
  /** F1: the crystal can be divided by 1 or 2 only. */
  coarseDivider: z.boolean().optional(),
});

export const stm32ChipSchema = z.strictObject({
  ...chipFields,
  family: z.literal('stm32'),
  line: z.enum(['f0', 'f1', 'f2', 'f3', 'f4', 'f7', 'g0', 'g4', 'h7', 'l0', 'l4', 'u5']),
  cpu: z.enum(['cortex-m0', 'cortex-m0plus', 'cortex-m3', 'cortex-m4f', 'cortex-m7', 'cortex-m33']),
  counter: z.literal('cycles'),
  /** What an erased byte reads as, where it is not 0xff. */
  erased: z
    .literal('0x00')
    .transform(() => 0)
    .optional(),
  /** The package that `name` is in, and the pins that it has, by port (data sheet, pin table). */
  package: words(20),
  pins: z.partialRecord(portLetter, pinRanges),
  bootloader: z.strictObject({
    protocol: z.literal('an3155'),
    chipId: hexNumber(3),
    uarts: z.array(uartPins).min(1),
    /** Whether it also speaks DFU over the chip's USB. */
    dfu: z.boolean(),
  }),
  clock,
  uarts: z.partialRecord(peripheral, chipUart),
});

const megahertz = (max: number) =>
  z
    .number()
    .int()
    .min(4_000_000)
    .max(max)
    .multipleOf(1_000_000, 'must be a whole number of megahertz, in hertz');

/** HSE limits: 4 to 26 MHz with a crystal (48 in newer lines), up to 50 MHz fed in (data sheets, external clock source). */
const boardClock = z.discriminatedUnion('source', [
  z.strictObject({ source: z.literal('crystal'), hz: megahertz(48_000_000) }),
  z.strictObject({ source: z.literal('bypass'), hz: megahertz(50_000_000) }),
  z.strictObject({ source: z.literal('internal') }),
]);

/** Name of the drive that an ST-LINK shows. */
const volume = z.string().regex(/^[A-Z0-9_]{4,11}$/, 'must be the name of a drive, such as NOD_F446RE');

const flashSchema = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('stm32-uart'), peripheral, tx: pinName, rx: pinName, how }),
  z.strictObject({ method: z.literal('st-link'), how }),
  z.strictObject({ method: z.literal('usb-dfu'), how }),
  z.strictObject({ method: z.literal('mass-storage'), volumes: z.array(volume).min(1).max(4), how }),
]);

/** QEMU's machines with such a chip. Those of the F2 and F4 have timers that count instructions. */
const emulator = z.discriminatedUnion('machine', [
  z.strictObject({
    program: z.literal('qemu-system-arm'),
    machine: z.enum(['netduino2', 'netduinoplus2', 'olimex-stm32-h405']),
    tickHz,
  }),
  z.strictObject({
    program: z.literal('qemu-system-arm'),
    machine: z.literal('stm32vldiscovery'),
    /** SysTick at the emulated core's 24 MHz; no timer is modelled. */
    tickHz: z.literal(24_000_000),
  }),
]);

export const stm32BoardSchema = z.strictObject({
  ...boardFields,
  clock: boardClock,
  serial: z.strictObject({ ...uartPins.shape, ...serialFields }),
  flash: z.array(flashSchema).min(1).max(8),
  led: z.strictObject({ pin: pinName, activeLow: z.boolean() }).optional(),
  /** What a user of this board should know beside all that. */
  note: words(300).optional(),
  emulator: emulator.optional(),
});

export type Stm32ChipFile = z.infer<typeof stm32ChipSchema>;
export type Stm32BoardFile = z.infer<typeof stm32BoardSchema>;
export type Stm32Chip = WithMemories<Stm32ChipFile>;

/** A board with an STM32, real or emulated. */
export interface Stm32Board extends Omit<Stm32BoardFile, 'chip'> {
  readonly family: 'stm32';
  readonly chip: Stm32Chip;
}

/** `PA9` as port 0, pin 9. */
function pinOf(name: string): { port: number; pin: number } {
  return { port: name.charCodeAt(1) - 'A'.charCodeAt(0), pin: Number(name.slice(2)) };
}

/** Frequency of the core with this board's oscillator. */
export function fullSpeedHz({ chip, clock }: Pick<Stm32Board, 'chip' | 'clock'>): number {
  return clock.source === 'internal' ? (chip.clock.internalHz ?? chip.clock.sysclkHz) : chip.clock.sysclkHz;
}

function clockFacts(board: Stm32Board) {
  const { clock } = board.chip;
  return {
    hseHz: board.clock.source === 'internal' ? 0 : board.clock.hz,
    hseBypass: board.clock.source === 'bypass',
    sysclkHz: fullSpeedHz(board),
    ahbDivider: clock.ahbDivider ?? 1,
    apb1Divider: clock.apb1Divider,
    apb2Divider: clock.apb2Divider,
    flashWaitStates: clock.flashWaitStates,
    pllDivider: clock.pllDivider,
    voltageScale: clock.voltageScale,
    overDrive: clock.overDrive ?? false,
    coarseDivider: clock.coarseDivider ?? false,
  };
}

function uartFacts({ chip, serial }: Stm32Board) {
  const uart = chip.uarts[serial.peripheral];
  const alternateOf = (pin: string) => uart?.alternateOf?.[pin] ?? uart?.alternate ?? 0;
  return {
    name: serial.peripheral,
    tx: pinOf(serial.tx),
    rx: pinOf(serial.rx),
    txAlternate: alternateOf(serial.tx),
    rxAlternate: alternateOf(serial.rx),
    bus: uart?.bus,
    baud: serial.baud,
  };
}

function counterOf({ emulator }: Stm32Board) {
  if (!emulator) return 'cycles' as const;
  return emulator.machine === 'stm32vldiscovery' ? ('ticks' as const) : ('instructions' as const);
}

/** What the port of the STM32s is rendered from, beside the memories. */
export function stm32Facts(board: Stm32Board) {
  const { chip, led, emulator } = board;
  return {
    family: chip.family,
    line: chip.line,
    cpu: chip.cpu,
    clock: clockFacts(board),
    uart: uartFacts(board),
    led: led && { ...pinOf(led.pin), activeLow: led.activeLow },
    counter: counterOf(board),
    tickHz: emulator?.tickHz,
  };
}
