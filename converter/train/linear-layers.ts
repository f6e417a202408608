import type { NamedTensorMap, Tensor } from '@tensorflow/tfjs-core';
import type { Node } from '../ir/types.ts';
import type { Activation, FloatTensor, Tf } from '../ops/define-op.ts';
import { windowShape } from '../ops/window.ts';
import {
  depthwiseGradients,
  passClamp,
  sumWindowRows,
  type WindowGeometry,
  windowRows,
} from './window-gradients.ts';

/**
 * Linear layers for training on tfjs's WebAssembly backend, which lacks the gradients of convolutions and multiplies
 * matrices slowly unless both stand row by row. Forward they are its fused kernels; backward, sliding windows become
 * rows here and the products run in its fast matrix multiplication.
 */
export type LinearLayer = (
  tf: Tf,
  inputs: readonly [FloatTensor, FloatTensor, FloatTensor],
  attrs: Node['attrs'],
  /** Whether anything before the layer is trained. */
  needsInputGradient: boolean,
) => FloatTensor;

const clamps: Readonly<Record<Activation, readonly [number, number]>> = {
  none: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
  relu: [0, Number.POSITIVE_INFINITY],
  relu6: [0, 6],
  reluN1To1: [-1, 1],
};

/** What the fused kernels of the backend can clamp to. */
const fused: Partial<Record<Activation, string>> = { none: 'linear', relu: 'relu', relu6: 'relu6' };

/** Gets the layer's input and weights again: what was made on the way forward is gone. */
type Backward = (
  dz: Float32Array,
  x: FloatTensor,
  weights: FloatTensor,
) => readonly [dx: FloatTensor | undefined, dw: FloatTensor];

/** A layer from its forward kernel (activation included) and the gradients before the activation. */
function layer(
  tf: Tf,
  inputs: readonly [FloatTensor, FloatTensor, FloatTensor],
  activation: Activation,
  needsInputGradient: boolean,
  forward: () => FloatTensor,
  backward: Backward,
): FloatTensor {
  const [x, weights, bias] = inputs;
  const [low, high] = clamps[activation];
  const run = (dy: Tensor, [savedX, savedWeights, y]: readonly [Tensor, Tensor, Tensor]) => {
    const gradient = dy.dataSync() as Float32Array;
    const dz =
      activation === 'none' ? gradient : passClamp(gradient, y.dataSync() as Float32Array, low, high);
    const [dx, dw] = backward(dz, savedX, savedWeights);
    return { dx, dw, db: columnSums(tf, dz, bias.size) };
  };
  const withInput = tf.customGrad((...args) => {
    const save = args.at(-1) as unknown as (tensors: Tensor[]) => void;
    const value = forward();
    save([x, weights, value]);
    return {
      value,
      gradFunc: (dy: Tensor, saved: Tensor[] | NamedTensorMap) => {
        const { dx, dw, db } = run(dy, saved as [Tensor, Tensor, Tensor]);
        return needsInputGradient ? [dx!, dw, db] : [dw, db];
      },
    };
  });
  return needsInputGradient ? withInput(x, weights, bias) : withInput(weights, bias);
}

/** Sums over the rows of [rows, columns], as a product with ones. */
function columnSums(tf: Tf, dz: Float32Array, columns: number): FloatTensor {
  const rows = dz.length / columns;
  const sums = tf.matMul(tf.ones([1, rows]), tf.tensor2d(dz, [rows, columns]));
  return tf.reshape(sums, [columns]);
}

/** [rows, O] products' gradients: dx = dz * weights, dw = transpose(dz) * rows. */
function productGradients(
  tf: Tf,
  rows: FloatTensor,
  weights: FloatTensor,
  dz: Float32Array,
  needsInputGradient: boolean,
): readonly [FloatTensor | undefined, FloatTensor] {
  const gradient: FloatTensor = tf.tensor2d(dz, [rows.shape[0]!, weights.shape[0]!]);
  const dw = tf.matMul(tf.transpose(gradient), rows);
  return [needsInputGradient ? tf.matMul(gradient, weights) : undefined, dw];
}

const fullyConnected: LinearLayer = (tf, [x, weights, bias], attrs, needsInputGradient) => {
  const [units, depth] = weights.shape as [number, number];
  const activation = attrs['activation'] as Activation;
  const rows = tf.reshape(x, [x.size / depth, depth]);
  const [low, high] = clamps[activation];
  const forward = () => {
    const sum = tf.add(tf.matMul(rows, tf.transpose(weights)), bias);
    return activation === 'none' ? sum : tf.clipByValue(sum, low, high);
  };
  const y = layer(
    tf,
    [rows, weights, bias],
    activation,
    needsInputGradient,
    forward,
    (dz, savedRows, saved) => productGradients(tf, savedRows, saved, dz, needsInputGradient),
  );
  return tf.reshape(y, [...x.shape.slice(0, -1), units]);
};

function geometryOf(x: FloatTensor, kernel: readonly number[], attrs: Node['attrs']): WindowGeometry {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const window = attrs as unknown as Pick<WindowGeometry, 'strides' | 'dilations' | 'pads'>;
  const [outHeight, outWidth] = windowShape('convolution', x.shape, kernel, window, window.dilations);
  const [kernelHeight, kernelWidth] = kernel as [number, number];
  const { strides, dilations, pads } = window;
  return {
    batch,
    height,
    width,
    channels,
    outHeight,
    outWidth,
    kernelHeight,
    kernelWidth,
    strides,
    dilations,
    pads,
  };
}

