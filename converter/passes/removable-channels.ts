import { tensorOf, viewOf } from '../ir/graph.ts';
import type { Graph, Node } from '../ir/types.ts';
import { linearOperands, roundsAlike } from './linear-operands.ts';
import { worksPerChannel } from './per-channel.ts';

/** Channels of each value that need not be computed. */
export type Removable = ReadonlyMap<string, ReadonlySet<number>>;
const none: ReadonlySet<number> = new Set();

export function channelsGone(removable: Removable, name: string): ReadonlySet<number> {
  return removable.get(name) ?? none;
}

/**
 * Whether a convolution or fully connected layer can do without a channel of its first input when the channels
 * `gone` of its result are not computed either.
 */
export type CanSpare = (node: Node, channel: number, gone: ReadonlySet<number>) => boolean;

/** Whether each channel of the result needs one channel of the first input alone, so that they go together. */
export function pairsChannels(graph: Graph, node: Node): boolean {
  const operands = linearOperands(graph, node);
  if (!operands) return worksPerChannel(graph, node);
  const { input, bias } = operands;
  return node.op === 'depthwiseConv2d' && bias.data!.length === input.type.shape.at(-1);
}

/** Whether a node can leave out channels of its result, as far as it alone is concerned. */
function canLeaveOut(graph: Graph, node: Node): boolean {
  const operands = linearOperands(graph, node);
  if (!operands) return worksPerChannel(graph, node);
  const readsOne = operands.input.type.shape.at(-1) === 1;
  const moves = node.op !== 'depthwiseConv2d' || readsOne || pairsChannels(graph, node);
  return moves && roundsAlike(node, operands);
}

/**
 * Channels of int8 values that all readers can spare and that the operator which makes them can leave out, found
 * from the outputs back to the inputs. One channel of each value stays.
 */
export function removableChannels(graph: Graph, canSpare: CanSpare): Removable {
  const view = viewOf(graph);
  const removable = new Map<string, Set<number>>();
  const spares = (node: Node, channel: number) => {
    const gone = channelsGone(removable, node.outputs[0]!);
    return pairsChannels(graph, node) ? gone.has(channel) : canSpare(node, channel, gone);
  };
  for (const node of [...graph.nodes].reverse()) {
    const name = node.outputs[0]!;
    const readers = view.consumers(name);
    const onlyFirst = readers.every((reader) => reader.inputs.lastIndexOf(name) === 0);
    if (view.isOutput(name) || readers.length === 0 || !onlyFirst || !canLeaveOut(graph, node)) continue;
    const channels = tensorOf(graph, name).type.shape.at(-1)!;
    const gone = new Set<number>();
    for (let channel = channels - 1; channel >= 0 && gone.size < channels - 1; channel--)
      if (readers.every((reader) => spares(reader, channel))) gone.add(channel);
    removable.set(name, gone);
  }
  keepTogether(graph, removable);
  return removable;
}

/** A node that pairs channels drops them on both sides or on none: what its input keeps stays in its result. */
function keepTogether(graph: Graph, removable: ReadonlyMap<string, Set<number>>): void {
  for (const node of graph.nodes) {
    const after = removable.get(node.outputs[0]!);
    if (!after || !pairsChannels(graph, node)) continue;
    const before = channelsGone(removable, node.inputs[0]!);
    for (const channel of after) if (!before.has(channel)) after.delete(channel);
  }
}
