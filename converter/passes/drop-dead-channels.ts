import type { Graph, Value } from '../ir/types.ts';
import { type ChannelRanges, channelRanges, constantOf } from './channel-ranges.ts';
import { hasBorder, type LinearOperands, linearOperands, zeroPointOf } from './linear-operands.ts';
import { type CanSpare, removableChannels } from './removable-channels.ts';
import { slimChannels } from './slim-channels.ts';

/** Whether all weights that read input channel `channel` are zero, over the filters that stay. */
function unread({ weights }: LinearOperands, channel: number, goneFilters: ReadonlySet<number>): boolean {
  const [data, depth] = [weights.data!, weights.type.shape.at(-1)!];
  const each = data.length / weights.type.shape[0]!;
  for (let i = channel; i < data.length; i += depth) {
    if (data[i] !== 0 && !goneFilters.has(Math.floor(i / each))) return false;
  }
  return true;
}

/** The bias with what the input channels that go would have added, which is the same at every position. */
function foldedBias(
  { weights, bias, input }: LinearOperands,
  ranges: ChannelRanges | undefined,
  gone: ReadonlySet<number>,
): Value {
  const zero = zeroPointOf(input);
  const depth = weights.type.shape.at(-1)!;
  const each = weights.data!.length / bias.data!.length;
  const data = Int32Array.from(bias.data as Int32Array);
  for (let i = 0; i < weights.data!.length; i++) {
    const channel = i % depth;
    const weight = Number(weights.data![i]);
    if (weight !== 0 && gone.has(channel))
      data[Math.floor(i / each)]! += weight * ((constantOf(ranges, channel) ?? zero) - zero);
  }
  return { ...bias, data };
}

/**
 * Leaves out channels of an int8 graph that nothing depends on: those that hold one constant whatever the input (no
 * sum they can reach is stored as anything else), whose share goes into the next bias, and those that nobody reads.
 * Results are the same bytes. A constant that meets padding of another value is kept.
 */
export function dropDeadChannels(graph: Graph): Graph {
  const ranges = channelRanges(graph);
  const canSpare: CanSpare = (node, channel, gone) => {
    const operands = linearOperands(graph, node);
    if (!operands || node.op === 'depthwiseConv2d') return false;
    if (unread(operands, channel, gone)) return true;
    const held = constantOf(ranges.get(node.inputs[0]!), channel);
    return held !== null && (held === zeroPointOf(operands.input) || !hasBorder(node));
  };
  return slimChannels(graph, removableChannels(graph, canSpare), (node, operands, gone) => ({
    weights: operands.weights,
    bias: foldedBias(operands, ranges.get(node.inputs[0]!), gone),
  }));
}
