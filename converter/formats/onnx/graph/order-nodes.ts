import { duplicateValue, graphCycle, undefinedValue } from '../errors.ts';
import type { FlatNode } from './flatten.ts';

/** Values that must exist before the node runs, also those that its subgraphs read. */
function needs(node: FlatNode): readonly string[] {
  const inputs = node.inputs.filter((name) => name !== '');
  return node.captures.length === 0 ? inputs : [...inputs, ...node.captures];
}

function producersOf(nodes: readonly FlatNode[]): Map<string, number> {
  const producers = new Map<string, number>();
  for (const [index, node] of nodes.entries()) {
    for (const name of node.outputs) {
      if (name === '') continue;
      if (producers.has(name)) throw duplicateValue(name);
      producers.set(name, index);
    }
  }
  return producers;
}

/** Indices of the nodes that some output depends on. */
function liveNodes(
  nodes: readonly FlatNode[],
  producers: ReadonlyMap<string, number>,
  outputs: readonly string[],
): Set<number> {
  const live = new Set<number>();
  const pending = [...outputs];
  while (pending.length > 0) {
    const index = producers.get(pending.pop()!);
    if (index === undefined || live.has(index)) continue;
    live.add(index);
    for (const name of needs(nodes[index]!)) pending.push(name);
  }
  return live;
}

/** Depth-first order without recursion; producers come first, otherwise nodes stay as they stood. */
function sortLive(
  nodes: readonly FlatNode[],
  producers: ReadonlyMap<string, number>,
  live: ReadonlySet<number>,
): FlatNode[] {
  const sorted: FlatNode[] = [];
  const done = new Uint8Array(nodes.length);
  const open = new Uint8Array(nodes.length);
  const before = (index: number) =>
    needs(nodes[index]!).flatMap((name) => {
      const maker = producers.get(name);
      return maker === undefined || done[maker] === 1 ? [] : [maker];
    });
  for (let start = 0; start < nodes.length; start++) {
    if (!live.has(start)) continue;
    const stack = [start];
    while (stack.length > 0) {
      const index = stack.at(-1)!;
      const waiting = done[index] === 1 ? [] : before(index);
      if (waiting.length === 0) {
        stack.pop();
        if (done[index] === 0) sorted.push(nodes[index]!);
        done[index] = 1;
        continue;
      }
      if (open[index] === 1) throw graphCycle(nodes[index]!.origin);
      open[index] = 1;
      for (let i = waiting.length - 1; i >= 0; i--) stack.push(waiting[i]!);
    }
  }
  return sorted;
}

/**
 * The nodes that the outputs need, in an order in which every value is made before it is read. `known` are values
 * that exist from the start. Throws E_ONNX_GRAPH on a value made twice or never, and on a cycle.
 */
export function orderNodes(
  nodes: readonly FlatNode[],
  known: (name: string) => boolean,
  outputs: readonly string[],
): FlatNode[] {
  const producers = producersOf(nodes);
  for (const node of nodes) {
    for (const name of needs(node)) {
      if (!producers.has(name) && !known(name)) throw undefinedValue(name, node.origin);
    }
  }
  for (const name of outputs) {
    if (!producers.has(name) && !known(name)) throw undefinedValue(name, undefined);
  }
  return sortLive(nodes, producers, liveNodes(nodes, producers, outputs));
}
