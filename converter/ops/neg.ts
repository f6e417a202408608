import { defineUnary } from './elementwise.ts';

export const neg = defineUnary<Record<never, never>>({
  name: 'neg',
  summary: '-x',
  attrs: {},
  quantize: { output: 'calibrated' },
  float: (tf, x) => tf.neg(x),
});
