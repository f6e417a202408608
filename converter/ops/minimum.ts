import { defineBinary } from './elementwise.ts';

export const minimum = defineBinary({
  name: 'minimum',
  summary: 'element-wise minimum with broadcasting',
  quantize: { output: 'shared' },
  float: (tf, a, b) => tf.minimum(a, b),
});
