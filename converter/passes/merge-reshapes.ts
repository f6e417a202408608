import type { EditView, Rule } from '../ir/edit.ts';
import { elementCount } from '../ir/tensor.ts';
import type { Node, Value } from '../ir/types.ts';
import { permuteElementwise } from '../ops/elementwise.ts';
import { opOf } from '../ops/index.ts';

/** reshape(reshape(x)) is one reshape of x. */
export const mergeReshapes: Rule = {
  name: 'merge-reshapes',
  ops: ['reshape'],
  match(node, view) {
    const inner = view.producer(node.inputs[0]!);
    if (inner?.op !== 'reshape') return undefined;
    return { remove: [node], add: [{ ...node, inputs: inner.inputs }] };
  },
};

/** The constant as it meets the tensor before the reshape, if that is possible: one number, or one a channel. */
function beforeReshape(
  value: Value,
  from: readonly number[],
  to: readonly number[],
): readonly number[] | undefined {
  const count = elementCount(value.type.shape);
  const channels = to.at(-1);
  if (count === 1) return [];
  const perChannel = count === channels && value.type.shape.at(-1) === channels && from.at(-1) === channels;
  return perChannel && value.type.quant?.axis === undefined ? [count] : undefined;
}

function loweredInputs(
  node: Node,
  reshape: Node,
  view: EditView,
): { inputs: string[]; values: Value[] } | undefined {
  const [from, to] = [reshape.inputs[0]!, reshape.outputs[0]!].map((name) => view.value(name).type.shape);
  const values: Value[] = [];
  const inputs: string[] = [];
  for (const name of node.inputs) {
    const value = view.value(name);
    if (name === reshape.outputs[0]) {
      inputs.push(reshape.inputs[0]!);
      continue;
    }
    const shape = value.data && beforeReshape(value, from!, to!);
    if (!shape) return undefined;
    values.push({ ...value, name: view.fresh(`${name}/reshaped`), type: { ...value.type, shape } });
    inputs.push(values.at(-1)!.name);
  }
  return { inputs, values };
}

/**
 * f(reshape(x)) is reshape(f(x)) for element-wise f: reshapes move down until they meet, and activations and
 * channel factors reach their producer.
 */
export const lowerReshapes: Rule = {
  name: 'lower-reshapes',
  match(node, view) {
    if (opOf(node.op).permute !== permuteElementwise) return undefined;
    const [reshape, ...others] = node.inputs
      .map((name) => view.producer(name))
      .filter((one) => one !== undefined);
    if (reshape?.op !== 'reshape' || others.length > 0) return undefined;
    const [from, to] = [reshape.outputs[0]!, node.outputs[0]!];
    if (view.consumers(from).length !== 1 || view.isOutput(from)) return undefined;
    if (elementCount(view.value(from).type.shape) !== elementCount(view.value(to).type.shape))
      return undefined;
    const lowered = loweredInputs(node, reshape, view);
    if (!lowered) return undefined;
    const inner = view.fresh(`${to}/reshaped`);
    const before = view.value(reshape.inputs[0]!).type.shape;
    const after = view.value(to).type;
    return {
      remove: [node],
      values: [...lowered.values, { name: inner, type: { ...after, shape: before } }],
      add: [
        { ...node, inputs: lowered.inputs, outputs: [inner] },
        { ...reshape, inputs: [inner], outputs: [to], attrs: { shape: after.shape } },
      ],
    };
  },
};
