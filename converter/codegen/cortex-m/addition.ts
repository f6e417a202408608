import { clamp, doublingHighMultiply, multiplyByQuantizedMultiplier } from '../../ops/fixed-point.ts';
import type { KernelCall } from '../../ops/integer/kernel-call.ts';
import { parameter } from './accumulating-layer.ts';
import { assemblyFunction, type KernelChoice, portable } from './kernel.ts';

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

interface Line {
  readonly a: number;
  readonly b: number;
  readonly offset: number;
  readonly shift: number;
}

/** What SMLAW adds for a stored value in the upper byte of a half word. */
const scaledTable = (multiplier: number) => stored.map((value) => Math.floor((multiplier * value) / 256));

function equals(line: Line, expected: readonly Int8Array[]): boolean {
  const a = scaledTable(line.a);
  const b = scaledTable(line.b);
  for (let i = 0; i < 0x10000; i++) {
    const sum = line.offset + a[i >> 8]! + b[i & 0xff]!;
    const result = clamp(sum >> line.shift, -128, 127);
    for (const table of expected) if (table[i] !== result) return false;
  }
  return true;
}

/** Neighbours of the ideal offset that are tried: the reference's roundings shift it by a few units of its own. */
const offsetsTried = [0, 1, -1, 2, -2, 4, -4, 8, -8, 16, -16];

/** The line of tml_cm_add.h that gives `expected` for all pairs. */
function findLine(call: KernelCall, expected: readonly Int8Array[]): Line | undefined {
  const [a, b] = [operandOf(call, 'a'), operandOf(call, 'b')];
  const real = (multiplier: number, shift: number) => multiplier * 2 ** (shift - 31);
  const output = real(parameter(call, 'y_multiplier'), parameter(call, 'y_shift')) * 2 ** raise;
  const ratioA = real(a.multiplier, a.shift) * output;
  const ratioB = real(b.multiplier, b.shift) * output;
  const zero = parameter(call, 'y_zero') + 0.5 - ratioA * a.zero - ratioB * b.zero;
  // Multipliers below 2^31, and sums of at most 256 times both ratios and the offset too.
  const size = Math.max(ratioA, ratioB, 1);
  const shift = Math.min(22, 20 - Math.ceil(Math.log2(size)));
  if (shift < 1) return undefined;
  const multiplier = (ratio: number) => Math.round(ratio * 2 ** (shift + 8));
  for (const step of offsetsTried) {
    const offset = Math.round(zero * 2 ** shift) + 1 + step;
    const line = { a: multiplier(ratioA), b: multiplier(ratioB), offset, shift };
    if (equals(line, expected)) return line;
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

/** The kernel for a call of add_s8. */
export function chooseAddition(call: KernelCall): KernelChoice {
  const count = plainCount(call);
  if (count === undefined) return portable('an operand is repeated');
  const block = parameter(call, 'block');
  const raisersUsed: Raiser[] = [
    ...(count >= block ? (['direct'] as const) : []),
    ...(count % block > 0 ? (['twice'] as const) : []),
  ];
  const line = findLine(
    call,
    raisersUsed.map((raiser) => results(call, raiser)),
  );
  if (!line) return portable('no line gives the results of all pairs of operands');
  return {
    kernel: {
      kernel: 'cm_add_s8',
      header: 'tml_cm_add.h',
      struct: 'tml_cm_add_s8',
      params: { count, a_multiplier: line.a, b_multiplier: line.b, offset: line.offset, shift: line.shift },
      functions: [count < 4 ? undefined : assemblyFunction('add', [line.shift])],
      inPlace: true,
    },
    form: 'one line, all pairs compared',
    declined: [],
  };
}
