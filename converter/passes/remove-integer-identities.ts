import { type Rule, rewrite } from '../ir/edit.ts';
import type { Graph, Node } from '../ir/types.ts';
import { type ChannelRanges, channelRanges } from './channel-ranges.ts';
import { integerTable } from './integer-table.ts';
import { lookups } from './per-channel.ts';
import { isInt8, sameQuantization } from './same-quantization.ts';

/** Whether a table leaves every stored value as it is that can arrive at all. */
function leavesAll(table: Int8Array, ranges: ChannelRanges | undefined): boolean {
  const low = ranges?.low.reduce((a, b) => Math.min(a, b)) ?? -128;
  const high = ranges?.high.reduce((a, b) => Math.max(a, b)) ?? 127;
  return table.subarray(low + 128, high + 129).every((stored, i) => stored === low + i);
}

const removeIdentity = (graph: Graph): Rule => {
  let ranges: ReadonlyMap<string, ChannelRanges> | undefined;
  const changesNothing = (node: Node) => {
    ranges ??= channelRanges(graph);
    const table = integerTable(graph, node);
    return table !== undefined && leavesAll(table, ranges.get(node.inputs[0]!));
  };
  return {
    name: 'remove-integer-identities',
    ops: [...lookups],
    match(node, view) {
      const [from, to] = [node.inputs[0]!, node.outputs[0]!];
      const [input, output] = [view.value(from), view.value(to)];
      if (!isInt8(input) || !isInt8(output) || !sameQuantization(input, output)) return undefined;
      // A result of the graph needs a layer that computes it, and an input of the graph may be one.
      if (view.isOutput(to) && (!view.producer(from) || view.isOutput(from))) return undefined;
      return changesNothing(node) ? { remove: [node], redirect: new Map([[to, from]]) } : undefined;
    },
  };
};

/**
 * Leaves out requantizations to the scale that a value has already, and activations that clamp nothing away since
 * the layer before them did so: operators on int8 whose every result, by the values that can arrive, is their input.
 */
export function removeIntegerIdentities(graph: Graph): Graph {
  return rewrite(graph, [removeIdentity(graph)]);
}
