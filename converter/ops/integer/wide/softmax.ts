import { elementCount } from '../../../ir/tensor.ts';
import type { SoftmaxAttributes } from '../../attributes.ts';
import type { IntegerKernel, OpCall } from '../../define-op.ts';
import { quantizationNotSupported } from '../../errors.ts';
import { clamp, multiplyByQuantizedMultiplier, roundHalfAway } from '../../fixed-point.ts';
import type { KernelCall } from '../kernel-call.ts';
import { clampInt16, int16Quantization, requantization } from '../quantized.ts';

type Call = OpCall<SoftmaxAttributes>;

/** Steps of a table; one more entry ends the last slope. */
const steps = 512;

/**
 * A function over [min, max] as 513 entries of Q0.15, each moved by half of what straight lines would be off at the
 * middle of its step (internal/common.h, LUTPopulate for int16).
 */
function interpolationTable(real: (x: number) => number, min: number, max: number): Int16Array {
  const step = (max - min) / steps;
  const stored = (x: number) => roundHalfAway(real(x) * 32_768);
  return Int16Array.from({ length: steps + 1 }, (_, i) => {
    if (i === steps) return clampInt16(stored(max));
    const value = real(min + i * step) * 32_768;
    const next = real(min + (i + 1) * step) * 32_768;
    const middle = roundHalfAway((next + roundHalfAway(value)) / 2);
    const error = middle - stored(min + i * step + step / 2);
    return clampInt16(roundHalfAway(value) - roundHalfAway(error / 2));
  });
}

/** Base and slope of the table at a 16-bit argument. */
function lookUp(table: Int16Array, value: number): number {
  const index = 256 + (value >> 7);
  const slope = table[index + 1]! - table[index]!;
  return table[index]! + ((slope * (value & 0x7f) + 64) >> 7);
}

const exponentials = interpolationTable(Math.exp, -10, 0);
const reciprocals = interpolationTable((x) => 1 / (1 + x), 0, 1);

function inputFactor(call: Call) {
  const input = int16Quantization('softmax', call.inputs[0]!);
  const output = int16Quantization('softmax', call.outputs[0]!);
  if (Math.abs(output.scale * 32_768 - 1) > 0.001)
    throw quantizationNotSupported('softmax', 'the int16 output must have scale 1/32768 and zero point 0');
  return requantization('softmax', (input.scale * Math.fround(call.attrs.beta)) / (10 / 65_535));
}

/** Softmax on int16 by two tables, of exp over [-10, 0] and of 1 / (1 + x) (reference/softmax.h, SoftmaxInt16). */
export function wideSoftmax(call: Call): IntegerKernel {
  const { multiplier, shift } = inputFactor(call);
  const depth = call.inputs[0]!.shape.at(-1)!;
  return ([x], [y]) => {
    const [input, output] = [x as Int16Array, y as Int16Array];
    for (let row = 0; row < input.length; row += depth) {
      let most = -32_768;
      for (let i = row; i < row + depth; i++) most = Math.max(most, input[i]!);
      let sum = 0;
      for (let i = row; i < row + depth; i++) {
        const scaled = multiplyByQuantizedMultiplier(input[i]! - most, multiplier, shift);
        output[i] = lookUp(exponentials, clampInt16(scaled + 32_767));
        sum += output[i]!;
      }
      const headroom = Math.clz32(sum);
      const shifted = Math.floor((sum * 2 ** (headroom - 1) + 2 ** 13) / 2 ** 14);
      const reciprocal = lookUp(reciprocals, clampInt16(shifted - 98_304));
      const places = 31 - headroom;
      for (let i = row; i < row + depth; i++) {
        const share = Math.floor((output[i]! * reciprocal + 2 ** (places - 1)) / 2 ** places);
        output[i] = clamp(share, 0, 32_767);
      }
    }
  };
}

export function wideSoftmaxCalls(call: Call): KernelCall[] {
  const { shape } = call.inputs[0]!;
  const depth = shape.at(-1)!;
  const params = { rows: elementCount(shape) / depth, depth, ...inputFactor(call) };
  return [
    {
      kernel: 'softmax_s16',
      params,
      args: [0, { name: 'exponentials', data: exponentials }, { name: 'reciprocals', data: reciprocals }],
    },
  ];
}
