import type { TensorType } from '../../ir/types.ts';
import type { Activation } from '../define-op.ts';
import { dtypeNotSupported, quantizationNotSupported } from '../errors.ts';
import { clamp, type QuantizedMultiplier, quantizeMultiplier, roundHalfAway } from '../fixed-point.ts';

/** Scale (float32, as stored) and zero point of a tensor with one of each. */
export interface ScalarQuantization {
  readonly scale: number;
  readonly zeroPoint: number;
}

export const int8Lowest = -128;
export const int8Highest = 127;

/** The one scale and zero point of an int8 tensor, or the error that says what `op` cannot take. */
export function int8Quantization(op: string, type: TensorType): ScalarQuantization {
  if (type.dtype !== 'int8') throw dtypeNotSupported(op, type.dtype, 'int8');
  return scalarQuantization(op, type);
}

/** Whether an operator works on 16-bit activations (TFLite's 16x8 scheme). */
export function isWide(call: { readonly inputs: readonly TensorType[] }): boolean {
  return call.inputs[0]!.dtype === 'int16';
}

/** The scale of an int16 tensor, whose zero point is 0 by TFLite's quantization specification. */
export function int16Quantization(op: string, type: TensorType): ScalarQuantization {
  if (type.dtype !== 'int16') throw dtypeNotSupported(op, type.dtype, 'int16');
  const quant = scalarQuantization(op, type);
  if (quant.zeroPoint !== 0)
    throw quantizationNotSupported(op, 'an int16 tensor has a zero point that is not 0');
  return quant;
}

/** Scale and zero point of an int8 or int16 tensor. */
export function storedQuantization(op: string, type: TensorType): ScalarQuantization {
  return type.dtype === 'int16' ? int16Quantization(op, type) : int8Quantization(op, type);
}

export function scalarQuantization(op: string, type: TensorType): ScalarQuantization {
  const { scale, zeroPoint } = type.quant ?? { scale: [], zeroPoint: [] };
  if (scale.length !== 1 || zeroPoint.length > 1) {
    throw quantizationNotSupported(op, `a tensor has ${scale.length} scales where one is needed`);
  }
  const real = Math.fround(scale[0]!);
  if (!(real > 0) || !Number.isFinite(real)) {
    throw quantizationNotSupported(op, `a scale is ${scale[0]}, not a positive number`);
  }
  return { scale: real, zeroPoint: zeroPoint[0] ?? 0 };
}

/** Refuses a tensor whose stored numbers would mean something else under the other's scale. */
export function requireSameQuantization(op: string, a: ScalarQuantization, b: ScalarQuantization): void {
  if (a.scale !== b.scale || a.zeroPoint !== b.zeroPoint) {
    throw quantizationNotSupported(
      op,
      `input and output differ in scale or zero point (${a.scale}, ${a.zeroPoint} and ${b.scale}, ${b.zeroPoint})`,
    );
  }
}

/** A multiplier that 32-bit arithmetic can apply; TensorFlow Lite leaves larger ones undefined. */
export function requantization(op: string, real: number): QuantizedMultiplier {
  const result = quantizeMultiplier(real);
  if (result.shift > 30) throw quantizationNotSupported(op, `the scales need a factor of ${real}`);
  return result;
}

/** A real number as stored under a quantization, not clamped; float32 division like TensorFlow Lite's. */
export function storedValue(real: number, { scale, zeroPoint }: ScalarQuantization): number {
  return zeroPoint + roundHalfAway(Math.fround(Math.fround(real) / scale));
}

const limits: Record<Activation, readonly [number, number]> = {
  none: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
  relu: [0, Number.POSITIVE_INFINITY],
  relu6: [0, 6],
  reluN1To1: [-1, 1],
};

export interface StoredRange {
  readonly low: number;
  readonly high: number;
}

/** The int8 values that a fused activation leaves (CalculateActivationRangeQuantized of kernel_util.cc). */
export function activationRange(activation: Activation, out: ScalarQuantization): StoredRange {
  const [low, high] = limits[activation];
  return {
    low: Number.isFinite(low) ? Math.max(int8Lowest, storedValue(low, out)) : int8Lowest,
    high: Number.isFinite(high) ? Math.min(int8Highest, storedValue(high, out)) : int8Highest,
  };
}

export const int16Lowest = -32_768;
export const int16Highest = 32_767;

/** As `activationRange`, for int16. */
export function wideActivationRange(activation: Activation, out: ScalarQuantization): StoredRange {
  const [low, high] = limits[activation];
  return {
    low: Number.isFinite(low) ? Math.max(int16Lowest, storedValue(low, out)) : int16Lowest,
    high: Number.isFinite(high) ? Math.min(int16Highest, storedValue(high, out)) : int16Highest,
  };
}

export function clampInt16(x: number): number {
  return clamp(x, int16Lowest, int16Highest);
}

export function clampInt8(x: number): number {
  return clamp(x, int8Lowest, int8Highest);
}
