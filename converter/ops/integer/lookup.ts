import { elementCount } from '../../ir/tensor.ts';
import type { Activation, IntegerKernel, OpCall } from '../define-op.ts';
import { clamp, multiplyByQuantizedMultiplier, roundHalfAway } from '../fixed-point.ts';
import type { KernelCall } from './kernel-call.ts';
import {
  activationRange,
  clampInt8,
  int8Highest,
  int8Lowest,
  int8Quantization,
  isWide,
  requantization,
  type ScalarQuantization,
} from './quantized.ts';
import { isReal, realLimits, unaryRealCall } from './real-calls.ts';
import { wideLeakyRelu, wideRectifier } from './wide/elementwise.ts';

/** What an int8 value becomes, as a stored value; not clamped. */
type Stored = (q: number) => number;

/** Prepares one call of an operator that looks at one int8 value at a time. */
type Prepare<A> = (call: OpCall<A>, input: ScalarQuantization, output: ScalarQuantization) => Stored;

/**
 * Everything that maps one int8 to another is a table of 256 bytes, indexed by the input's bits: exact by
 * construction, and the same on every platform whatever the function.
 */
export function tableOf(stored: Stored): Int8Array {
  const table = new Int8Array(256);
  for (let q = int8Lowest; q <= int8Highest; q++) table[q & 0xff] = clampInt8(stored(q));
  return table;
}

/** The C call that looks up `count` values from position `from` on. */
export function lookupCall(table: Int8Array, from: number, count: number): KernelCall {
  return { kernel: 'lookup_s8', params: { from, count }, args: [0, { name: 'table', data: table }] };
}

/** The float32 calls of the same operator. */
type RealCalls<A> = (call: OpCall<A>) => KernelCall[];

export interface Lookup<A> {
  integer(call: OpCall<A>): IntegerKernel;
  kernels(call: OpCall<A>): KernelCall[] | undefined;
}

/** Integer evaluation and C call of an element-wise int8 operator. */
export function lookup<A>(op: string, prepare: Prepare<A>, real: RealCalls<A>): Lookup<A> {
  const tableFor = (call: OpCall<A>) =>
    tableOf(prepare(call, int8Quantization(op, call.inputs[0]!), int8Quantization(op, call.outputs[0]!)));
  return {
    integer(call) {
      const table = tableFor(call);
      return ([x], [y]) => {
        const input = x as Int8Array;
        const output = y as Int8Array;
        for (let i = 0; i < output.length; i++) output[i] = table[input[i]! & 0xff]!;
      };
    },
    kernels: (call) =>
      isReal(call) ? real(call) : [lookupCall(tableFor(call), 0, elementCount(call.inputs[0]!.shape))],
  };
}

/** The form for int16 where the input is of that type, which no table of results fits. */
function orWide<A>(narrow: Lookup<A>, wide: Lookup<A>): Lookup<A> {
  return {
    integer: (call) => (isWide(call) ? wide : narrow).integer(call),
    kernels: (call) => (isWide(call) ? wide : narrow).kernels(call),
  };
}

/** A rectifier on real numbers. */
function realClamp(activation: Activation): IntegerKernel {
  const { low, high } = realLimits(activation);
  return ([x], [y]) => {
    for (let i = 0; i < y!.length; i++) y![i] = clamp(Number(x![i]), low, high);
  };
}

/** x * real, rounded in fixed point. */
function scaler(op: string, real: number): Stored {
  const { multiplier, shift } = requantization(op, real);
  return (x) => multiplyByQuantizedMultiplier(x, multiplier, shift);
}

/** Rectifiers: requantization by the float32 quotient of the scales, then clamping (activations.cc, ReluPrepare). */
export function rectifierLookup(op: string, activation: Activation): Lookup<Record<never, never>> {
  const prepare: Prepare<Record<never, never>> = (_, input, output) => {
    const scale = scaler(op, Math.fround(input.scale / output.scale));
    const { low, high } = activationRange(activation, output);
    return (q) => clamp(scale(q - input.zeroPoint) + output.zeroPoint, low, high);
  };
  const narrow = lookup(op, prepare, (call) => unaryRealCall(call, 'clamp_f32', realLimits(activation)));
  const { integer, kernels } = orWide(narrow, wideRectifier(op, activation));
  return { kernels, integer: (call) => (isReal(call) ? realClamp(activation) : integer(call)) };
}

/** Leaky rectifier: one multiplier on each side of the zero point (activations.cc, LeakyReluPrepare). */
const narrowLeakyRelu = lookup<{ readonly alpha: number }>(
  'leakyRelu',
  ({ attrs }, input, output) => {
    const identity = scaler('leakyRelu', Math.fround(input.scale / output.scale));
    const real = Math.fround(Math.fround(input.scale * Math.fround(attrs.alpha)) / output.scale);
    const slope = scaler('leakyRelu', Math.abs(real));
    const sign = real < 0 ? -1 : 1;
    return (q) => {
      const x = q - input.zeroPoint;
      return output.zeroPoint + (x >= 0 ? identity(x) : sign * slope(x));
    };
  },
  (call) => unaryRealCall(call, 'leaky_relu_f32', { alpha: call.attrs.alpha }),
);

export const leakyReluLookup = orWide(narrowLeakyRelu, wideLeakyRelu);

/** |x - zero|, rescaled only where the scales differ (elementwise.cc, AbsEvalQuantized). */
export const absLookup = lookup<Record<never, never>>(
  'abs',
  (_, input, output) => {
    if (input.scale === output.scale) return (q) => Math.abs(q - input.zeroPoint) + output.zeroPoint;
    const scale = scaler('abs', Math.fround(input.scale / output.scale));
    return (q) => scale(Math.abs(q - input.zeroPoint)) + output.zeroPoint;
  },
  (call) => unaryRealCall(call, 'abs_f32'),
);

/** A float32 function evaluated at each of the 256 inputs (internal/common.h, LUTPopulate). */
export function functionLookup(op: string, real: (x: number) => number): Lookup<Record<never, never>> {
  const prepare: Prepare<Record<never, never>> = (_, input, output) => {
    const inverse = Math.fround(1 / output.scale);
    return (q) => {
      const x = Math.fround(input.scale * (q - input.zeroPoint));
      const rescaled = roundHalfAway(Math.fround(Math.fround(real(x)) * inverse));
      return Math.fround(rescaled + output.zeroPoint);
    };
  };
  return lookup(op, prepare, (call) => unaryRealCall(call, `${op}_f32`));
}
