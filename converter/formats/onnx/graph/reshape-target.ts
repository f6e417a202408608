import { elementCount } from '../../../ir/tensor.ts';
import type { Shape } from '../../../ir/types.ts';
import { shapeRequestInvalid } from '../errors.ts';

/** Shape that Reshape asks for: 0 copies a size (unless `allowZero`), one -1 is what is left over. */
export function reshapeTarget(source: Shape, target: readonly number[], allowZero: boolean): Shape {
  const refuse = () => shapeRequestInvalid('Reshape', target, source);
  if (target.length > 64) throw refuse();
  const sizes = target.map((size, axis) => (size === 0 && !allowZero ? source[axis] : size));
  if (sizes.some((size) => size === undefined || !Number.isSafeInteger(size) || size < -1)) throw refuse();
  const shape = sizes as number[];
  const open = shape.filter((size) => size === -1).length;
  if (open === 0) return shape;
  const fixed = elementCount(shape.filter((size) => size !== -1));
  const rest = elementCount(source) / fixed;
  if (open > 1 || !Number.isInteger(rest)) throw refuse();
  return shape.map((size) => (size === -1 ? rest : size));
}
