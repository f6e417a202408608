import { defineUnary } from './elementwise.ts';
import { rectifierLookup } from './integer/lookup.ts';
import { tfliteUnary } from './tflite/form.ts';

export const relu = defineUnary<Record<never, never>>({
  name: 'relu',
  summary: 'max(x, 0)',
  attrs: {},
  quantize: { output: 'calibrated' },
  float: (tf, x) => tf.relu(x),
  ...rectifierLookup('relu', 'relu'),
  tflite: tfliteUnary('RELU', { float32: 1, int8: 2, int16: 3 }),
});
