import type { Value } from '../../../ir/types.ts';
import { resolveShape } from '../operations.ts';
import { constantInput, type GraphNode, input, type LowerNode, numbers } from './node.ts';

function axisOf(node: GraphNode, axis: number, rank: number): number {
  const front = axis < 0 ? axis + rank : axis;
  if (!(front >= 0 && front < rank)) throw node.build.refuse(node.op, `its axis is ${axis}`);
  return front;
}

function integersAs(
  node: GraphNode,
  values: readonly number[],
  shape: readonly number[] = [values.length],
): Value {
  return node.build.constant(node.build.origin, shape, Int32Array.from(values));
}

const reshape: LowerNode = (node) => {
  const x = input(node, 0);
  return node.build.reshape(x, resolveShape(node.build, x, numbers(node, 1)));
};

const squeeze: LowerNode = (node) => {
  const x = input(node, 0);
  const { shape } = x.type;
  const given = node.attrs.integers('squeeze_dims', node.attrs.integers('axis', []));
  const axes = new Set(given.map((axis) => axisOf(node, axis, shape.length)));
  const left = shape.filter((size, axis) => (axes.size > 0 ? !axes.has(axis) : size !== 1));
  return node.build.reshape(x, resolveShape(node.build, x, left));
};

const expandDims: LowerNode = (node) => {
  const x = input(node, 0);
  const [axis = 0] = numbers(node, 1);
  const at = axisOf(node, axis, x.type.shape.length + 1);
  return node.build.reshape(x, x.type.shape.toSpliced(at, 0, 1));
};

const transpose: LowerNode = (node) => {
  const x = input(node, 0);
  const perm = numbers(node, 1);
  const valid =
    perm.length === x.type.shape.length && perm.toSorted((a, b) => a - b).every((axis, i) => axis === i);
  if (!valid) throw node.build.refuse(node.op, `its permutation is [${perm}]`);
  return node.build.transpose(x, perm);
};

const pad: LowerNode = (node) => {
  const pads = numbers(node, 1);
  const value = node.inputs.length > 2 ? (numbers(node, 2)[0] ?? 0) : 0;
  if (pads.some((count) => !(count >= 0))) throw node.build.refuse(node.op, 'a padding is negative');
  return pads.every((count) => count === 0)
    ? input(node, 0)
    : node.build.emit('pad', [input(node, 0)], { pads, value });
};

/** The axis is the last input. Whole numbers are joined here and now: they are parts of shapes. */
const concat: LowerNode = (node) => {
  const parts = node.inputs.slice(0, -1);
  const [axis = 0] = numbers(node, node.inputs.length - 1);
  if (parts.length > 0 && parts.every(({ data }) => data instanceof Int32Array)) {
    return integersAs(
      node,
      parts.flatMap((_, i) => numbers(node, i)),
    );
  }
  const at = axisOf(node, axis, input(node, 0).type.shape.length);
  return parts.length === 1 ? input(node, 0) : node.build.emit('concatenation', parts, { axis: at });
};

const mean: LowerNode = (node) => {
  const x = input(node, 0);
  const axes = [...new Set(numbers(node, 1).map((axis) => axisOf(node, axis, x.type.shape.length)))];
  return node.build.emit('mean', [x], {
    axes: axes.sort((a, b) => a - b),
    keepDims: node.attrs.flag('keep_dims', false),
  });
};

interface Box {
  readonly begin: number[];
  readonly size: number[];
  readonly strides: number[];
  readonly dropped: readonly number[];
}

/** Begin, end and stride of each axis with TensorFlow's masks; only forward steps. */
function boxOf(node: GraphNode, shape: readonly number[]): Box {
  const { attrs, build, op } = node;
  const [begins, ends, steps] = [numbers(node, 1), numbers(node, 2), numbers(node, 3)];
  if (attrs.integer('ellipsis_mask', 0) !== 0 || attrs.integer('new_axis_mask', 0) !== 0) {
    throw build.refuse(op, 'it uses an ellipsis or a new axis');
  }
  const has = (mask: string, axis: number) => ((attrs.integer(mask, 0) >> axis) & 1) === 1;
  const dropped: number[] = [];
  const box = shape.map((extent, axis) => {
    const step = steps[axis] ?? 1;
    const bound = (value: number) => Math.min(extent, Math.max(0, value < 0 ? value + extent : value));
    const begin = axis >= begins.length || has('begin_mask', axis) ? 0 : bound(begins[axis]!);
    const shrinks = axis < begins.length && has('shrink_axis_mask', axis);
    const whole = axis >= ends.length || has('end_mask', axis);
    const end = shrinks ? begin + 1 : whole ? extent : bound(ends[axis]!);
    if (shrinks) dropped.push(axis);
    const size = Math.ceil((end - begin) / step);
    if (step < 1 || size < 1) throw build.refuse(op, 'it runs backwards or cuts out nothing');
    return { begin, size, step };
  });
  return {
    begin: box.map((one) => one.begin),
    size: box.map((one) => one.size),
    strides: box.map((one) => one.step),
    dropped,
  };
}

const stridedSlice: LowerNode = (node) => {
  const x = input(node, 0);
  const { begin, size, strides, dropped } = boxOf(node, x.type.shape);
  const left = size.filter((_, axis) => !dropped.includes(axis));
  if (x.data instanceof Int32Array && x.type.shape.length === 1) {
    const values = numbers(node, 0);
    const taken = Array.from({ length: size[0]! }, (_, i) => values[begin[0]! + i * strides[0]!]!);
    return integersAs(node, taken, left);
  }
  return node.build.reshape(node.build.emit('slice', [x], { begin, size, strides }), left);
};

const slice: LowerNode = (node) => {
  const x = input(node, 0);
  const [begin, sizes] = [numbers(node, 1), numbers(node, 2)];
  const size = sizes.map((count, axis) => (count === -1 ? x.type.shape[axis]! - begin[axis]! : count));
  return node.build.emit('slice', [x], { begin, size, strides: size.map(() => 1) });
};

/** Sizes put together to a shape. */
const pack: LowerNode = (node) => {
  const values = node.inputs.flatMap((_, i) => {
    const { data } = constantInput(node, i);
    if (!(data instanceof Int32Array)) throw node.build.refuse(node.op, 'only sizes can be put together');
    return numbers(node, i);
  });
  return integersAs(node, values);
};

const product: LowerNode = (node) => integersAs(node, [numbers(node, 0).reduce((a, b) => a * b, 1)], []);

const same: LowerNode = (node) => input(node, 0);

export const shaping: Readonly<Record<string, LowerNode>> = {
  Reshape: reshape,
  Squeeze: squeeze,
  ExpandDims: expandDims,
  Transpose: transpose,
  Pad: pad,
  PadV2: pad,
  ConcatV2: concat,
  Mean: mean,
  StridedSlice: stridedSlice,
  Slice: slice,
  Shape: (node) => integersAs(node, input(node, 0).type.shape),
  Pack: pack,
  Prod: product,
  Identity: same,
  StopGradient: same,
  Cast: same,
  IdentityN: (node) => node.inputs,
};
