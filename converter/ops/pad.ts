import { defineOp } from './define-op.ts';
import { shapesDoNotFit } from './errors.ts';

/** `pads` is before and after for each axis in turn; `value` is real, not a stored integer. */
export type PadAttributes = { readonly pads: readonly number[]; readonly value: number };

export const pad = defineOp<PadAttributes>({
  name: 'pad',
  summary: 'a constant border',
  arity: [1, 1],
  attrs: { pads: { kind: 'integers', min: 0 }, value: { kind: 'number' } },
  infer([x], { pads }) {
    if (pads.length !== 2 * x!.shape.length) {
      throw shapesDoNotFit('pad', 'needs two paddings for each axis', [pads, x!.shape]);
    }
    const shape = x!.shape.map((size, axis) => size + pads[2 * axis]! + pads[2 * axis + 1]!);
    return [{ dtype: x!.dtype, shape }];
  },
  float(tf, [x], { pads, value }) {
    const pairs = x!.shape.map((_, axis): [number, number] => [pads[2 * axis]!, pads[2 * axis + 1]!]);
    return tf.pad(x!, pairs, value);
  },
  permute(attrs, perm) {
    const pads = new Array<number>(attrs.pads.length).fill(0);
    for (const [position, axis] of perm.entries()) {
      pads[2 * axis] = attrs.pads[2 * position]!;
      pads[2 * axis + 1] = attrs.pads[2 * position + 1]!;
    }
    return { attrs: { ...attrs, pads }, perm };
  },
  quantize: { output: 'same' },
});
