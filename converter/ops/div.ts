import { defineBinary } from './elementwise.ts';

export const div = defineBinary({
  name: 'div',
  summary: 'element-wise quotient with broadcasting, fused activation',
  quantize: { output: 'calibrated' },
  float: (tf, a, b) => tf.div(a, b),
});
