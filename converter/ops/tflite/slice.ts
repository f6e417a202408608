import type { SliceAttributes } from '../attributes.ts';
import type { TfliteNode, TfliteRead } from './form.ts';

export function readSlice(call: TfliteRead): TfliteNode<SliceAttributes> {
  const x = call.input(0);
  const begin = call.constant(1);
  const sizes = call.constant(2);
  const { shape } = x.type;
  if (begin.length !== shape.length || sizes.length !== shape.length) {
    throw call.refuse(`begin and size have ${begin.length} and ${sizes.length} numbers for [${shape}]`);
  }
  const size = sizes.map((count, axis) => (count === -1 ? shape[axis]! - begin[axis]! : count));
  return { inputs: [x], attrs: { begin, size, strides: shape.map(() => 1) } };
}

interface Masks {
  readonly begin: number;
  readonly end: number;
  readonly shrink: number;
  readonly insert: number;
  readonly ellipsis: number;
}

function readMasks(call: TfliteRead): Masks {
  if (call.flag('offset')) throw call.refuse('offset is set');
  return {
    begin: call.number('beginMask'),
    end: call.number('endMask'),
    shrink: call.number('shrinkAxisMask'),
    insert: call.number('newAxisMask'),
    ellipsis: call.number('ellipsisMask'),
  };
}

const has = (mask: number, position: number) => ((mask >> position) & 1) === 1;

/** One entry of begin, end and strides, on an axis of `extent` elements. */
function readRange(
  call: TfliteRead,
  masks: Masks,
  position: number,
  extent: number,
): { start: number; count: number; stride: number } {
  const bound = (list: number, missing: number) => {
    const value = call.constant(list)[position]!;
    if (has(list === 1 ? masks.begin : masks.end, position)) return missing;
    return Math.min(extent, Math.max(0, value < 0 ? value + extent : value));
  };
  const stride = call.constant(3)[position]!;
  if (stride < 1) throw call.refuse(`stride ${stride} is not supported; it must be positive`);
  const start = bound(1, 0);
  if (has(masks.shrink, position)) return { start, count: 1, stride: 1 };
  return { start, count: Math.ceil((bound(2, extent) - start) / stride), stride };
}

/**
 * STRIDED_SLICE in numpy's sense: entries may count from the end or be masked, stand for all axes in between
 * (ellipsis), insert an axis, or drop theirs.
 */
export function readStridedSlice(call: TfliteRead): TfliteNode<SliceAttributes> {
  const x = call.input(0);
  const masks = readMasks(call);
  const { shape } = x.type;
  const entries = call.constant(1).length;
  if (call.constant(2).length !== entries || call.constant(3).length !== entries || entries > 32) {
    throw call.refuse(`begin, end and strides have ${entries} and other numbers of entries`);
  }
  const attrs = { begin: [] as number[], size: [] as number[], strides: [] as number[] };
  const result: number[] = [];
  const take = (start: number, count: number, stride: number, keep: boolean) => {
    attrs.begin.push(start);
    attrs.size.push(count);
    attrs.strides.push(stride);
    if (keep) result.push(count);
  };
  const takeAll = (upTo: number) => {
    while (attrs.begin.length < upTo) take(0, shape[attrs.begin.length]!, 1, true);
  };
  const positions = Array.from({ length: entries }, (_, position) => position);
  const usesAxis = (position: number) => !has(masks.ellipsis, position) && !has(masks.insert, position);
  for (const position of positions) {
    if (has(masks.ellipsis, position)) {
      const later = positions.filter((other) => other > position && usesAxis(other)).length;
      takeAll(shape.length - later);
    } else if (has(masks.insert, position)) {
      result.push(1);
    } else {
      const extent = shape[attrs.begin.length];
      if (extent === undefined) throw call.refuse(`it has more entries than the ${shape.length} axes`);
      const { start, count, stride } = readRange(call, masks, position, extent);
      take(start, count, stride, !has(masks.shrink, position));
    }
  }
  takeAll(shape.length);
  return { inputs: [x], attrs, resultShape: result };
}
