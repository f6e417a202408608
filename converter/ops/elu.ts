import { defineUnary } from './elementwise.ts';

export const elu = defineUnary<Record<never, never>>({
  name: 'elu',
  summary: 'x where positive, else exp(x) - 1',
  attrs: {},
  quantize: { output: 'calibrated' },
  float: (tf, x) => tf.elu(x),
});
