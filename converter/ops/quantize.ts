import { defineOp } from './define-op.ts';

/** Stores real numbers, or integers of another scale, with the result's own scale and type. */
export const quantize = defineOp<{ readonly dtype: string }>({
  name: 'quantize',
  summary: 'float to integer, or integer to another scale',
  arity: [1, 1],
  attrs: { dtype: { kind: 'choice', of: ['int8', 'uint8', 'int16'] } },
  infer: ([x], { dtype }) => [{ dtype: dtype as 'int8' | 'uint8' | 'int16', shape: x!.shape }],
  permute: (attrs, perm) => ({ attrs, perm }),
});
