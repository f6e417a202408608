import { defineBinary } from './elementwise.ts';
import { binaryProduct } from './integer/binary.ts';
import { tfliteBinary } from './tflite/binary.ts';

export const mul = defineBinary({
  name: 'mul',
  summary: 'element-wise product with broadcasting, fused activation',
  quantize: { output: 'calibrated' },
  float: (tf, a, b) => tf.mul(a, b),
  ...binaryProduct,
  tflite: tfliteBinary('MUL', { float32: 1, int8: 2, int16: 4 }),
});
