import { defineUnary } from './elementwise.ts';

export const relu6 = defineUnary<Record<never, never>>({
  name: 'relu6',
  summary: 'x clipped to 0 and 6',
  attrs: {},
  quantize: { output: 'calibrated' },
  float: (tf, x) => tf.clipByValue(x, 0, 6),
});
