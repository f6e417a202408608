import { defineOp } from './define-op.ts';

/** Real numbers of a quantized tensor. */
export const dequantize = defineOp<Record<never, never>>({
  name: 'dequantize',
  summary: 'integer to float',
  arity: [1, 1],
  attrs: {},
  infer: ([x]) => [{ dtype: 'float32', shape: x!.shape }],
  permute: (attrs, perm) => ({ attrs, perm }),
});
