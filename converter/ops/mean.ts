import { defineOp } from './define-op.ts';
import { integerMean, meanCalls } from './integer/mean.ts';
import {
  inferReduction,
  permuteReduction,
  type ReductionAttributes,
  reductionAttributes,
} from './reduction.ts';
import { canonicalAxis, int32Constant } from './tflite/form.ts';

export const mean = defineOp<ReductionAttributes>({
  name: 'mean',
  summary: 'mean over axes',
  arity: [1, 1],
  attrs: reductionAttributes,
  infer: ([x], attrs) => inferReduction('mean', x!, attrs),
  float: (tf, [x], attrs) => tf.mean(x!, [...attrs.axes], attrs.keepDims),
  permute: permuteReduction,
  quantize: { output: 'calibrated' },
  integer: integerMean,
  kernels: meanCalls,
  tflite: {
    versions: { float32: 1, int8: 2, int16: 3 },
    read: {
      MEAN(call) {
        const x = call.input(0);
        const rank = x.type.shape.length;
        const axes = new Set(call.constant(1).map((axis) => canonicalAxis(call, axis, rank)));
        const sorted = [...axes].sort((a, b) => a - b);
        return { inputs: [x], attrs: { axes: sorted, keepDims: call.flag('keepDims') } };
      },
    },
    write(call) {
      const { attrs, inputs, output, version } = call;
      const axes = int32Constant(call, 'axes', attrs.axes);
      const options = { keepDims: attrs.keepDims };
      return [{ builtin: 'MEAN', version, options, inputs: [inputs[0]!, axes], output }];
    },
  },
});
