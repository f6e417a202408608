import { elementCount, sameShape, stridesOf } from '../../../ir/tensor.ts';
import type { Shape, TensorData } from '../../../ir/types.ts';
import { constantMismatch } from '../errors.ts';
import { reshapeTarget } from '../graph/reshape-target.ts';
import { sliceBox } from '../graph/slice-box.ts';
import { splitSizes } from '../graph/split-sizes.ts';
import { squeezedShape, unsqueezedShape } from '../graph/squeezed-shape.ts';
import type { FoldBudget } from './budget.ts';
import {
  type Constant,
  canonicalAxis,
  type Folder,
  type FoldNode,
  folded,
  numbers,
  required,
} from './folder.ts';
import { broadcastSteps, copyBox } from './offsets.ts';

/** The same elements under another shape; shares them. */
function reshaped(x: Constant, shape: Shape) {
  if (elementCount(shape) !== x.data.length) {
    throw constantMismatch('Reshape', `${x.data.length} elements do not fit [${shape.join(',')}]`);
  }
  return [folded(x.type.dtype, shape, x.data)];
}

function box(x: Constant, sizes: Shape, steps: readonly number[], budget: FoldBudget, base = 0) {
  const data = budget.allocate(x.type.dtype, sizes);
  copyBox(data, x.data, sizes, steps, base);
  return folded(x.type.dtype, sizes, data);
}

/** `axes` as attribute (older opsets) or as input 1. */
function axesOf(node: FoldNode): readonly number[] | undefined {
  const input = node.inputs[1];
  return node.attrs.ints('axes') ?? (input && numbers(input));
}

export const foldReshape: Folder = (node) => {
  const x = required(node, 0);
  const target = node.attrs.ints('shape') ?? numbers(required(node, 1));
  return reshaped(x, reshapeTarget(x.type.shape, target, node.attrs.flag('allowzero', false)));
};

export const foldFlatten: Folder = (node) => {
  const x = required(node, 0);
  const axis = node.attrs.int('axis', 1);
  const rank = x.type.shape.length;
  const split = axis < 0 ? axis + rank : axis;
  if (split < 0 || split > rank) throw constantMismatch('Flatten', `axis ${axis} is not one of ${rank}`);
  return reshaped(x, [elementCount(x.type.shape.slice(0, split)), elementCount(x.type.shape.slice(split))]);
};

export const foldSqueeze: Folder = (node) => {
  const x = required(node, 0);
  return reshaped(x, squeezedShape(x.type.shape, axesOf(node)));
};

export const foldUnsqueeze: Folder = (node) => {
  const x = required(node, 0);
  return reshaped(x, unsqueezedShape(x.type.shape, axesOf(node) ?? []));
};

export const foldTranspose: Folder = (node, budget) => {
  const x = required(node, 0);
  const rank = x.type.shape.length;
  const perm = node.attrs.ints('perm') ?? x.type.shape.map((_, axis) => rank - 1 - axis);
  if (perm.length !== rank || x.type.shape.some((_, axis) => !perm.includes(axis))) {
    throw constantMismatch('Transpose', `[${perm.join(',')}] is not a permutation of ${rank} axes`);
  }
  const strides = stridesOf(x.type.shape);
  const sizes = perm.map((axis) => x.type.shape[axis]!);
  return [
    box(
      x,
      sizes,
      perm.map((axis) => strides[axis]!),
      budget,
    ),
  ];
};

export const foldExpand: Folder = (node, budget) => {
  const x = required(node, 0);
  const wanted = numbers(required(node, 1));
  const rank = Math.max(wanted.length, x.type.shape.length);
  const target = Array.from({ length: rank }, (_, axis) => {
    const own = x.type.shape[axis - rank + x.type.shape.length] ?? 1;
    const other = wanted[axis - rank + wanted.length] ?? 1;
    if (own !== other && own !== 1 && other !== 1)
      throw constantMismatch('Expand', 'the shapes do not broadcast');
    return own === 1 ? other : own;
  });
  return [box(x, checkedShape('Expand', target), broadcastSteps(x.type.shape, target), budget)];
};

export const foldTile: Folder = (node, budget) => {
  const x = required(node, 0);
  const repeats = numbers(required(node, 1));
  const { shape } = x.type;
  if (repeats.length !== shape.length) throw constantMismatch('Tile', 'one repeat for each axis is needed');
  checkedShape('Tile', repeats);
  const strides = stridesOf(shape);
  // Every axis becomes two: how often, and the axis itself.
  const sizes = shape.flatMap((size, axis) => [repeats[axis]!, size]);
  const steps = strides.flatMap((stride) => [0, stride]);
  const result = box(x, sizes, steps, budget);
  return [{ ...result, shape: shape.map((size, axis) => size * repeats[axis]!) }];
};

