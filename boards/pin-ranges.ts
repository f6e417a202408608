import { z } from 'zod';

/** Numbers as data sheets list them: `"0-10,12-15"`, rising. */
export const pinRanges = z
  .string()
  .max(80)
  .regex(/^[0-9]{1,2}(-[0-9]{1,2})?(,[0-9]{1,2}(-[0-9]{1,2})?)*$/, 'must be ranges such as 0-10,12-15')
  .transform((text) => text.split(',').flatMap(numbersOf));

function numbersOf(range: string): number[] {
  const [first, last = first] = range.split('-').map(Number);
  return Array.from({ length: Math.max(0, last! - first! + 1) }, (_, i) => first! + i);
}
