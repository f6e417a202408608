import type { TensorType } from '../ir/types.ts';
import { type Activation, type AttributeSchema, activationKind } from './define-op.ts';
import { shapesDoNotFit } from './errors.ts';
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
