import type { TensorType } from '../../ir/types.ts';
import type { IntegerKernel, OpCall } from '../define-op.ts';
import type { BinaryAttributes } from '../elementwise.ts';
import { quantizationNotSupported } from '../errors.ts';
import {
  clamp,
  doublingHighMultiply,
  multiplyByQuantizedMultiplier,
  type QuantizedMultiplier,
} from '../fixed-point.ts';
import type { KernelCall, KernelParams } from './kernel-call.ts';
import {
  activationRange,
  isWide,
  requantization,
  requireSameQuantization,
  type ScalarQuantization,
  type StoredRange,
  storedQuantization,
  wideActivationRange,
} from './quantized.ts';
import { isReal, realLimits } from './real-calls.ts';
import { broadcastStrides, joinAxes, type StridedWalk, walkRuns } from './strided.ts';

/** The kernels walk at most this many axes that cannot be joined. */
const mostAxes = 4;

type Call = OpCall<BinaryAttributes>;

interface Operands {
  readonly a: ScalarQuantization;
  readonly b: ScalarQuantization;
  readonly y: ScalarQuantization;
}

function operandsOf(op: string, call: Call): Operands {
  const [a, b] = call.inputs as [TensorType, TensorType];
  return {
    a: storedQuantization(op, a),
    b: storedQuantization(op, b),
    y: storedQuantization(op, call.outputs[0]!),
  };
}

/** A walk over the result with the strides of both inputs; the result itself is written in order. */
function walkOf(op: string, call: Call): StridedWalk {
  const shape = call.outputs[0]!.shape;
  const walk = joinAxes({ size: shape, strides: call.inputs.map((x) => broadcastStrides(x.shape, shape)) });
  if (walk.size.length > mostAxes) {
    throw quantizationNotSupported(op, `broadcasting over more than ${mostAxes} separate axes`);
  }
  return walk;
}

/** The stored values that the fused activation leaves. */
function limitsOf(call: Call, y: ScalarQuantization): StoredRange {
  return (isWide(call) ? wideActivationRange : activationRange)(call.attrs.activation, y);
}

/** Name of the kernel for the call's own type. */
const kernelName = (op: string, call: Call) => `${op}_${isWide(call) ? 's16' : 's8'}`;

type Combine = (a: number, b: number, index: number) => number;

function evaluator(walk: StridedWalk, combine: Combine): IntegerKernel {
  const [aStep, bStep] = walk.strides.map((stride) => stride.at(-1)!) as [number, number];
  return ([a, b], [y]) => {
    const left = a as Int8Array;
    const right = b as Int8Array;
    const output = y as Int8Array;
    let out = 0;
    walkRuns(walk, ([aStart, bStart], count) => {
      for (let i = 0; i < count; i++) {
        output[out] = combine(left[aStart! + i * aStep]!, right[bStart! + i * bStep]!, out++);
      }
    });
  };
}

/** The same operation on real numbers, each result rounded to float32 and clamped. */
function realEvaluator(op: string, call: Call, combine: (a: number, b: number) => number): IntegerKernel {
  const { low, high } = realLimits(call.attrs.activation);
  const real = (a: number, b: number) => clamp(Math.fround(combine(a, b)), low, high);
  return evaluator(walkOf(op, call), real);
}

/** The walk as parameters, padded in front to the number of axes that the kernels have. */
function walkParams(walk: StridedWalk): KernelParams {
  const front = mostAxes - walk.size.length;
  const pad = (list: readonly number[], filler: number) => [
    ...new Array<number>(front).fill(filler),
    ...list,
  ];
  return {
    walk: {
      size: pad(walk.size, 1),
      a_stride: pad(walk.strides[0]!, 0),
      b_stride: pad(walk.strides[1]!, 0),
    },
  };
}

function kernelCall(op: string, kernel: string, call: Call, params: KernelCall['params']): KernelCall[] {
  const { low, high } = limitsOf(call, operandsOf(op, call).y);
  return [{ kernel, params: { ...walkParams(walkOf(op, call)), ...params, low, high }, args: [0, 1] }];
}

interface Binary {
  integer(call: Call): IntegerKernel;
  kernels(call: Call): KernelCall[] | undefined;
}

/** The float32 kernel of the same name. */
export function binaryRealCall(op: string, call: Call): KernelCall[] {
  const params = walkParams(walkOf(op, call));
  return [{ kernel: `${op}_f32`, params, floats: realLimits(call.attrs.activation), args: [0, 1] }];
}

