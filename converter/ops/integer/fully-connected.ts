import { elementCount } from '../../ir/tensor.ts';
import type { IntegerKernel, OpCall } from '../define-op.ts';
import type { FullyConnectedAttributes } from '../fully-connected.ts';
import {
  type Accumulation,
  accumulation,
  accumulationCall,
  finisher,
  type Scales,
  scalePerChannel,
} from './accumulation.ts';
import type { KernelCall } from './kernel-call.ts';

/** A fully connected layer with one weight scale multiplies the scales in float32 first (kernel_util.cc). */
function scalePerTensor({ input, output, weights }: Scales): number[] {
  return [Math.fround(input * Math.fround(weights[0]!)) / output];
}

function fullyConnectedAccumulation(call: OpCall<FullyConnectedAttributes>): Accumulation {
  const perTensor = call.inputs[1]!.quant?.scale.length === 1;
  return accumulation('fully connected', call, 0, perTensor ? scalePerTensor : scalePerChannel);
}

/** Matrix product with constant weights. */
export function integerFullyConnected(call: OpCall<FullyConnectedAttributes>): IntegerKernel {
  const layer = fullyConnectedAccumulation(call);
  const finish = finisher(layer);
  const { weights } = layer;
  const zero = layer.input.zeroPoint;
  const [units, depth] = call.inputs[1]!.shape as [number, number];
  const rows = elementCount(call.inputs[0]!.shape) / depth;
  return ([x], [y]) => {
    const input = x as Int8Array;
    const output = y as Int8Array;
    for (let row = 0; row < rows; row++) {
      for (let unit = 0; unit < units; unit++) {
        let sum = 0;
        for (let k = 0; k < depth; k++) sum += (input[row * depth + k]! - zero) * weights[unit * depth + k]!;
        output[row * units + unit] = finish(sum, unit);
      }
    }
  };
}

export function fullyConnectedCalls(call: OpCall<FullyConnectedAttributes>): KernelCall[] {
  const layer = fullyConnectedAccumulation(call);
  const [units, depth] = call.inputs[1]!.shape as [number, number];
  const params = { rows: elementCount(call.inputs[0]!.shape) / depth, depth, units };
  return [
    accumulationCall('fully connected', 'fully_connected_s8', layer, params, true, (i) =>
      Math.floor(i / depth),
    ),
  ];
}
