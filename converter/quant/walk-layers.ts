import { evaluateFloat, type FloatBatch } from '../evaluate/float.ts';
import { toGraphLayout } from '../evaluate/ports.ts';
import { turn } from '../evaluate/turn.ts';
import { tensorOf } from '../ir/graph.ts';
import { allocate, elementCount } from '../ir/tensor.ts';
import type { Graph, Node, TensorData, TensorType, Value } from '../ir/types.ts';
import { callOf } from '../ops/call-of.ts';
import { opOf } from '../ops/index.ts';
import { quantizeActivations } from './scheme.ts';

/** Elements of float values held at once; bounds memory whatever the model. */
const heldElements = 1 << 25;

/** One layer of the integer graph as the walk meets it: all before it is final. */
export interface WalkedLayer {
  readonly node: Node;
  readonly graph: Graph;
  /** Samples that are walked. */
  readonly count: number;
  /** Real values that the float graph has under a name, samples one after another. */
  real(name: string): Float32Array | undefined;
  /** Real values of what the integer graph holds under a name, samples one after another. */
  stored(name: string): Float32Array;
}

/** Proposes constants to put in the place of those with the same name. */
export type RefineLayer = (layer: WalkedLayer) => Promise<readonly Value[]>;

function dequantized(data: readonly TensorData[], type: TensorType): Float32Array {
  const size = elementCount(type.shape);
  const result = new Float32Array(size * data.length);
  const { scale, zeroPoint } = type.quant ?? { scale: [1], zeroPoint: [0] };
  for (const [n, sample] of data.entries())
    for (let i = 0; i < size; i++) result[n * size + i] = (Number(sample[i]) - zeroPoint[0]!) * scale[0]!;
  return result;
}

/** How many samples fit the memory bound. */
function affordable(float: Graph, count: number): number {
  const computed = [...float.values.values()].filter((value) => !value.data);
  const each = computed.reduce((sum, { type }) => sum + elementCount(type.shape), 0);
  return Math.max(1, Math.min(count, Math.floor(heldElements / Math.max(1, each))));
}

async function realValues(float: Graph, samples: FloatBatch, count: number) {
  const pieces = new Map<string, Float32Array[]>();
  await evaluateFloat(float, samples, count, (name, data) => {
    const list = pieces.get(name);
    if (list) list.push(data.slice());
    else pieces.set(name, [data.slice()]);
  });
  const whole = new Map<string, Float32Array>();
  for (const [name, list] of pieces) {
    const data = new Float32Array(list.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of list) {
      data.set(piece, at);
      at += piece.length;
    }
    whole.set(name, data);
  }
  return whole;
}

/** Where each computed value is read for the last time. */
function lastReaders(graph: Graph): Map<string, Node> {
  const last = new Map<string, Node>();
  for (const node of graph.nodes) for (const name of node.inputs) last.set(name, node);
  return last;
}

function runNode(graph: Graph, node: Node, held: ReadonlyMap<string, TensorData[]>, count: number) {
  const kernel = opOf(node.op).integer!(callOf(graph, node));
  const { dtype, shape } = tensorOf(graph, node.outputs[0]!).type;
  return Array.from({ length: count }, (_, n) => {
    const output = allocate(dtype, elementCount(shape));
    const inputs = node.inputs.map((name) => tensorOf(graph, name).data ?? held.get(name)![n]!);
    kernel(inputs, [output]);
    return output;
  });
}

/**
 * Goes through both forms of a graph layer by layer on up to `most` samples, lets `refine` change the constants of
 * each layer before it runs, and returns the changed integer graph. Later layers see what earlier changes did.
 */
export async function walkLayers(
  float: Graph,
  integer: Graph,
  samples: FloatBatch,
  most: number,
  refine: RefineLayer,
): Promise<Graph> {
  const count = affordable(float, most);
  const reals = await realValues(float, samples, count);
  const held = new Map<string, TensorData[]>();
  for (const [i, port] of float.inputs.entries()) {
    const { type } = tensorOf(integer, port.value);
    const size = elementCount(port.shape);
    const sample = (n: number) => toGraphLayout(port, samples[i]!.subarray(n * size, (n + 1) * size));
    held.set(
      port.value,
      Array.from({ length: count }, (_, n) => quantizeActivations(sample(n), type)),
    );
  }
  const values = new Map(integer.values);
  const graph = { ...integer, values };
  const last = lastReaders(integer);
  for (const node of integer.nodes) {
    const changed = await refine({
      node,
      graph,
      count,
      real: (name) => reals.get(name),
      stored: (name) => dequantized(held.get(name)!, tensorOf(graph, name).type),
    });
    for (const value of changed) values.set(value.name, value);
    held.set(node.outputs[0]!, runNode(graph, node, held, count));
    for (const name of node.inputs) if (last.get(name) === node) held.delete(name);
    await turn();
  }
  return graph;
}
