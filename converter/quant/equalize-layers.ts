import { type GraphView, viewOf } from '../ir/graph.ts';
import type { Graph, Node, Value } from '../ir/types.ts';
import { opOf } from '../ops/index.ts';
import type { Histograms } from './calibrate.ts';

/** Rounds over all pairs; layers in the middle of two pairs settle within few. */
const mostRounds = 20;
/** A round that moves no factor by more than this ends the search. */
const settled = 1e-3;
/** Factors beyond these come from channels that hold next to nothing. */
const factorLimit = 1e4;

/** Two linear layers with nothing between them but operators that a positive factor passes through. */
interface Pair {
  readonly first: Node;
  readonly second: Node;
  readonly channels: number;
}

const transparent = new Set(['maxPool2d', 'averagePool2d', 'relu', 'leakyRelu', 'mean', 'reshape', 'pad']);

function weightsOf(view: GraphView, node: Node): Value | undefined {
  const rule = opOf(node.op).quantize;
  if (rule?.output !== 'calibrated' || !rule.weights) return undefined;
  const [weights, bias] = [node.inputs[rule.weights.weights]!, node.inputs[rule.weights.bias]!];
  return view.constant(weights) && view.constant(bias) ? view.value(weights) : undefined;
}

/** A factor passes a rectifier unless it has an upper limit that some value reaches. */
function letsFactorsPass(node: Node, histograms: Histograms): boolean {
  const { activation } = node.attrs;
  if (activation === undefined || activation === 'none' || activation === 'relu') return true;
  return activation === 'relu6' && (histograms.get(node.outputs[0]!)?.max ?? 6) < 6;
}

/** Whether channels still stand on the last axis behind a node that only moves or pools values. */
function keepsChannels(view: GraphView, node: Node, channels: number): boolean {
  const { shape } = view.value(node.outputs[0]!).type;
  if (node.op === 'reshape') return shape.at(-1)! % channels === 0;
  return shape.at(-1) === channels;
}

function partnerOf(view: GraphView, first: Node, histograms: Histograms): Pair | undefined {
  const channels = view.value(first.outputs[0]!).type.shape.at(-1)!;
  let node = first;
  for (;;) {
    if (!letsFactorsPass(node, histograms)) return undefined;
    const name = node.outputs[0]!;
    const readers = view.consumers(name);
    if (view.isOutput(name) || readers.length !== 1) return undefined;
    const next = readers[0]!;
    if (weightsOf(view, next)) return { first, second: next, channels };
    if (!transparent.has(next.op) || !keepsChannels(view, next, channels)) return undefined;
    node = next;
  }
}

/** Weights and biases under change, by value name. */
type Store = Map<string, Float32Array>;

/** Output channel of the weight at a flat index. */
function outputChannel(node: Node, size: number, channels: number): (index: number) => number {
  if (node.op === 'depthwiseConv2d') return (index) => index % channels;
  const each = size / channels;
  return (index) => Math.floor(index / each);
}

/** The channel of the first layer that the second layer's weight at a flat index reads. */
function inputChannel(node: Node, channels: number, filters: number): (index: number) => number {
  if (node.op !== 'depthwiseConv2d') return (index) => index % channels;
  return (index) => Math.floor(((index % filters) * channels) / filters);
}

function greatest(data: Float32Array, count: number, channelOf: (index: number) => number): Float64Array {
  const result = new Float64Array(count);
  for (let i = 0; i < data.length; i++) {
    const channel = channelOf(i);
    result[channel] = Math.max(result[channel]!, Math.abs(data[i]!));
  }
  return result;
}

/** Divides the first layer's channels and multiplies the second's, so that both have the same reach in each. */
function balance({ first, second, channels }: Pair, store: Store): number {
  const [weights, bias] = [store.get(first.inputs[1]!)!, store.get(first.inputs[2]!)!];
  const following = store.get(second.inputs[1]!)!;
  const from = outputChannel(first, weights.length, channels);
  const to = inputChannel(second, channels, store.get(second.inputs[2]!)!.length);
  const [before, after] = [greatest(weights, channels, from), greatest(following, channels, to)];
  const factors = Float64Array.from(before, (reach, channel) => {
    const factor = Math.sqrt(reach / after[channel]!);
    return factor > 1 / factorLimit && factor < factorLimit ? factor : 1;
  });
  for (let i = 0; i < weights.length; i++) weights[i]! /= factors[from(i)]!;
  for (let i = 0; i < channels; i++) bias[i]! /= factors[i]!;
  for (let i = 0; i < following.length; i++) following[i]! *= factors[to(i)]!;
  return factors.reduce((most, factor) => Math.max(most, Math.abs(Math.log(factor))), 0);
}

export interface Equalized {
  readonly graph: Graph;
  /** Pairs of layers that were balanced, by their names. */
  readonly pairs: readonly (readonly [string, string])[];
}

/**
 * Cross-layer equalization: a float graph that computes the same and whose neighbouring layers share the reach of
 * their channels fairly. A ReLU6 that no calibration value reaches becomes a ReLU, which a factor passes.
 * Source: M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019.
 */
export function equalizeLayers(graph: Graph, histograms: Histograms): Equalized {
  const view = viewOf(graph);
  const readers = new Map<string, number>();
  for (const node of graph.nodes)
    for (const name of node.inputs) readers.set(name, (readers.get(name) ?? 0) + 1);
  const ownsWeights = (node: Node) => node.inputs.slice(1).every((name) => readers.get(name) === 1);
  const pairs = graph.nodes
    .filter((node) => weightsOf(view, node))
    .map((node) => partnerOf(view, node, histograms))
    .filter(
      (pair): pair is Pair => pair !== undefined && ownsWeights(pair.first) && ownsWeights(pair.second),
    );
  const store: Store = new Map();
  for (const { first, second } of pairs)
    for (const name of [...first.inputs.slice(1), ...second.inputs.slice(1)])
      if (!store.has(name)) store.set(name, Float32Array.from(view.constant(name)!, Number));
  for (let round = 0; round < mostRounds; round++) {
    const moved = pairs.reduce((most, pair) => Math.max(most, balance(pair, store)), 0);
    if (moved < settled) break;
  }
  const values = new Map(graph.values);
  for (const [name, data] of store) values.set(name, { ...view.value(name), data });
  return {
    graph: { ...graph, values, nodes: withoutLimits(graph, view, pairs) },
    pairs: pairs.map(({ first, second }) => [first.origin, second.origin] as const),
  };
}

function withoutLimits(graph: Graph, view: GraphView, pairs: readonly Pair[]): Node[] {
  const between = new Set<Node>();
  for (const { first, second } of pairs)
    for (let node = first; node !== second; node = view.consumers(node.outputs[0]!)[0]!) between.add(node);
  return graph.nodes.map((node) =>
    between.has(node) && node.attrs['activation'] === 'relu6'
      ? { ...node, attrs: { ...node.attrs, activation: 'relu' } }
      : node,
  );
}
