import type { Value } from '../../../ir/types.ts';
import { constantMismatch, notConvertible } from '../errors.ts';
import type { NodeBuilder } from './builder.ts';
import { fullyConnected } from './gemm.ts';
import { type FloatConstant, type Lowering, onlyInputs, operand, rankOf } from './lowering.ts';

function swapLast(rank: number): number[] {
  return Array.from({ length: rank }, (_, axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis));
}

/** A constant whose axes before the last two have size 1, as a matrix. */
function matrixOf(build: NodeBuilder, side: Value): FloatConstant {
  const { shape } = side.type;
  if (shape.slice(0, -2).some((size) => size !== 1)) {
    throw notConvertible('its constant is a stack of matrices; one matrix is possible');
  }
  return build.reshape(side, shape.slice(-2)) as FloatConstant;
}

/** x [...,M,K] times constant [K,N]. */
function constantRight(build: NodeBuilder, x: Value, right: Value): Value {
  const weights = build.transpose(matrixOf(build, right), [1, 0]) as FloatConstant;
  const extra = Math.max(0, rankOf(right) - rankOf(x));
  const whole = build.reshape(x, [...new Array<number>(extra).fill(1), ...x.type.shape]);
  return fullyConnected(build, whole, weights);
}

/** Constant [M,K] times x [...,K,N], as the transpose of x' times the constant's transpose. */
function constantLeft(build: NodeBuilder, left: Value, x: Value): Value {
  const extra = Math.max(0, rankOf(left) - rankOf(x));
  const whole = build.reshape(x, [...new Array<number>(extra).fill(1), ...x.type.shape]);
  const turned = build.transpose(whole, swapLast(rankOf(whole)));
  const product = fullyConnected(build, turned, matrixOf(build, left));
  return build.transpose(product, swapLast(rankOf(product)));
}

export const matMul: Lowering = {
  op: 'MatMul',
  notes: 'one side constant',
  lower(node, build) {
    onlyInputs(node, 2);
    const [a, b] = [operand(node, 0), operand(node, 1)];
    if (rankOf(a) === 0 || rankOf(b) === 0) throw constantMismatch('MatMul', 'an input is a scalar');
    if (!a.data && !b.data) {
      throw notConvertible('both its inputs are computed by the network; one must be a constant');
    }
    // Vectors get an axis of size 1, which leaves again afterwards.
    const row = rankOf(a) === 1 ? build.reshape(a, [1, ...a.type.shape]) : a;
    const column = rankOf(b) === 1 ? build.reshape(b, [...b.type.shape, 1]) : b;
    const product = column.data ? constantRight(build, row, column) : constantLeft(build, row, column);
    const { shape } = product.type;
    const kept = [
      ...shape.slice(0, -2),
      ...(rankOf(a) === 1 ? [] : shape.slice(-2, -1)),
      ...(rankOf(b) === 1 ? [] : shape.slice(-1)),
    ];
    return [build.reshape(product, kept)];
  },
};
