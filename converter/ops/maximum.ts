import { defineBinary } from './elementwise.ts';
import { binaryExtreme } from './integer/binary.ts';
import { tfliteSelect } from './tflite/binary.ts';

export const maximum = defineBinary({
  name: 'maximum',
  summary: 'element-wise maximum with broadcasting',
  quantize: { output: 'shared' },
  float: (tf, a, b) => tf.maximum(a, b),
  ...binaryExtreme('maximum', Math.max),
  tflite: tfliteSelect('MAXIMUM', { float32: 1, int8: 2, int16: 4 }),
});
