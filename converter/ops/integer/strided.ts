import { stridesOf } from '../../ir/tensor.ts';
import type { Shape } from '../../ir/types.ts';

/** A walk over a box of elements: `size` steps along each axis, moving each operand by its own stride. */
export interface StridedWalk {
  readonly size: readonly number[];
  /** For each operand, elements to move for one step along each axis. */
  readonly strides: readonly (readonly number[])[];
}

/** The same walk with axes of size 1 dropped and neighbours joined where every operand allows it. */
export function joinAxes({ size, strides }: StridedWalk): StridedWalk {
  const sizes: number[] = [];
  const joined: number[][] = strides.map(() => []);
  for (const [axis, extent] of size.entries()) {
    if (extent === 1) continue;
    const last = sizes.length - 1;
    const continues = last >= 0 && strides.every((stride, i) => joined[i]![last] === stride[axis]! * extent);
    if (continues) {
      sizes[last]! *= extent;
      for (const [i, stride] of strides.entries()) joined[i]![last] = stride[axis]!;
    } else {
      sizes.push(extent);
      for (const [i, stride] of strides.entries()) joined[i]!.push(stride[axis]!);
    }
  }
  if (sizes.length > 0) return { size: sizes, strides: joined };
  return { size: [1], strides: strides.map(() => [1]) };
}

/** Strides with which a tensor of `shape` is read when it is broadcast to `result`: 0 along repeated axes. */
export function broadcastStrides(shape: Shape, result: Shape): number[] {
  const strides = stridesOf(shape);
  return result.map((_, axis) => {
    const own = axis - result.length + shape.length;
    return own < 0 || shape[own] === 1 ? 0 : strides[own]!;
  });
}

/** Calls `visit` with the operands' offsets for each innermost run of the walk. */
export function walkRuns(
  { size, strides }: StridedWalk,
  visit: (offsets: readonly number[], count: number) => void,
): void {
  const outer = size.length - 1;
  const index = new Array<number>(outer).fill(0);
  const offsets = strides.map(() => 0);
  const runs = size.slice(0, outer).reduce((a, b) => a * b, 1);
  for (let run = 0; run < runs; run++) {
    visit(offsets, size[outer]!);
    for (let axis = outer - 1; axis >= 0; axis--) {
      const done = ++index[axis]! === size[axis]!;
      for (const [i, stride] of strides.entries()) {
        offsets[i]! += done ? -stride[axis]! * (size[axis]! - 1) : stride[axis]!;
      }
      if (!done) break;
      index[axis] = 0;
    }
  }
}
