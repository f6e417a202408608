import { internalInvalidGraph } from './errors.ts';
import { type GraphView, pruneUnused, sortNodes } from './graph.ts';
import { Names } from './names.ts';
import type { Graph, Node, Port, TensorData, Value } from './types.ts';

/**
 * What a rule proposes: nodes to take out, nodes and values to put in, and values whose readers shall read
 * another value instead. Values and nodes that nobody needs afterwards disappear by themselves.
 */
export interface Patch {
  readonly remove?: readonly Node[];
  readonly add?: readonly Node[];
  readonly values?: readonly Value[];
  readonly redirect?: ReadonlyMap<string, string>;
  /** Ports to put in the place of those with the same name. */
  readonly inputs?: readonly Port[];
  readonly outputs?: readonly Port[];
}

/** The graph while rules run over it; names made by `fresh` are unique. */
export interface EditView extends Omit<GraphView, 'graph'> {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  fresh(base: string): string;
}

/** A local rewrite: `match` looks at one node and proposes a patch, or nothing. */
export interface Rule {
  readonly name: string;
  /** Operators to look at; every node when absent. */
  readonly ops?: readonly string[];
  match(node: Node, view: EditView): Patch | undefined;
}

/** A graph under edit, with producer and consumer tables kept in step with each patch. */
class Editor implements EditView {
  private readonly values: Map<string, Value>;
  private readonly nodes: Set<Node>;
  private readonly made = new Map<string, Node>();
  private readonly used = new Map<string, Set<Node>>();
  inputs: readonly Port[];
  outputs: readonly Port[];
  private readonly name: string;
  private readonly names: Names;

  constructor(graph: Graph) {
    this.name = graph.name;
    this.values = new Map(graph.values);
    this.names = new Names(graph.values.keys());
    this.nodes = new Set();
    this.inputs = graph.inputs;
    this.outputs = graph.outputs;
    for (const node of graph.nodes) this.insert(node);
  }

  finish(): Graph {
    const nodes = sortNodes([...this.nodes]);
    return pruneUnused({
      name: this.name,
      nodes,
      values: this.values,
      inputs: this.inputs,
      outputs: this.outputs,
    });
  }

  value(name: string): Value {
    const value = this.values.get(name);
    if (!value) throw internalInvalidGraph(`value ${JSON.stringify(name)} does not exist`);
    return value;
  }

  producer(name: string): Node | undefined {
    return this.made.get(name);
  }

  consumers(name: string): readonly Node[] {
    return [...(this.used.get(name) ?? [])];
  }

  constant(name: string): TensorData | undefined {
    return this.values.get(name)?.data;
  }

  isOutput(name: string): boolean {
    return this.outputs.some((port) => port.value === name);
  }

  fresh(base: string): string {
    return this.names.fresh(base);
  }

  has(node: Node): boolean {
    return this.nodes.has(node);
  }

  list(): Node[] {
    return [...this.nodes];
  }

  /** Applies a patch and returns the nodes whose surroundings changed. */
  apply(patch: Patch): Node[] {
    const touched = new Set<Node>();
    for (const value of patch.values ?? []) {
      this.names.take(value.name);
      this.values.set(value.name, value);
    }
    for (const node of patch.remove ?? []) this.delete(node);
    for (const node of patch.add ?? []) {
      this.insert(node);
      touched.add(node);
    }
    for (const [from, to] of patch.redirect ?? [])
      for (const node of this.redirect(from, to)) touched.add(node);
    const replaced = (ports: readonly Port[], by: readonly Port[] | undefined) =>
      ports.map((port) => by?.find((other) => other.name === port.name) ?? port);
    this.inputs = replaced(this.inputs, patch.inputs);
    this.outputs = replaced(this.outputs, patch.outputs);
    this.sweep(patch.remove ?? []);
    for (const node of patch.add ?? []) {
      for (const name of node.inputs) {
        const maker = this.made.get(name);
        if (maker) touched.add(maker);
      }
      for (const name of node.outputs) for (const reader of this.consumers(name)) touched.add(reader);
    }
    return [...touched].filter((node) => this.nodes.has(node));
  }

  private insert(node: Node): void {
    this.nodes.add(node);
    for (const name of node.outputs) this.made.set(name, node);
    for (const name of node.inputs) {
      const readers = this.used.get(name);
      if (readers) readers.add(node);
      else this.used.set(name, new Set([node]));
    }
  }

  private delete(node: Node): void {
    this.nodes.delete(node);
    for (const name of node.outputs) if (this.made.get(name) === node) this.made.delete(name);
    for (const name of node.inputs) this.used.get(name)?.delete(node);
  }

  private redirect(from: string, to: string): Node[] {
    const moved: Node[] = [];
    for (const reader of this.consumers(from)) {
      const next = { ...reader, inputs: reader.inputs.map((name) => (name === from ? to : name)) };
      this.delete(reader);
      this.insert(next);
      moved.push(next);
    }
    this.outputs = this.outputs.map((port) => (port.value === from ? { ...port, value: to } : port));
    return moved;
  }

  /** Takes out makers that only fed removed nodes, so that later rules do not count them as readers. */
  private sweep(removed: readonly Node[]): void {
    const pending = removed.flatMap((node) => node.inputs);
    while (pending.length > 0) {
      const maker = this.made.get(pending.pop()!);
      if (!maker) continue;
      const alive = maker.outputs.some((name) => this.isOutput(name) || (this.used.get(name)?.size ?? 0) > 0);
      if (alive) continue;
      this.delete(maker);
      pending.push(...maker.inputs);
    }
  }
}

/** More patches than this per node mean that two rules undo each other. */
const patchesPerNode = 64;

/**
 * Runs a table of rules until none matches. Rules are tried in order on each node; after a patch the nodes
 * around it are looked at again.
 */
export function rewrite(graph: Graph, rules: readonly Rule[]): Graph {
  const editor = new Editor(graph);
  const queue = editor.list();
  const limit = patchesPerNode * (queue.length + 16);
  const waiting = new Set(queue);
  let patches = 0;
  for (let next = 0; next < queue.length; next++) {
    const node = queue[next]!;
    waiting.delete(node);
    if (!editor.has(node)) continue;
    for (const rule of rules) {
      if (rule.ops && !rule.ops.includes(node.op)) continue;
      const patch = rule.match(node, editor);
      if (!patch) continue;
      if (++patches > limit) throw internalInvalidGraph(`rule ${rule.name} does not come to an end`);
      const touched = editor.apply(patch);
      if (editor.has(node)) touched.push(node);
      for (const other of touched) {
        if (waiting.has(other)) continue;
        waiting.add(other);
        queue.push(other);
      }
      break;
    }
  }
  return patches === 0 ? graph : editor.finish();
}
