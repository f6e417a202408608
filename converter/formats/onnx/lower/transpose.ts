import { attributeMalformed } from '../errors.ts';
import { type Lowering, onlyInputs, operand, rankOf } from './lowering.ts';

export const transpose: Lowering = {
  op: 'Transpose',
  notes: '',
  lower(node, build) {
    onlyInputs(node, 1);
    const x = operand(node, 0);
    const rank = rankOf(x);
    const perm = node.attrs.ints('perm') ?? x.type.shape.map((_, axis) => rank - 1 - axis);
    if (perm.length !== rank || x.type.shape.some((_, axis) => !perm.includes(axis))) {
      throw attributeMalformed('perm', `is [${perm.slice(0, 8).join(',')}] for ${rank} axes`);
    }
    return [build.transpose(x, perm)];
  },
};
