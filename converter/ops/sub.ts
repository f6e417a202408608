import { defineBinary } from './elementwise.ts';

export const sub = defineBinary({
  name: 'sub',
  summary: 'element-wise difference with broadcasting, fused activation',
  quantize: { output: 'calibrated' },
  float: (tf, a, b) => tf.sub(a, b),
});
