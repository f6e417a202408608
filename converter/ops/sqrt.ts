import { defineUnary } from './elementwise.ts';

export const sqrt = defineUnary<Record<never, never>>({
  name: 'sqrt',
  summary: 'square root',
  attrs: {},
  quantize: { output: 'calibrated' },
  float: (tf, x) => tf.sqrt(x),
});
