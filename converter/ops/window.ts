import type { Tensor4D } from '@tensorflow/tfjs-core';
import type { Shape } from '../ir/types.ts';
import type { Activation, AttributeKind, FloatTensor, Tf } from './define-op.ts';
import { shapesDoNotFit } from './errors.ts';

/** Sliding-window geometry shared by convolution and pooling. `pads` is top, left, bottom, right. */
export type WindowAttributes = {
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly activation: Activation;
};

export const pairKind: AttributeKind = { kind: 'integers', length: 2, min: 1 };
export const padsKind: AttributeKind = { kind: 'integers', length: 4, min: 0 };

/** Positions of a window along one axis, or an error when it never fits. */
export function windowCount(
  op: string,
  size: number,
  window: number,
  stride: number,
  pads: number,
  dilation = 1,
): number {
  const reach = (window - 1) * dilation + 1;
  const count = Math.floor((size + pads - reach) / stride) + 1;
  if (count < 1)
    throw shapesDoNotFit(op, 'the window is larger than the padded input', [[reach], [size + pads]]);
  return count;
}

/** Height and width after a window of `kernel` has slid over an NHWC input. */
export function windowShape(
  op: string,
  input: Shape,
  kernel: readonly number[],
  attrs: { strides: readonly number[]; pads: readonly number[] },
  dilations: readonly number[] = [1, 1],
): [number, number] {
  const [top, left, bottom, right] = attrs.pads as [number, number, number, number];
  return [
    windowCount(op, input[1]!, kernel[0]!, attrs.strides[0]!, top + bottom, dilations[0]),
    windowCount(op, input[2]!, kernel[1]!, attrs.strides[1]!, left + right, dilations[1]),
  ];
}

/** TFLite's SAME padding of an NHWC input: top, left, bottom, right; the odd one goes to bottom and right. */
export function samePads(
  input: Shape,
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[] = [1, 1],
): [number, number, number, number] {
  const along = (axis: number): [number, number] => {
    const size = input[axis + 1]!;
    const reach = (kernel[axis]! - 1) * dilations[axis]! + 1;
    const total = Math.max(0, (Math.ceil(size / strides[axis]!) - 1) * strides[axis]! + reach - size);
    return [Math.floor(total / 2), total - Math.floor(total / 2)];
  };
  const [top, bottom] = along(0);
  const [left, right] = along(1);
  return [top, left, bottom, right];
}

/** Explicit pads in the form that tfjs takes for NHWC convolution and pooling. */
export function tfPads(
  pads: readonly number[],
): [[number, number], [number, number], [number, number], [number, number]] {
  return [
    [0, 0],
    [pads[0]!, pads[2]!],
    [pads[1]!, pads[3]!],
    [0, 0],
  ];
}

/**
 * A float convolution. tfjs takes strides or dilations but not both; with both it runs at every position and the
 * strided ones are picked by a pooling window of one element, which is differentiable.
 */
export function convolveStrided(
  tf: Tf,
  attrs: { strides: readonly number[]; dilations: readonly number[] },
  convolve: (strides: [number, number]) => Tensor4D,
): Tensor4D {
  const strides = attrs.strides as [number, number];
  const both = strides.some((step) => step > 1) && attrs.dilations.some((step) => step > 1);
  return both ? tf.maxPool(convolve([1, 1]), 1, strides, 'valid') : convolve(strides);
}

export function applyActivation(tf: Tf, x: FloatTensor, activation: Activation): FloatTensor {
  switch (activation) {
    case 'none':
      return x;
    case 'relu':
      return tf.relu(x);
    case 'relu6':
      return tf.clipByValue(x, 0, 6);
    case 'reluN1To1':
      return tf.clipByValue(x, -1, 1);
  }
}
