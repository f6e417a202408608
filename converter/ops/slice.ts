import { defineOp } from './define-op.ts';
import { shapesDoNotFit } from './errors.ts';

/** Along each axis `size` elements from `begin`, every `strides`-th one. */
export type SliceAttributes = {
  readonly begin: readonly number[];
  readonly size: readonly number[];
  readonly strides: readonly number[];
};

export const slice = defineOp<SliceAttributes>({
  name: 'slice',
  summary: 'a box cut out, with strides',
  arity: [1, 1],
  attrs: {
    begin: { kind: 'integers', min: 0 },
    size: { kind: 'integers', min: 1 },
    strides: { kind: 'integers', min: 1 },
  },
  infer([x], { begin, size, strides }) {
    const rank = x!.shape.length;
    const inside = x!.shape.every(
      (extent, axis) => begin[axis]! + (size[axis]! - 1) * strides[axis]! < extent,
    );
    if (begin.length !== rank || size.length !== rank || strides.length !== rank || !inside) {
      throw shapesDoNotFit('slice', 'the box leaves the input', [begin, size, x!.shape]);
    }
    return [{ dtype: x!.dtype, shape: size }];
  },
  float(tf, [x], { begin, size, strides }) {
    // The batch may be larger than the static one; a cut along it never happens (begin 0, size 1).
    const batch = x!.shape[0]!;
    const end = begin.map((start, axis) => start + (size[axis]! - 1) * strides[axis]! + 1);
    if (begin[0] === 0 && size[0] === 1) end[0] = batch;
    return tf.stridedSlice(x!, [...begin], end, [...strides]);
  },
  permute(attrs, perm) {
    const moved = (list: readonly number[]) => perm.map((_, axis) => list[perm.indexOf(axis)]!);
    return {
      attrs: { begin: moved(attrs.begin), size: moved(attrs.size), strides: moved(attrs.strides) },
      perm,
    };
  },
  quantize: { output: 'same' },
});
