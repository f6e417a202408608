import type { Shape } from '../../../ir/types.ts';
import { constantMismatch, shapeRequestInvalid } from '../errors.ts';

function frontAxes(op: string, axes: readonly number[], rank: number): Set<number> {
  const front = axes.map((axis) => (axis < 0 ? axis + rank : axis));
  if (front.some((axis) => !Number.isInteger(axis) || axis < 0 || axis >= rank)) {
    throw constantMismatch(op, `axes [${axes.slice(0, 8).join(',')}] are not all among ${rank}`);
  }
  if (new Set(front).size !== front.length) throw constantMismatch(op, 'an axis is named twice');
  return new Set(front);
}

/** `shape` without the axes named, which must have size 1, or without every axis of size 1. */
export function squeezedShape(shape: Shape, axes: readonly number[] | undefined): Shape {
  if (!axes) return shape.filter((size) => size !== 1);
  const chosen = frontAxes('Squeeze', axes, shape.length);
  if (shape.some((size, axis) => chosen.has(axis) && size !== 1)) {
    throw shapeRequestInvalid('Squeeze', axes, shape);
  }
  return shape.filter((_, axis) => !chosen.has(axis));
}

/** `shape` with axes of size 1 put in at `axes`, counted in the result. */
export function unsqueezedShape(shape: Shape, axes: readonly number[]): Shape {
  const rank = shape.length + axes.length;
  if (rank > 64) throw shapeRequestInvalid('Unsqueeze', axes.slice(0, 8), shape);
  const chosen = frontAxes('Unsqueeze', axes, rank);
  const rest = shape[Symbol.iterator]();
  return Array.from({ length: rank }, (_, axis) => (chosen.has(axis) ? 1 : (rest.next().value as number)));
}
