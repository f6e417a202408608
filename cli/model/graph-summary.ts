import { assignStorage, type Placing } from '../../converter/codegen/assign-storage.ts';
import { planMemory } from '../../converter/codegen/plan-memory.ts';
import { isQuantized } from '../../converter/convert-model.ts';
import { tensorOf } from '../../converter/ir/graph.ts';
import { byteCount, elementCount } from '../../converter/ir/tensor.ts';
import type { Graph, Node, Port, Shape, Value } from '../../converter/ir/types.ts';
import { opOf } from '../../converter/ops/index.ts';
import { optimize } from '../../converter/pipeline.ts';

export interface LayerSummary {
  readonly name: string;
  readonly op: string;
  readonly outShape: Shape;
  readonly macs: number;
  readonly parameters: number;
}

interface PortSummary {
  readonly name: string;
  readonly dtype: string;
  readonly shape: Shape;
}

/** What a graph holds and costs; sizes are those of its int8 form, estimated where it is float. */
export interface GraphSummary {
  readonly inputs: readonly PortSummary[];
  readonly outputs: readonly PortSummary[];
  readonly operators: readonly { readonly op: string; readonly count: number }[];
  readonly macs: number;
  readonly parameters: number;
  readonly weightsBytes: number;
  readonly arenaBytes: number;
  readonly layers: readonly LayerSummary[];
}

/** The arena's tensors start at multiples of this, as in generated C. */
const tensorAlignment = 4;
/** Bytes of a bias, and of the multiplier and shift that requantize one channel. */
const biasBytes = 4;

function layerOf(graph: Graph, node: Node): LayerSummary {
  const inputs = node.inputs.map((name) => tensorOf(graph, name));
  const outputs = node.outputs.map((name) => tensorOf(graph, name).type);
  const types = inputs.map((value) => value.type);
  const constants = inputs.filter((value) => value.data);
  return {
    name: node.origin,
    op: node.op,
    outShape: outputs[0]!.shape,
    macs: opOf(node.op).macs?.(types, outputs, node.attrs) ?? 0,
    parameters: constants.reduce((sum, { type }) => sum + elementCount(type.shape), 0),
  };
}

/** Float constants as they will be stored: weights in one byte an element, vectors (biases) in four. */
function storedBytes({ type }: Value): number {
  if (type.dtype !== 'float32') return byteCount(type);
  return elementCount(type.shape) * (type.shape.length > 1 ? 1 : biasBytes);
}

/** The graph with int8 in place of float, for planning memory only. */
function asInt8(graph: Graph): Graph {
  const values = [...graph.values].map(([name, value]): [string, Value] => {
    if (value.data || value.type.dtype !== 'float32') return [name, value];
    return [name, { ...value, type: { ...value.type, dtype: 'int8' } }];
  });
  return { ...graph, values: new Map(values) };
}

/** Reshapes cost no memory; what kernels save beside that is known when they are chosen. */
function placingOf({ op, inputs }: Node): Placing {
  return op === 'reshape' ? { viewOf: inputs[0]!, from: 0 } : { inPlaceOf: [] };
}

function countOps(layers: readonly LayerSummary[]): GraphSummary['operators'] {
  const counts = new Map<string, number>();
  for (const { op } of layers) counts.set(op, (counts.get(op) ?? 0) + 1);
  return [...counts].map(([op, count]) => ({ op, count })).sort((a, b) => b.count - a.count);
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

/** Summarizes the graph as it will be converted: after all passes. */
export function summarize(source: Graph): GraphSummary {
  const graph = optimize(source);
  const layers = graph.nodes.map((node) => layerOf(graph, node));
  const constants = [...graph.values.values()].filter((value) => value.data);
  const planned = isQuantized(graph) ? graph : asInt8(graph);
  const portOf = ({ name, value, shape }: Port) => ({
    name,
    dtype: tensorOf(graph, value).type.dtype,
    shape,
  });
  return {
    inputs: graph.inputs.map(portOf),
    outputs: graph.outputs.map(portOf),
    operators: countOps(layers),
    macs: sum(layers.map((layer) => layer.macs)),
    parameters: sum(layers.map((layer) => layer.parameters)),
    weightsBytes: sum(constants.map(storedBytes)),
    arenaBytes: planMemory(assignStorage(planned, planned.nodes.map(placingOf)).buffers, tensorAlignment)
      .bytes,
    layers,
  };
}
