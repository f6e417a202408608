import { tensorOf } from '../ir/graph.ts';
import { elementCount } from '../ir/tensor.ts';
import type { Graph, Node, TensorType } from '../ir/types.ts';
import { callOf } from '../ops/call-of.ts';
import { integerTable, referenceOf } from './integer-table.ts';
import {
  hasBorder,
  type LinearOperands,
  linearOperands,
  weightChannels,
  zeroPointOf,
} from './linear-operands.ts';
import { lookups, worksPerChannel } from './per-channel.ts';

/** Least and greatest stored value of each channel (last axis), over all positions and all inputs of the network. */
export interface ChannelRanges {
  readonly low: Int8Array;
  readonly high: Int8Array;
}

function allValues(channels: number): ChannelRanges {
  return { low: new Int8Array(channels).fill(-128), high: new Int8Array(channels).fill(127) };
}

/** The one value that a channel holds, or null where there may be several. */
export function constantOf(ranges: ChannelRanges | undefined, channel: number): number | null {
  return ranges && ranges.low[channel] === ranges.high[channel] ? ranges.low[channel]! : null;
}

interface SumBounds {
  readonly low: Float64Array;
  readonly high: Float64Array;
}

/** Bounds of each output channel's sum with its bias. A tap over the edge adds nothing. */
function sumBounds(node: Node, operands: LinearOperands, before: ChannelRanges): SumBounds {
  const { weights, bias, input } = operands;
  const [zero, border] = [zeroPointOf(input), hasBorder(node)];
  const low = Float64Array.from(bias.data as Int32Array);
  const high = low.slice();
  const channels = weightChannels(node, operands);
  const data = weights.data as Int8Array;
  for (let i = 0; i < data.length; i++) {
    const weight = data[i]!;
    if (weight === 0) continue;
    const [channel, output] = [channels.input(i), channels.output(i)];
    const [a, b] = [weight * (before.low[channel]! - zero), weight * (before.high[channel]! - zero)];
    low[output]! += Math.min(a, b, border ? 0 : a);
    high[output]! += Math.max(a, b, border ? 0 : b);
  }
  return { low, high };
}

/**
 * What the operator stores when its sums, bias included, are `sums`: its own kernel on one position, with weights of
 * zero and the sums as bias.
 */
function storedSums(graph: Graph, node: Node, sums: Float64Array): Int8Array | undefined {
  const call = callOf(graph, node);
  const [input, weights, bias] = call.inputs as [TensorType, TensorType, TensorType];
  const channels = sums.length;
  const position = node.op === 'fullyConnected' ? [1] : [1, 1, 1];
  const filters = node.op === 'depthwiseConv2d' ? [...position, channels] : [channels, ...position];
  const still = node.op === 'fullyConnected' ? {} : { pads: [0, 0, 0, 0], strides: [1, 1] };
  const constants = [new Int8Array(channels), Int32Array.from(sums)] as const;
  const stored = new Int8Array(channels);
  const kernel = referenceOf(node, {
    ...call,
    attrs: { ...node.attrs, ...still },
    inputs: [{ ...input, shape: [...position, 1] }, { ...weights, shape: filters }, bias],
    outputs: [{ ...call.outputs[0]!, shape: [...position, channels] }],
    constants: [undefined, ...constants],
  });
  kernel?.([new Int8Array(1), ...constants], [stored]);
  return kernel && stored;
}

/** Whether requantization of sums up to `bound` keeps their order: nothing wraps at 32 bits before or in it. */
function keepsOrder({ input, weights, output }: LinearOperands, channel: number, bound: number): boolean {
  const scales = weights.type.quant!.scale;
  const weightScale = scales[scales.length === 1 ? 0 : channel]!;
  const factor = (input.type.quant!.scale[0]! * weightScale) / output.type.quant!.scale[0]!;
  // A factor above 1/2 is applied after a shift to the left by less than twice the factor.
  return bound * Math.max(1, 2.01 * factor) < 2 ** 31;
}

function linearRanges(
  graph: Graph,
  node: Node,
  operands: LinearOperands,
  before: ChannelRanges,
): ChannelRanges | undefined {
  const bounds = sumBounds(node, operands, before);
  const [low, high] = [storedSums(graph, node, bounds.low), storedSums(graph, node, bounds.high)];
  if (!low || !high) return undefined;
  for (const channel of low.keys()) {
    const bound = Math.max(Math.abs(bounds.low[channel]!), Math.abs(bounds.high[channel]!));
    if (keepsOrder(operands, channel, bound)) continue;
    low[channel] = -128;
    high[channel] = 127;
  }
  return { low, high };
}

/** The operator's results for an image that holds the same in each position. */
function evenResult(graph: Graph, node: Node, position: Int8Array): Int8Array | undefined {
  const call = callOf(graph, node);
  const [from, to] = [call.inputs[0]!.shape, call.outputs[0]!.shape];
  const image = Int8Array.from({ length: elementCount(from) }, (_, i) => position[i % position.length]!);
  const result = new Int8Array(elementCount(to));
  const kernel = referenceOf(node, call);
  kernel?.([image], [result]);
  return kernel && result.subarray(0, position.length);
}

function lookedUp(table: Int8Array, { low, high }: ChannelRanges): ChannelRanges {
  const results = Array.from(low, (from, channel) => table.subarray(from + 128, high[channel]! + 129));
  return {
    low: Int8Array.from(results, (part) => part.reduce((a, b) => Math.min(a, b))),
    high: Int8Array.from(results, (part) => part.reduce((a, b) => Math.max(a, b))),
  };
}

/** Means and maxima never decrease when their inputs grow, so that the ends of a range give the ends. */
function perChannelRanges(graph: Graph, node: Node, before: ChannelRanges): ChannelRanges | undefined {
  if (node.op === 'reshape') return before;
  if (lookups.has(node.op)) {
    const table = integerTable(graph, node);
    return table && lookedUp(table, before);
  }
  const [low, high] = [evenResult(graph, node, before.low), evenResult(graph, node, before.high)];
  return low && high && { low, high };
}

/**
 * What each channel of the int8 values of a quantized graph can hold, proved from weights and quantization alone.
 * Values that are absent can hold anything.
 */
export function channelRanges(graph: Graph): ReadonlyMap<string, ChannelRanges> {
  const known = new Map<string, ChannelRanges>();
  for (const node of graph.nodes) {
    const operands = linearOperands(graph, node);
    if (!operands && !worksPerChannel(graph, node)) continue;
    const from = node.inputs[0]!;
    const before = known.get(from) ?? allValues(tensorOf(graph, from).type.shape.at(-1)!);
    const ranges = operands
      ? linearRanges(graph, node, operands, before)
      : perChannelRanges(graph, node, before);
    if (ranges) known.set(node.outputs[0]!, ranges);
  }
  return known;
}
