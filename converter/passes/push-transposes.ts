import type { EditView, Patch, Rule } from '../ir/edit.ts';
import {
  composePermutations,
  invertPermutation,
  isIdentityPermutation,
  sameShape,
  transposeData,
} from '../ir/tensor.ts';
import type { Node, Shape, Value } from '../ir/types.ts';
import { opOf } from '../ops/index.ts';

const permOf = (node: Node) => node.attrs['perm'] as readonly number[];

/** transpose(transpose(x)) is one transpose, or none. */
export const mergeTransposes: Rule = {
  name: 'merge-transposes',
  ops: ['transpose'],
  match(node, view) {
    const inner = view.producer(node.inputs[0]!);
    if (inner?.op !== 'transpose') return undefined;
    const perm = composePermutations(permOf(inner), permOf(node));
    if (isIdentityPermutation(perm)) {
      return { remove: [node], redirect: new Map([[node.outputs[0]!, inner.inputs[0]!]]) };
    }
    return { remove: [node], add: [{ ...node, inputs: inner.inputs, attrs: { perm } }] };
  },
};

/** Whether moving axes by `perm` leaves the elements where they are, because only axes of size 1 pass each other. */
export function movesNothing(shape: Shape, perm: readonly number[]): boolean {
  const solid = perm.filter((axis) => shape[axis] !== 1);
  return solid.every((axis, i) => i === 0 || axis > solid[i - 1]!);
}

/** An input as it is before the permutation, with the values and nodes that this needs. */
interface Unpermuted {
  readonly name: string;
  readonly values: readonly Value[];
  readonly nodes: readonly Node[];
}

function unpermute(
  name: string,
  perm: readonly number[],
  node: Node,
  view: EditView,
): Unpermuted | undefined {
  const value = view.value(name);
  const producer = view.producer(name);
  if (producer?.op === 'transpose' && sameShape(permOf(producer), perm)) {
    return { name: producer.inputs[0]!, values: [], nodes: [] };
  }
  if (value.type.quant?.axis !== undefined) return undefined;
  const full = [
    ...new Array<number>(Math.max(0, perm.length - value.type.shape.length)).fill(1),
    ...value.type.shape,
  ];
  if (full.length !== perm.length) return undefined;
  const inverse = invertPermutation(perm);
  const shape = inverse.map((axis) => full[axis]!);
  const type = { ...value.type, shape };
  const fresh = () => view.fresh(`${name}/permuted`);
  if (value.data) {
    const moved = { name: fresh(), type, data: transposeData(value.data, full, inverse) };
    return { name: moved.name, values: [moved], nodes: [] };
  }
  if (!movesNothing(full, inverse)) return undefined;
  const moved = { name: fresh(), type };
  const reshape: Node = {
    op: 'reshape',
    inputs: [name],
    outputs: [moved.name],
    attrs: { shape },
    origin: node.origin,
  };
  return { name: moved.name, values: [moved], nodes: [reshape] };
}

function leadingPermutation(node: Node, view: EditView): readonly number[] | undefined {
  for (const name of node.inputs) {
    const producer = view.producer(name);
    if (producer?.op === 'transpose') return permOf(producer);
  }
  return undefined;
}

/** op(transpose(x)) becomes transpose(op'(x)), as the operator's own permutation rule says. */
export const pushTransposes: Rule = {
  name: 'push-transposes',
  match(node, view): Patch | undefined {
    const permute = opOf(node.op).permute;
    const perm = permute && leadingPermutation(node, view);
    if (!perm) return undefined;
    const types = node.inputs.map((name) => view.value(name).type);
    if (types.some((type) => type.shape.length > perm.length)) return undefined;
    const permuted = permute(node.attrs, perm, types);
    if (!permuted) return undefined;
    const inputs = node.inputs.map((name) => unpermute(name, perm, node, view));
    if (!inputs.every((input) => input !== undefined)) return undefined;
    const output = node.outputs[0]!;
    const { type } = view.value(output);
    const back = invertPermutation(permuted.perm);
    const inner = {
      name: view.fresh(`${output}/nhwc`),
      type: { ...type, shape: back.map((axis) => type.shape[axis]!) },
    };
    const moved: Node = {
      ...node,
      inputs: inputs.map((input) => input.name),
      outputs: [inner.name],
      attrs: permuted.attrs,
    };
    const transpose: Node = {
      op: 'transpose',
      inputs: [inner.name],
      outputs: [output],
      attrs: { perm: permuted.perm },
      origin: node.origin,
    };
    return {
      remove: [node],
      values: [...inputs.flatMap((input) => input.values), inner],
      add: [...inputs.flatMap((input) => input.nodes), moved, transpose],
    };
  },
};

/** A transpose that only moves axes of size 1 is a reshape. */
export const reshapeInsteadOfTranspose: Rule = {
  name: 'reshape-instead-of-transpose',
  ops: ['transpose'],
  match(node, view) {
    if (!movesNothing(view.value(node.inputs[0]!).type.shape, permOf(node))) return undefined;
    const { shape } = view.value(node.outputs[0]!).type;
    return { remove: [node], add: [{ ...node, op: 'reshape', attrs: { shape } }] };
  },
};

/** transpose(op(x)) = op'(transpose(x)) for an operator of one input, or undefined. */
function raisedAttributes(node: Node, perm: readonly number[], view: EditView): Node['attrs'] | undefined {
  const { type } = view.value(node.inputs[0]!);
  if (node.inputs.length !== 1 || type.shape.length !== perm.length) return undefined;
  const permuted = opOf(node.op).permute?.(node.attrs, invertPermutation(perm), [type]);
  const cancels = permuted && isIdentityPermutation(composePermutations(permuted.perm, perm));
  return cancels ? permuted.attrs : undefined;
}

/** Whether a chain of operators that the permutation can pass leads from a graph input to `name`. */
function reachesInput(name: string, perm: readonly number[], view: EditView): boolean {
  let current = name;
  while (view.consumers(current).length === 1 && !view.isOutput(current)) {
    const node = view.producer(current);
    if (!node) return view.inputs.some((port) => port.value === current);
    if (!raisedAttributes(node, perm, view)) return false;
    current = node.inputs[0]!;
  }
  return false;
}

/** A transpose behind a chain from a graph input moves up to the input, whose port absorbs it. */
export const raiseTransposes: Rule = {
  name: 'raise-transposes',
  ops: ['transpose'],
  match(node, view) {
    const perm = permOf(node);
    const producer = view.producer(node.inputs[0]!);
    const attrs = producer && raisedAttributes(producer, perm, view);
    if (!attrs || !reachesInput(node.inputs[0]!, perm, view)) return undefined;
    const { type } = view.value(producer.inputs[0]!);
    const inner = {
      name: view.fresh(`${producer.inputs[0]}/moved`),
      type: { ...type, shape: perm.map((axis) => type.shape[axis]!) },
    };
    return {
      remove: [node, producer],
      values: [inner],
      add: [
        { ...node, inputs: producer.inputs, outputs: [inner.name] },
        { ...producer, inputs: [inner.name], outputs: node.outputs, attrs },
      ],
    };
  },
};
