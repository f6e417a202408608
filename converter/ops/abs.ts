import { defineUnary } from './elementwise.ts';

export const abs = defineUnary<Record<never, never>>({
  name: 'abs',
  summary: 'absolute value',
  attrs: {},
  quantize: { output: 'calibrated' },
  float: (tf, x) => tf.abs(x),
});
