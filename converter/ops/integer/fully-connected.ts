import { elementCount } from '../../ir/tensor.ts';
import type { FullyConnectedAttributes } from '../attributes.ts';
import type { IntegerKernel, OpCall } from '../define-op.ts';
import { multiplyWideExactly } from '../fixed-point.ts';
import {
  type Accumulation,
  accumulation,
  accumulationCall,
  finisher,
  packedCall,
  type Scales,
  scalePerChannel,
} from './accumulation.ts';
import type { KernelCall } from './kernel-call.ts';
import { multiplyRows } from './multiply-rows.ts';
import { isWide } from './quantized.ts';
import { isReal, weightedRealCall } from './real-calls.ts';
import { realFullyConnected } from './real-evaluation.ts';
import {
  multiplyWideRows,
  type WideAccumulation,
  wideAccumulation,
  wideAccumulationCall,
  wideFinisher,
} from './wide/accumulation.ts';

/** A fully connected layer with one weight scale multiplies the scales in float32 first (kernel_util.cc). */
function scalePerTensor({ input, output, weights }: Scales): number[] {
  return [Math.fround(input * Math.fround(weights[0]!)) / output];
}

function fullyConnectedAccumulation(call: OpCall<FullyConnectedAttributes>): Accumulation {
  const perTensor = call.inputs[1]!.quant?.scale.length === 1;
  return accumulation('fully connected', call, 0, perTensor ? scalePerTensor : scalePerChannel);
}

function wideFullyConnectedAccumulation(call: OpCall<FullyConnectedAttributes>): WideAccumulation {
  const perTensor = call.inputs[1]!.quant?.scale.length === 1;
  return wideAccumulation('fully connected', call, 0, perTensor ? scalePerTensor : scalePerChannel);
}

/** Matrix product of 16-bit activations with constant weights. */
function wideFullyConnected(call: OpCall<FullyConnectedAttributes>): IntegerKernel {
  const layer = wideFullyConnectedAccumulation(call);
  const finish = wideFinisher(layer, multiplyWideExactly);
  const [units, depth] = call.inputs[1]!.shape as [number, number];
  const rows = elementCount(call.inputs[0]!.shape) / depth;
  const sums = new Float64Array(units);
  return ([x], [y]) => {
    for (let row = 0; row < rows; row++) {
      multiplyWideRows(layer.weights, (x as Int16Array).subarray(row * depth, (row + 1) * depth), sums);
      for (let unit = 0; unit < units; unit++) y![row * units + unit] = finish(sums[unit]!, unit);
    }
  };
}

/** Matrix product with constant weights. */
export function integerFullyConnected(call: OpCall<FullyConnectedAttributes>): IntegerKernel {
  if (isReal(call)) return realFullyConnected(call);
  if (isWide(call)) return wideFullyConnected(call);
  const layer = fullyConnectedAccumulation(call);
  const finish = finisher(layer);
  const zero = layer.input.zeroPoint;
  const [units, depth] = call.inputs[1]!.shape as [number, number];
  const rows = elementCount(call.inputs[0]!.shape) / depth;
  const vector = new Int32Array(depth);
  const sums = new Int32Array(units);
  return ([x], [y]) => {
    const input = x as Int8Array;
    const output = y as Int8Array;
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < depth; k++) vector[k] = input[row * depth + k]! - zero;
      multiplyRows(layer.weights, vector, sums);
      for (let unit = 0; unit < units; unit++) output[row * units + unit] = finish(sums[unit]!, unit);
    }
  };
}

export function fullyConnectedCalls(call: OpCall<FullyConnectedAttributes>): KernelCall[] {
  const [units, depth] = call.inputs[1]!.shape as [number, number];
  const params = { rows: elementCount(call.inputs[0]!.shape) / depth, depth, units };
  if (isReal(call)) return weightedRealCall(call, 'fully_connected_f32', params);
  if (isWide(call))
    return [wideAccumulationCall('fully_connected_s16', wideFullyConnectedAccumulation(call), params)];
  const layer = fullyConnectedAccumulation(call);
  return [
    packedCall(
      call,
      accumulationCall('fully connected', 'fully_connected_s8', layer, params, true, (i) =>
        Math.floor(i / depth),
      ),
    ),
  ];
}