/** Both inputs are raised by 20 bits (15 for int16), brought to twice the larger scale, and summed (add.cc and sub.cc, Prepare). */
const leftShift = 20;
const wideLeftShift = 15;

function sumParams(op: string, { a, b, y }: Operands, raise = leftShift) {
  const twice = 2 * Math.max(a.scale, b.scale);
  return {
    left: requantization(op, a.scale / twice),
    right: requantization(op, b.scale / twice),
    result: requantization(op, twice / (2 ** raise * y.scale)),
  };
}

function scale(x: number, { multiplier, shift }: QuantizedMultiplier): number {
  return multiplyByQuantizedMultiplier(x, multiplier, shift);
}

/**
 * How TensorFlow Lite brings an operand of an addition to the common scale (integer_ops/add.h). Its scalar code
 * rounds the raised value twice; its vector code raises by 20 bits less the shift and rounds once (`direct`), or,
 * where one operand is a single repeated value, cuts the shifted bits off (`floored`).
 */
type Raise = 'twice' | 'direct' | 'floored';

function raised(x: number, factor: QuantizedMultiplier, raise: Raise): number {
  if (raise === 'twice') return scale(x << leftShift, factor);
  if (raise === 'floored') return doublingHighMultiply(x << leftShift, factor.multiplier) >> -factor.shift;
  const total = leftShift + factor.shift;
  return doublingHighMultiply(total >= 0 ? x << total : x >> -total, factor.multiplier);
}

/** More than any run has elements, so that none is taken in blocks. */
const noBlocks = 2 ** 30;

interface VectorPart {
  readonly raise: Raise;
  /** Elements of a run taken at once; what is left over goes through the scalar code. */
  readonly block: number;
}

/** Whether the innermost run advances both operands, only one, or neither is repeated in a pattern of its own. */
function vectorPart(walk: StridedWalk): VectorPart {
  const [a, b] = walk.strides as [readonly number[], readonly number[]];
  const kinds = walk.size.map((_, axis) => (a[axis] === 0 ? 'a' : b[axis] === 0 ? 'b' : 'both')).reverse();
  // Five folds: both, repeated operand, both, the other one, both; each may be missing (ProcessBroadcastShapes).
  const repeated = kinds.filter((kind) => kind !== 'both');
  const fits = repeated.length <= 2 && (repeated.length < 2 || repeated[0] !== repeated[1]);
  if (!fits) return { raise: 'direct', block: noBlocks };
  return kinds[0] === 'both' ? { raise: 'direct', block: 16 } : { raise: 'floored', block: 8 };
}

/** Sums and differences on int16 take the scalar code with fewer bits of headroom (add.cc, Prepare). */
function wideSum(op: string, call: Call, combine: (x: number, y: number) => number): IntegerKernel {
  const operands = operandsOf(op, call);
  const { left, right, result } = sumParams(op, operands, wideLeftShift);
  const { low, high } = limitsOf(call, operands.y);
  return evaluator(walkOf(op, call), (a, b) => {
    const [x, y] = [scale(a << wideLeftShift, left), scale(b << wideLeftShift, right)];
    return clamp(scale(combine(x, y), result), low, high);
  });
}

function wideSumMembers(op: string, call: Call): Record<string, number> {
  const { left, right, result } = sumParams(op, operandsOf(op, call), wideLeftShift);
  return {
    a_multiplier: left.multiplier,
    a_shift: left.shift,
    b_multiplier: right.multiplier,
    b_shift: right.shift,
    y_multiplier: result.multiplier,
    y_shift: result.shift,
  };
}

/**
 * a + b. Equal to LiteRT's bytes as long as results stay within 256 times the int8 range; beyond, its vector code
 * wraps at 16 bits where this saturates. The same holds for products.
 */
