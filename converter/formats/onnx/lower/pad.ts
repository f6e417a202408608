import { attributeMalformed, constantMismatch, notConvertible } from '../errors.ts';
import {
  floatConstant,
  frontAxis,
  type Lowering,
  type LowerNode,
  onlyInputs,
  operand,
  optionalNumbers,
  rankOf,
} from './lowering.ts';
import { cut } from './slice.ts';

function fillValue(node: LowerNode): number {
  const attribute = node.attrs.float('value', 0);
  if (!node.inputs[2]) return attribute;
  const { data } = floatConstant(node, 2, 'fill values');
  const [value] = data;
  if (data.length !== 1 || value === undefined)
    throw constantMismatch('Pad', 'its fill value is not one number');
  if (!Number.isFinite(value)) throw notConvertible(`it pads with ${value}; only finite values are possible`);
  return value;
}

/** Padding before and after each axis of the input; negative numbers crop. */
function padsOf(node: LowerNode, rank: number): { before: number[]; after: number[] } {
  const pads = node.attrs.ints('pads') ?? optionalNumbers(node, 1, 'pads') ?? [];
  const given = optionalNumbers(node, 3, 'axes');
  const axes = given?.map((axis) => frontAxis(axis, rank)) ?? Array.from({ length: rank }, (_, axis) => axis);
  const whole = pads.every((pad) => Number.isSafeInteger(pad));
  if (pads.length !== 2 * axes.length || !whole || new Set(axes).size !== axes.length) {
    throw attributeMalformed('pads', `are [${pads.slice(0, 16).join(',')}] for ${axes.length} axes`);
  }
  const before = new Array<number>(rank).fill(0);
  const after = new Array<number>(rank).fill(0);
  for (const [i, axis] of axes.entries()) {
    before[axis] = pads[i]!;
    after[axis] = pads[i + axes.length]!;
  }
  return { before, after };
}

export const pad: Lowering = {
  op: 'Pad',
  notes: 'constant mode and amounts; negative amounts crop',
  lower(node, build) {
    onlyInputs(node, 4);
    const mode = node.attrs.string('mode', 'constant');
    if (mode !== 'constant')
      throw notConvertible(`its mode is "${mode.slice(0, 40)}"; only constant is possible`);
    const x = operand(node, 0);
    const { before, after } = padsOf(node, rankOf(x));
    const value = fillValue(node);
    const begin = before.map((count) => Math.max(0, -count));
    const size = x.type.shape.map((extent, axis) => extent - begin[axis]! - Math.max(0, -after[axis]!));
    const cropped = cut(build, x, begin, size);
    const pads = before.flatMap((count, axis) => [Math.max(0, count), Math.max(0, after[axis]!)]);
    return [pads.some((count) => count > 0) ? build.emit('pad', [cropped], { pads, value }) : cropped];
  },
};
