import { defineBinary } from './elementwise.ts';
import { binaryDifference } from './integer/binary.ts';
import { tfliteBinary } from './tflite/binary.ts';

export const sub = defineBinary({
  name: 'sub',
  summary: 'element-wise difference with broadcasting, fused activation',
  quantize: { output: 'calibrated' },
  float: (tf, a, b) => tf.sub(a, b),
  ...binaryDifference,
  tflite: tfliteBinary('SUB', { float32: 1, int8: 2, int16: 5 }),
});
