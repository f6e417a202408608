import { pruneUnused, tensorOf } from '../ir/graph.ts';
import { elementCount } from '../ir/tensor.ts';
import type { Graph, Node, Quantization, TensorData, TensorType, Value } from '../ir/types.ts';
import {
  type ChannelConstants,
  channelConstants,
  hasBorder,
  type LinearOperands,
  linearOperands,
  passesChannels,
  zeroPointOf,
} from './channel-constants.ts';

/** Channels of each value that need not be computed. */
type Dropped = ReadonlyMap<string, ReadonlySet<number>>;
const none: ReadonlySet<number> = new Set();

/** Whether all weights that read input channel `channel` are zero, over the filters that stay. */
function unread({ weights }: LinearOperands, channel: number, goneFilters: ReadonlySet<number>): boolean {
  const [data, depth] = [weights.data!, weights.type.shape.at(-1)!];
  const each = data.length / weights.type.shape[0]!;
  for (let i = channel; i < data.length; i += depth) {
    if (data[i] !== 0 && !goneFilters.has(Math.floor(i / each))) return false;
  }
  return true;
}

/**
 * TensorFlow Lite rounds negative halves of a depthwise convolution differently in the last few channels, so that
 * channels can move only where negative results are clamped away.
 */
function roundsAlike(node: Node, { output }: LinearOperands): boolean {
  return node.attrs['activation'] !== 'none' && zeroPointOf(output) === -128;
}

/** Whether `node` can do without input channel `channel`. */
function canSpare(graph: Graph, node: Node, channel: number, held: number | null, dropped: Dropped): boolean {
  const gone = dropped.get(node.outputs[0]!) ?? none;
  const operands = linearOperands(graph, node);
  if (!operands) return passesChannels(graph, node) && gone.has(channel);
  const depth = operands.input.type.shape.at(-1)!;
  if (node.op === 'depthwiseConv2d') {
    return operands.bias.data!.length === depth && roundsAlike(node, operands) && gone.has(channel);
  }
  if (unread(operands, channel, gone)) return true;
  return held !== null && (held === zeroPointOf(operands.input) || !hasBorder(node));
}

/** From the outputs to the inputs: a channel goes when every reader can spare it and its producer can leave it out. */
function droppedChannels(graph: Graph, constants: ReadonlyMap<string, ChannelConstants>): Dropped {
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes)
    for (const name of new Set(node.inputs)) readers.set(name, [...(readers.get(name) ?? []), node]);
  const outputs = new Set(graph.outputs.map((port) => port.value));
  const dropped = new Map<string, Set<number>>();
  for (const node of [...graph.nodes].reverse()) {
    const name = node.outputs[0]!;
    const users = readers.get(name) ?? [];
    if (
      outputs.has(name) ||
      users.length === 0 ||
      !(linearOperands(graph, node) || passesChannels(graph, node))
    )
      continue;
    const channels = tensorOf(graph, name).type.shape.at(-1)!;
    const held = constants.get(name);
    const spare = [...Array(channels).keys()].filter((channel) =>
      users.every(
        (user) => user.inputs[0] === name && canSpare(graph, user, channel, held?.[channel] ?? null, dropped),
      ),
    );
    dropped.set(name, new Set(spare.length === channels ? spare.slice(1) : spare));
  }
  return keepTogether(graph, dropped);
}

/** A pass-through drops on both sides or on none: what its input keeps (a producer that cannot drop) stays. */
function keepTogether(graph: Graph, dropped: Map<string, Set<number>>): Dropped {
  for (const node of graph.nodes) {
    const depthwise = node.op === 'depthwiseConv2d';
    if (!depthwise && !passesChannels(graph, node)) continue;
    const [before, after] = [dropped.get(node.inputs[0]!) ?? none, dropped.get(node.outputs[0]!)];
    if (!after) continue;
    for (const channel of [...after]) if (!before.has(channel)) after.delete(channel);
  }
  return dropped;
}

function filterQuantization(quant: Quantization, axis: number, gone: ReadonlySet<number>): Quantization {
  if (quant.axis !== axis) return quant;
  const kept = <T>(list: readonly T[]) => list.filter((_, i) => !gone.has(i));
  return { scale: kept(quant.scale), zeroPoint: kept(quant.zeroPoint), axis };
}

