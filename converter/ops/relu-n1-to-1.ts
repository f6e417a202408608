import { defineUnary } from './elementwise.ts';

export const reluN1To1 = defineUnary<Record<never, never>>({
  name: 'reluN1To1',
  summary: 'x clipped to -1 and 1',
  attrs: {},
  quantize: { output: 'calibrated' },
  float: (tf, x) => tf.clipByValue(x, -1, 1),
});
