import type { EditView, Patch, Rule } from '../ir/edit.ts';
import { elementCount, invertPermutation, sameShape, transposeData } from '../ir/tensor.ts';
import type { Node, Port, Shape, TensorData, Value } from '../ir/types.ts';
import { permuteElementwise } from '../ops/elementwise.ts';
import { opOf } from '../ops/index.ts';
import { movesNothing } from './push-transposes.ts';

const permOf = (node: Node) => node.attrs['perm'] as readonly number[];

/** A constant with the parts of one of its axes seen as `shape` and moved by `perm`. */
function permuteAxis(
  value: Value,
  axis: number,
  shape: readonly number[],
  perm: readonly number[],
): TensorData {
  const before = value.type.shape.slice(0, axis);
  const after = value.type.shape.slice(axis + 1);
  const axes = perm.map((one) => one + before.length);
  const all = [...before.keys(), ...axes, ...after.map((_, i) => before.length + perm.length + i)];
  return transposeData(value.data!, [...before, ...shape, ...after], all);
}

/** fullyConnected(flatten(transpose(x))) reads flatten(x) when the columns of its weights are moved instead. */
export const permuteWeightColumns: Rule = {
  name: 'permute-weight-columns',
  ops: ['fullyConnected'],
  match(node, view) {
    const [x, weightsName, bias] = node.inputs as [string, string, string];
    const flatten = view.producer(x);
    const transpose = flatten?.op === 'reshape' ? view.producer(flatten.inputs[0]!) : undefined;
    const weights = view.value(weightsName);
    if (transpose?.op !== 'transpose' || !weights.data || weights.type.quant?.axis === 1) return undefined;
    const perm = permOf(transpose);
    const { shape } = view.value(transpose.outputs[0]!).type;
    const inner = shape.slice(1);
    if (perm[0] !== 0 || elementCount(inner) !== weights.type.shape[1]) return undefined;
    const back = invertPermutation(perm)
      .slice(1)
      .map((axis) => axis - 1);
    const moved = {
      ...weights,
      name: view.fresh(`${weights.name}/nhwc`),
      data: permuteAxis(weights, 1, inner, back),
    };
    const flat = view.fresh(`${x}/nhwc`);
    return {
      remove: [node],
      values: [moved, { name: flat, type: view.value(x).type }],
      add: [
        { ...flatten!, inputs: transpose.inputs, outputs: [flat] },
        { ...node, inputs: [flat, moved.name, bias] },
      ],
    };
  },
};

const readOnce = (name: string, view: EditView) => view.consumers(name).length === 1 && !view.isOutput(name);

/** The fully connected layer that makes `name`, perhaps through element-wise operators of one input. */
function denseBehind(name: string, view: EditView): Node | undefined {
  let node = view.producer(name);
  while (node && readOnce(node.outputs[0]!, view)) {
    if (node.op === 'fullyConnected') return node;
    if (node.inputs.length !== 1 || opOf(node.op).permute !== permuteElementwise) return undefined;
    node = view.producer(node.inputs[0]!);
  }
  return undefined;
}

/** transpose(unflatten(fullyConnected(x))) is unflatten alone when the rows of the weights are moved instead. */
export const permuteWeightRows: Rule = {
  name: 'permute-weight-rows',
  ops: ['transpose'],
  match(node, view) {
    const unflatten = view.producer(node.inputs[0]!);
    const dense = unflatten?.op === 'reshape' ? denseBehind(unflatten.inputs[0]!, view) : undefined;
    if (!dense || !readOnce(node.inputs[0]!, view)) return undefined;
    const perm = permOf(node);
    const inner = view.value(node.inputs[0]!).type.shape.slice(1);
    const [weights, bias] = [view.value(dense.inputs[1]!), view.value(dense.inputs[2]!)];
    const plain = weights.data && bias.data && weights.type.quant?.axis === undefined;
    if (!plain || perm[0] !== 0 || elementCount(inner) !== weights.type.shape[0]) return undefined;
    const axes = perm.slice(1).map((axis) => axis - 1);
    const rows = {
      ...weights,
      name: view.fresh(`${weights.name}/nhwc`),
      data: permuteAxis(weights, 0, inner, axes),
    };
    const offsets = {
      ...bias,
      name: view.fresh(`${bias.name}/nhwc`),
      data: permuteAxis(bias, 0, inner, axes),
    };
    const { shape } = view.value(node.outputs[0]!).type;
    return {
      remove: [node, unflatten!, dense],
      values: [rows, offsets],
      add: [
        { ...dense, inputs: [dense.inputs[0]!, rows.name, offsets.name] },
        { ...unflatten!, outputs: node.outputs, attrs: { shape } },
      ],
    };
  },
};

