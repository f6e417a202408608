import type { EditView, Patch, Rule } from '../ir/edit.ts';
import { elementCount } from '../ir/tensor.ts';
import type { Node, Value } from '../ir/types.ts';

/**
 * Products and sums with one constant a channel (what batch normalization is at inference) are folded into the
 * weights and bias of the linear operator before or after them.
 */
const linear = new Map([
  ['conv2d', 0],
  ['depthwiseConv2d', 3],
  ['fullyConnected', 0],
]);

type Factor = { readonly scale: (channel: number) => number; readonly offset: (channel: number) => number };

/** What `node` does to each channel of its computed input, if that is all it does. */
function factorOf(
  node: Node,
  channels: number,
  view: EditView,
): { input: string; factor: Factor } | undefined {
  if (node.attrs['activation'] !== 'none') return undefined;
  const side = node.inputs.findIndex((name) => view.value(name).data);
  if (side < 0 || node.inputs.every((name) => view.value(name).data)) return undefined;
  const constant = view.value(node.inputs[side]!);
  const { shape, dtype } = constant.type;
  const perChannel = shape.at(-1) === channels && elementCount(shape) === channels;
  if (dtype !== 'float32' || !(perChannel || elementCount(shape) === 1)) return undefined;
  const at = (channel: number) => Number(constant.data![perChannel ? channel : 0]);
  const input = node.inputs[1 - side]!;
  const none = () => 0;
  const one = () => 1;
  switch (node.op) {
    case 'mul':
      return { input, factor: { scale: at, offset: none } };
    case 'add':
      return { input, factor: { scale: one, offset: at } };
    case 'sub':
      return side === 1
        ? { input, factor: { scale: one, offset: (channel) => -at(channel) } }
        : { input, factor: { scale: () => -1, offset: at } };
    case 'div':
      return side === 1
        ? { input, factor: { scale: (channel) => 1 / at(channel), offset: none } }
        : undefined;
    default:
      return undefined;
  }
}

/** Elements of `value` multiplied by a number for each index of `axis`. */
function scaleAlong(value: Value, axis: number, scale: (index: number) => number): Float32Array {
  const { shape } = value.type;
  const size = shape[axis]!;
  const inner = elementCount(shape.slice(axis + 1));
  return Float32Array.from(
    value.data as Float32Array,
    (element, i) => Number(element) * scale(Math.floor(i / inner) % size),
  );
}

function renewed(
  node: Node,
  outputs: readonly string[],
  weights: Value,
  bias: Value,
  view: EditView,
  x = node.inputs[0]!,
): Patch {
  const w = { ...weights, name: view.fresh(`${node.inputs[1]}/folded`) };
  const b = { ...bias, name: view.fresh(`${node.inputs[2]}/folded`) };
  return { values: [w, b], add: [{ ...node, inputs: [x, w.name, b.name], outputs }] };
}

/** linear -> factor becomes linear. */
export const foldFactorsBackward: Rule = {
  name: 'fold-factors-backward',
  ops: ['mul', 'add', 'sub', 'div'],
  match(node, view) {
    const channels = view.value(node.outputs[0]!).type.shape.at(-1) ?? 0;
    const found = factorOf(node, channels, view);
    const producer = found && view.producer(found.input);
    const axis = producer && linear.get(producer.op);
    if (!found || !producer || axis === undefined || producer.attrs['activation'] !== 'none')
      return undefined;
    if (view.consumers(found.input).length !== 1 || view.isOutput(found.input)) return undefined;
    if (
      elementCount(view.value(found.input).type.shape) !==
      elementCount(view.value(node.outputs[0]!).type.shape)
    )
      return undefined;
    const [weights, bias] = [view.value(producer.inputs[1]!), view.value(producer.inputs[2]!)];
    if (!weights.data || !bias.data || weights.type.dtype !== 'float32') return undefined;
    const { scale, offset } = found.factor;
    const w = { ...weights, data: scaleAlong(weights, axis, scale) };
    const b = {
      ...bias,
      data: Float32Array.from(
        bias.data as Float32Array,
        (value, channel) => Number(value) * scale(channel) + offset(channel),
      ),
    };
    return { remove: [producer, node], ...renewed(producer, node.outputs, w, b, view) };
  },
};

/** The sum of each output channel's weights times the offset of their input channel. */
function offsetSums(weights: Value, offset: (channel: number) => number): Float64Array {
  const [filters, , , depth] =
    weights.type.shape.length === 4
      ? weights.type.shape
      : [weights.type.shape[0], 1, 1, weights.type.shape[1]];
  const sums = new Float64Array(filters!);
  const each = weights.data!.length / filters!;
  for (let i = 0; i < weights.data!.length; i++)
    sums[Math.floor(i / each)]! += Number(weights.data![i]) * offset(i % depth!);
  return sums;
}

/** factor -> linear becomes linear; an offset only where no padding with zeros comes between. */
export const foldFactorsForward: Rule = {
  name: 'fold-factors-forward',
  ops: ['conv2d', 'fullyConnected'],
  match(node, view) {
    const producer = view.producer(node.inputs[0]!);
    const [weights, bias] = [view.value(node.inputs[1]!), view.value(node.inputs[2]!)];
    const channels = view.value(node.inputs[0]!).type.shape.at(-1) ?? 0;
    const found = producer && factorOf(producer, channels, view);
    if (!found || !weights.data || !bias.data || weights.type.dtype !== 'float32') return undefined;
    if (
      elementCount(view.value(found.input).type.shape) !==
      elementCount(view.value(node.inputs[0]!).type.shape)
    )
      return undefined;
    const { scale, offset } = found.factor;
    const padded = ((node.attrs['pads'] as number[] | undefined) ?? []).some((size) => size !== 0);
    const hasOffset = Array.from({ length: channels }, (_, channel) => offset(channel)).some(
      (value) => value !== 0,
    );
    if (padded && hasOffset) return undefined;
    const sums = offsetSums(weights, offset);
    const w = { ...weights, data: scaleAlong(weights, weights.type.shape.length - 1, scale) };
    const b = {
      ...bias,
      data: Float32Array.from(bias.data as Float32Array, (value, filter) => Number(value) + sums[filter]!),
    };
    return { remove: [node], ...renewed(node, node.outputs, w, b, view, found.input) };
  },
};
