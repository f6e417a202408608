import type { Rule } from '../ir/edit.ts';
import { sameShape } from '../ir/tensor.ts';

/** A reduction whose kept axes are only dropped by a reshape does not keep them. */
export const dropReducedAxes: Rule = {
  name: 'drop-reduced-axes',
  ops: ['reshape'],
  match(node, view) {
    const from = node.inputs[0]!;
    const reduction = view.producer(from);
    if (reduction?.attrs['keepDims'] !== true || view.consumers(from).length !== 1 || view.isOutput(from))
      return undefined;
    const axes = reduction.attrs['axes'] as number[];
    const dropped = view.value(from).type.shape.filter((_, axis) => !axes.includes(axis));
    if (!sameShape(dropped, view.value(node.outputs[0]!).type.shape)) return undefined;
    return {
      remove: [node, reduction],
      add: [{ ...reduction, outputs: node.outputs, attrs: { axes, keepDims: false } }],
    };
  },
};
