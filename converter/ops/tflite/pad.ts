import type { TensorType, Value } from '../../ir/types.ts';
import { int32Constant, type TfliteOperator, type TfliteVersions, type TfliteWrite } from './form.ts';

export const padVersions: TfliteVersions = { float32: 1, int8: 2, int16: 3 };

/** The stored number that stands for a real one, within the range of its type. */
function storedValue(type: TensorType, real: number): Float32Array | Int8Array | Int16Array {
  if (type.dtype === 'float32') return Float32Array.of(real);
  const [scale, zeroPoint] = [type.quant!.scale[0]!, type.quant!.zeroPoint[0]!];
  const [low, high] = type.dtype === 'int8' ? [-128, 127] : [-32768, 32767];
  const stored = Math.min(high, Math.max(low, Math.round(real / scale) + zeroPoint));
  return type.dtype === 'int8' ? Int8Array.of(stored) : Int16Array.of(stored);
}

/**
 * PAD, which fills with the real number zero, or PADV2, which fills with a given one. `pads` is before and after
 * for each axis in turn; `role` stands before the names of the constants.
 */
export function padOperator(
  call: Pick<TfliteWrite<unknown>, 'constant' | 'refuse'>,
  input: Value,
  output: Value,
  pads: readonly number[],
  value: number,
  role = '',
): TfliteOperator {
  const rank = input.type.shape.length;
  const version = padVersions[input.type.dtype];
  if (version === undefined) throw call.refuse(`PAD does not take ${input.type.dtype}`, 'see tinyml ops');
  const common = { version: rank > 4 ? 4 : version, output };
  const paddings = int32Constant(call, `${role}paddings`, pads, [rank, 2]);
  if (value === 0) return { ...common, builtin: 'PAD', inputs: [input, paddings] };
  const fill = call.constant(`${role}fill`, { ...input.type, shape: [] }, storedValue(input.type, value));
  return { ...common, builtin: 'PADV2', inputs: [input, paddings, fill] };
}
