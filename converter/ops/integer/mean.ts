import { elementCount, stridesOf } from '../../ir/tensor.ts';
import type { IntegerKernel, OpCall } from '../define-op.ts';
import { quantizationNotSupported } from '../errors.ts';
import { multiplyByQuantizedMultiplier, multiplyHalfUp } from '../fixed-point.ts';
import type { ReductionAttributes } from '../reduction.ts';
import type { KernelCall } from './kernel-call.ts';
import {
  clampInt8,
  clampInt16,
  isWide,
  requantization,
  type ScalarQuantization,
  storedQuantization,
} from './quantized.ts';
import { isReal } from './real-calls.ts';
import { joinAxes, type StridedWalk, walkRuns } from './strided.ts';

type Call = OpCall<ReductionAttributes>;

/** result = clamp(multiply(sum - offset) + zero). */
interface Rescale {
  readonly offset: number;
  readonly multiplier: number;
  readonly shift: number;
  readonly zero: number;
  /** Results below this one round halves up, the others away from zero. */
  readonly halfUp: number;
}

/** Sums are scaled first and the zero points added rounded (integer_ops/mean.h): for height and width of 4-D input. */
function imageRescale(count: number, input: ScalarQuantization, output: ScalarQuantization): Rescale {
  const zero = Math.fround(Math.fround(input.zeroPoint * input.scale) / output.scale);
  const rounded = Math.trunc(Math.fround(zero > 0 ? zero + 0.5 : zero - 0.5));
  const real = Math.fround(input.scale / Math.fround(count * output.scale));
  return { offset: 0, ...requantization('mean', real), zero: output.zeroPoint - rounded, halfUp: 0 };
}

/** 1 / count goes into the multiplier, cut to an integer (reference/reduce.h, QuantizedMeanOrSum). */
function generalRescale(count: number, input: ScalarQuantization, output: ScalarQuantization): Rescale {
  const { multiplier, shift } = requantization('mean', input.scale / output.scale);
  const raise = Math.min(Math.floor(Math.log2(count)), 32, 31 + shift);
  const divided = Number((BigInt(multiplier) << BigInt(raise)) / BigInt(count));
  return {
    offset: input.zeroPoint * count,
    multiplier: divided,
    shift: shift - raise,
    zero: output.zeroPoint,
    halfUp: 0,
  };
}

/** Channels that integer_ops/mean.h takes at once; the rest is done by scalar code. */
const vectorChannels = 16;

function rescaleOf(call: Call): Rescale {
  const input = storedQuantization('mean', call.inputs[0]!);
  const output = storedQuantization('mean', call.outputs[0]!);
  const { shape } = call.inputs[0]!;
  const { axes, keepDims } = call.attrs;
  const count = axes.reduce((product, axis) => product * shape[axis]!, 1);
  const overImage =
    shape.length === 4 && shape[0] === 1 && keepDims && axes.length === 2 && axes[0] === 1 && axes[1] === 2;
  if (!overImage || isWide(call)) return generalRescale(count, input, output);
  const depth = shape[3]!;
  return { ...imageRescale(count, input, output), halfUp: depth - (depth % vectorChannels) };
}

/** Steps over the kept axes and, for each of them, over the reduced ones. */
function walksOf({ inputs, attrs }: Call): { kept: StridedWalk; reduced: StridedWalk } {
  const { shape } = inputs[0]!;
  const strides = stridesOf(shape);
  const over = (reduced: boolean): StridedWalk => {
    const axes = shape.flatMap((_, axis) => (attrs.axes.includes(axis) === reduced ? [axis] : []));
    return joinAxes({
      size: axes.map((axis) => shape[axis]!),
      strides: [axes.map((axis) => strides[axis]!)],
    });
  };
  return { kept: over(false), reduced: over(true) };
}

export function integerMean(call: Call): IntegerKernel {
  const { offset, multiplier, shift, zero, halfUp } = rescaleOf(call);
  const { kept, reduced } = walksOf(call);
  const limit = isWide(call) ? clampInt16 : clampInt8;
  const keptStep = kept.strides[0]!.at(-1)!;
  const reducedStep = reduced.strides[0]!.at(-1)!;
  return ([x], [y]) => {
    const input = x as Int8Array;
    const output = y as Int8Array;
    let out = 0;
    walkRuns(kept, ([start], results) => {
      for (let result = 0; result < results; result++) {
        let sum = 0;
        walkRuns(reduced, ([from], count) => {
          const first = start! + result * keptStep + from!;
          for (let i = 0; i < count; i++) sum += input[first + i * reducedStep]!;
        });
        const multiply = out < halfUp ? multiplyHalfUp : multiplyByQuantizedMultiplier;
        output[out++] = limit(multiply(sum - offset, multiplier, shift) + zero);
      }
    });
  };
}

/** The kernel walks this many kept and as many reduced axes. */
const mostAxes = 3;

function padded(op: string, { size, strides }: StridedWalk): { size: number[]; stride: number[] } {
  if (size.length > mostAxes) throw quantizationNotSupported(op, 'the axes are spread too far');
  const front = mostAxes - size.length;
  return {
    size: [...new Array<number>(front).fill(1), ...size],
    stride: [...new Array<number>(front).fill(0), ...strides[0]!],
  };
}

export function meanCalls(call: Call): KernelCall[] {
  const walks = walksOf(call);
  const kept = padded('mean', walks.kept);
  const reduced = padded('mean', walks.reduced);
  const axes = {
    size: kept.size,
    stride: kept.stride,
    reduced_size: reduced.size,
    reduced_stride: reduced.stride,
  };
  if (isReal(call)) return [{ kernel: 'mean_f32', params: axes, args: [0] }];
  if (elementCount(call.inputs[0]!.shape) * (isWide(call) ? 32_768 : 128) > 2 ** 31 - 1) {
    throw quantizationNotSupported('mean', 'its sums can overflow 32 bits');
  }
  const { offset, multiplier, shift, zero, halfUp } = rescaleOf(call);
  const params = { ...axes, offset, multiplier, shift, y_zero: zero, half_up: halfUp };
  return [{ kernel: isWide(call) ? 'mean_s16' : 'mean_s8', params, args: [0] }];
}
