import { elementCount, invertPermutation } from '../ir/tensor.ts';
import { defineOp, type Permuted } from './define-op.ts';
import { shapesDoNotFit } from './errors.ts';

export type ReshapeAttributes = { readonly shape: readonly number[] };

/** Runs of source and target axes that hold the same elements, as short as they can be. */
function axisGroups(
  source: readonly number[],
  target: readonly number[],
): [number[], number[]][] | undefined {
  const groups: [number[], number[]][] = [];
  let j = 0;
  for (let i = 0; i < source.length; ) {
    const from = [i];
    const to: number[] = [];
    let left = source[i++]!;
    let right = 1;
    while (left !== right) {
      if (left > right && j < target.length) {
        to.push(j);
        right *= target[j++]!;
      } else if (left < right && i < source.length) {
        from.push(i);
        left *= source[i++]!;
      } else {
        return undefined;
      }
    }
    if (to.length === 0 && target[j] === left) to.push(j++);
    groups.push([from, to]);
  }
  for (; j < target.length; j++) groups.at(-1)?.[1].push(j);
  return groups;
}

/**
 * A reshape that splits or joins axes which the permutation keeps together commutes with it: the groups of axes
 * are moved as blocks.
 */
function permuteReshape(
  attrs: ReshapeAttributes,
  perm: readonly number[],
  seen: readonly number[],
): Permuted<ReshapeAttributes> | undefined {
  const groups = axisGroups(seen, attrs.shape);
  if (!groups) return undefined;
  const blocks = groups.map(([from, to]) => ({ from: from.map((axis) => perm[axis]!), to }));
  const contiguous = blocks.every(({ from }) =>
    from.every((axis, i) => i === 0 || axis === from[i - 1]! + 1),
  );
  if (!contiguous) return undefined;
  const anchored = blocks.map((block) => ({ ...block, first: block.from[0] ?? Number.POSITIVE_INFINITY }));
  const ordered = [...anchored].sort((a, b) => a.first - b.first);
  const axes = ordered.flatMap((block) => block.to);
  return { attrs: { shape: axes.map((axis) => attrs.shape[axis]!) }, perm: invertPermutation(axes) };
}

export const reshape = defineOp<ReshapeAttributes>({
  name: 'reshape',
  summary: 'the same elements under another shape',
  arity: [1, 1],
  attrs: { shape: { kind: 'integers', min: 1 } },
  infer([x], { shape }) {
    if (elementCount(x!.shape) !== elementCount(shape)) {
      throw shapesDoNotFit('reshape', 'the numbers of elements differ', [x!.shape, shape]);
    }
    return [{ dtype: x!.dtype, shape }];
  },
  float: (tf, [x], { shape }) => tf.reshape(x!, [...shape]),
  permute: (attrs, perm, [x]) => permuteReshape(attrs, perm, x!.shape),
  quantize: { output: 'same' },
});
