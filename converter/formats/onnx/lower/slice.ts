import type { Shape, Value } from '../../../ir/types.ts';
import { notConvertible } from '../errors.ts';
import { sliceBox } from '../graph/slice-box.ts';
import { splitSizes } from '../graph/split-sizes.ts';
import type { NodeBuilder } from './builder.ts';
import {
  frontAxis,
  type Lowering,
  type LowerNode,
  onlyInputs,
  operand,
  optionalNumbers,
  rankOf,
} from './lowering.ts';

/** A box of `x`; `x` itself when that is all of it. */
export function cut(build: NodeBuilder, x: Value, begin: Shape, size: Shape, strides?: Shape): Value {
  const { shape } = x.type;
  if (size.every((count, axis) => count === shape[axis])) return x;
  if (size.some((count) => count < 1)) throw notConvertible('nothing is left of its input');
  return build.emit('slice', [x], { begin, size, strides: strides ?? shape.map(() => 1) });
}

const slice: Lowering = {
  op: 'Slice',
  notes: 'constant bounds, positive steps',
  lower(node, build) {
    onlyInputs(node, 5);
    const x = operand(node, 0);
    const { begin, size, steps } = sliceBox(x.type.shape, {
      starts: node.attrs.ints('starts') ?? optionalNumbers(node, 1, 'starts') ?? [],
      ends: node.attrs.ints('ends') ?? optionalNumbers(node, 2, 'ends') ?? [],
      axes: node.attrs.ints('axes') ?? optionalNumbers(node, 3, 'axes'),
      steps: optionalNumbers(node, 4, 'steps'),
    });
    if (steps.some((step) => step < 0)) throw notConvertible('it runs backwards along an axis');
    return [cut(build, x, begin, size, steps)];
  },
};

function partsOf(node: LowerNode, extent: number): readonly number[] {
  const given = node.attrs.ints('split') ?? optionalNumbers(node, 1, 'sizes');
  const parts = node.attrs.int('num_outputs', node.wanted.length);
  return splitSizes(extent, given, parts);
}

const split: Lowering = {
  op: 'Split',
  notes: 'constant sizes; becomes slices',
  lower(node, build) {
    onlyInputs(node, 2);
    const x = operand(node, 0);
    const axis = frontAxis(node.attrs.int('axis', 0), rankOf(x));
    let start = 0;
    return partsOf(node, x.type.shape[axis]!).map((size, i) => {
      // An empty part that nothing reads is no harm; its value is never looked at.
      if (size === 0 && !node.wanted[i]) return x;
      const begin = x.type.shape.map((_, other) => (other === axis ? start : 0));
      start += size;
      return cut(
        build,
        x,
        begin,
        x.type.shape.map((own, other) => (other === axis ? size : own)),
      );
    });
  },
};

/** First index and distance when the indices are equally spaced and ascending. */
function progression(indices: readonly number[]): { first: number; step: number } | undefined {
  const [first, second] = indices;
  if (first === undefined) return undefined;
  const step = second === undefined ? 1 : second - first;
  const even = indices.every((index, i) => index === first + i * step);
  return even && step > 0 ? { first, step } : undefined;
}

const gather: Lowering = {
  op: 'Gather',
  notes: 'constant indices that are equally spaced; becomes a slice',
  lower(node, build) {
    onlyInputs(node, 2);
    const x = operand(node, 0);
    if (x.data) throw notConvertible('it looks up a table (embedding)');
    const { shape } = x.type;
    const axis = frontAxis(node.attrs.int('axis', 0), rankOf(x));
    const extent = shape[axis]!;
    const indices = (optionalNumbers(node, 1, 'indices') ?? []).map((index) =>
      index < 0 ? index + extent : index,
    );
    const run = progression(indices);
    if (!run || indices.some((index) => index < 0 || index >= extent)) {
      throw notConvertible('its indices are not equally spaced within the input');
    }
    const along = (own: number, others: (size: number) => number) =>
      shape.map((size, other) => (other === axis ? own : others(size)));
    const part = cut(
      build,
      x,
      along(run.first, () => 0),
      along(indices.length, (size) => size),
      along(run.step, () => 1),
    );
    const indexShape = operand(node, 1).type.shape;
    return [build.reshape(part, [...shape.slice(0, axis), ...indexShape, ...shape.slice(axis + 1)])];
  },
};

export const slices: readonly Lowering[] = [gather, slice, split];
