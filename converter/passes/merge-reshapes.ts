import type { Rule } from '../ir/edit.ts';
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

/** unary(reshape(x)) is reshape(unary(x)): reshapes move down until they meet, and activations reach their producer. */
export const lowerReshapes: Rule = {
  name: 'lower-reshapes',
  match(node, view) {
    if (node.inputs.length !== 1 || opOf(node.op).permute !== permuteElementwise) return undefined;
    const [from, to] = [node.inputs[0]!, node.outputs[0]!];
    const reshape = view.producer(from);
    if (reshape?.op !== 'reshape' || view.consumers(from).length !== 1 || view.isOutput(from))
      return undefined;
    const inner = view.fresh(`${to}/reshaped`);
    const type = { ...view.value(to).type, shape: view.value(reshape.inputs[0]!).type.shape };
    return {
      remove: [node],
      values: [{ name: inner, type }],
      add: [
        { ...node, inputs: reshape.inputs, outputs: [inner] },
        { ...reshape, inputs: [inner], outputs: [to] },
      ],
    };
  },
};
