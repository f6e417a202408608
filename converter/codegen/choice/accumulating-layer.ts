import type { TensorData } from '../../ir/types.ts';
import type { KernelCall } from '../../ops/integer/kernel-call.ts';
import { type Channel, fitsInt32, makeChannel } from './channel.ts';
import type { ResultRange } from './requantize.ts';

/** A layer of weighted sums, as taken from the call of its portable kernel. */
export interface AccumulatingLayer {
  readonly channels: readonly Channel[];
  readonly result: ResultRange;
  readonly inputZero: number;
}

/** A number of the call's parameter struct. */
export function parameter(call: KernelCall, name: string): number {
  const value = call.params[name];
  if (typeof value !== 'number') throw new Error(`${call.kernel} has no parameter ${name}`);
  return value;
}

function constantOf(call: KernelCall, name: string): TensorData {
  for (const arg of call.args) if (typeof arg !== 'number' && arg.name === name) return arg.data;
  throw new Error(`${call.kernel} has no constant ${name}`);
}

/** The channels of a call; `weightsOf` picks those of one channel, in the order of the window. */
export function accumulatingLayer(
  call: KernelCall,
  weightsOf: (weights: Int8Array, channel: number, channels: number) => Int8Array,
): AccumulatingLayer {
  const weights = constantOf(call, 'weights') as Int8Array;
  const bias = constantOf(call, 'bias') as Int32Array;
  const multiplier = constantOf(call, 'multiplier') as Int32Array;
  const shift = constantOf(call, 'shift') as Int8Array;
  const inputZero = parameter(call, 'x_zero');
  const halfUpChannels = parameter(call, 'half_up');
  const result = {
    zero: parameter(call, 'y_zero'),
    low: parameter(call, 'low'),
    high: parameter(call, 'high'),
  };
  const channelAt = (start: number, channel: number): Channel => {
    const scale = {
      multiplier: multiplier[channel]!,
      shift: shift[channel]!,
      halfUp: channel < halfUpChannels,
    };
    return makeChannel(weightsOf(weights, channel, bias.length), start, inputZero, scale, result);
  };
  return { inputZero, result, channels: Array.from(bias, channelAt) };
}

/** True when no sum of any channel leaves 32 bits, so that adding in any order gives the same. */
export function sumsFit({ channels }: AccumulatingLayer): boolean {
  return channels.every(({ range }) => fitsInt32(range));
}
