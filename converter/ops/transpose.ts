import { defineOp } from './define-op.ts';
import { shapesDoNotFit } from './errors.ts';

export type TransposeAttributes = { readonly perm: readonly number[] };

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
});
