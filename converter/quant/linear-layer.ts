import { tensorOf } from '../ir/graph.ts';
import type { Graph, Node, Quantization, Value } from '../ir/types.ts';
import { opOf } from '../ops/index.ts';

/** A layer of the integer graph with constant weights, as refinements see it. */
export interface LinearLayer {
  readonly node: Node;
  readonly input: Value;
  readonly weights: Value;
  readonly bias: Value;
  readonly channels: number;
  /** Scale of one output channel's weights. */
  scaleOf(channel: number): number;
  /** Output channel of the weight at a flat index. */
  channelOf(index: number): number;
}

/** The layer behind a node of an integer graph; undefined for nodes without constant weights. */
export function linearLayer(graph: Graph, node: Node): LinearLayer | undefined {
  const rule = opOf(node.op).quantize;
  if (rule?.output !== 'calibrated' || !rule.weights) return undefined;
  const weights = tensorOf(graph, node.inputs[rule.weights.weights]!);
  const bias = tensorOf(graph, node.inputs[rule.weights.bias]!);
  const { quant } = weights.type;
  if (!weights.data || !bias.data || !quant) return undefined;
  const channels = bias.data.length;
  const each = weights.data.length / channels;
  return {
    node,
    input: tensorOf(graph, node.inputs[0]!),
    weights,
    bias,
    channels,
    scaleOf: (channel) => quant.scale[quant.scale.length === 1 ? 0 : channel]!,
    channelOf:
      node.op === 'depthwiseConv2d' ? (index) => index % channels : (index) => Math.floor(index / each),
  };
}

/** Real values of a layer's stored weights. */
export function realWeights({ weights, scaleOf, channelOf }: LinearLayer): Float32Array {
  return Float32Array.from(weights.data as ArrayLike<number>, (stored, i) => stored * scaleOf(channelOf(i)));
}

/** Real values of a layer's stored bias. */
export function realBias({ bias, input, scaleOf }: LinearLayer): Float32Array {
  const scale = (input.type.quant as Quantization).scale[0]!;
  return Float32Array.from(
    bias.data as ArrayLike<number | bigint>,
    (stored, i) => Number(stored) * scale * scaleOf(i),
  );
}
