import type { TensorType } from '../ir/types.ts';
import type { AttributeSchema, Permuted } from './define-op.ts';
import { shapesDoNotFit } from './errors.ts';

/** `axes` ascending and non-negative. */
export type ReductionAttributes = { readonly axes: readonly number[]; readonly keepDims: boolean };

export const reductionAttributes: AttributeSchema<ReductionAttributes> = {
  axes: { kind: 'integers', min: 0 },
  keepDims: { kind: 'boolean' },
};

export function inferReduction(name: string, x: TensorType, { axes, keepDims }: ReductionAttributes) {
  if (axes.some((axis) => axis >= x.shape.length)) {
    throw shapesDoNotFit(name, 'an axis is beyond the input', [axes, x.shape]);
  }
  const shape = x.shape.flatMap((size, axis) => (axes.includes(axis) ? (keepDims ? [1] : []) : [size]));
  return [{ dtype: x.dtype, shape }];
}

/** Reduces the same data before the transpose; without kept dimensions the remaining axes keep their order. */
export function permuteReduction(
  attrs: ReductionAttributes,
  perm: readonly number[],
): Permuted<ReductionAttributes> {
  const axes = attrs.axes.map((axis) => perm[axis]!).sort((a, b) => a - b);
  if (attrs.keepDims) return { attrs: { ...attrs, axes }, perm };
  const left = perm.filter((axis) => !axes.includes(axis));
  const ranks = [...left].sort((a, b) => a - b);
  return { attrs: { ...attrs, axes }, perm: left.map((axis) => ranks.indexOf(axis)) };
}
