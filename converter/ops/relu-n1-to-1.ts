import { defineUnary } from './elementwise.ts';
import { rectifierLookup } from './integer/lookup.ts';
import { tfliteUnary } from './tflite/form.ts';

export const reluN1To1 = defineUnary<Record<never, never>>({
  name: 'reluN1To1',
  summary: 'x clipped to -1 and 1',
  attrs: {},
  quantize: { output: 'calibrated' },
  float: (tf, x) => tf.clipByValue(x, -1, 1),
  ...rectifierLookup('reluN1To1', 'reluN1To1'),
  tflite: tfliteUnary('RELU_N1_TO_1', { float32: 1, int8: 1 }),
});
