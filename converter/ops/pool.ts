import type { TensorType } from '../ir/types.ts';
import { type Activation, type AttributeSchema, activationKind } from './define-op.ts';
import { shapesDoNotFit } from './errors.ts';
import { activationCode, readActivation } from './tflite/activation.ts';
import type { TfliteNode, TfliteOptions, TfliteRead } from './tflite/form.ts';
import { readImage, readPads, readSteps } from './tflite/window.ts';
import { padsKind, pairKind, windowShape } from './window.ts';

export type PoolAttributes = {
  readonly filter: readonly number[];
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly activation: Activation;
};

export const poolAttributes: AttributeSchema<PoolAttributes> = {
  filter: pairKind,
  strides: pairKind,
  pads: padsKind,
  activation: activationKind,
};

/** Input [N,H,W,C], result [N,Ho,Wo,C]. */
export function inferPool(name: string, x: TensorType, attrs: PoolAttributes) {
  if (x.shape.length !== 4) throw shapesDoNotFit(name, 'the input must be [N,H,W,C]', [x.shape]);
  const size = windowShape(name, x.shape, attrs.filter, attrs);
  return [{ dtype: x.dtype, shape: [x.shape[0]!, ...size, x.shape[3]!] }];
}

/** Versions of both pooling operators. */
export const poolVersions = { float32: 1, int8: 2, int16: 3 } as const;

export function readPool(call: TfliteRead): TfliteNode<PoolAttributes> {
  const x = readImage(call);
  const filter = readSteps(call, 'filterHeight', 'filterWidth');
  const strides = readSteps(call, 'strideH', 'strideW');
  const pads = readPads(call, x.type.shape, filter, strides);
  return { inputs: [x], attrs: { filter, strides, pads, activation: readActivation(call) } };
}

export function poolOptions(attrs: PoolAttributes, padding: number): TfliteOptions {
  return {
    padding,
    strideH: attrs.strides[0]!,
    strideW: attrs.strides[1]!,
    filterHeight: attrs.filter[0]!,
    filterWidth: attrs.filter[1]!,
    fusedActivationFunction: activationCode(attrs.activation),
  };
}
