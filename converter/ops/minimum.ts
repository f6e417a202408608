import { defineBinary } from './elementwise.ts';
import { binaryExtreme } from './integer/binary.ts';
import { tfliteSelect } from './tflite/binary.ts';

export const minimum = defineBinary({
  name: 'minimum',
  summary: 'element-wise minimum with broadcasting',
  quantize: { output: 'shared' },
  float: (tf, a, b) => tf.minimum(a, b),
  ...binaryExtreme('minimum', Math.min),
  tflite: tfliteSelect('MINIMUM', { float32: 1, int8: 2, int16: 4 }),
});
