import { clamp, doublingHighMultiply, multiplyByQuantizedMultiplier } from '../../ops/fixed-point.ts';
import type { KernelCall } from '../../ops/integer/kernel-call.ts';
import { parameter } from './accumulating-layer.ts';
import type { ResultRange } from './requantize.ts';

/** Bits by which the operands are raised (TML_RAISE of the portable kernel). */
const raise = 20;

interface Operand {
  readonly zero: number;
  readonly multiplier: number;
  readonly shift: number;
}

const operandOf = (call: KernelCall, name: 'a' | 'b'): Operand => ({
  zero: parameter(call, `${name}_zero`),
  multiplier: parameter(call, `${name}_multiplier`),
  shift: parameter(call, `${name}_shift`),
});

/** How the portable kernel raises an operand: rounded once in whole blocks, twice in what is left over. */
const raisers = {
  direct(x: number, { multiplier, shift }: Operand): number {
    const total = raise + shift;
    return doublingHighMultiply(total >= 0 ? x << total : x >> -total, multiplier);
  },
  twice: (x: number, { multiplier, shift }: Operand) =>
    multiplyByQuantizedMultiplier(x << raise, multiplier, shift),
} as const;

type Raiser = keyof typeof raisers;

const stored = Array.from({ length: 256 }, (_, i) => i - 128);

/** Results of the portable kernel for all pairs, a by a. */
function results(call: KernelCall, raiser: Raiser): Int8Array {
  const tableOf = (operand: Operand) => stored.map((value) => raisers[raiser](value - operand.zero, operand));
  const a = tableOf(operandOf(call, 'a'));
  const b = tableOf(operandOf(call, 'b'));
  const [multiplier, shift] = [parameter(call, 'y_multiplier'), parameter(call, 'y_shift')];
  const [zero, low, high] = [parameter(call, 'y_zero'), parameter(call, 'low'), parameter(call, 'high')];
  return Int8Array.from({ length: 0x10000 }, (_, i) => {
    const sum = a[i >> 8]! + b[i & 0xff]!;
    return clamp(multiplyByQuantizedMultiplier(sum, multiplier, shift) + zero, low, high);
  });
}

type Limits = Pick<ResultRange, 'low' | 'high'>;

/** result = clamp((offset + floor(a * x0 / 2^bits) + floor(b * x1 / 2^bits)) >> shift) for stored values x0, x1. */
export interface Line {
  readonly a: number;
  readonly b: number;
  readonly offset: number;
  readonly shift: number;
}

function equals(line: Line, bits: number, expected: readonly Int8Array[], { low, high }: Limits): boolean {
  const scaled = (multiplier: number) => stored.map((value) => Math.floor((multiplier * value) / 2 ** bits));
  const a = scaled(line.a);
  const b = scaled(line.b);
  for (let i = 0; i < 0x10000; i++) {
    const sum = line.offset + a[i >> 8]! + b[i & 0xff]!;
    const result = clamp(sum >> line.shift, low, high);
    for (const table of expected) if (table[i] !== result) return false;
  }
  return true;
}

/** Neighbours of the ideal offset that are tried: the reference's roundings shift it by a few units of its own. */
const offsetsTried = [0, ...Array.from({ length: 11 }, (_, i) => [2 ** i, -(2 ** i)]).flat()];
/** Roundings of both multipliers that are tried: where no bits are dropped a unit is worth up to 128. */
const roundingsTried = [
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
] as const;

/** Result before rounding, as a line over the stored values. */
interface RealLine {
  readonly a: number;
  readonly b: number;
  readonly offset: number;
}

function realLine(call: KernelCall): RealLine {
  const [a, b] = [operandOf(call, 'a'), operandOf(call, 'b')];
  const real = (multiplier: number, shift: number) => multiplier * 2 ** (shift - 31);
  const output = real(parameter(call, 'y_multiplier'), parameter(call, 'y_shift')) * 2 ** raise;
  const ratioA = real(a.multiplier, a.shift) * output;
  const ratioB = real(b.multiplier, b.shift) * output;
  const offset = parameter(call, 'y_zero') + 0.5 - ratioA * a.zero - ratioB * b.zero;
  return { a: ratioA, b: ratioB, offset };
}

/** The most bits behind the point with which multipliers, and sums with a bit to spare, stay below 2^31. */
function largestShift({ a, b, offset }: RealLine, bits: number): number {
  const sum = 128 * (a + b) + Math.abs(offset) + 1;
  return 30 - Math.ceil(Math.log2(Math.max(sum, a * 2 ** bits, b * 2 ** bits)));
}

/** The line that gives `expected` for all pairs when results are clamped to a range. */
function findLine(
  call: KernelCall,
  expected: readonly Int8Array[],
  bits: number,
  range: Limits,
): Line | undefined {
  const real = realLine(call);
  const shift = Math.min(24, largestShift(real, bits));
  if (shift < 1) return undefined;
  const multiplier = (ratio: number, up: number) => Math.floor(ratio * 2 ** (shift + bits)) + up;
  for (const [upA, upB] of roundingsTried) {
    const [a, b] = [multiplier(real.a, upA), multiplier(real.b, upB)];
    for (const step of offsetsTried) {
      const line = { a, b, offset: Math.round(real.offset * 2 ** shift) + step, shift };
      if (equals(line, bits, expected, range)) return line;
    }
  }
  return undefined;
}

interface Walk {
  readonly size: readonly number[];
  readonly a_stride: readonly number[];
  readonly b_stride: readonly number[];
}

/** Elements when both operands are read in order; undefined when one is repeated. */
function plainCount(call: KernelCall): number | undefined {
  const { size, a_stride, b_stride } = call.params['walk'] as unknown as Walk;
  const outer = size.slice(0, -1).every((extent) => extent === 1);
  const inOrder = a_stride.at(-1) === 1 && b_stride.at(-1) === 1;
  return outer && inOrder ? size.at(-1) : undefined;
}

/** What all pairs of operands have been compared for, or why there is no such line. */
export type PlannedAddition =
  | { readonly line: Line; readonly count: number }
  | { readonly line: undefined; readonly obstacle: string };

/** The line for a call of add_s8 on a machine whose multiplications drop the lowest `bits` bits. */
export function planAddition(call: KernelCall, bits: number, range: Limits): PlannedAddition {
  const count = plainCount(call);
  if (count === undefined) return { line: undefined, obstacle: 'an operand is repeated' };
  const block = parameter(call, 'block');
  const raisersUsed: Raiser[] = [
    ...(count >= block ? (['direct'] as const) : []),
    ...(count % block > 0 ? (['twice'] as const) : []),
  ];
  const expected = raisersUsed.map((raiser) => results(call, raiser));
  const line = findLine(call, expected, bits, range);
  return line
    ? { line, count }
    : { line: undefined, obstacle: 'no line gives the results of all pairs of operands' };
}