export const foldSlice: Folder = (node, budget) => {
  const x = required(node, 0);
  const list = (position: number) => node.inputs[position] && numbers(node.inputs[position]);
  const { begin, size, steps } = sliceBox(x.type.shape, {
    starts: node.attrs.ints('starts') ?? numbers(required(node, 1)),
    ends: node.attrs.ints('ends') ?? numbers(required(node, 2)),
    axes: node.attrs.ints('axes') ?? list(3),
    steps: list(4),
  });
  const strides = stridesOf(x.type.shape);
  const base = begin.reduce((sum, start, axis) => sum + start * strides[axis]!, 0);
  return [
    box(
      x,
      size,
      strides.map((stride, axis) => stride * steps[axis]!),
      budget,
      base,
    ),
  ];
};

export const foldSplit: Folder = (node, budget) => {
  const x = required(node, 0);
  const { shape } = x.type;
  const axis = canonicalAxis('Split', node.attrs.int('axis', 0), shape.length);
  const given = node.inputs[1] && numbers(node.inputs[1]);
  const parts = node.attrs.int('num_outputs', node.outputCount);
  const sizes = splitSizes(shape[axis] ?? 1, node.attrs.ints('split') ?? given, parts);
  const strides = stridesOf(shape);
  let start = 0;
  return sizes.map((size) => {
    const sizes = shape.map((own, other) => (other === axis ? size : own));
    const result = box(x, sizes, strides, budget, start * (strides[axis] ?? 1));
    start += size;
    return result;
  });
};

export const foldConcat: Folder = (node, budget) => {
  const first = required(node, 0);
  const inputs = node.inputs.map((_, position) => required(node, position));
  const { dtype, shape } = first.type;
  const axis = canonicalAxis('Concat', node.attrs.int('axis', 1), shape.length);
  const alike = inputs.every(
    ({ type }) =>
      type.dtype === dtype &&
      sameShape(
        type.shape.map((size, i) => (i === axis ? 0 : size)),
        shape.map((size, i) => (i === axis ? 0 : size)),
      ),
  );
  if (!alike || shape.length === 0) throw constantMismatch('Concat', 'its inputs do not fit together');
  const total = inputs.reduce((sum, { type }) => sum + type.shape[axis]!, 0);
  const outShape = shape.map((size, i) => (i === axis ? total : size));
  const data = budget.allocate(dtype, outShape);
  const inner = elementCount(shape.slice(axis + 1));
  const outer = elementCount(shape.slice(0, axis));
  let at = 0;
  for (let row = 0; row < outer; row++) {
    for (const { type, data: from } of inputs) {
      const length = type.shape[axis]! * inner;
      copyRun(data, at, from, row * length, length);
      at += length;
    }
  }
  return [folded(dtype, outShape, data)];
};

export const foldGather: Folder = (node, budget) => {
  const x = required(node, 0);
  const indices = required(node, 1);
  const { dtype, shape } = x.type;
  const axis = canonicalAxis('Gather', node.attrs.int('axis', 0), shape.length);
  const extent = shape[axis] ?? 0;
  const outShape = [...shape.slice(0, axis), ...indices.type.shape, ...shape.slice(axis + 1)];
  const data = budget.allocate(dtype, outShape);
  const inner = elementCount(shape.slice(axis + 1));
  const outer = elementCount(shape.slice(0, axis));
  const places = numbers(indices).map((index) => (index < 0 ? index + extent : index));
  if (places.some((place) => !Number.isInteger(place) || place < 0 || place >= extent)) {
    throw constantMismatch('Gather', `an index is outside the ${extent} entries`);
  }
  let at = 0;
  for (let row = 0; row < outer; row++) {
    for (const place of places) {
      copyRun(data, at, x.data, (row * extent + place) * inner, inner);
      at += inner;
    }
  }
  return [folded(dtype, outShape, data)];
};

function copyRun(into: TensorData, at: number, from: TensorData, start: number, length: number): void {
  const source = from.subarray(start, start + length);
  (into as Uint8Array).set(source as Uint8Array, at);
}

/** A shape computed by the model, refused when it has a negative or fractional size. */
export function checkedShape(op: string, shape: readonly number[]): Shape {
  if (shape.some((size) => !Number.isSafeInteger(size) || size < 0)) {
    throw constantMismatch(op, `[${shape.slice(0, 8).join(',')}] is not a shape`);
  }
  return shape;
}
