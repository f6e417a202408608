import { z } from 'zod';
import { espBoardSchema, espChipSchema } from './families/esp.ts';
import { boardFields, chipFields, hexNumber, how, serialFields } from './fields.ts';

const pinName = z.string().regex(/^P[A-I](1[0-5]|[0-9])$/, 'must be a pin such as PA9');
const peripheral = z.enum(['usart1', 'usart2', 'usart3', 'usart6']);

const uartPins = z.strictObject({ peripheral, tx: pinName, rx: pinName });

const chipUart = z.strictObject({
  tx: z.array(pinName).min(1),
  rx: z.array(pinName).min(1),
  alternate: z.number().int().min(0).max(15),
});

const stm32f4ChipSchema = z.strictObject({
  ...chipFields,
  family: z.literal('stm32f4'),
  cpu: z.literal('cortex-m4f'),
  counter: z.literal('cycles'),
  bootloader: z.strictObject({
    protocol: z.literal('an3155'),
    chipId: hexNumber(3),
    uarts: z.array(uartPins).min(1),
  }),
  clock: z.strictObject({
    sysclkHz: z.number().int().multipleOf(1_000_000),
    pllDivider: z.union([z.literal(2), z.literal(4), z.literal(6), z.literal(8)]),
    apb1Divider: z.union([z.literal(1), z.literal(2), z.literal(4)]),
    apb2Divider: z.union([z.literal(1), z.literal(2), z.literal(4)]),
    flashWaitStates: z.number().int().min(0).max(8),
    voltageScale: z.number().int().min(1).max(3),
    overDrive: z.boolean(),
  }),
  uarts: z.strictObject({
    usart1: chipUart,
    usart2: chipUart,
    usart3: chipUart.optional(),
    usart6: chipUart,
  }),
});

/** A core of QEMU's `virt` machine: its memory stands for flash and RAM of the sizes given. */
const rv32VirtChipSchema = z.strictObject({
  ...chipFields,
  family: z.literal('rv32-virt'),
  cpu: z.literal('rv32imc'),
  counter: z.literal('instructions'),
  /** The machine has no clock of its own: times are told as if a chip of this frequency ran an instruction a cycle. */
  clock: z.strictObject({ sysclkHz: z.number().int().multipleOf(1_000_000).min(1_000_000) }),
});

/** A chip: `boards/chips/<id>.json`, ours only. */
export const chipSchema = z.discriminatedUnion('family', [
  stm32f4ChipSchema,
  rv32VirtChipSchema,
  espChipSchema,
]);

const megahertz = (max: number) =>
  z
    .number()
    .int()
    .min(4_000_000)
    .max(max)
    .multipleOf(1_000_000, 'must be a whole number of megahertz, in hertz');

/** HSE limits: 4 to 26 MHz with a crystal, up to 50 MHz fed in (STM32F4 data sheets, external clock source). */
const clockSchema = z.discriminatedUnion('source', [
  z.strictObject({ source: z.literal('crystal'), hz: megahertz(26_000_000) }),
  z.strictObject({ source: z.literal('bypass'), hz: megahertz(50_000_000) }),
  z.strictObject({ source: z.literal('internal') }),
]);

const flashSchema = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('stm32-uart'), peripheral, tx: pinName, rx: pinName, how }),
  z.strictObject({ method: z.literal('st-link'), how }),
  z.strictObject({ method: z.literal('usb-dfu'), how }),
]);

/** One nanosecond of an emulator's time for each instruction. */
const tickHz = z.literal(1_000_000_000);

const stm32f4BoardSchema = z.strictObject({
  ...boardFields,
  clock: clockSchema,
  serial: z.strictObject({ ...uartPins.shape, ...serialFields }),
  flash: z.array(flashSchema).min(1).max(8),
  led: z.strictObject({ pin: pinName, activeLow: z.boolean() }).optional(),
  emulator: z
    .strictObject({
      program: z.literal('qemu-system-arm'),
      machine: z.literal('netduinoplus2'),
      tickHz,
    })
    .optional(),
});

const rv32VirtBoardSchema = z.strictObject({
  ...boardFields,
  serial: z.strictObject({ peripheral: z.literal('uart0'), ...serialFields }),
  flash: z.array(z.strictObject({ method: z.literal('emulator'), how })).length(1),
  emulator: z.strictObject({
    program: z.literal('qemu-system-riscv32'),
    machine: z.literal('virt'),
    tickHz,
  }),
});

/**
 * A board: `boards/<id>.json`, or a file of the user's own; the family of its chip says which fields it has.
 * Nothing in it becomes a path or a compiler flag.
 */
export const boardSchemas = {
  stm32f4: stm32f4BoardSchema,
  'rv32-virt': rv32VirtBoardSchema,
  esp: espBoardSchema,
} as const;

export type ChipFile = z.infer<typeof chipSchema>;
export type Stm32f4ChipFile = z.infer<typeof stm32f4ChipSchema>;
export type Rv32VirtChipFile = z.infer<typeof rv32VirtChipSchema>;
export type Stm32f4BoardFile = z.infer<typeof stm32f4BoardSchema>;
export type Rv32VirtBoardFile = z.infer<typeof rv32VirtBoardSchema>;
