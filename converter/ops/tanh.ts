import { defineUnary } from './elementwise.ts';
import { functionLookup } from './integer/lookup.ts';
import { tfliteUnary } from './tflite/form.ts';

export const tanh = defineUnary<Record<never, never>>({
  name: 'tanh',
  summary: 'hyperbolic tangent',
  attrs: {},
  quantize: { output: 'fixed', scale: 1 / 128, zeroPoint: 0 },
  float: (tf, x) => tf.tanh(x),
  ...functionLookup('tanh', Math.tanh),
  tflite: tfliteUnary('TANH', { float32: 1, int8: 2, int16: 3 }),
});
