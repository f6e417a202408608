import { defineUnary } from './elementwise.ts';

export const logistic = defineUnary<Record<never, never>>({
  name: 'logistic',
  summary: 'the logistic function, sigmoid',
  attrs: {},
  quantize: { output: 'fixed', scale: 1 / 256, zeroPoint: -128 },
  float: (tf, x) => tf.sigmoid(x),
});
