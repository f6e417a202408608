import { elementCount } from '../ir/tensor.ts';
import { type Activation, activationKind, defineOp } from './define-op.ts';
import { shapesDoNotFit } from './errors.ts';
import { applyActivation } from './window.ts';

export type FullyConnectedAttributes = { readonly activation: Activation };

/** Inputs: x [...,K], weights [O,K], bias [O]. Result [...,O]. */
export const fullyConnected = defineOp<FullyConnectedAttributes>({
  name: 'fullyConnected',
  summary: 'matrix product with constant weights, fused activation',
  arity: [3, 3],
  attrs: { activation: activationKind },
  infer([x, weights, bias]) {
    const [units, depth] = weights!.shape;
    if (weights!.shape.length !== 2 || x!.shape.length < 2 || x!.shape.at(-1) !== depth) {
      throw shapesDoNotFit('fully connected', 'input [...,K] and weights [O,K] differ in K', [
        x!.shape,
        weights!.shape,
      ]);
    }
    if (bias!.shape.length !== 1 || bias!.shape[0] !== units) {
      throw shapesDoNotFit('fully connected', 'weights and bias differ in O', [weights!.shape, bias!.shape]);
    }
    return [{ dtype: x!.dtype, shape: [...x!.shape.slice(0, -1), units!] }];
  },
  float(tf, [x, weights, bias], attrs) {
    const [units, depth] = weights!.shape as [number, number];
    const rows = tf.reshape(x!, [-1, depth]);
    const sum = tf.add(tf.matMul(rows, weights!, false, true), bias!);
    return applyActivation(tf, tf.reshape(sum, [...x!.shape.slice(0, -1), units]), attrs.activation);
  },
  quantize: { output: 'calibrated', weights: { weights: 1, bias: 2, axis: 0 } },
  macs: ([, weights], [y]) => elementCount(y!.shape) * weights!.shape[1]!,
});
