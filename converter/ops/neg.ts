import { defineUnary } from './elementwise.ts';
import { tfliteUnary } from './tflite/form.ts';

export const neg = defineUnary<Record<never, never>>({
  name: 'neg',
  summary: '-x',
  attrs: {},
  quantize: { output: 'calibrated' },
  float: (tf, x) => tf.neg(x),
  tflite: tfliteUnary('NEG', { float32: 1, int8: 1 }),
});
