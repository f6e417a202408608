import type { IntegerKernel, OpCall } from '../define-op.ts';
import { shapesDoNotFit } from '../errors.ts';
import { clamp } from '../fixed-point.ts';
import type { PoolAttributes } from '../pool.ts';
import type { KernelCall, KernelParams } from './kernel-call.ts';
import {
  activationRange,
  isWide,
  requireSameQuantization,
  type StoredRange,
  storedQuantization,
  wideActivationRange,
} from './quantized.ts';
import { isReal, realLimits } from './real-calls.ts';
import { realPool } from './real-evaluation.ts';
import { windowParams } from './window-params.ts';

type Call = OpCall<PoolAttributes>;

function rangeOf(op: string, call: Call): StoredRange {
  const output = storedQuantization(op, call.outputs[0]!);
  requireSameQuantization(op, storedQuantization(op, call.inputs[0]!), output);
  return (isWide(call) ? wideActivationRange : activationRange)(call.attrs.activation, output);
}

/** Reduces the part of each window that lies inside the input, one channel at a time. */
function pooling(
  call: Call,
  start: number,
  step: (accumulated: number, value: number) => number,
  finish: (accumulated: number, count: number) => number,
): IntegerKernel {
  const [batch, height, width, depth] = call.inputs[0]!.shape as [number, number, number, number];
  const [, outHeight, outWidth] = call.outputs[0]!.shape as [number, number, number];
  const { filter, strides, pads } = call.attrs;
  return ([x], [y]) => {
    const input = x as Int8Array;
    const output = y as Int8Array;
    let out = 0;
    for (let image = 0; image < batch; image++) {
      for (let row = 0; row < outHeight; row++) {
        const top = row * strides[0]! - pads[0]!;
        const rows = [Math.max(0, top), Math.min(height, top + filter[0]!)] as const;
        for (let column = 0; column < outWidth; column++) {
          const left = column * strides[1]! - pads[1]!;
          const columns = [Math.max(0, left), Math.min(width, left + filter[1]!)] as const;
          const count = (rows[1] - rows[0]) * (columns[1] - columns[0]);
          for (let channel = 0; channel < depth; channel++) {
            let accumulated = start;
            for (let i = rows[0]; i < rows[1]; i++) {
              for (let j = columns[0]; j < columns[1]; j++) {
                accumulated = step(accumulated, input[((image * height + i) * width + j) * depth + channel]!);
              }
            }
            output[out++] = finish(accumulated, count);
          }
        }
      }
    }
  };
}

/** The window as parameters of the pooling kernels. */
function poolWindow({ inputs, outputs, attrs }: Call): KernelParams {
  const { filter, strides, pads } = attrs;
  if (pads.some((pad, side) => pad >= filter[side % 2]!)) {
    throw shapesDoNotFit('pooling', 'padding as wide as the window', [pads, filter]);
  }
  return windowParams(inputs[0]!, outputs[0]!, { kernel: filter, strides, dilations: [1, 1], pads });
}

function poolCall(op: string, kernel: string, call: Call): KernelCall[] {
  const params = poolWindow(call);
  if (isReal(call)) {
    return [{ kernel: `${kernel}_f32`, params, floats: realLimits(call.attrs.activation), args: [0] }];
  }
  return [
    {
      kernel: `${kernel}_${isWide(call) ? 's16' : 's8'}`,
      params: { ...params, ...rangeOf(op, call) },
      args: [0],
    },
  ];
}

/** Quotient rounded to the nearest integer, halves away from zero. */
function roundedQuotient(sum: number, count: number): number {
  const half = Math.trunc(count / 2);
  return Math.trunc((sum > 0 ? sum + half : sum - half) / count);
}

/** Mean of the stored values inside the input (integer_ops/pooling.h); input and output share their quantization. */
export const averagePool = {
  integer(call: Call): IntegerKernel {
    if (isReal(call)) return realPool(call, 'average');
    const { low, high } = rangeOf('averagePool2d', call);
    return pooling(
      call,
      0,
      (sum, value) => sum + value,
      (sum, count) => clamp(roundedQuotient(sum, count), low, high),
    );
  },
  kernels: (call: Call) => poolCall('averagePool2d', 'average_pool2d', call),
};

export const maxPool = {
  integer(call: Call): IntegerKernel {
    if (isReal(call)) return realPool(call, 'max');
    const { low, high } = rangeOf('maxPool2d', call);
    return pooling(
      call,
      isWide(call) ? -32_768 : -128,
      (most, value) => Math.max(most, value),
      (most) => clamp(most, low, high),
    );
  },
  kernels: (call: Call) => poolCall('maxPool2d', 'max_pool2d', call),
};
