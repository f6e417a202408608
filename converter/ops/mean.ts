import { defineOp } from './define-op.ts';
import {
  inferReduction,
  permuteReduction,
  type ReductionAttributes,
  reductionAttributes,
} from './reduction.ts';

export const mean = defineOp<ReductionAttributes>({
  name: 'mean',
  summary: 'mean over axes',
  arity: [1, 1],
  attrs: reductionAttributes,
  infer: ([x], attrs) => inferReduction('mean', x!, attrs),
  float: (tf, [x], attrs) => tf.mean(x!, [...attrs.axes], attrs.keepDims),
  permute: permuteReduction,
  quantize: { output: 'calibrated' },
});
