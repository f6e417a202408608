import { defineUnary } from './elementwise.ts';
import { isReal, unaryRealCall } from './integer/real-calls.ts';
import { tfliteUnary } from './tflite/form.ts';

export const sqrt = defineUnary<Record<never, never>>({
  name: 'sqrt',
  summary: 'square root',
  attrs: {},
  quantize: { output: 'calibrated' },
  float: (tf, x) => tf.sqrt(x),
  kernels: (call) => (isReal(call) ? unaryRealCall(call, 'sqrt_f32') : undefined),
  tflite: tfliteUnary('SQRT', { float32: 1, int8: 2, int16: 2 }),
});
