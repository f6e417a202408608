import type { Value } from '../ir/types.ts';

export const isInt8 = ({ type }: Value): boolean => type.dtype === 'int8';

/** Whether two values with one scale each mean the same real numbers by the same stored ones. */
export function sameQuantization(a: Value, b: Value): boolean {
  const [left, right] = [a.type.quant, b.type.quant];
  if (left?.scale.length !== 1 || right?.scale.length !== 1) return false;
  return (
    Math.fround(left.scale[0]!) === Math.fround(right.scale[0]!) &&
    (left.zeroPoint[0] ?? 0) === (right.zeroPoint[0] ?? 0)
  );
}
