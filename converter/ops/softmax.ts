import type { SoftmaxAttributes } from './attributes.ts';
import { defineOp } from './define-op.ts';
import { integerSoftmax, softmaxCalls } from './integer/softmax.ts';
import { tfliteUnary } from './tflite/form.ts';

/** exp(beta * x) normalised over the last axis. */
export const softmax = defineOp<SoftmaxAttributes>({
  name: 'softmax',
  summary: 'softmax over the last axis',
  arity: [1, 1],
  attrs: { beta: { kind: 'number' } },
  infer: ([x]) => [{ dtype: x!.dtype, shape: x!.shape }],
  float: (tf, [x], { beta }) => tf.softmax(beta === 1 ? x! : tf.mul(x!, beta)),
  permute: (attrs, perm) => (perm.at(-1) === perm.length - 1 ? { attrs, perm } : undefined),
  quantize: { output: 'fixed', scale: 1 / 256, zeroPoint: -128 },
  integer: integerSoftmax,
  kernels: softmaxCalls,
  tflite: tfliteUnary('SOFTMAX', { float32: 1, int8: 2, int16: 3 }, ['beta']),
});
