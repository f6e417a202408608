import { elementCount } from '../../../ir/tensor.ts';
import type { Activation, IntegerKernel, OpCall } from '../../define-op.ts';
import { clamp, multiplyByQuantizedMultiplier } from '../../fixed-point.ts';
import type { KernelCall } from '../kernel-call.ts';
import { clampInt16, int16Quantization, requantization, wideActivationRange } from '../quantized.ts';

function elementwise(stored: (q: number) => number): IntegerKernel {
  return ([x], [y]) => {
    const [input, output] = [x as Int16Array, y as Int16Array];
    for (let i = 0; i < output.length; i++) output[i] = stored(input[i]!);
  };
}

/** Rectifiers on int16: requantization, then clamping (activations.cc, QuantizedReluX). */
function rectifierParams(op: string, activation: Activation, call: OpCall<unknown>) {
  const input = int16Quantization(op, call.inputs[0]!);
  const output = int16Quantization(op, call.outputs[0]!);
  const factor = requantization(op, Math.fround(input.scale / output.scale));
  return { ...factor, ...wideActivationRange(activation, output) };
}

export function wideRectifier(op: string, activation: Activation) {
  return {
    integer(call: OpCall<unknown>): IntegerKernel {
      const { multiplier, shift, low, high } = rectifierParams(op, activation, call);
      return elementwise((q) => clamp(multiplyByQuantizedMultiplier(q, multiplier, shift), low, high));
    },
    kernels(call: OpCall<unknown>): KernelCall[] {
      const count = elementCount(call.inputs[0]!.shape);
      const params = rectifierParams(op, activation, call);
      return [
        {
          kernel: 'rescale_s16',
          params: { count, ...params, negative: params.multiplier, negative_shift: params.shift },
          args: [0],
        },
      ];
    },
  };
}

/** Leaky rectifier on int16: one multiplier on each side of zero (activations.cc, LeakyReluPrepare). */
function leakyParams(call: OpCall<{ readonly alpha: number }>) {
  const input = int16Quantization('leakyRelu', call.inputs[0]!);
  const output = int16Quantization('leakyRelu', call.outputs[0]!);
  const identity = requantization('leakyRelu', Math.fround(input.scale / output.scale));
  const real = Math.fround(Math.fround(input.scale * Math.fround(call.attrs.alpha)) / output.scale);
  const slope = requantization('leakyRelu', Math.abs(real));
  const signed = real < 0 ? -slope.multiplier : slope.multiplier;
  return { identity, slope: { ...slope, multiplier: signed } };
}

export const wideLeakyRelu = {
  integer(call: OpCall<{ readonly alpha: number }>): IntegerKernel {
    const { identity, slope } = leakyParams(call);
    const sign = slope.multiplier < 0 ? -1 : 1;
    return elementwise((q) =>
      clampInt16(
        q >= 0
          ? multiplyByQuantizedMultiplier(q, identity.multiplier, identity.shift)
          : sign * multiplyByQuantizedMultiplier(q, Math.abs(slope.multiplier), slope.shift),
      ),
    );
  },
  kernels(call: OpCall<{ readonly alpha: number }>): KernelCall[] | undefined {
    const { identity, slope } = leakyParams(call);
    if (slope.multiplier < 0) return undefined;
    const params = {
      count: elementCount(call.inputs[0]!.shape),
      multiplier: identity.multiplier,
      shift: identity.shift,
      low: -32_768,
      high: 32_767,
      negative: slope.multiplier,
      negative_shift: slope.shift,
    };
    return [{ kernel: 'rescale_s16', params, args: [0] }];
  },
};