/** Forward pass of a convolution by the backend's fused kernel, or plain operations where it has none. */
function runFused(
  tf: Tf,
  kernel: 'FusedConv2D' | 'FusedDepthwiseConv2D',
  inputs: Record<'x' | 'filter' | 'bias', FloatTensor>,
  g: WindowGeometry,
  activation: Activation,
): FloatTensor {
  const pad = [
    [0, 0],
    [g.pads[0]!, g.pads[2]!],
    [g.pads[1]!, g.pads[3]!],
    [0, 0],
  ];
  const y = tf.engine().runKernel(kernel, inputs, {
    strides: [...g.strides],
    pad,
    dataFormat: 'NHWC',
    dilations: [...g.dilations],
    activation: fused[activation] ?? 'linear',
  }) as FloatTensor;
  const [low, high] = clamps[activation];
  return fused[activation] === undefined ? tf.clipByValue(y, low, high) : y;
}

const conv2d: LinearLayer = (tf, inputs, attrs, needsInputGradient) => {
  const [x, weights, bias] = inputs;
  const [filters, ...kernel] = weights.shape.slice(0, 3) as [number, number, number];
  const g = geometryOf(x, kernel, attrs);
  const activation = attrs['activation'] as Activation;
  const isPointwise = kernel.every((size) => size === 1) && g.strides.every((step) => step === 1);
  const unpadded = g.pads.every((size) => size === 0);
  const depth = weights.size / filters;
  const count = g.batch * g.outHeight * g.outWidth;
  const forward = () =>
    runFused(tf, 'FusedConv2D', { x, filter: tf.transpose(weights, [1, 2, 3, 0]), bias }, g, activation);
  return layer(tf, inputs, activation, needsInputGradient, forward, (dz, savedX, saved) => {
    const direct = isPointwise && unpadded;
    const rows = direct
      ? tf.reshape(savedX, [count, depth])
      : tf.tensor(windowRows(savedX.dataSync() as Float32Array, g), [count, depth]);
    const matrix = tf.reshape(saved, [filters, depth]);
    const [drows, dw] = productGradients(tf, rows, matrix, dz, needsInputGradient);
    const dx =
      drows && !direct
        ? tf.tensor(sumWindowRows(drows.dataSync() as Float32Array, g), x.shape)
        : drows && tf.reshape(drows, x.shape);
    return [dx, tf.reshape(dw, weights.shape)];
  });
};

const depthwiseConv2d: LinearLayer = (tf, inputs, attrs, needsInputGradient) => {
  const [x, weights, bias] = inputs;
  const [, height, width, filters] = weights.shape as [number, number, number, number];
  const g = geometryOf(x, [height, width], attrs);
  const activation = attrs['activation'] as Activation;
  const filter = tf.reshape(weights, [height, width, g.channels, filters / g.channels]);
  const forward = () => runFused(tf, 'FusedDepthwiseConv2D', { x, filter, bias }, g, activation);
  return layer(tf, inputs, activation, needsInputGradient, forward, (dz, savedX, saved) => {
    const quick = needsInputGradient ? mirroredGradient(tf, saved, dz, g) : undefined;
    const { dx, dw } = depthwiseGradients(
      savedX.dataSync() as Float32Array,
      saved.dataSync() as Float32Array,
      dz,
      g,
      needsInputGradient && !quick,
    );
    return [quick ?? (dx && tf.tensor(dx, savedX.shape)), tf.tensor(dw, saved.shape)];
  });
};

/** With stride 1 the input's gradient is a convolution of `dz` with the mirrored filter, which the backend does fast. */
function mirroredGradient(
  tf: Tf,
  weights: FloatTensor,
  dz: Float32Array,
  g: WindowGeometry,
): FloatTensor | undefined {
  const { channels, kernelHeight, kernelWidth, dilations } = g;
  const [reachY, reachX] = [(kernelHeight - 1) * dilations[0]!, (kernelWidth - 1) * dilations[1]!];
  const pads = [reachY - g.pads[0]!, reachX - g.pads[1]!, reachY - g.pads[2]!, reachX - g.pads[3]!];
  const plain = g.strides.every((step) => step === 1) && weights.shape[3] === channels;
  if (!plain || pads.some((pad) => pad < 0)) return undefined;
  const filter = mirrored(weights.dataSync() as Float32Array, channels);
  return runFused(
    tf,
    'FusedDepthwiseConv2D',
    {
      x: tf.tensor(dz, [g.batch, g.outHeight, g.outWidth, channels]),
      filter: tf.tensor(filter, [kernelHeight, kernelWidth, channels, 1]),
      bias: tf.zeros([channels]),
    },
    { ...g, pads },
    'none',
  );
}

/** Filters [taps, channels] with their taps from last to first. */
function mirrored(weights: Float32Array, channels: number): Float32Array {
  const count = weights.length / channels;
  return weights.map((_, i) => weights[(count - 1 - Math.floor(i / channels)) * channels + (i % channels)]!);
}

export const linearLayers: ReadonlyMap<string, LinearLayer> = new Map([
  ['conv2d', conv2d],
  ['depthwiseConv2d', depthwiseConv2d],
  ['fullyConnected', fullyConnected],
]);
