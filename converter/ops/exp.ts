import { defineUnary } from './elementwise.ts';

export const exp = defineUnary<Record<never, never>>({
  name: 'exp',
  summary: 'the exponential function',
  attrs: {},
  quantize: { output: 'calibrated' },
  float: (tf, x) => tf.exp(x),
});
