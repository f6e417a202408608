import { defineOp } from './define-op.ts';
import { shapesDoNotFit } from './errors.ts';

export type ConcatenationAttributes = { readonly axis: number };

/** Most inputs one concatenation may have; more is a damaged file. */
const mostInputs = 4096;

export const concatenation = defineOp<ConcatenationAttributes>({
  name: 'concatenation',
  summary: 'tensors joined along an axis',
  arity: [1, mostInputs],
  attrs: { axis: { kind: 'integer', min: 0 } },
  infer(inputs, { axis }) {
    const [first] = inputs;
    const alike = inputs.every(
      ({ shape }) =>
        shape.length === first!.shape.length &&
        shape.every((size, i) => i === axis || size === first!.shape[i]),
    );
    if (!alike || axis >= first!.shape.length) {
      throw shapesDoNotFit(
        'concatenation',
        `shapes differ beside axis ${axis}`,
        inputs.map(({ shape }) => shape),
      );
    }
    const total = inputs.reduce((sum, { shape }) => sum + shape[axis]!, 0);
    return [{ dtype: first!.dtype, shape: first!.shape.map((size, i) => (i === axis ? total : size)) }];
  },
  float: (tf, inputs, { axis }) => tf.concat([...inputs], axis),
  permute: (attrs, perm) => ({ attrs: { axis: perm[attrs.axis]! }, perm }),
  quantize: { output: 'shared' },
});
