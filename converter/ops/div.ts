import { defineBinary } from './elementwise.ts';
import { binaryRealCall } from './integer/binary.ts';
import { isReal } from './integer/real-calls.ts';
import { tfliteBinary } from './tflite/binary.ts';

export const div = defineBinary({
  name: 'div',
  summary: 'element-wise quotient with broadcasting, fused activation',
  quantize: { output: 'calibrated' },
  float: (tf, a, b) => tf.div(a, b),
  kernels: (call) => (isReal(call) ? binaryRealCall('div', call) : undefined),
  tflite: tfliteBinary('DIV', { float32: 1, int8: 1 }),
});
