import { elementCount } from '../../ir/tensor.ts';
import type { SoftmaxAttributes } from '../attributes.ts';
import type { IntegerKernel, OpCall } from '../define-op.ts';
import { quantizationNotSupported } from '../errors.ts';
import { roundHalfAway } from '../fixed-point.ts';
import type { KernelCall } from './kernel-call.ts';
import { clampInt8, int8Quantization, isWide } from './quantized.ts';
import { isReal } from './real-calls.ts';
import { wideSoftmax, wideSoftmaxCalls } from './wide/softmax.ts';

type Call = OpCall<SoftmaxAttributes>;

/** exp(-scale * beta * d) for each distance d below the maximum, in float32 (PopulateSoftmaxLookupTable). */
function exponentials(call: Call): Float32Array {
  const { scale } = int8Quantization('softmax', call.inputs[0]!);
  const step = Math.fround(-scale * Math.fround(call.attrs.beta));
  return Float32Array.from({ length: 256 }, (_, distance) => Math.exp(Math.fround(step * distance)));
}

function outputQuantization(call: Call) {
  const output = int8Quantization('softmax', call.outputs[0]!);
  if (output.zeroPoint !== -128 || Math.abs(output.scale * 256 - 1) > 0.001) {
    throw quantizationNotSupported('softmax', 'the output must have scale 1/256 and zero point -128');
  }
  return output;
}

/**
 * TensorFlow Lite's default kernel works in float32 on a table of exponentials: only sums, products and one
 * division, which are the same on every platform with IEEE arithmetic (optimized_ops.h, Softmax).
 */
export function integerSoftmax(call: Call): IntegerKernel {
  if (isWide(call)) return wideSoftmax(call);
  const table = exponentials(call);
  const { scale, zeroPoint } = outputQuantization(call);
  const depth = call.inputs[0]!.shape.at(-1)!;
  return ([x], [y]) => {
    const input = x as Int8Array;
    const output = y as Int8Array;
    for (let row = 0; row < input.length; row += depth) {
      let most = -128;
      for (let i = row; i < row + depth; i++) most = Math.max(most, input[i]!);
      let sum = 0;
      for (let i = row; i < row + depth; i++) sum = Math.fround(sum + table[most - input[i]!]!);
      const inverse = Math.fround(1 / Math.fround(sum * scale));
      for (let i = row; i < row + depth; i++) {
        const share = Math.fround(table[most - input[i]!]! * inverse);
        output[i] = clampInt8(roundHalfAway(share) + zeroPoint);
      }
    }
  };
}

export function softmaxCalls(call: Call): KernelCall[] {
  const { shape } = call.inputs[0]!;
  const depth = shape.at(-1)!;
  const rows = elementCount(shape) / depth;
  if (isReal(call)) {
    return [{ kernel: 'softmax_f32', params: { rows, depth }, floats: { beta: call.attrs.beta }, args: [0] }];
  }
  if (isWide(call)) return wideSoftmaxCalls(call);
  const { scale, zeroPoint } = outputQuantization(call);
  return [
    {
      kernel: 'softmax_s8',
      params: { rows, depth, y_zero: zeroPoint },
      floats: { y_scale: scale },
      args: [0, { name: 'exponentials', data: exponentials(call) }],
    },
  ];
}
