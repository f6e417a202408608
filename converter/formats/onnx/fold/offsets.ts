import { allocate, stridesOf } from '../../../ir/tensor.ts';
import type { Shape, TensorData } from '../../../ir/types.ts';
import type { Elements } from '../tensor/elements.ts';

/** Calls `visit` with result position and source offset for each element of a box, in row-major order. */
function visitBox(
  sizes: Shape,
  steps: readonly number[],
  base: number,
  visit: (position: number, offset: number) => void,
): void {
  const count = sizes.reduce((product, size) => product * size, 1);
  const index = new Array<number>(sizes.length).fill(0);
  let offset = base;
  for (let position = 0; position < count; position++) {
    visit(position, offset);
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      offset += steps[axis]!;
      if (index[axis]! < sizes[axis]!) break;
      offset -= steps[axis]! * sizes[axis]!;
      index[axis] = 0;
    }
  }
}

/** Copies a box: result element i comes from base + the sum of index * step over the axes. */
export function copyBox(
  into: Elements,
  from: Elements,
  sizes: Shape,
  steps: readonly number[],
  base = 0,
): void {
  visitBox(sizes, steps, base, (position, offset) => {
    into[position] = from[offset]!;
  });
}

/** Steps that read a tensor of `shape` as if it had been broadcast to `target`. */
export function broadcastSteps(shape: Shape, target: Shape): number[] {
  const strides = stridesOf(shape);
  return target.map((_, axis) => {
    const own = axis - target.length + shape.length;
    return own < 0 || shape[own] === 1 ? 0 : strides[own]!;
  });
}

/** `data` repeated to `target` where its shape has size 1; the same array when nothing repeats. */
export function broadcastData(data: TensorData, shape: Shape, target: Shape): TensorData {
  const count = target.reduce((product, size) => product * size, 1);
  if (data.length === count) return data;
  const result = allocate(dtypeOf(data), count);
  copyBox(result, data, target, broadcastSteps(shape, target));
  return result;
}

function dtypeOf(data: TensorData) {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof BigInt64Array) return 'int64';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof Int16Array) return 'int16';
  return data instanceof Int8Array ? 'int8' : 'uint8';
}
