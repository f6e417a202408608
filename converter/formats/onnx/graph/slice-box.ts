import type { Shape } from '../../../ir/types.ts';
import { constantMismatch } from '../errors.ts';

export interface SliceRequest {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly axes: readonly number[] | undefined;
  readonly steps: readonly number[] | undefined;
}

/** Along each axis `size` elements from `begin`, `steps` apart; steps may be negative. */
export interface SliceBox {
  readonly begin: readonly number[];
  readonly size: readonly number[];
  readonly steps: readonly number[];
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/** ONNX Slice: negative positions count from the end, positions outside are clamped. */
export function sliceBox(shape: Shape, { starts, ends, axes, steps }: SliceRequest): SliceBox {
  const begin = shape.map(() => 0);
  const size = [...shape];
  const stepped = shape.map(() => 1);
  const chosen = axes ?? starts.map((_, axis) => axis);
  const counts = [ends.length, chosen.length, steps?.length ?? starts.length];
  if (counts.some((count) => count !== starts.length)) {
    throw constantMismatch('Slice', 'starts, ends, axes and steps differ in length');
  }
  for (const [i, given] of chosen.entries()) {
    const axis = given < 0 ? given + shape.length : given;
    const extent = shape[axis];
    const step = steps?.[i] ?? 1;
    if (extent === undefined) throw constantMismatch('Slice', `axis ${given} is not one of ${shape.length}`);
    if (!Number.isInteger(step) || step === 0) throw constantMismatch('Slice', `step ${step}`);
    const fromEnd = (position: number) => (position < 0 ? position + extent : position);
    const backwards = step < 0 ? 1 : 0;
    const from = clamp(fromEnd(starts[i]!), 0, extent - backwards);
    const to = clamp(fromEnd(ends[i]!), -backwards, extent);
    begin[axis] = from;
    size[axis] = Math.max(0, Math.ceil((to - from) / step));
    stepped[axis] = step;
  }
  return { begin, size, steps: stepped };
}
