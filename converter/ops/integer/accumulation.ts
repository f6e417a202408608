import { packNibbles } from '../../ir/nibbles.ts';
import type { TensorData, TensorType } from '../../ir/types.ts';
import type { Activation, OpCall } from '../define-op.ts';
import { dtypeNotSupported, quantizationNotSupported } from '../errors.ts';
import { clamp, multiplyByQuantizedMultiplier, multiplyHalfUp } from '../fixed-point.ts';
import type { KernelCall, KernelConstant } from './kernel-call.ts';
import {
  activationRange,
  int8Quantization,
  requantization,
  type ScalarQuantization,
  type StoredRange,
} from './quantized.ts';

/** What a convolution, depthwise convolution or fully connected layer comes down to. */
export interface Accumulation {
  readonly weights: Int8Array;
  readonly bias: Int32Array;
  /** One of each for every output channel. */
  readonly multiplier: Int32Array;
  readonly shift: Int8Array;
  readonly input: ScalarQuantization;
  readonly output: ScalarQuantization;
  readonly range: StoredRange;
  /**
   * Channels below this one are requantized by TensorFlow Lite's vector code, which rounds halves up; the others
   * by its scalar code, which rounds halves away from zero.
   */
  readonly halfUpChannels: number;
}

export type Scales = { readonly input: number; readonly output: number; readonly weights: readonly number[] };

/** double(in) * double(weights) / double(out) for every channel (PopulateConvolutionQuantizationParams). */
export function scalePerChannel({ input, output, weights }: Scales): number[] {
  return weights.map((scale) => (input * Math.fround(scale)) / output);
}

export function weightData(op: string, data: TensorData | undefined, type: TensorType): Int8Array {
  if (!(data instanceof Int8Array)) throw dtypeNotSupported(op, type.dtype, 'constant int8 weights');
  if (type.quant?.zeroPoint.some((zero) => zero !== 0)) {
    throw quantizationNotSupported(op, 'the weights have a zero point that is not 0');
  }
  return data;
}

function biasData(op: string, data: TensorData | undefined, type: TensorType): Int32Array {
  if (!(data instanceof Int32Array)) throw dtypeNotSupported(op, type.dtype, 'a constant int32 bias');
  return data;
}

export function weightScales(op: string, type: TensorType, axis: number): readonly number[] {
  const { scale } = type.quant ?? { scale: [] };
  const perChannel = scale.length === type.shape[axis] && (scale.length === 1 || type.quant?.axis === axis);
  if (scale.length !== 1 && !perChannel) {
    throw quantizationNotSupported(op, `${scale.length} weight scales for ${type.shape[axis]} channels`);
  }
  return scale;
}

export function accumulation(
  op: string,
  call: OpCall<{ readonly activation: Activation }>,
  axis: number,
  combine: (scales: Scales) => number[],
  vectorChannels = 1,
): Accumulation {
  const [x, weights, bias] = call.inputs as [TensorType, TensorType, TensorType];
  const input = int8Quantization(op, x);
  const output = int8Quantization(op, call.outputs[0]!);
  const scales = combine({
    input: input.scale,
    output: output.scale,
    weights: weightScales(op, weights, axis),
  });
  const factors = scales.map((real) => requantization(op, real));
  const channels = weights.shape[axis]!;
  const ofChannel = (channel: number) => factors[factors.length === 1 ? 0 : channel]!;
  const accumulated = {
    weights: weightData(op, call.constants[1], weights),
    bias: biasData(op, call.constants[2], bias),
    multiplier: Int32Array.from({ length: channels }, (_, channel) => ofChannel(channel).multiplier),
    shift: Int8Array.from({ length: channels }, (_, channel) => ofChannel(channel).shift),
  };
  return {
    ...accumulated,
    input,
    output,
    range: activationRange(call.attrs.activation, output),
    halfUpChannels: channels - (channels % vectorChannels),
  };
}

/** The stored result of one accumulator: bias, requantization, zero point, activation. */
export function finisher(layer: Accumulation) {
  const { bias, multiplier, shift, output, range, halfUpChannels } = layer;
  return (sum: number, channel: number): number => {
    const multiply = channel < halfUpChannels ? multiplyHalfUp : multiplyByQuantizedMultiplier;
    const scaled = multiply((sum + bias[channel]!) | 0, multiplier[channel]!, shift[channel]!);
    return clamp(scaled + output.zeroPoint, range.low, range.high);
  };
}

/** Most that |sum of products| may reach so that the C kernels' 32-bit accumulators cannot overflow. */
const accumulatorLimit = 2 ** 31 - 1;

/** Largest sum of |weights| over the weights of one output channel. */
function largestWeightSum(weights: Int8Array, channels: number, channelOf: (i: number) => number): number {
  const sums = new Float64Array(channels);
  for (const [i, weight] of weights.entries()) sums[channelOf(i)]! += Math.abs(weight);
  return sums.reduce((a, b) => Math.max(a, b), 0);
}

/**
 * With `fold`, the input's zero point is taken out of the bias once, bias - zeroPoint * sum(weights), and the kernel
 * multiplies stored values: right only where no window reaches over the border, since a skipped tap would have to
 * count for zeroPoint * weight.
 */
export function accumulationCall(
  op: string,
  kernel: string,
  layer: Accumulation,
  params: KernelCall['params'],
  fold: boolean,
  channelOf: (i: number) => number,
): KernelCall {
  const { weights, multiplier, shift, input, output, range } = layer;
  const channels = layer.bias.length;
  if (largestWeightSum(weights, channels, channelOf) * 255 > accumulatorLimit) {
    throw quantizationNotSupported(op, 'its sums can overflow 32 bits');
  }
  const bias = layer.bias.slice();
  if (fold && input.zeroPoint !== 0) {
    for (const [i, weight] of weights.entries()) {
      const channel = channelOf(i);
      bias[channel] = (bias[channel]! - input.zeroPoint * weight) | 0;
    }
  }
  const constant = (name: string, data: TensorData): KernelConstant => ({ name, data });
  return {
    kernel,
    params: {
      ...params,
      x_zero: fold ? 0 : input.zeroPoint,
      y_zero: output.zeroPoint,
      low: range.low,
      high: range.high,
      half_up: layer.halfUpChannels,
    },
    args: [
      0,
      constant('weights', weights),
      constant('bias', bias),
      constant('multiplier', multiplier),
      constant('shift', shift),
    ],
  };
}

/** The call with two weights in a byte, of the kernel that takes them so, where the weights have 4 bits. */
export function packedCall(call: OpCall<unknown>, plain: KernelCall): KernelCall {
  if (call.inputs[1]!.bits !== 4) return plain;
  const packed = packNibbles(call.constants[1] as Int8Array);
  const args = plain.args.map((arg, i) => (i === 1 ? { name: 'weights', data: packed } : arg));
  return { ...plain, kernel: plain.kernel.replace(/_s8$/, '_s4'), args };
}
