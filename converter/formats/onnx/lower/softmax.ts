import { elementCount } from '../../../ir/tensor.ts';
import { frontAxis, type Lowering, onlyInputs, operand, rankOf } from './lowering.ts';

/** From this opset on the axis is normalised alone; before, all axes from it on together. */
const oneAxisSince = 13;

/** The permutation that swaps `axis` with the last one, which is its own inverse. */
function swapWithLast(rank: number, axis: number): number[] {
  const perm = Array.from({ length: rank }, (_, position) => position);
  perm[axis] = rank - 1;
  perm[rank - 1] = axis;
  return perm;
}

export const softmax: Lowering = {
  op: 'Softmax',
  notes: 'any axis',
  lower(node, build) {
    onlyInputs(node, 1);
    const x = operand(node, 0);
    const { shape } = x.type;
    const alone = node.opset >= oneAxisSince;
    const axis = frontAxis(node.attrs.int('axis', alone ? -1 : 1), rankOf(x));
    if (alone) {
      const perm = swapWithLast(rankOf(x), axis);
      const turned = build.transpose(x, perm);
      return [build.transpose(build.emit('softmax', [turned], { beta: 1 }), perm)];
    }
    const rows =
      axis === rankOf(x) - 1 ? shape : [elementCount(shape.slice(0, axis)), elementCount(shape.slice(axis))];
    const result = build.emit('softmax', [build.reshape(x, rows)], { beta: 1 });
    return [build.reshape(result, shape)];
  },
};
