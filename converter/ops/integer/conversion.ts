import { elementCount } from '../../ir/tensor.ts';
import type { IntegerKernel, OpCall } from '../define-op.ts';
import { dtypeNotSupported } from '../errors.ts';
import { multiplyByQuantizedMultiplier, multiplyHalfUp, roundHalfAway } from '../fixed-point.ts';
import type { KernelCall } from './kernel-call.ts';
import { lookupCall, tableOf } from './lookup.ts';
import { clampInt8, int8Quantization, isWide, requantization } from './quantized.ts';
import { wideDequantize, wideDequantizeCalls, wideQuantize, wideQuantizeCalls } from './wide/conversion.ts';

type QuantizeCall = OpCall<{ readonly dtype: string }>;
type DequantizeCall = OpCall<Record<never, never>>;

function fromFloat(call: QuantizeCall): boolean {
  const { dtype } = call.inputs[0]!;
  if (dtype !== 'float32' && dtype !== 'int8') throw dtypeNotSupported('quantize', dtype, 'float32 or int8');
  return dtype === 'float32';
}

/** Stored form of a real number: float32 quotient, halves away from zero (AffineQuantize); NaN becomes the zero point. */
function quantizeReals(call: QuantizeCall): IntegerKernel {
  const { scale, zeroPoint } = int8Quantization('quantize', call.outputs[0]!);
  return ([x], [y]) => {
    for (let i = 0; i < y!.length; i++) {
      const real = Math.fround((x as Float32Array)[i]! / scale);
      y![i] = Number.isNaN(real) ? zeroPoint : clampInt8(roundHalfAway(real) + zeroPoint);
    }
  };
}

/** Elements that TensorFlow Lite's vector code for requantization takes at once (optimized_ops.h, Requantize). */
const requantizeBlock = 16;

/** Tables for the elements in whole blocks, where halves go up, and for the rest, where they go away from zero. */
function requantizeTables(call: QuantizeCall): { blocks: number; inBlocks: Int8Array; rest: Int8Array } {
  const input = int8Quantization('quantize', call.inputs[0]!);
  const output = int8Quantization('quantize', call.outputs[0]!);
  const { multiplier, shift } = requantization('quantize', input.scale / output.scale);
  const table = (multiply: typeof multiplyHalfUp) =>
    tableOf((q) => multiply(q - input.zeroPoint, multiplier, shift) + output.zeroPoint);
  const count = elementCount(call.inputs[0]!.shape);
  return {
    blocks: count - (count % requantizeBlock),
    inBlocks: table(multiplyHalfUp),
    rest: table(multiplyByQuantizedMultiplier),
  };
}

function requantize(call: QuantizeCall): IntegerKernel {
  const { blocks, inBlocks, rest } = requantizeTables(call);
  return ([x], [y]) => {
    const input = x as Int8Array;
    for (let i = 0; i < input.length; i++) y![i] = (i < blocks ? inBlocks : rest)[input[i]! & 0xff]!;
  };
}

function requantizeCalls(call: QuantizeCall): KernelCall[] {
  const { blocks, inBlocks, rest } = requantizeTables(call);
  const count = elementCount(call.inputs[0]!.shape);
  if (inBlocks.every((value, i) => value === rest[i])) return [lookupCall(inBlocks, 0, count)];
  const calls = [lookupCall(inBlocks, 0, blocks), lookupCall(rest, blocks, count - blocks)];
  return calls.filter((part) => part.params['count'] !== 0);
}

/** Whether int16 stands on either side. */
function touchesWide({ inputs, outputs }: OpCall<unknown>): boolean {
  return inputs[0]!.dtype === 'int16' || outputs[0]!.dtype === 'int16';
}

export function integerQuantize(call: QuantizeCall): IntegerKernel {
  if (touchesWide(call)) return wideQuantize(call);
  return fromFloat(call) ? quantizeReals(call) : requantize(call);
}

export function quantizeCalls(call: QuantizeCall): KernelCall[] {
  if (touchesWide(call)) return wideQuantizeCalls(call);
  if (!fromFloat(call)) return requantizeCalls(call);
  const { scale, zeroPoint } = int8Quantization('quantize', call.outputs[0]!);
  return [
    {
      kernel: 'quantize_s8',
      params: { count: elementCount(call.inputs[0]!.shape), zero: zeroPoint },
      floats: { scale },
      args: [0],
    },
  ];
}

/** Elements that TensorFlow Lite's vector code for dequantization takes at once (optimized_ops.h, Dequantize). */
const dequantizeBlock = 8;

/**
 * Real numbers of the 256 stored values: scale * q + (-zeroPoint * scale), each step in float32, in whole blocks,
 * and scale * (q - zeroPoint) for the rest. As a table, since compilers may fuse the sum and the product.
 */
function realTables(call: DequantizeCall): { blocks: number; inBlocks: Float32Array; rest: Float32Array } {
  const { scale, zeroPoint } = int8Quantization('dequantize', call.inputs[0]!);
  const shift = Math.fround(-zeroPoint * scale);
  const table = (real: (q: number) => number) =>
    Float32Array.from({ length: 256 }, (_, bits) => real((bits << 24) >> 24));
  const count = elementCount(call.inputs[0]!.shape);
  return {
    blocks: count - (count % dequantizeBlock),
    inBlocks: table((q) => Math.fround(scale * q) + shift),
    rest: table((q) => scale * (q - zeroPoint)),
  };
}

export function integerDequantize(call: DequantizeCall): IntegerKernel {
  if (isWide(call)) return wideDequantize(call);
  const { blocks, inBlocks, rest } = realTables(call);
  return ([x], [y]) => {
    const input = x as Int8Array;
    for (let i = 0; i < input.length; i++) y![i] = (i < blocks ? inBlocks : rest)[input[i]! & 0xff]!;
  };
}

export function dequantizeCalls(call: DequantizeCall): KernelCall[] {
  if (isWide(call)) return wideDequantizeCalls(call);
  const { blocks, inBlocks } = realTables(call);
  const { scale, zeroPoint } = int8Quantization('dequantize', call.inputs[0]!);
  const count = elementCount(call.inputs[0]!.shape);
  const calls: KernelCall[] = [
    {
      kernel: 'lookup_f32',
      params: { from: 0, count: blocks },
      args: [0, { name: 'table', data: inBlocks }],
    },
    {
      kernel: 'dequantize_s8',
      params: { from: blocks, count: count - blocks, zero: zeroPoint },
      floats: { scale },
      args: [0],
    },
  ];
  return calls.filter((part) => part.params['count'] !== 0);
}
