import { defineUnary } from './elementwise.ts';
import { absLookup } from './integer/lookup.ts';
import { tfliteUnary } from './tflite/form.ts';

export const abs = defineUnary<Record<never, never>>({
  name: 'abs',
  summary: 'absolute value',
  attrs: {},
  quantize: { output: 'calibrated' },
  float: (tf, x) => tf.abs(x),
  ...absLookup,
  tflite: tfliteUnary('ABS', { float32: 1, int8: 2, int16: 3 }),
});
