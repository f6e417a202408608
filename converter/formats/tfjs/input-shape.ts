import { elementCount } from '../../ir/tensor.ts';
import type { Shape } from '../../ir/types.ts';
import { damagedAt, shapeMismatch, shapeOpen } from './errors.ts';
import { mostAxes, mostElements } from './limits.ts';

export type InputShapes = ReadonlyMap<string, readonly number[]>;

/** The static shape of an input: the user's, or the declared one with a batch of 1. Throws E_TFJS_INPUT_SHAPE. */
export function inputShape(name: string, declared: readonly (number | null)[], given: InputShapes): Shape {
  const wanted = given.get(name);
  const open = declared.map((size) => (size === -1 ? null : size));
  if (open.length < 1 || open.length > mostAxes || open.some((size) => size !== null && !(size >= 1))) {
    throw damagedAt(name, 'is an input without a usable shape');
  }
  if (wanted) {
    const fits =
      wanted.length === open.length && wanted.every((size, i) => open[i] === null || open[i] === size);
    if (!fits) throw shapeMismatch(name, wanted, declared);
    return wanted;
  }
  const shape = open.map((size, axis) => (axis === 0 && size === null ? 1 : size));
  if (shape.some((size) => size === null)) throw shapeOpen(name, declared);
  const whole = shape as number[];
  if (elementCount(whole) > mostElements) throw damagedAt(name, 'is an input of too many elements');
  return whole;
}
