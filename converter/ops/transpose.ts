import type { TransposeAttributes } from './attributes.ts';
import { defineOp } from './define-op.ts';
import { shapesDoNotFit } from './errors.ts';
import { transposeMovement } from './integer/movement.ts';
import { canonicalAxis, int32Constant } from './tflite/form.ts';

/** Result axis i is input axis perm[i]. */
export const transpose = defineOp<TransposeAttributes>({
  name: 'transpose',
  summary: 'axes in another order',
  arity: [1, 1],
  attrs: { perm: { kind: 'integers', min: 0 } },
  infer([x], { perm }) {
    const complete = perm.length === x!.shape.length && x!.shape.every((_, axis) => perm.includes(axis));
    if (!complete) throw shapesDoNotFit('transpose', 'not a permutation of the axes', [perm, x!.shape]);
    return [{ dtype: x!.dtype, shape: perm.map((axis) => x!.shape[axis]!) }];
  },
  float: (tf, [x], { perm }) => tf.transpose(x!, [...perm]),
  quantize: { output: 'same' },
  ...transposeMovement,
  tflite: {
    versions: { float32: 1, int8: 2, int16: 5 },
    read: {
      TRANSPOSE(call) {
        const x = call.input(0);
        const rank = x.type.shape.length;
        const perm = call.constant(1).map((axis) => canonicalAxis(call, axis, rank));
        return { inputs: [x], attrs: { perm } };
      },
    },
    write(call) {
      const { attrs, inputs, output } = call;
      const rank = attrs.perm.length;
      const version = Math.max(call.version, rank > 5 ? 6 : rank > 4 ? 4 : 1);
      const perm = int32Constant(call, 'perm', attrs.perm);
      return [{ builtin: 'TRANSPOSE', version, inputs: [inputs[0]!, perm], output }];
    },
  },
});
