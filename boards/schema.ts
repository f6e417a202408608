import { z } from 'zod';
import { espBoardSchema, espChipSchema } from './families/esp.ts';
import { stm32BoardSchema, stm32ChipSchema } from './families/stm32.ts';
import { boardFields, chipFields, how, serialFields, tickHz } from './fields.ts';

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
  stm32ChipSchema,
  rv32VirtChipSchema,
  espChipSchema,
]);

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
  stm32: stm32BoardSchema,
  'rv32-virt': rv32VirtBoardSchema,
  esp: espBoardSchema,
} as const;

export type ChipFile = z.infer<typeof chipSchema>;
export type Rv32VirtChipFile = Extract<ChipFile, { family: 'rv32-virt' }>;
export type Rv32VirtBoardFile = z.infer<typeof rv32VirtBoardSchema>;
