import { stridesOf } from '../../../ir/tensor.ts';
import { constantMismatch } from '../errors.ts';
import type { Elements } from '../tensor/elements.ts';
import { canonicalAxis, type Folder, folded, numbers, required } from './folder.ts';

const reductions: ReadonlyMap<string, (a: number, b: number) => number> = new Map([
  ['ReduceSum', (a, b) => a + b],
  ['ReduceProd', (a, b) => a * b],
  ['ReduceMax', Math.max],
  ['ReduceMin', Math.min],
]);

export const reductionNames: readonly string[] = [...reductions.keys()];

/** Reductions of shape arithmetic; int64 is computed in doubles, exact up to 2^53. */
export const foldReduction: Folder = (node, budget) => {
  const x = required(node, 0);
  const { dtype, shape } = x.type;
  const given = node.attrs.ints('axes') ?? (node.inputs[1] && numbers(node.inputs[1])) ?? [];
  const keep = node.attrs.flag('keepdims', true);
  const none = node.attrs.flag('noop_with_empty_axes', false) && given.length === 0;
  if (none) return [folded(dtype, shape, x.data)];
  const axes = new Set(given.map((axis) => canonicalAxis(node.op, axis, shape.length)));
  const reduced = (axis: number) => axes.size === 0 || axes.has(axis);
  const kept = shape.map((size, axis) => (reduced(axis) ? 1 : size));
  const outShape = keep ? kept : shape.filter((_, axis) => !reduced(axis));
  if (shape.includes(0)) throw constantMismatch(node.op, 'it reduces an empty tensor');
  const data = budget.allocate(dtype, outShape);
  const strides = stridesOf(shape);
  const outStrides = stridesOf(kept);
  const operation = reductions.get(node.op)!;
  const sums = new Float64Array(data.length);
  const seen = new Uint8Array(data.length);
  for (let i = 0; i < x.data.length; i++) {
    let at = 0;
    for (let axis = 0; axis < shape.length; axis++) {
      if (!reduced(axis)) at += (Math.floor(i / strides[axis]!) % shape[axis]!) * outStrides[axis]!;
    }
    const value = Number(x.data[i]);
    sums[at] = seen[at] ? operation(sums[at]!, value) : value;
    seen[at] = 1;
  }
  const elements: Elements = data;
  for (let i = 0; i < sums.length; i++) elements[i] = dtype === 'int64' ? exact(sums[i]!) : sums[i]!;
  return [folded(dtype, outShape, data)];
};

function exact(value: number): bigint {
  if (!Number.isSafeInteger(value)) throw constantMismatch('a reduction', 'its result is not exact');
  return BigInt(value);
}
