import { defineBinary } from './elementwise.ts';
import { binarySum } from './integer/binary.ts';
import { tfliteBinary } from './tflite/binary.ts';

export const add = defineBinary({
  name: 'add',
  summary: 'element-wise sum with broadcasting, fused activation',
  quantize: { output: 'calibrated' },
  float: (tf, a, b) => tf.add(a, b),
  ...binarySum,
  tflite: tfliteBinary('ADD', { float32: 1, int8: 2, int16: 3 }),
});