const solid = (shape: readonly number[]) => shape.filter((size) => size !== 1);

/** The port with axes moved by `perm`; no perm at all where the elements stay in place. */
function movedPort(port: Port, value: string, perm: readonly number[]): Port {
  const { name, shape } = port;
  return movesNothing(shape, perm) ? { name, value, shape } : { name, value, shape, perm };
}

/**
 * The user's axes in the order in which transpose(value, perm) holds them. Axes of size 1 hold no order, so that
 * only the others are matched with the value's, and size-1 axes go first.
 */
function axesAfter(port: Port, held: Shape, perm: readonly number[]): readonly number[] {
  const own = port.perm ?? port.shape.map((_, axis) => axis);
  const solidAxes = own.filter((axis) => port.shape[axis] !== 1);
  const places = [...held.keys()].filter((axis) => held[axis] !== 1);
  const moved = perm.filter((axis) => held[axis] !== 1).map((axis) => solidAxes[places.indexOf(axis)]!);
  return [...own.filter((axis) => port.shape[axis] === 1), ...moved];
}

/** The graph takes its input in the order that all its readers want; the port remembers the user's order. */
function absorbAtInput(port: Port, node: Node, view: EditView): Patch | undefined {
  const readers = view.consumers(port.value);
  const alike = readers.every(
    (reader) => reader.op === node.op && JSON.stringify(reader.attrs) === JSON.stringify(node.attrs),
  );
  if (!alike || view.isOutput(port.value)) return undefined;
  const outputs = readers.map((reader) => reader.outputs[0]!);
  const { type } = view.value(outputs[0]!);
  const moved = { name: view.fresh(`${port.value}/nhwc`), type };
  const patch = {
    remove: readers,
    values: [moved],
    redirect: new Map(outputs.map((name) => [name, moved.name])),
  };
  if (node.op === 'reshape') {
    if (!sameShape(solid(view.value(port.value).type.shape), solid(type.shape))) return undefined;
    return { ...patch, inputs: [{ ...port, value: moved.name }] };
  }
  const axes = axesAfter(port, view.value(port.value).type.shape, permOf(node));
  return { ...patch, inputs: [movedPort(port, moved.name, axes)] };
}

export const absorbIntoInputs: Rule = {
  name: 'absorb-into-inputs',
  ops: ['transpose', 'reshape'],
  match(node, view) {
    const port = view.inputs.find((one) => one.value === node.inputs[0]);
    return port && absorbAtInput(port, node, view);
  },
};

export const absorbIntoOutputs: Rule = {
  name: 'absorb-into-outputs',
  ops: ['transpose', 'reshape'],
  match(node, view) {
    const [from, to] = [node.inputs[0]!, node.outputs[0]!];
    const ports = view.outputs.filter((port) => port.value === to);
    if (ports.length !== 1 || view.consumers(to).length > 0) return undefined;
    if (view.value(from).data || view.inputs.some((port) => port.value === from)) return undefined;
    const port = ports[0]!;
    if (node.op === 'reshape') {
      if (!sameShape(solid(view.value(from).type.shape), solid(view.value(to).type.shape))) return undefined;
      return { remove: [node], outputs: [{ ...port, value: from }] };
    }
    const axes = axesAfter(port, view.value(to).type.shape, invertPermutation(permOf(node)));
    return { remove: [node], outputs: [movedPort(port, from, axes)] };
  },
};
