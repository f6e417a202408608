import { defineBinary } from './elementwise.ts';

export const maximum = defineBinary({
  name: 'maximum',
  summary: 'element-wise maximum with broadcasting',
  quantize: { output: 'shared' },
  float: (tf, a, b) => tf.maximum(a, b),
});
