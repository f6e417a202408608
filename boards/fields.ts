import { z } from 'zod';

/** `"0x08000000"`: JSON has no hexadecimal numbers, and data sheets speak in them. */
export const hexNumber = (digits: number) =>
  z
    .string()
    .regex(new RegExp(`^0x[0-9a-f]{${digits}}$`), `must be 0x and ${digits} lower-case hexadecimal digits`)
    .transform((text) => Number.parseInt(text, 16));

/** Text that people read: one line, without control or direction characters. */
export const words = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[\p{L}\p{N}\p{P}\p{S} ]*$/u, 'must be one line of plain text');

export const identifier = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and hyphens, 63 at most');
export const kib = z.number().int().min(1).max(2048);
/** The pages of an STM32L0 have 128 bytes. */
const sectorKib = z.number().min(0.125).max(2048).multipleOf(0.125);

/** How a person goes about it, in a line. */
export const how = words(300);

/** Memories beside flash; programs of ours keep their data in the one for `data`. */
export const ramRegions = z.array(
  z.strictObject({ name: identifier, origin: hexNumber(8), kib, use: z.enum(['data', 'arena', 'none']) }),
);

export const sources = z.strictObject({ datasheet: words(40), referenceManual: words(40) });

/** What chips of all families have. */
export const chipFields = {
  id: identifier,
  name: words(40),
  flash: z.strictObject({
    origin: hexNumber(8),
    sectors: z
      .array(
        z.strictObject({
          count: z.number().int().min(1).max(2048),
          kib: sectorKib,
          /** Number of the first of them, where it does not follow the last one before. */
          first: z.number().int().min(0).max(4096).optional(),
        }),
      )
      .min(1),
  }),
  ram: ramRegions,
  sources,
};

/** What boards of all families have. */
export const boardFields = {
  id: identifier,
  name: words(80),
  vendor: words(80),
  page: z
    .string()
    .max(300)
    .regex(/^https:\/\/[A-Za-z0-9.-]+(\/[A-Za-z0-9._~/%#?=&+-]*)?$/, 'must be an https address'),
  chip: identifier,
  usb: z.array(z.strictObject({ vid: hexNumber(4), pid: hexNumber(4), what: words(200) })).max(8),
};

export const serialFields = { baud: z.number().int().min(9600).max(2_000_000), reach: words(300) };

/** One nanosecond of an emulator's time for each instruction. */
export const tickHz = z.literal(1_000_000_000);
