import { defineUnary } from './elementwise.ts';
import { isReal, unaryRealCall } from './integer/real-calls.ts';
import { tfliteUnary } from './tflite/form.ts';

export const neg = defineUnary<Record<never, never>>({
  name: 'neg',
  summary: '-x',
  attrs: {},
  quantize: { output: 'calibrated' },
  float: (tf, x) => tf.neg(x),
  kernels: (call) => (isReal(call) ? unaryRealCall(call, 'neg_f32') : undefined),
  tflite: tfliteUnary('NEG', { float32: 1, int8: 1 }),
});
