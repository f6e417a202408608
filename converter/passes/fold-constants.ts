import type { Rule } from '../ir/edit.ts';
import { transposeData } from '../ir/tensor.ts';

/** A constant that is only moved about becomes the moved constant. */
export const foldConstants: Rule = {
  name: 'fold-constants',
  ops: ['reshape', 'transpose'],
  match(node, view) {
    const input = view.value(node.inputs[0]!);
    if (!input.data) return undefined;
    const output = view.value(node.outputs[0]!);
    const moved =
      node.op === 'reshape'
        ? input.data
        : transposeData(input.data, input.type.shape, node.attrs['perm'] as number[]);
    const name = view.fresh(output.name);
    return {
      remove: [node],
      values: [{ name, type: output.type, data: moved }],
      redirect: new Map([[output.name, name]]),
    };
  },
};
