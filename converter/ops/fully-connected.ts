import { elementCount } from '../ir/tensor.ts';
import type { FullyConnectedAttributes } from './attributes.ts';
import { activationKind, defineOp } from './define-op.ts';
import { shapesDoNotFit } from './errors.ts';
import { fullyConnectedCalls, integerFullyConnected } from './integer/fully-connected.ts';
import { activationCode, readActivation } from './tflite/activation.ts';
import { packedVersion, readWeights } from './tflite/weights.ts';
import { applyActivation } from './window.ts';

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
  integer: integerFullyConnected,
  kernels: fullyConnectedCalls,
  tflite: {
    versions: { float32: 1, int8: 4, int16: 7 },
    read: {
      FULLY_CONNECTED(call) {
        if (call.number('weightsFormat') !== 0) throw call.refuse('weightsFormat is not DEFAULT');
        const [weights, bias] = readWeights(call, 2, 0);
        const attrs = { activation: readActivation(call) };
        const x = call.input(0);
        const depth = weights.type.shape[1]!;
        const keeps = call.flag('keepNumDims') && x.type.shape.length >= 2;
        if (keeps || (x.type.shape.length === 2 && x.type.shape[1] === depth)) {
          return { inputs: [x, weights, bias], attrs };
        }
        // TFLite takes the input as rows of as many elements as a filter has, whatever its shape.
        const rows = elementCount(x.type.shape) / depth;
        if (!Number.isInteger(rows))
          throw call.refuse(`the input has ${rows} times the elements of a filter`);
        return { inputs: [call.reshaped(x, [rows, depth]), weights, bias], attrs };
      },
    },
    write({ attrs, inputs, output, version }) {
      const keepNumDims = inputs[0]!.type.shape.length > 2;
      const options = { fusedActivationFunction: activationCode(attrs.activation), keepNumDims };
      const least = keepNumDims ? 5 : 1;
      return [
        {
          builtin: 'FULLY_CONNECTED',
          version: packedVersion(inputs[1]!, Math.max(version, least), 10),
          options,
          inputs,
          output,
        },
      ];
    },
  },
});
