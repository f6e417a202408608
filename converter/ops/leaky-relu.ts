import { defineUnary } from './elementwise.ts';
import { leakyReluLookup } from './integer/lookup.ts';
import { tfliteUnary } from './tflite/form.ts';

export type LeakyReluAttributes = { readonly alpha: number };

export const leakyRelu = defineUnary<LeakyReluAttributes>({
  name: 'leakyRelu',
  summary: 'x where positive, else alpha * x',
  attrs: { alpha: { kind: 'number' } },
  quantize: { output: 'calibrated' },
  float: (tf, x, { alpha }) => tf.leakyRelu(x, alpha),
  ...leakyReluLookup,
  tflite: tfliteUnary('LEAKY_RELU', { float32: 1, int8: 1, int16: 2 }, ['alpha']),
});
