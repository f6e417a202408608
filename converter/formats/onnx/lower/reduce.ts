import type { Value } from '../../../ir/types.ts';
import { notConvertible } from '../errors.ts';
import { spatialMaximum } from './global-pool.ts';
import { axesOf, frontAxis, type Lowering, type LowerNode, onlyInputs, operand, rankOf } from './lowering.ts';

interface Reduction {
  readonly x: Value;
  /** Ascending; empty when the node changes nothing. */
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

function reductionOf(node: LowerNode): Reduction {
  onlyInputs(node, 2);
  const x = operand(node, 0);
  const given = axesOf(node) ?? [];
  const noop = node.attrs.flag('noop_with_empty_axes', false);
  const all = x.type.shape.map((_, axis) => axis);
  const named = new Set(given.map((axis) => frontAxis(axis, rankOf(x))));
  const axes = given.length > 0 ? all.filter((axis) => named.has(axis)) : noop ? [] : all;
  return { x, axes, keepDims: node.attrs.flag('keepdims', true) };
}

const reduceMean: Lowering = {
  op: 'ReduceMean',
  notes: 'constant axes',
  lower(node, build) {
    const { x, axes, keepDims } = reductionOf(node);
    return [axes.length === 0 ? x : build.emit('mean', [x], { axes, keepDims })];
  },
};

const reduceSum: Lowering = {
  op: 'ReduceSum',
  notes: 'constant axes; becomes a mean times the number of elements',
  lower(node, build) {
    const { x, axes, keepDims } = reductionOf(node);
    if (axes.length === 0) return [x];
    const count = axes.reduce((product, axis) => product * x.type.shape[axis]!, 1);
    const mean = build.emit('mean', [x], { axes, keepDims });
    return [build.binary('mul', mean, build.scalar(count))];
  },
};

const reduceMax: Lowering = {
  op: 'ReduceMax',
  notes: 'over all spatial axes of [N,C,H,W] or [N,C,L]; becomes max pooling',
  lower(node, build) {
    const { x, axes, keepDims } = reductionOf(node);
    if (axes.length === 0) return [x];
    const rank = rankOf(x);
    const spatial = (rank === 3 || rank === 4) && axes.join() === [2, 3].slice(0, rank - 2).join();
    if (!spatial) throw notConvertible(`it reduces axes [${axes}]; only all spatial axes are possible`);
    const maximum = spatialMaximum(build, x);
    return [keepDims ? maximum : build.reshape(maximum, x.type.shape.slice(0, 2))];
  },
};

export const reductions: readonly Lowering[] = [reduceMax, reduceMean, reduceSum];
