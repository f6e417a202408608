import { defineUnary } from './elementwise.ts';

export const tanh = defineUnary<Record<never, never>>({
  name: 'tanh',
  summary: 'hyperbolic tangent',
  attrs: {},
  quantize: { output: 'fixed', scale: 1 / 128, zeroPoint: 0 },
  float: (tf, x) => tf.tanh(x),
});
