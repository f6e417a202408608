import type { Value } from '../../../ir/types.ts';
import { notConvertible } from '../errors.ts';
import type { NodeBuilder } from './builder.ts';
import { type Lowering, onlyInputs, operand, rankOf } from './lowering.ts';
import { channelsFirst, channelsLast } from './spatial.ts';

export const globalAveragePool: Lowering = {
  op: 'GlobalAveragePool',
  notes: 'becomes a mean',
  lower(node, build) {
    onlyInputs(node, 1);
    const x = operand(node, 0);
    if (rankOf(x) < 3) throw notConvertible(`its input has ${rankOf(x)} axes, none of them spatial`);
    const axes = x.type.shape.map((_, axis) => axis).slice(2);
    return [build.emit('mean', [x], { axes, keepDims: true })];
  },
};

/** Maximum over all spatial positions of [N,C,H,W] or [N,C,L]; keeps the axes. */
export function spatialMaximum(build: NodeBuilder, x: Value): Value {
  const input = channelsLast(build, x);
  const filter = input.type.shape.slice(1, 3);
  const attrs = { filter, strides: [1, 1], pads: [0, 0, 0, 0], activation: 'none' };
  return channelsFirst(build, build.emit('maxPool2d', [input], attrs), rankOf(x));
}

export const globalMaxPool: Lowering = {
  op: 'GlobalMaxPool',
  notes: 'one or two spatial axes',
  lower(node, build) {
    onlyInputs(node, 1);
    return [spatialMaximum(build, operand(node, 0))];
  },
};
