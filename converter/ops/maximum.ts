import { defineBinary } from './elementwise.ts';

export const maximum = defineBinary({
  name: 'maximum',
  summary: 'element-wise maximum with broadcasting',
  quantize: { output: 'calibrated' },
  float: (tf, a, b) => tf.maximum(a, b),
});
