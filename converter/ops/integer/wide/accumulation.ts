import type { TensorData, TensorType } from '../../../ir/types.ts';
import type { Activation, OpCall } from '../../define-op.ts';
import { dtypeNotSupported, quantizationNotSupported } from '../../errors.ts';
import { clamp, multiplyWide } from '../../fixed-point.ts';
import { type Scales, weightData, weightScales } from '../accumulation.ts';
import type { KernelCall } from '../kernel-call.ts';
import { int16Quantization, requantization, type StoredRange, wideActivationRange } from '../quantized.ts';

/** A layer with 16-bit activations, 8-bit weights and a 64-bit bias. */
export interface WideAccumulation {
  readonly weights: Int8Array;
  readonly bias: BigInt64Array;
  /** One of each for every output channel. */
  readonly multiplier: Int32Array;
  readonly shift: Int8Array;
  readonly range: StoredRange;
}

/** Sums beyond this leave what 64-bit requantization is exact for. */
const sumLimit = 2 ** 46;

function biasData(op: string, data: TensorData | undefined, type: TensorType): BigInt64Array {
  if (data instanceof BigInt64Array) return data;
  if (!(data instanceof Int32Array))
    throw dtypeNotSupported(op, type.dtype, 'a constant int64 or int32 bias');
  return BigInt64Array.from(data, BigInt);
}

export function wideAccumulation(
  op: string,
  call: OpCall<{ readonly activation: Activation }>,
  axis: number,
  combine: (scales: Scales) => number[],
): WideAccumulation {
  const [x, weights, bias] = call.inputs as [TensorType, TensorType, TensorType];
  const [input, output] = [int16Quantization(op, x), int16Quantization(op, call.outputs[0]!)];
  const own = weightScales(op, weights, axis);
  const factors = combine({ input: input.scale, output: output.scale, weights: own }).map((real) =>
    requantization(op, real),
  );
  const channels = weights.shape[axis]!;
  const ofChannel = (channel: number) => factors[factors.length === 1 ? 0 : channel]!;
  const offsets = biasData(op, call.constants[2], bias);
  const taps = weightData(op, call.constants[1], weights);
  const reach = (taps.length / channels) * 32_768 * 128;
  if (offsets.some((offset) => Math.abs(Number(offset)) + reach > sumLimit))
    throw quantizationNotSupported(op, 'its sums can leave 47 bits');
  return {
    weights: taps,
    bias: offsets,
    multiplier: Int32Array.from({ length: channels }, (_, channel) => ofChannel(channel).multiplier),
    shift: Int8Array.from({ length: channels }, (_, channel) => ofChannel(channel).shift),
    range: wideActivationRange(call.attrs.activation, output),
  };
}

/** The stored result of one sum of products. */
export function wideFinisher(
  { bias, multiplier, shift, range }: WideAccumulation,
  multiply: typeof multiplyWide = multiplyWide,
) {
  const offsets = Float64Array.from(bias, Number);
  return (sum: number, channel: number): number =>
    clamp(multiply(sum + offsets[channel]!, multiplier[channel]!, shift[channel]!), range.low, range.high);
}

export function wideAccumulationCall(
  kernel: string,
  { weights, bias, multiplier, shift, range }: WideAccumulation,
  params: KernelCall['params'],
): KernelCall {
  return {
    kernel,
    params: { ...params, low: range.low, high: range.high },
    args: [
      0,
      { name: 'weights', data: weights },
      { name: 'bias', data: bias },
      { name: 'multiplier', data: multiplier },
      { name: 'shift', data: shift },
    ],
  };
}

/** sums[r] = the dot product of row r of `matrix` with `vector`, exact. */
export function multiplyWideRows(matrix: Int8Array, vector: Int16Array, sums: Float64Array): void {
  const columns = vector.length;
  for (let row = 0; row < sums.length; row++) {
    let sum = 0;
    for (let k = 0, at = row * columns; k < columns; k++) sum += vector[k]! * matrix[at + k]!;
    sums[row] = sum;
  }
}
