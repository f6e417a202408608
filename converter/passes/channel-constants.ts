import { tensorOf } from '../ir/graph.ts';
import { elementCount } from '../ir/tensor.ts';
import type { Graph, Node, Value } from '../ir/types.ts';
import { callOf } from '../ops/call-of.ts';
import { opOf } from '../ops/index.ts';

/** The stored value of each channel (last axis) that is the same at every position for every input; else null. */
export type ChannelConstants = readonly (number | null)[];

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
  return { input, weights, bias, output };
}

/** Whether a window may hang over the edge, where the zero point stands instead of the channel's constant. */
export function hasBorder(node: Node): boolean {
  return ((node.attrs['pads'] as number[] | undefined) ?? []).some((pad) => pad !== 0);
}

export function zeroPointOf(value: Value): number {
  return value.type.quant!.zeroPoint[0]!;
}

/** Operators that give a channel's constant on unchanged. */
export function passesChannels(graph: Graph, node: Node): boolean {
  if (node.op === 'averagePool2d' || node.op === 'maxPool2d') return node.attrs['activation'] === 'none';
  const [from, to] = [tensorOf(graph, node.inputs[0]!), tensorOf(graph, node.outputs[0]!)];
  return node.op === 'reshape' && from.type.shape.at(-1) === to.type.shape.at(-1);
}

/** Whether output channel `channel` depends on nothing but channels that are known. */
function isDetermined(
  node: Node,
  operands: LinearOperands,
  known: (channel: number) => boolean,
  channel: number,
): boolean {
  const { weights, input, bias } = operands;
  const data = weights.data!;
  const depth = input.type.shape.at(-1)!;
  if (node.op === 'depthwiseConv2d') {
    if (known(Math.floor((channel * depth) / bias.data!.length))) return true;
    for (let i = channel; i < data.length; i += bias.data!.length) if (data[i] !== 0) return false;
    return true;
  }
  const each = data.length / bias.data!.length;
  for (let i = 0; i < each; i++) if (data[channel * each + i] !== 0 && !known(i % depth)) return false;
  return true;
}

/** One position of the operator's result away from the border, for an input that holds `held` in each channel. */
function onePosition(
  graph: Graph,
  node: Node,
  { input, output }: LinearOperands,
  held: readonly number[],
): Int8Array {
  const call = callOf(graph, node);
  const [weights, bias] = [call.inputs[1]!, call.inputs[2]!];
  const channels = output.type.shape.at(-1)!;
  const dilations = node.attrs['dilations'] as number[] | undefined;
  const reach = (axis: number) => (weights.shape[axis]! - 1) * dilations![axis - 1]! + 1;
  const window = dilations ? [1, reach(1), reach(2), held.length] : [1, held.length];
  const attrs = dilations ? { ...node.attrs, pads: [0, 0, 0, 0], strides: [1, 1] } : node.attrs;
  const result = { ...output.type, shape: dilations ? [1, 1, 1, channels] : [1, channels] };
  const kernel = opOf(node.op).integer!({
    ...call,
    attrs,
    inputs: [{ ...input.type, shape: window }, weights, bias],
    outputs: [result],
  });
  const x = Int8Array.from({ length: elementCount(window) }, (_, i) => held[i % held.length]!);
  const y = new Int8Array(channels);
  kernel([x, call.constants[1]!, call.constants[2]!], [y]);
  return y;
}

function linearConstants(
  graph: Graph,
  node: Node,
  operands: LinearOperands,
  before: ChannelConstants | undefined,
): ChannelConstants {
  const zero = zeroPointOf(operands.input);
  const border = hasBorder(node);
  const known = (channel: number) => {
    const held = before?.[channel] ?? null;
    return held !== null && (held === zero || !border);
  };
  const channels = operands.bias.data!.length;
  const determined = Array.from({ length: channels }, (_, channel) =>
    isDetermined(node, operands, known, channel),
  );
  if (!determined.includes(true)) return determined.map(() => null);
  const depth = operands.input.type.shape.at(-1)!;
  const held = Array.from({ length: depth }, (_, channel) => before?.[channel] ?? zero);
  const stored = onePosition(graph, node, operands, held);
  return determined.map((yes, channel) => (yes ? stored[channel]! : null));
}

/** Channels of each int8 value that hold one constant whatever the input. */
export function channelConstants(graph: Graph): ReadonlyMap<string, ChannelConstants> {
  const known = new Map<string, ChannelConstants>();
  for (const node of graph.nodes) {
    const before = known.get(node.inputs[0]!);
    const operands = linearOperands(graph, node);
    if (operands) known.set(node.outputs[0]!, linearConstants(graph, node, operands, before));
    else if (before && passesChannels(graph, node)) known.set(node.outputs[0]!, before);
  }
  return known;
}
