import { defineUnary } from './elementwise.ts';

export const relu = defineUnary<Record<never, never>>({
  name: 'relu',
  summary: 'max(x, 0)',
  attrs: {},
  quantize: { output: 'calibrated' },
  float: (tf, x) => tf.relu(x),
});
