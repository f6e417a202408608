import { defineBinary } from './elementwise.ts';

export const add = defineBinary({
  name: 'add',
  summary: 'element-wise sum with broadcasting, fused activation',
  quantize: { output: 'calibrated' },
  float: (tf, a, b) => tf.add(a, b),
});
