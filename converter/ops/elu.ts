import { defineUnary } from './elementwise.ts';
import { functionLookup } from './integer/lookup.ts';
import { tfliteUnary } from './tflite/form.ts';

export const elu = defineUnary<Record<never, never>>({
  name: 'elu',
  summary: 'x where positive, else exp(x) - 1',
  attrs: {},
  quantize: { output: 'calibrated' },
  float: (tf, x) => tf.elu(x),
  ...functionLookup('elu', (x) => (x < 0 ? Math.fround(Math.exp(x)) - 1 : x)),
  tflite: tfliteUnary('ELU', { float32: 1, int8: 1 }),
});
