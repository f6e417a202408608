import { defineUnary } from './elementwise.ts';
import { functionLookup } from './integer/lookup.ts';
import { tfliteUnary } from './tflite/form.ts';

export const logistic = defineUnary<Record<never, never>>({
  name: 'logistic',
  summary: 'the logistic function, sigmoid',
  attrs: {},
  quantize: { output: 'fixed', scale: 1 / 256, zeroPoint: -128 },
  float: (tf, x) => tf.sigmoid(x),
  ...functionLookup('logistic', (x) => 1 / Math.fround(1 + Math.fround(Math.exp(-x)))),
  tflite: tfliteUnary('LOGISTIC', { float32: 1, int8: 2, int16: 3 }),
});
