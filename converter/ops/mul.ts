import { defineBinary } from './elementwise.ts';

export const mul = defineBinary({
  name: 'mul',
  summary: 'element-wise product with broadcasting, fused activation',
  quantize: { output: 'calibrated' },
  float: (tf, a, b) => tf.mul(a, b),
});
