import type { Rule } from '../ir/edit.ts';
import { isIdentityPermutation, sameShape } from '../ir/tensor.ts';

/** A node whose result is its input, as it stands. */
export const removeIdentities: Rule = {
  name: 'remove-identities',
  ops: ['reshape', 'transpose', 'pad', 'slice'],
  match(node, view) {
    const [from, to] = [node.inputs[0]!, node.outputs[0]!];
    if (!sameShape(view.value(from).type.shape, view.value(to).type.shape)) return undefined;
    if (node.op === 'transpose' && !isIdentityPermutation(node.attrs['perm'] as number[])) return undefined;
    return { remove: [node], redirect: new Map([[to, from]]) };
  },
};
