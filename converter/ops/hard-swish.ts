import { defineUnary } from './elementwise.ts';
import { hardSwishLookup } from './integer/hard-swish.ts';
import { tfliteUnary } from './tflite/form.ts';

export const hardSwish = defineUnary<Record<never, never>>({
  name: 'hardSwish',
  summary: 'x * relu6(x + 3) / 6',
  attrs: {},
  quantize: { output: 'calibrated' },
  float: (tf, x) => tf.div(tf.mul(x, tf.clipByValue(tf.add(x, 3), 0, 6)), 6),
  ...hardSwishLookup,
  tflite: tfliteUnary('HARD_SWISH', { float32: 1, int8: 1 }),
});
