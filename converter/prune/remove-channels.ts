import { tensorOf } from '../ir/graph.ts';
import { Names } from '../ir/names.ts';
import { elementCount } from '../ir/tensor.ts';
import type { Graph, Node, TensorData, Value } from '../ir/types.ts';
import { opOf } from '../ops/index.ts';
import type { ChannelMap } from './channel-groups.ts';

/** Mean of each input channel of a layer over typical data, by the name of the value that it reads. */
export type ChannelMeans = ReadonlyMap<string, Float64Array>;

/** Indices along an axis that stay. */
type Kept = readonly number[];

/** `data` of `shape` with only the indices `kept` of `axis`. */
export function takeAlong(
  data: TensorData,
  shape: readonly number[],
  axis: number,
  kept: Kept,
): Float32Array {
  const size = shape[axis]!;
  const inner = elementCount(shape.slice(axis + 1));
  const outer = elementCount(shape.slice(0, axis));
  const result = new Float32Array(outer * kept.length * inner);
  let to = 0;
  for (let o = 0; o < outer; o++) {
    for (const index of kept) {
      const from = (o * size + index) * inner;
      for (let i = 0; i < inner; i++) result[to++] = Number(data[from + i]!);
    }
  }
  return result;
}

const all = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

class Remover {
  private readonly values = new Map<string, Value>();
  private readonly nodes: Node[] = [];
  private readonly names: Names;
  private readonly graph: Graph;
  private readonly map: ChannelMap;
  private readonly removed: ReadonlySet<number>;
  private readonly means: ChannelMeans;

  constructor(graph: Graph, map: ChannelMap, removed: ReadonlySet<number>, means: ChannelMeans) {
    this.graph = graph;
    this.map = map;
    this.removed = removed;
    this.means = means;
    this.names = new Names(graph.values.keys());
    for (const port of graph.inputs) this.values.set(port.value, tensorOf(graph, port.value));
  }

  run(): Graph {
    for (const node of this.graph.nodes) this.nodes.push(this.rebuilt(node));
    return { ...this.graph, nodes: this.nodes, values: this.values };
  }

  private kept(name: string): Kept {
    const groups = this.map.groupsOf(name);
    if (!groups) return all(tensorOf(this.graph, name).type.shape.at(-1) ?? 1);
    return groups.flatMap((group, i) => (this.removed.has(group) ? [] : [i]));
  }

  private constant(value: Value, shape: readonly number[], data: TensorData): string {
    const same = elementCount(shape) === elementCount(value.type.shape) && data === value.data;
    const name = same ? value.name : this.names.fresh(`${value.name}/pruned`);
    this.values.set(name, { name, type: { ...value.type, shape }, data });
    return name;
  }

  /** A constant with some indices of its last axes taken. */
  private taken(name: string, cuts: readonly (readonly [axis: number, kept: Kept])[]): string {
    const value = tensorOf(this.graph, name);
    let { shape } = value.type;
    let data = value.data!;
    for (const [axis, kept] of cuts) {
      if (kept.length === shape[axis]) continue;
      data = takeAlong(data, shape, axis, kept);
      shape = shape.map((size, i) => (i === axis ? kept.length : size));
    }
    return this.constant(value, shape, data);
  }

  private rebuilt(node: Node): Node {
    const made = { ...node, inputs: this.inputs(node), attrs: this.attributes(node) };
    const types = made.inputs.map((name) => this.values.get(name)!.type);
    const output = tensorOf(this.graph, node.outputs[0]!);
    const [type] = opOf(node.op).infer(types, made.attrs);
    this.values.set(output.name, { ...output, type: { ...output.type, shape: type!.shape } });
    return made;
  }

  private inputs(node: Node): string[] {
    const [x, weights, bias] = node.inputs as [string, string, string];
    const output = this.kept(node.outputs[0]!);
    switch (node.op) {
      case 'conv2d':
      case 'fullyConnected': {
        const { shape } = tensorOf(this.graph, weights).type;
        const cuts = [
          [0, output],
          [shape.length - 1, this.kept(x)],
        ] as const;
        return [x, this.taken(weights, cuts), this.compensated(node, output)];
      }
      case 'depthwiseConv2d':
        return [x, this.taken(weights, [[3, output]]), this.taken(bias, [[0, output]])];
      default:
        return node.inputs.map((name) => {
          const { data, type } = tensorOf(this.graph, name);
          if (!data) return name;
          return this.map.groupsOf(name)
            ? this.taken(name, [[type.shape.length - 1, this.kept(name)]])
            : this.constant(tensorOf(this.graph, name), type.shape, data);
        });
    }
  }

  /** The bias, with what the removed input channels contributed on the mean (no padding assumed). */
  private compensated(node: Node, output: Kept): string {
    const [x, weightsName, biasName] = node.inputs as [string, string, string];
    const bias = tensorOf(this.graph, biasName);
    const means = this.means.get(x);
    const gone = (this.map.groupsOf(x) ?? []).flatMap((group, i) => (this.removed.has(group) ? [i] : []));
    if (!means || gone.length === 0) return this.taken(biasName, [[0, output]]);
    const { data, type } = tensorOf(this.graph, weightsName);
    const depth = type.shape.at(-1)!;
    const each = elementCount(type.shape.slice(1));
    const shifted = output.map((filter) => {
      let sum = Number(bias.data![filter]);
      for (let i = 0; i < each; i += depth)
        for (const c of gone) sum += Number(data![filter * each + i + c]) * means[c]!;
      return sum;
    });
    return this.constant(bias, [output.length], Float32Array.from(shifted));
  }

  private attributes(node: Node): Node['attrs'] {
    const outputs = this.kept(node.outputs[0]!).length;
    if (node.op === 'reshape') {
      const shape = [...(node.attrs['shape'] as readonly number[])];
      if (shape.length > 0) shape[shape.length - 1] = outputs;
      return { ...node.attrs, shape };
    }
    if (node.op !== 'slice') return node.attrs;
    const begin = [...(node.attrs['begin'] as readonly number[])];
    const size = [...(node.attrs['size'] as readonly number[])];
    const first = begin.at(-1)!;
    begin[begin.length - 1] = this.kept(node.inputs[0]!).filter((index) => index < first).length;
    size[size.length - 1] = outputs;
    return { ...node.attrs, begin, size };
  }
}

/**
 * The graph without the channel groups `removed`: weights, biases, constants and shapes get smaller. What removed
 * channels contributed on the mean goes into the bias of the layers that read them, where `means` are given.
 */
export function removeChannels(
  graph: Graph,
  map: ChannelMap,
  removed: ReadonlySet<number>,
  means: ChannelMeans = new Map(),
): Graph {
  return new Remover(graph, map, removed, means).run();
}
