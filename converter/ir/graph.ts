import { internalInvalidGraph } from './errors.ts';
import type { Graph, Node, TensorData, Value } from './types.ts';

/** Look-ups over one graph, built once: who makes a value, who uses it. */
export interface GraphView {
  readonly graph: Graph;
  value(name: string): Value;
  producer(name: string): Node | undefined;
  consumers(name: string): readonly Node[];
  /** The elements of a constant, undefined for anything computed. */
  constant(name: string): TensorData | undefined;
  isOutput(name: string): boolean;
}

export function tensorOf(graph: Graph, name: string): Value {
  const value = graph.values.get(name);
  if (!value) throw internalInvalidGraph(`value ${JSON.stringify(name)} does not exist`);
  return value;
}

export function viewOf(graph: Graph): GraphView {
  const producers = new Map<string, Node>();
  const consumers = new Map<string, Node[]>();
  const outputs = new Set(graph.outputs.map((port) => port.value));
  for (const node of graph.nodes) {
    for (const name of node.outputs) producers.set(name, node);
    for (const name of new Set(node.inputs)) {
      const list = consumers.get(name);
      if (list) list.push(node);
      else consumers.set(name, [node]);
    }
  }
  return {
    graph,
    value: (name) => tensorOf(graph, name),
    producer: (name) => producers.get(name),
    consumers: (name) => consumers.get(name) ?? [],
    constant: (name) => graph.values.get(name)?.data,
    isOutput: (name) => outputs.has(name),
  };
}

/** Nodes in an order in which producers come first, otherwise as they stood. Throws on a cycle. */
export function sortNodes(nodes: readonly Node[]): Node[] {
  const producer = new Map<string, number>();
  for (const [i, node] of nodes.entries()) for (const name of node.outputs) producer.set(name, i);
  const state = new Uint8Array(nodes.length);
  const sorted: Node[] = [];
  const stack: number[] = [];
  for (let start = 0; start < nodes.length; start++) {
    if (state[start] !== 0) continue;
    stack.push(start);
    while (stack.length > 0) {
      const i = stack[stack.length - 1]!;
      if (state[i] === 2) {
        stack.pop();
        continue;
      }
      const waiting = nodes[i]!.inputs.map((name) => producer.get(name)).filter(
        (p): p is number => p !== undefined && state[p] !== 2,
      );
      if (waiting.length === 0) {
        state[i] = 2;
        sorted.push(nodes[i]!);
        stack.pop();
        continue;
      }
      if (state[i] === 1 && waiting.some((p) => state[p] === 1)) {
        throw internalInvalidGraph(`node ${JSON.stringify(nodes[i]!.origin)} depends on itself`);
      }
      state[i] = 1;
      for (const p of waiting.reverse()) stack.push(p);
    }
  }
  return sorted;
}

/** The graph without nodes and constants that no output needs. */
export function pruneUnused(graph: Graph): Graph {
  const producers = new Map<string, Node>();
  for (const node of graph.nodes) for (const name of node.outputs) producers.set(name, node);
  const used = new Set<string>();
  const kept = new Set<Node>();
  const pending = graph.outputs.map((port) => port.value);
  while (pending.length > 0) {
    const name = pending.pop()!;
    if (used.has(name)) continue;
    used.add(name);
    const node = producers.get(name);
    if (node && !kept.has(node)) {
      kept.add(node);
      pending.push(...node.inputs);
    }
  }
  for (const port of graph.inputs) used.add(port.value);
  for (const node of kept) for (const name of node.outputs) used.add(name);
  const values = new Map([...graph.values].filter(([name]) => used.has(name)));
  return { ...graph, nodes: graph.nodes.filter((node) => kept.has(node)), values };
}
