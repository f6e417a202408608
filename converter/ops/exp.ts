import { defineUnary } from './elementwise.ts';
import { functionLookup } from './integer/lookup.ts';
import { tfliteUnary } from './tflite/form.ts';

export const exp = defineUnary<Record<never, never>>({
  name: 'exp',
  summary: 'the exponential function',
  attrs: {},
  quantize: { output: 'calibrated' },
  float: (tf, x) => tf.exp(x),
  ...functionLookup('exp', Math.exp),
  tflite: tfliteUnary('EXP', { float32: 1, int8: 2, int16: 2 }),
});
