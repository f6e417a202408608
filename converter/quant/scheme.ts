import { elementCount } from '../ir/tensor.ts';
import type { Quantization, Shape, TensorData, TensorType, Value } from '../ir/types.ts';
import { clamp, roundHalfAway } from '../ops/fixed-point.ts';
import type { Range } from './range.ts';

/** Largest magnitude of a stored weight: TFLite's narrow range, so that -128 never occurs. */
const weightLimit = 127;
/** The same in 4 bits. */
const packedLimit = 7;
const biasLimit = 2 ** 31 - 1;
/** A 64-bit bias that leaves room for products in the 48 bits that requantization takes. */
const wideBiasLimit = 2 ** 46;

/** Asymmetric int8 scale and zero point of an activation; scales are float32 because the file stores them so. */
export function activationQuantization({ min, max }: Range): Quantization {
  const scale = Math.fround((max - min) / 255) || 1;
  const zeroPoint = clamp(roundHalfAway(-128 - min / scale), -128, 127);
  return { scale: [scale], zeroPoint: [zeroPoint] };
}

/** Symmetric int16 scale of an activation; the zero point is 0 (TFLite's 16x8 scheme). */
export function wideQuantization({ min, max }: Range): Quantization {
  const scale = Math.fround(Math.max(Math.abs(min), Math.abs(max)) / 32_767) || 1;
  return { scale: [scale], zeroPoint: [0] };
}

/** Stored form of real numbers in an activation's own type. */
export function quantizeActivations(data: Float32Array, { dtype, quant }: TensorType): TensorData {
  if (!quant) return data;
  if (dtype !== 'int16') return quantizeToInt8(data, quant);
  const scale = quant.scale[0]!;
  const stored = (value: number) => roundHalfAway(Math.fround(Math.fround(value) / scale));
  return Int16Array.from(data, (value) => clamp(stored(value), -32_768, 32_767));
}

/** Stored form of real numbers with one scale and zero point. */
export function quantizeToInt8(data: ArrayLike<number>, quant: Quantization): Int8Array {
  const [scale, zeroPoint] = [quant.scale[0]!, quant.zeroPoint[0]!];
  return Int8Array.from(data, (value) =>
    clamp(roundHalfAway(Math.fround(Math.fround(value) / scale)) + zeroPoint, -128, 127),
  );
}

/** Runs `visit` with each element's index and the index of its slice along `axis`. */
function alongAxis(shape: Shape, axis: number, visit: (index: number, slice: number) => void): void {
  const size = shape[axis]!;
  const inner = elementCount(shape.slice(axis + 1));
  for (let i = 0, total = elementCount(shape); i < total; i++) visit(i, Math.floor(i / inner) % size);
}

/** How far a weight may be from a step of a scale that it was stored with; float32 products are that exact. */
const onStep = 1e-3;

/**
 * The scales, one for each slice along `axis`, with which weights were stored: the list among `candidates` under
 * which every weight is a whole number of 8 bits.
 */
export function scalesOfStored(
  weights: Value,
  axis: number,
  candidates: readonly (readonly number[])[],
): readonly number[] | undefined {
  const { shape } = weights.type;
  const slices = shape[axis]!;
  const source = weights.data as Float32Array;
  const fits = (scales: readonly number[]) => {
    let good = true;
    alongAxis(shape, axis, (i, slice) => {
      if (!good) return;
      const steps = source[i]! / scales[scales.length === 1 ? 0 : slice]!;
      good = Math.abs(steps - Math.round(steps)) < onStep && Math.abs(steps) < 128.5;
    });
    return good;
  };
  const found = candidates.find(
    (scales) => (scales.length === 1 || scales.length === slices) && fits(scales),
  );
  return found && (found.length === 1 ? new Array<number>(slices).fill(found[0]!) : found);
}

/** Greatest magnitude in each slice along `axis`. */
function magnitudes(weights: Value, axis: number): Float64Array {
  const result = new Float64Array(weights.type.shape[axis]!);
  const data = weights.data as Float32Array;
  alongAxis(weights.type.shape, axis, (i, slice) => {
    result[slice] = Math.max(result[slice]!, Math.abs(data[i]!));
  });
  return result;
}

export interface WeightOptions {
  /** For 16-bit activations: a 64-bit bias. */
  readonly wide?: boolean;
  /** Scales to use instead of those that the weights suggest, one for each slice. */
  readonly scales?: readonly number[];
  readonly bits?: 4 | 8;
}

/** Weights and bias of one linear operator in integers. */
export interface QuantizedWeights {
  readonly weights: { readonly type: TensorType; readonly data: Int8Array };
  readonly bias: { readonly type: TensorType; readonly data: Int32Array | BigInt64Array };
}

/**
 * Symmetric int8 weights with a scale for each slice along `axis` (or one for all), and int32 bias with scale
 * input scale * weight scale (int64 for 16-bit activations, `wide`). A weight scale grows where its bias would not fit 32 bits.
 * Source: TensorFlow Lite 8-bit quantization specification.
 */
export function quantizeWeights(
  weights: Value,
  bias: Value,
  inputScale: number,
  axis: number,
  perChannel: boolean,
  { wide = false, scales: given, bits = 8 }: WeightOptions = {},
): QuantizedWeights {
  const limit = bits === 4 ? packedLimit : weightLimit;
  const ranges = magnitudes(weights, axis);
  const shared = ranges.reduce((a, b) => Math.max(a, b), 0);
  const offsets = bias.data as Float32Array;
  const each = Array.from(ranges, (range, slice) => {
    const scale = (perChannel ? range : shared) / limit;
    return Math.max(scale, Math.abs(offsets[slice]!) / (inputScale * (wide ? wideBiasLimit : biasLimit)));
  });
  const largest = each.reduce((a, b) => Math.max(a, b), 0);
  const scales = given ?? each.map((scale) => Math.fround(perChannel ? scale : largest) || 1);
  const data = new Int8Array(weights.data!.length);
  const source = weights.data as Float32Array;
  alongAxis(weights.type.shape, axis, (i, slice) => {
    data[i] = clamp(roundHalfAway(source[i]! / scales[slice]!), given ? -128 : -limit, limit);
  });
  const biasScales = scales.map((scale) => Math.fround(inputScale * scale));
  const most = wide ? wideBiasLimit : biasLimit;
  const stored = Array.from(offsets, (value, slice) =>
    clamp(roundHalfAway(value / (inputScale * scales[slice]!)), -most, most),
  );
  const zeros = scales.map(() => 0);
  const one = <T>(list: readonly T[]) => (perChannel ? list : list.slice(0, 1));
  const along = (index: number) => (perChannel ? { axis: index } : {});
  return {
    weights: {
      type: {
        dtype: 'int8',
        ...(bits === 4 ? { bits } : {}),
        shape: weights.type.shape,
        quant: { scale: one(scales), zeroPoint: one(zeros), ...along(axis) },
      },
      data,
    },
    bias: {
      type: {
        dtype: wide ? 'int64' : 'int32',
        shape: bias.type.shape,
        quant: { scale: one(biasScales), zeroPoint: one(zeros), ...along(0) },
      },
      data: wide ? BigInt64Array.from(stored, BigInt) : Int32Array.from(stored),
    },
  };
}
