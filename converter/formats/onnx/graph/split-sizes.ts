import { constantMismatch } from '../errors.ts';

/** Sizes of the parts along an axis of `extent`: those given, or as equal as they can be. */
export function splitSizes(
  extent: number,
  given: readonly number[] | undefined,
  parts: number,
): readonly number[] {
  const part = Math.ceil(extent / parts);
  const sizes =
    given ?? Array.from({ length: Math.min(parts, extent) }, (_, i) => Math.min(part, extent - i * part));
  const whole = sizes.every((size) => Number.isSafeInteger(size) && size >= 0);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (!whole || sizes.length !== parts || total !== extent) {
    throw constantMismatch(
      'Split',
      `${extent} entries cannot be split into [${sizes.slice(0, 16).join(',')}]`,
    );
  }
  return sizes;
}
