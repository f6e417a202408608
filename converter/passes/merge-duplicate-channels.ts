import type { Graph, Node, Value } from '../ir/types.ts';
import { type LinearOperands, linearOperands, roundsAlike } from './linear-operands.ts';
import { worksPerChannel } from './per-channel.ts';
import { type CanSpare, pairsChannels, removableChannels } from './removable-channels.ts';
import { slimChannels } from './slim-channels.ts';

/** The first channel of each value that holds the same as a channel, at every position and for every input. */
type Leaders = readonly number[];

/** Everything that a filter's results depend on beside the input, as text. */
function filterKeys(node: Node, { weights, bias }: LinearOperands, before: Leaders | undefined): string[] {
  const filters = bias.data!.length;
  const { scale } = weights.type.quant!;
  const data = weights.data as Int8Array;
  const isDepthwise = node.op === 'depthwiseConv2d';
  const each = data.length / filters;
  return Array.from({ length: filters }, (_, filter) => {
    const own = isDepthwise
      ? data.filter((_weight, i) => i % filters === filter)
      : data.subarray(filter * each, (filter + 1) * each);
    const source = isDepthwise ? [before?.[filter] ?? filter] : [];
    return [...source, bias.data![filter], scale[scale.length === 1 ? 0 : filter], ...own].join();
  });
}

function leadersOf(keys: readonly string[]): Leaders | undefined {
  const first = new Map<string, number>();
  for (const [channel, key] of keys.entries()) if (!first.has(key)) first.set(key, channel);
  return first.size === keys.length ? undefined : keys.map((key) => first.get(key)!);
}

/** Channels of int8 values that are copies of another; values without any are absent. */
function duplicates(graph: Graph): ReadonlyMap<string, Leaders> {
  const known = new Map<string, Leaders>();
  for (const node of graph.nodes) {
    const before = known.get(node.inputs[0]!);
    const operands = linearOperands(graph, node);
    const computes = operands && roundsAlike(node, operands);
    const paired = node.op !== 'depthwiseConv2d' || pairsChannels(graph, node);
    const leaders =
      computes && paired
        ? leadersOf(filterKeys(node, operands, before))
        : worksPerChannel(graph, node)
          ? before
          : undefined;
    if (leaders) known.set(node.outputs[0]!, leaders);
  }
  return known;
}

/** Weights stay above -128: TensorFlow Lite's own range, which fast kernels rely on. */
const largestWeight = 127;

/** Whether the weights of any copies of channel `leader` can be added up in int8, tap by tap. */
function fitTogether({ weights }: LinearOperands, leaders: Leaders, leader: number): boolean {
  const [data, depth] = [weights.data as Int8Array, weights.type.shape.at(-1)!];
  const copies = leaders.flatMap((first, channel) => (first === leader ? [channel] : []));
  for (let tap = 0; tap < data.length; tap += depth) {
    let [positive, negative] = [0, 0];
    for (const channel of copies) {
      positive += Math.max(0, data[tap + channel]!);
      negative -= Math.min(0, data[tap + channel]!);
    }
    if (Math.max(positive, negative) > largestWeight) return false;
  }
  return true;
}

/** Weights in which each channel that stays does the work of its copies that go. */
function foldedWeights(
  { weights }: LinearOperands,
  leaders: Leaders | undefined,
  gone: ReadonlySet<number>,
): Value {
  const depth = weights.type.shape.at(-1)!;
  const data = Int8Array.from(weights.data as Int8Array);
  for (let tap = 0; tap < data.length; tap += depth)
    for (const channel of gone) data[tap + (leaders?.[channel] ?? channel)]! += data[tap + channel]!;
  return { ...weights, data };
}

/**
 * Leaves out channels of an int8 graph that hold what another channel holds, since their weights, bias and scale are
 * the same. Those that read them add up the weights. Results are the same bytes. Copies whose weights do not add up
 * within int8 stay.
 */
export function mergeDuplicateChannels(graph: Graph): Graph {
  const known = duplicates(graph);
  if (known.size === 0) return graph;
  const canSpare: CanSpare = (node, channel) => {
    const leaders = known.get(node.inputs[0]!);
    const operands = linearOperands(graph, node);
    if (!operands || !leaders || leaders[channel] === channel || node.op === 'depthwiseConv2d') return false;
    return fitTogether(operands, leaders, leaders[channel]!);
  };
  return slimChannels(graph, removableChannels(graph, canSpare), (node, operands, gone) => ({
    weights: foldedWeights(operands, known.get(node.inputs[0]!), gone),
    bias: operands.bias,
  }));
}
