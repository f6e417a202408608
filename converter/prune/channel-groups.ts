import { tensorOf } from '../ir/graph.ts';
import { elementCount } from '../ir/tensor.ts';
import type { Graph, Node } from '../ir/types.ts';
import { permuteElementwise } from '../ops/elementwise.ts';
import { opOf } from '../ops/index.ts';

/** Identifiers of the channels along the last axis of a value; equal ones must be removed together. */
type Channels = readonly number[];

/** Channels that live and die together through everything that ties them, as union-find over their identifiers. */
class Ties {
  private readonly parents: number[] = [];
  private readonly reasons = new Map<number, string>();

  fresh(count: number): number[] {
    return Array.from({ length: count }, () => this.parents.push(this.parents.length) - 1);
  }

  root(id: number): number {
    let root = id;
    while (this.parents[root] !== root) root = this.parents[root]!;
    for (let at = id; at !== root; ) {
      const next = this.parents[at]!;
      this.parents[at] = root;
      at = next;
    }
    return root;
  }

  tie(a: number, b: number): void {
    const [keep, gone] = [this.root(a), this.root(b)];
    if (keep === gone) return;
    this.parents[gone] = keep;
    const reason = this.reasons.get(keep) ?? this.reasons.get(gone);
    if (reason !== undefined) this.reasons.set(keep, reason);
  }

  /** These channels must stay, and why. */
  keep(ids: Channels, reason: string): void {
    for (const id of ids) if (!this.reasons.has(this.root(id))) this.reasons.set(this.root(id), reason);
  }

  reason(id: number): string | undefined {
    return this.reasons.get(this.root(id));
  }
}

/** A set of channels that can only be removed together. */
export interface ChannelGroup {
  readonly id: number;
  /** Output channels of the layers that make them: name of the node's result, and index. */
  readonly made: readonly (readonly [value: string, channel: number])[];
  /** Input channels of the layers that read them, by the name of what they read. */
  readonly read: readonly (readonly [node: Node, channel: number])[];
}

/** Layers whose output channels are tied one to one; channels are chosen among `groups`. */
export interface PrunableUnit {
  /** The user's names of the layers that make the channels. */
  readonly layers: readonly string[];
  readonly groups: readonly ChannelGroup[];
}

/** A layer that makes channels and cannot lose any. */
export interface KeptLayer {
  readonly layer: string;
  readonly reason: string;
}

export interface ChannelMap {
  readonly units: readonly PrunableUnit[];
  readonly kept: readonly KeptLayer[];
  /** The group of each channel along the last axis of each computed value and each constant that follows them. */
  groupsOf(value: string): readonly number[] | undefined;
}

/** Layers that make new channels from all of their input's. */
const mixing: ReadonlySet<string> = new Set(['conv2d', 'fullyConnected']);

/** How channels go through operators that do more than look at one element at a time. */
const rules: Readonly<
  Record<string, 'mix' | 'depthwise' | 'pass' | 'mean' | 'pad' | 'slice' | 'concatenation' | 'reshape'>
> = {
  averagePool2d: 'pass',
  concatenation: 'concatenation',
  conv2d: 'mix',
  depthwiseConv2d: 'depthwise',
  fullyConnected: 'mix',
  maxPool2d: 'pass',
  mean: 'mean',
  pad: 'pad',
  reshape: 'reshape',
  slice: 'slice',
};

class Tracker {
  readonly ties = new Ties();
  readonly channels = new Map<string, Channels>();
  private readonly graph: Graph;

  constructor(graph: Graph) {
    this.graph = graph;
    const reason = 'it follows the input of the model, whose shape is fixed';
    for (const port of graph.inputs) this.channels.set(port.value, this.fixed(port.value, reason));
    for (const node of graph.nodes) this.channels.set(node.outputs[0]!, this.follow(node));
    for (const port of graph.outputs)
      this.ties.keep(this.of(port.value), 'its channels are an output of the model');
  }

  private shape(name: string): readonly number[] {
    return tensorOf(this.graph, name).type.shape;
  }

  private of(name: string): Channels {
    return this.channels.get(name) ?? [];
  }

  fixed(name: string, reason: string): Channels {
    const ids = this.ties.fresh(this.shape(name).at(-1) ?? 1);
    this.ties.keep(ids, reason);
    return ids;
  }

  /** The node's inputs keep all channels, and so does its result. */
  private refuse(node: Node, reason: string): Channels {
    for (const name of node.inputs) this.ties.keep(this.of(name), reason);
    return this.fixed(node.outputs[0]!, reason);
  }

  /** The channels of a node's result. */
  private follow(node: Node): Channels {
    const rule = rules[node.op];
    if (rule) return this[rule](node);
    if (opOf(node.op).permute === permuteElementwise) return this.elementwise(node);
    return this.refuse(node, `${node.op} (${node.origin}) needs all channels`);
  }

  mix(node: Node): Channels {
    const computed = node.inputs.slice(1).some((name) => !tensorOf(this.graph, name).data);
    if (computed) return this.refuse(node, 'its weights are computed');
    return this.ties.fresh(this.shape(node.outputs[0]!).at(-1) ?? 1);
  }

  depthwise(node: Node): Channels {
    const input = this.of(node.inputs[0]!);
    const last = this.shape(node.outputs[0]!).at(-1) ?? 1;
    const multiplier = last / input.length;
    return Array.from({ length: last }, (_, c) => input[Math.floor(c / multiplier)]!);
  }

  pass(node: Node): Channels {
    return this.of(node.inputs[0]!);
  }

