import { tensorOf } from '../ir/graph.ts';
import { elementCount } from '../ir/tensor.ts';
import type { Graph, Node, TensorType } from '../ir/types.ts';
import { opOf } from '../ops/index.ts';
import type { ChannelMap } from './channel-groups.ts';

export type CostMetric = 'macs' | 'bytes' | 'instructions';

/** MACs, bytes of int8 weights and int32 biases, and modelled instructions of one inference. */
export type Cost = Readonly<Record<CostMetric, number>>;

/**
 * Instructions for one result of our Cortex-M4 int8 kernels, fitted to what `tinyml bench --profile` counts for
 * digits_mbv2: a fixed part for requantization and loops, and a part for each product. They rank channels; what is
 * reported as measured comes from a board.
 */
const modelled = {
  result: 5.5,
  pointwiseProduct: 0.75,
  windowProduct: 1.6,
  depthwiseProduct: 1.05,
  other: 6,
} as const;

/** Products come four at a time. */
const roundUp = (count: number) => Math.ceil(count / 4) * 4;

function instructionsOf(node: Node, types: readonly TensorType[], output: TensorType): number {
  const results = elementCount(output.shape);
  if (node.op === 'conv2d' || node.op === 'fullyConnected') {
    const { shape } = types[1]!;
    const isPointwise = shape.slice(1, -1).every((size) => size === 1);
    const depth = roundUp(elementCount(shape.slice(1)));
    const product = isPointwise ? modelled.pointwiseProduct : windowProduct(shape[0]!);
    return results * (modelled.result + product * depth);
  }
  if (node.op === 'depthwiseConv2d') {
    const taps = elementCount(types[1]!.shape.slice(1, 3));
    return (
      (results / output.shape.at(-1)!) *
      roundUp(output.shape.at(-1)!) *
      (modelled.result + modelled.depthwiseProduct * taps)
    );
  }
  if (node.op === 'reshape') return 0;
  return modelled.other * Math.max(results, elementCount(types[0]!.shape));
}

/** Gathering the window costs once for all filters that read it. */
function windowProduct(filters: number): number {
  return modelled.pointwiseProduct + modelled.windowProduct / Math.max(1, filters / 2);
}

function bytesOf(node: Node, types: readonly TensorType[]): number {
  const isLinear = opOf(node.op).quantize !== undefined && types.length === 3;
  if (!isLinear) return 0;
  return elementCount(types[1]!.shape) + 4 * elementCount(types[2]!.shape);
}

/** What a graph would cost without the channel groups `removed`, without making it. */
export function costWithout(graph: Graph, map: ChannelMap, removed: ReadonlySet<number>): Cost {
  const total = { macs: 0, bytes: 0, instructions: 0 };
  const counts = new Map<string, number>();
  const keptOf = (name: string): number | undefined => {
    const known = counts.get(name);
    if (known !== undefined) return known;
    const groups = map.groupsOf(name);
    if (!groups) return undefined;
    let kept = 0;
    for (const group of groups) if (!removed.has(group)) kept++;
    counts.set(name, kept);
    return kept;
  };
  const typeOf = (name: string): TensorType => {
    const { type } = tensorOf(graph, name);
    const kept = keptOf(name);
    return kept === undefined ? type : { ...type, shape: [...type.shape.slice(0, -1), kept] };
  };
  for (const node of graph.nodes) {
    const output = typeOf(node.outputs[0]!);
    const types = node.inputs.map(typeOf);
    if (types.length === 3) {
      const outputs = output.shape.at(-1)!;
      const shape = [...types[1]!.shape];
      if (node.op === 'depthwiseConv2d') shape[3] = outputs;
      else [shape[0], shape[shape.length - 1]] = [outputs, types[0]!.shape.at(-1)!];
      types[1] = { ...types[1]!, shape };
      types[2] = { ...types[2]!, shape: [outputs] };
    }
    total.macs += opOf(node.op).macs?.(types, [output], node.attrs) ?? 0;
    total.bytes += bytesOf(node, types);
    total.instructions += instructionsOf(node, types, output);
  }
  return total;
}
