import { defineUnary } from './elementwise.ts';
import { rectifierLookup } from './integer/lookup.ts';
import { tfliteUnary } from './tflite/form.ts';

export const relu6 = defineUnary<Record<never, never>>({
  name: 'relu6',
  summary: 'x clipped to 0 and 6',
  attrs: {},
  quantize: { output: 'calibrated' },
  float: (tf, x) => tf.clipByValue(x, 0, 6),
  ...rectifierLookup('relu6', 'relu6'),
  tflite: tfliteUnary('RELU6', { float32: 1, int8: 2, int16: 3 }),
});