export const binarySum: Binary = {
  integer(call) {
    if (isWide(call)) return wideSum('add', call, (x, y) => x + y);
    if (isReal(call)) return realEvaluator('add', call, (a, b) => a + b);
    const operands = operandsOf('add', call);
    const { left, right, result } = sumParams('add', operands);
    const { low, high } = limitsOf(call, operands.y);
    const walk = walkOf('add', call);
    const { raise, block } = vectorPart(walk);
    const run = walk.size.at(-1)!;
    const sum = (a: number, b: number, index: number) => {
      const form = index % run < run - (run % block) ? raise : 'twice';
      const x = raised(a - operands.a.zeroPoint, left, form);
      const y = raised(b - operands.b.zeroPoint, right, form);
      return clamp(scale(x + y, result) + operands.y.zeroPoint, low, high);
    };
    return evaluator(walk, sum);
  },
  kernels(call) {
    if (isReal(call)) return binaryRealCall('add', call);
    if (isWide(call)) return kernelCall('add', 'add_s16', call, wideSumMembers('add', call));
    const { raise, block } = vectorPart(walkOf('add', call));
    const kernel = raise === 'floored' ? 'add_floored_s8' : 'add_s8';
    return kernelCall('add', kernel, call, { ...sumMembers('add', call), block });
  },
};

function sumMembers(op: string, call: Call): Record<string, number> {
  const operands = operandsOf(op, call);
  const { left, right, result } = sumParams(op, operands);
  return {
    a_zero: operands.a.zeroPoint,
    b_zero: operands.b.zeroPoint,
    y_zero: operands.y.zeroPoint,
    a_multiplier: left.multiplier,
    a_shift: left.shift,
    b_multiplier: right.multiplier,
    b_shift: right.shift,
    y_multiplier: result.multiplier,
    y_shift: result.shift,
  };
}

/** a - b, always in TensorFlow Lite's scalar code. */
export const binaryDifference: Binary = {
  integer(call) {
    if (isWide(call)) return wideSum('sub', call, (x, y) => x - y);
    if (isReal(call)) return realEvaluator('sub', call, (a, b) => a - b);
    const operands = operandsOf('sub', call);
    const { left, right, result } = sumParams('sub', operands);
    const { low, high } = limitsOf(call, operands.y);
    return evaluator(walkOf('sub', call), (a, b) => {
      const x = raised(a - operands.a.zeroPoint, left, 'twice');
      const y = raised(b - operands.b.zeroPoint, right, 'twice');
      return clamp(scale(x - y, result) + operands.y.zeroPoint, low, high);
    });
  },
  kernels(call) {
    if (isReal(call)) return binaryRealCall('sub', call);
    const members = (isWide(call) ? wideSumMembers : sumMembers)('sub', call);
    return kernelCall('sub', kernelName('sub', call), call, members);
  },
};

/** The product's scale in float32 arithmetic (mul.cc, Prepare). */
function productFactor({ a, b, y }: Operands): QuantizedMultiplier {
  return requantization('mul', Math.fround(Math.fround(a.scale * b.scale) / y.scale));
}

/** a * b. */
export const binaryProduct: Binary = {
  integer(call) {
    if (isReal(call)) return realEvaluator('mul', call, (a, b) => a * b);
    const operands = operandsOf('mul', call);
    const factor = productFactor(operands);
    const { low, high } = limitsOf(call, operands.y);
    return evaluator(walkOf('mul', call), (a, b) => {
      const product = (a - operands.a.zeroPoint) * (b - operands.b.zeroPoint);
      return clamp(scale(product, factor) + operands.y.zeroPoint, low, high);
    });
  },
  kernels(call) {
    if (isReal(call)) return binaryRealCall('mul', call);
    const operands = operandsOf('mul', call);
    const { multiplier, shift } = productFactor(operands);
    return kernelCall('mul', kernelName('mul', call), call, {
      a_zero: operands.a.zeroPoint,
      b_zero: operands.b.zeroPoint,
      y_zero: operands.y.zeroPoint,
      multiplier,
      shift,
    });
  },
};

/** The stored values are compared as they are (maximum_minimum.cc), which is right only under one quantization. */
function requireOneQuantization(op: string, { a, b, y }: Operands): void {
  requireSameQuantization(op, a, y);
  requireSameQuantization(op, b, y);
}

export function binaryExtreme(op: 'minimum' | 'maximum', pick: (a: number, b: number) => number): Binary {
  return {
    integer(call) {
      const operands = operandsOf(op, call);
      requireOneQuantization(op, operands);
      const { low, high } = limitsOf(call, operands.y);
      return evaluator(walkOf(op, call), (a, b) => clamp(pick(a, b), low, high));
    },
    kernels(call) {
      if (isReal(call)) return binaryRealCall(op, call);
      requireOneQuantization(op, operandsOf(op, call));
      if (isWide(call)) return undefined;
      return kernelCall(op, `${op}_s8`, call, {});
    },
  };
}