function withoutChannels(type: TensorType, axis: number, gone: ReadonlySet<number>): TensorType {
  const shape = type.shape.map((size, i) => (i === axis ? size - gone.size : size));
  return { ...type, shape, ...(type.quant ? { quant: filterQuantization(type.quant, axis, gone) } : {}) };
}

/** Elements of a constant along `axis` for which `keep` holds. */
function filterAxis(value: Value, axis: number, keep: (index: number) => boolean): TensorData {
  const size = value.type.shape[axis]!;
  const inner = elementCount(value.type.shape.slice(axis + 1));
  return (value.data as Int8Array).filter((_, i) => keep(Math.floor(i / inner) % size));
}

function filtered(value: Value, axis: number, gone: ReadonlySet<number>): Value {
  const data = filterAxis(value, axis, (index) => !gone.has(index));
  return { ...value, type: withoutChannels(value.type, axis, gone), data };
}

/** The bias with what the input channels that go would have added, which is the same at every position. */
function foldedBias(
  { weights, bias, input }: LinearOperands,
  constants: ChannelConstants | undefined,
  gone: ReadonlySet<number>,
): Value {
  const zero = zeroPointOf(input);
  const depth = weights.type.shape.at(-1)!;
  const each = weights.data!.length / bias.data!.length;
  const data = Int32Array.from(bias.data as Int32Array);
  for (let i = 0; i < weights.data!.length; i++) {
    const channel = i % depth;
    const weight = Number(weights.data![i]);
    if (weight !== 0 && gone.has(channel))
      data[Math.floor(i / each)]! += weight * ((constants?.[channel] ?? zero) - zero);
  }
  return { ...bias, data };
}

function slimLinear(
  node: Node,
  operands: LinearOperands,
  constants: ChannelConstants | undefined,
  before: ReadonlySet<number>,
  after: ReadonlySet<number>,
): [Value, Value] {
  if (node.op === 'depthwiseConv2d')
    return [filtered(operands.weights, 3, after), filtered(operands.bias, 0, after)];
  const bias = foldedBias(operands, constants, before);
  const weights = filtered(
    filtered(operands.weights, operands.weights.type.shape.length - 1, before),
    0,
    after,
  );
  return [weights, filtered(bias, 0, after)];
}

function unusedName(values: ReadonlyMap<string, Value>, base: string): string {
  let name = base;
  for (let i = 1; values.has(name); i++) name = `${base}_${i}`;
  return name;
}

function slimReshape(node: Node, gone: ReadonlySet<number>): Node {
  if (node.op !== 'reshape') return node;
  const shape = node.attrs['shape'] as readonly number[];
  return {
    ...node,
    attrs: { shape: shape.map((size, i) => (i === shape.length - 1 ? size - gone.size : size)) },
  };
}

/**
 * Leaves out channels of an int8 graph that nothing depends on: those that hold one constant whatever the input
 * (all their weights are zero, or read such channels), whose share goes into the next bias, and those that nobody
 * reads. Results are the same bytes. A constant that meets padding of another value is kept.
 */
export function dropDeadChannels(graph: Graph): Graph {
  const constants = channelConstants(graph);
  const dropped = droppedChannels(graph, constants);
  if ([...dropped.values()].every((gone) => gone.size === 0)) return graph;
  const values = new Map(graph.values);
  for (const [name, gone] of dropped) {
    const value = tensorOf(graph, name);
    values.set(name, { ...value, type: withoutChannels(value.type, value.type.shape.length - 1, gone) });
  }
  const nodes = graph.nodes.map((node) => {
    const before = dropped.get(node.inputs[0]!) ?? none;
    const after = dropped.get(node.outputs[0]!) ?? none;
    if (before.size + after.size === 0) return node;
    const operands = linearOperands(graph, node);
    if (!operands) return slimReshape(node, after);
    const [weights, bias] = slimLinear(node, operands, constants.get(node.inputs[0]!), before, after);
    const added = [weights, bias].map((value) => {
      const name = unusedName(values, `${value.name}/live`);
      values.set(name, { ...value, name });
      return name;
    });
    return { ...node, inputs: [node.inputs[0]!, ...added] };
  });
  return pruneUnused({ ...graph, nodes, values });
}
