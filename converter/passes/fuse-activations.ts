import type { Rule } from '../ir/edit.ts';

/** relu, relu6 and reluN1To1 become the fused activation of the operator before them, in float graphs. */
export const fuseActivations: Rule = {
  name: 'fuse-activations',
  ops: ['relu', 'relu6', 'reluN1To1'],
  match(node, view) {
    const from = node.inputs[0]!;
    const producer = view.producer(from);
    if (producer?.attrs['activation'] !== 'none' || view.value(from).type.dtype !== 'float32')
      return undefined;
    if (view.consumers(from).length !== 1 || view.isOutput(from)) return undefined;
    return {
      remove: [producer, node],
      add: [{ ...producer, outputs: node.outputs, attrs: { ...producer.attrs, activation: node.op } }],
    };
  },
};
