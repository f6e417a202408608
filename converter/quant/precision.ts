import type { Graph, Node } from '../ir/types.ts';
import { opOf } from '../ops/index.ts';

/** What a layer computes in: 8-bit or 16-bit activations (weights have 8 bits in both), or real numbers. */
export type Precision = 'int8' | 'int16' | 'float32';

/** How a whole model is stored; layers may differ. */
export type Scheme = 'int8' | 'int16x8';

/** Operators that TFLite, and our kernels, have for 16-bit activations. */
const wideOps: ReadonlySet<string> = new Set([
  'add',
  'averagePool2d',
  'concatenation',
  'conv2d',
  'depthwiseConv2d',
  'fullyConnected',
  'leakyRelu',
  'maxPool2d',
  'mean',
  'mul',
  'pad',
  'relu',
  'relu6',
  'reshape',
  'slice',
  'softmax',
  'sub',
  'transpose',
]);

/** Operators that may stay in float within an integer model, with the same results in TypeScript and in C. */
const realOps: ReadonlySet<string> = new Set([
  'add',
  'averagePool2d',
  'concatenation',
  'conv2d',
  'depthwiseConv2d',
  'fullyConnected',
  'maxPool2d',
  'mul',
  'relu',
  'relu6',
  'reluN1To1',
  'reshape',
  'slice',
  'sub',
  'transpose',
]);

/** Layers that are to stay in float and cannot. */
export function notReal(graph: Graph, ofLayer: ReadonlyMap<string, Precision>): Node | undefined {
  return graph.nodes.find((node) => ofLayer.get(node.origin) === 'float32' && !realOps.has(node.op));
}

export function hasWideForm(op: string): boolean {
  return wideOps.has(op);
}

/** The precision of each node, by the name of what it makes. */
export type Precisions = ReadonlyMap<string, Precision>;

/**
 * Layers as asked for by name, the others by the scheme; an operator without a 16-bit form stays in 8 bits. What only
 * moves values (`same`) goes along with its input where it is not named itself, so that nothing is converted for it.
 */
export function choosePrecisions(
  graph: Graph,
  scheme: Scheme,
  ofLayer: ReadonlyMap<string, Precision>,
): Precisions {
  const chosen = new Map<string, Precision>();
  const usual: Precision = scheme === 'int16x8' ? 'int16' : 'int8';
  for (const port of graph.inputs) chosen.set(port.value, usual);
  const possible = (node: Node, wanted: Precision) =>
    wanted === 'int16' && !hasWideForm(node.op) ? 'int8' : wanted;
  for (const node of graph.nodes) {
    const follows = opOf(node.op).quantize?.output === 'same';
    const wanted = ofLayer.get(node.origin) ?? (follows ? chosen.get(node.inputs[0]!) : undefined) ?? usual;
    for (const name of node.outputs) chosen.set(name, possible(node, wanted));
  }
  return chosen;
}

/** Layers that stay in 8 bits although 16 were asked for, by name. */
export function narrowLayers(
  graph: Graph,
  scheme: Scheme,
  ofLayer: ReadonlyMap<string, Precision>,
): string[] {
  const asked = (node: Node) => ofLayer.get(node.origin) ?? (scheme === 'int16x8' ? 'int16' : 'int8');
  const kept = graph.nodes.filter((node) => asked(node) === 'int16' && !hasWideForm(node.op));
  return [...new Set(kept.map((node) => node.origin))];
}
