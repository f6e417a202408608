import type { NamedTensorMap, Tensor } from '@tensorflow/tfjs-core';
import { elementCount } from '../ir/tensor.ts';
import type { Shape } from '../ir/types.ts';
import type { FloatTensor, Tf } from '../ops/define-op.ts';
import { activationQuantization } from '../quant/scheme.ts';

type Saved = Tensor[] | NamedTensorMap;
type Save = (tensors: Tensor[]) => void;

/** Levels between the least and the greatest stored activation. */
const levels = 255;

/** A range under training: factors of the two ends that calibration found, which start at 1. */
export type RangeFactors = FloatTensor;

interface Grid {
  readonly scale: number;
  readonly low: number;
  readonly high: number;
}

/** The grid that int8 storage of a range has, as conversion will choose it; 0 is on it. */
function gridOf(min: number, max: number): Grid {
  const { scale, zeroPoint } = activationQuantization({ min: Math.min(0, min), max: Math.max(0, max) });
  const low = (-128 - zeroPoint[0]!) * scale[0]!;
  return { scale: scale[0]!, low, high: low + levels * scale[0]! };
}

/** Gradients of rounding: straight through inside of the range; the ends learn from what they cut off or space out. */
function rangeGradients(dy: Float32Array, x: Float32Array, { scale, low, high }: Grid) {
  const dx = new Float32Array(x.length);
  let [dlow, dhigh] = [0, 0];
  for (let i = 0; i < x.length; i++) {
    const value = x[i]!;
    const gradient = dy[i]!;
    if (value < low) dlow += gradient;
    else if (value > high) dhigh += gradient;
    else {
      dx[i] = gradient;
      const steps = (value - low) / scale;
      const spread = (gradient * (Math.round(steps) - steps)) / levels;
      dhigh += spread;
      dlow -= spread;
    }
  }
  return { dx, dlow, dhigh };
}

/**
 * `x` as int8 storage would give it back, with gradients for `x` and for the ends of the range (Esser et al., 2020;
 * Jain et al., 2020). `base` holds the ends that the factors multiply.
 */
export function roundActivation(
  tf: Tf,
  x: FloatTensor,
  factors: RangeFactors,
  base: { readonly min: number; readonly max: number },
): FloatTensor {
  const [a, b] = factors.dataSync() as Float32Array;
  const grid = gridOf(base.min * a!, base.max * b!);
  const { scale, low, high } = grid;
  const run = tf.customGrad((...args) => {
    const save = args.at(-1) as unknown as Save;
    const source = x.dataSync() as Float32Array;
    const rounded = new Float32Array(source.length);
    for (let i = 0; i < source.length; i++) {
      const inside = Math.min(high, Math.max(low, source[i]!));
      rounded[i] = low + Math.round((inside - low) / scale) * scale;
    }
    save([x]);
    return {
      value: tf.tensor(rounded, x.shape),
      gradFunc: (dy: Tensor, saved: Saved) => {
        const held = (saved as Tensor[])[0]!.dataSync() as Float32Array;
        const { dx, dlow, dhigh } = rangeGradients(dy.dataSync() as Float32Array, held, grid);
        return [tf.tensor(dx, x.shape), tf.tensor1d([dlow * base.min, dhigh * base.max])];
      },
    };
  });
  return run(x, factors);
}

/** Weights as symmetric storage in `bits` would give them back, a scale for each slice along `axis` or one for all. */
export function roundedWeights(
  data: Float32Array,
  shape: Shape,
  axis: number,
  perChannel: boolean,
  bits: number,
): Float32Array {
  const limit = 2 ** (bits - 1) - 1;
  const size = shape[axis]!;
  const inner = elementCount(shape.slice(axis + 1));
  const sliceOf = (i: number) => (perChannel ? Math.floor(i / inner) % size : 0);
  const greatest = new Float64Array(perChannel ? size : 1);
  for (let i = 0; i < data.length; i++)
    greatest[sliceOf(i)] = Math.max(greatest[sliceOf(i)]!, Math.abs(data[i]!));
  return data.map((value, i) => {
    const scale = Math.fround(greatest[sliceOf(i)]! / limit) || 1;
    return Math.round(value / scale) * scale;
  });
}

/** Rounded weights whose gradients go straight through to the real ones. */
export function roundWeights(
  tf: Tf,
  weights: FloatTensor,
  axis: number,
  perChannel: boolean,
  bits: number,
): FloatTensor {
  const run = tf.customGrad((...args) => {
    const [held] = args as unknown as [FloatTensor];
    const rounded = roundedWeights(held.dataSync() as Float32Array, held.shape, axis, perChannel, bits);
    return { value: tf.tensor(rounded, held.shape), gradFunc: (dy: Tensor) => [dy] };
  });
  return run(weights);
}
