import { defineOp } from './define-op.ts';
import { dequantizeCalls, integerDequantize } from './integer/conversion.ts';
import { tfliteUnary } from './tflite/form.ts';

/** Real numbers of a quantized tensor. */
export const dequantize = defineOp<Record<never, never>>({
  name: 'dequantize',
  summary: 'integer to float',
  arity: [1, 1],
  attrs: {},
  infer: ([x]) => [{ dtype: 'float32', shape: x!.shape }],
  permute: (attrs, perm) => ({ attrs, perm }),
  integer: integerDequantize,
  kernels: dequantizeCalls,
  tflite: tfliteUnary('DEQUANTIZE', { int8: 2, uint8: 1, int16: 3 }),
});