  mean(node: Node): Channels {
    const rank = this.shape(node.inputs[0]!).length;
    const overChannels = (node.attrs['axes'] as readonly number[]).includes(rank - 1);
    return overChannels
      ? this.refuse(node, `mean (${node.origin}) runs over the channels`)
      : this.of(node.inputs[0]!);
  }

  pad(node: Node): Channels {
    const pads = node.attrs['pads'] as readonly number[];
    return pads.at(-1) !== 0 || pads.at(-2) !== 0
      ? this.refuse(node, `pad (${node.origin}) adds channels`)
      : this.of(node.inputs[0]!);
  }

  slice(node: Node): Channels {
    const take = (name: string) => (node.attrs[name] as readonly number[]).at(-1)!;
    const [begin, size, stride] = [take('begin'), take('size'), take('strides')];
    if (stride !== 1) return this.refuse(node, `slice (${node.origin}) takes every ${stride}th channel`);
    return this.of(node.inputs[0]!).slice(begin, begin + size);
  }

  concatenation(node: Node): Channels {
    const rank = this.shape(node.outputs[0]!).length;
    if (node.inputs.some((name) => tensorOf(this.graph, name).data))
      return this.refuse(node, `concatenation (${node.origin}) has a constant part`);
    const parts = node.inputs.map((name) => this.of(name));
    if (node.attrs['axis'] === rank - 1) return parts.flat();
    this.tieAll(parts);
    return parts[0]!;
  }

  private tieAll(parts: readonly Channels[]): void {
    const [first, ...others] = parts;
    for (const other of others) for (const [i, id] of other.entries()) this.ties.tie(first![i]!, id);
  }

  /** Channels stay the last axis, or are flattened together with the axes before, or are split from them. */
  reshape(node: Node): Channels {
    const [from, to] = [this.shape(node.inputs[0]!), this.shape(node.outputs[0]!)];
    const input = this.of(node.inputs[0]!);
    const [before, after] = [from.at(-1) ?? 1, to.at(-1) ?? 1];
    if (after % before === 0) return Array.from({ length: after }, (_, i) => input[i % before]!);
    if (before % after !== 0)
      return this.refuse(node, `reshape (${node.origin}) mixes channels with other axes`);
    const output = input.slice(0, after);
    for (const [i, id] of input.entries()) this.ties.tie(output[i % after]!, id);
    return output;
  }

  /** Computed inputs are tied; constants follow where they have one number a channel. */
  private elementwise(node: Node): Channels {
    const last = this.shape(node.outputs[0]!).at(-1) ?? 1;
    const computed = node.inputs.filter((name) => !tensorOf(this.graph, name).data);
    const full = computed.filter((name) => (this.shape(name).at(-1) ?? 1) === last);
    const narrow = computed.filter((name) => !full.includes(name));
    for (const name of narrow)
      this.ties.keep(this.of(name), `${node.op} (${node.origin}) repeats its one channel`);
    if (full.length === 0) return this.refuse(node, `${node.op} (${node.origin}) repeats its channels`);
    this.tieAll(full.map((name) => this.of(name)));
    const ids = this.of(full[0]!);
    for (const name of node.inputs) this.followConstant(name, ids);
    return ids;
  }

  private followConstant(name: string, ids: Channels): void {
    const { data, type } = tensorOf(this.graph, name);
    if (!data || elementCount(type.shape) === 1 || type.shape.at(-1) !== ids.length) return;
    const known = this.channels.get(name);
    if (known) this.tieAll([known, ids]);
    else this.channels.set(name, ids);
  }
}

function collect(graph: Graph, tracker: Tracker): Map<number, ChannelGroup> {
  const made = new Map<number, [string, number][]>();
  const read = new Map<number, [Node, number][]>();
  const put = <T>(map: Map<number, T[]>, id: number, item: T) => {
    const list = map.get(tracker.ties.root(id));
    if (list) list.push(item);
    else map.set(tracker.ties.root(id), [item]);
  };
  for (const node of graph.nodes) {
    if (!mixing.has(node.op)) continue;
    const outputs = tracker.channels.get(node.outputs[0]!)!;
    for (const [i, id] of outputs.entries()) put(made, id, [node.outputs[0]!, i]);
    for (const [i, id] of tracker.channels.get(node.inputs[0]!)!.entries()) put(read, id, [node, i]);
  }
  return new Map([...made].map(([id, list]) => [id, { id, made: list, read: read.get(id) ?? [] }]));
}

/**
 * Which channels of a float graph can be removed, and what else goes with each: through depthwise convolutions,
 * element-wise operations, residual additions, concatenations, pools, means, flattening and slices.
 */
export function mapChannels(graph: Graph): ChannelMap {
  const tracker = new Tracker(graph);
  const groups = collect(graph, tracker);
  const names = new Map(graph.nodes.map((node) => [node.outputs[0]!, node.origin]));
  const kept: KeptLayer[] = [];
  const units = new Map<string, { layers: string[]; groups: ChannelGroup[] }>();
  for (const node of graph.nodes) {
    if (!mixing.has(node.op)) continue;
    const ids = tracker.channels.get(node.outputs[0]!)!;
    const reason = ids.map((id) => tracker.ties.reason(id)).find((text) => text !== undefined);
    if (reason !== undefined) kept.push({ layer: node.origin, reason });
  }
  for (const [id, group] of groups) {
    if (tracker.ties.reason(id) !== undefined) continue;
    const layers = [...new Set(group.made.map(([value]) => names.get(value)!))];
    const key = layers.join('\n');
    const unit = units.get(key);
    if (unit) unit.groups.push(group);
    else units.set(key, { layers, groups: [group] });
  }
  return {
    units: [...units.values()],
    kept,
    groupsOf: (value) => tracker.channels.get(value)?.map((id) => tracker.ties.root(id)),
  };
}
