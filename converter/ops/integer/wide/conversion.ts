import { elementCount } from '../../../ir/tensor.ts';
import type { IntegerKernel, OpCall } from '../../define-op.ts';
import { multiplyByQuantizedMultiplier, roundHalfAway } from '../../fixed-point.ts';
import type { KernelCall } from '../kernel-call.ts';
import {
  clampInt8,
  clampInt16,
  int16Quantization,
  requantization,
  storedQuantization,
} from '../quantized.ts';

/** Real numbers to int16, and between int8 and int16 or two scales of int16 (quantize.cc, reference Requantize). */
export function wideQuantize(call: OpCall<unknown>): IntegerKernel {
  const output = storedQuantization('quantize', call.outputs[0]!);
  const limit = call.outputs[0]!.dtype === 'int16' ? clampInt16 : clampInt8;
  if (call.inputs[0]!.dtype === 'float32') {
    return ([x], [y]) => {
      for (let i = 0; i < y!.length; i++) {
        const steps = Math.fround((x as Float32Array)[i]! / output.scale);
        y![i] = Number.isNaN(steps) ? 0 : limit(roundHalfAway(steps));
      }
    };
  }
  const { multiplier, shift, x_zero, y_zero } = requantizeParams(call);
  return ([x], [y]) => {
    for (let i = 0; i < y!.length; i++) {
      const scaled = multiplyByQuantizedMultiplier(Number(x![i]) - x_zero, multiplier, shift);
      y![i] = limit(scaled + y_zero);
    }
  };
}

function requantizeParams(call: OpCall<unknown>) {
  const input = storedQuantization('quantize', call.inputs[0]!);
  const output = storedQuantization('quantize', call.outputs[0]!);
  const factor = requantization('quantize', input.scale / output.scale);
  return { x_zero: input.zeroPoint, y_zero: output.zeroPoint, ...factor };
}

export function wideQuantizeCalls(call: OpCall<unknown>): KernelCall[] {
  const count = elementCount(call.inputs[0]!.shape);
  const [from, to] = [call.inputs[0]!.dtype, call.outputs[0]!.dtype];
  if (from === 'float32') {
    const { scale } = int16Quantization('quantize', call.outputs[0]!);
    return [{ kernel: 'quantize_s16', params: { count }, floats: { scale }, args: [0] }];
  }
  const kernel =
    from === 'int8' ? 'requantize_s8_s16' : to === 'int8' ? 'requantize_s16_s8' : 'requantize_s16';
  return [{ kernel, params: { count, ...requantizeParams(call) }, args: [0] }];
}

export function wideDequantize(call: OpCall<unknown>): IntegerKernel {
  const { scale } = int16Quantization('dequantize', call.inputs[0]!);
  return ([x], [y]) => {
    for (let i = 0; i < y!.length; i++) y![i] = scale * Number(x![i]);
  };
}

export function wideDequantizeCalls(call: OpCall<unknown>): KernelCall[] {
  const { scale } = int16Quantization('dequantize', call.inputs[0]!);
  const count = elementCount(call.inputs[0]!.shape);
  return [{ kernel: 'dequantize_s16', params: { count }, floats: { scale }, args: [0] }];
}
