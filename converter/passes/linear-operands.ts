import { tensorOf } from '../ir/graph.ts';
import type { Graph, Node, Value } from '../ir/types.ts';

/** The operands of one linear operator of a quantized graph. */
export interface LinearOperands {
  readonly input: Value;
  readonly weights: Value;
  readonly bias: Value;
  readonly output: Value;
}

const linear = new Set(['conv2d', 'depthwiseConv2d', 'fullyConnected']);

/** The operands of a linear operator on int8 with constant weights and bias; undefined for others. */
export function linearOperands(graph: Graph, node: Node): LinearOperands | undefined {
  if (!linear.has(node.op)) return undefined;
  const [input, weights, bias] = node.inputs.map((name) => tensorOf(graph, name)) as [Value, Value, Value];
  const output = tensorOf(graph, node.outputs[0]!);
  const constant = weights.type.dtype === 'int8' && weights.data && bias.data;
  if (!constant || input.type.dtype !== 'int8' || output.type.dtype !== 'int8') return undefined;
  if (![input, weights, output].every((value) => value.type.quant)) return undefined;
  return { input, weights, bias, output };
}

/** Which channels the weight at a flat index joins. */
export interface WeightChannels {
  input(index: number): number;
  output(index: number): number;
}

export function weightChannels(node: Node, { input, weights, bias }: LinearOperands): WeightChannels {
  const [depth, filters] = [input.type.shape.at(-1)!, bias.data!.length];
  if (node.op === 'depthwiseConv2d') {
    const output = (index: number) => index % filters;
    return { output, input: (index) => Math.floor((output(index) * depth) / filters) };
  }
  const each = weights.data!.length / filters;
  return { output: (index) => Math.floor(index / each), input: (index) => index % depth };
}

/** Whether a window may hang over the edge, where the zero point stands instead of the channel's values. */
export function hasBorder(node: Node): boolean {
  return ((node.attrs['pads'] as number[] | undefined) ?? []).some((pad) => pad !== 0);
}

export function zeroPointOf(value: Value): number {
  return value.type.quant!.zeroPoint[0]!;
}

/**
 * TensorFlow Lite rounds negative halves of a depthwise convolution differently in the last few channels, so that
 * channels can move only where negative results are clamped away.
 */
export function roundsAlike(node: Node, { output }: LinearOperands): boolean {
  return (
    node.op !== 'depthwiseConv2d' || (node.attrs['activation'] !== 'none' && zeroPointOf(output) === -128)
  );
}
