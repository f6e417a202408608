import { defineUnary } from './elementwise.ts';
import { tfliteUnary } from './tflite/form.ts';

export const sqrt = defineUnary<Record<never, never>>({
  name: 'sqrt',
  summary: 'square root',
  attrs: {},
  quantize: { output: 'calibrated' },
  float: (tf, x) => tf.sqrt(x),
  tflite: tfliteUnary('SQRT', { float32: 1, int8: 2, int16: 2 }),
});
