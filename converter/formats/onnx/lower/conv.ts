import { elementCount } from '../../../ir/tensor.ts';
import type { Shape, TensorData, Value } from '../../../ir/types.ts';
import { attributeMalformed, constantMismatch, notConvertible } from '../errors.ts';
import type { NodeBuilder } from './builder.ts';
import {
  type FloatConstant,
  floatConstant,
  type Lowering,
  type LowerNode,
  onlyInputs,
  operand,
  rankOf,
} from './lowering.ts';
import { channelsFirst, channelsLast, kernelShape, type Window, windowOf } from './spatial.ts';

/** Convolutions with more groups, other than depthwise ones, would become too many operators. */
const mostGroups = 64;

interface Weights {
  /** [O,C/g,Kh,Kw]. */
  readonly filter: FloatConstant;
  readonly bias: FloatConstant;
}

function convAttributes({ strides, dilations, pads }: Window) {
  return { strides, dilations, pads, activation: 'none' };
}

function zeroBias(build: NodeBuilder, filter: FloatConstant, filters: number): FloatConstant {
  const make = () => new Float32Array(filters);
  return build.derive(filter, 'zero bias', [filters], make, ':bias') as FloatConstant;
}

function weightsOf(node: LowerNode, build: NodeBuilder, rank: number): Weights {
  const given = floatConstant(node, 1, 'weights');
  const { shape } = given.type;
  if (shape.length !== rank || elementCount(shape) === 0) {
    throw constantMismatch('Conv', `weights of shape [${shape.join(',')}] for an input of ${rank} axes`);
  }
  const [filters, depth, ...kernel] = shape as [number, number, ...number[]];
  const flat = kernel.length === 1 ? [filters, depth, 1, kernel[0]!] : shape;
  const filter = build.reshape(given, flat) as FloatConstant;
  const bias = node.inputs[2] ? floatConstant(node, 2, 'biases') : zeroBias(build, given, filters);
  return { filter, bias };
}

function plain(build: NodeBuilder, x: Value, { filter, bias }: Weights, window: Window): Value {
  const weights = build.transpose(filter, [0, 2, 3, 1]);
  return build.emit('conv2d', [x, weights, bias], convAttributes(window));
}

function depthwise(build: NodeBuilder, x: Value, { filter, bias }: Weights, window: Window): Value {
  const weights = build.transpose(filter, [1, 2, 3, 0]);
  return build.emit('depthwiseConv2d', [x, weights, bias], convAttributes(window));
}

/** Slice number `group` of `groups` along axis 0. */
function part(build: NodeBuilder, source: FloatConstant, group: number, groups: number): FloatConstant {
  const [first, ...rest] = source.type.shape as [number, ...number[]];
  const shape: Shape = [first / groups, ...rest];
  const count = elementCount(shape);
  const make = (): TensorData => source.data.slice(group * count, (group + 1) * count);
  return build.derive(source, `part ${group} of ${groups}`, shape, make) as FloatConstant;
}

/** Each group is a convolution of its own channels. */
function grouped(build: NodeBuilder, x: Value, weights: Weights, window: Window, groups: number): Value {
  const [batch, height, width, channels] = x.type.shape as [number, number, number, number];
  const size = [batch, height, width, channels / groups];
  const parts = Array.from({ length: groups }, (_, group) => {
    const begin = [0, 0, 0, (group * channels) / groups];
    const slice = build.emit('slice', [x], { begin, size, strides: [1, 1, 1, 1] }, ':group');
    const own = {
      filter: part(build, weights.filter, group, groups),
      bias: part(build, weights.bias, group, groups),
    };
    return plain(build, slice, own, window);
  });
  return build.emit('concatenation', parts, { axis: 3 });
}

export const conv: Lowering = {
  op: 'Conv',
  notes: `one or two spatial axes; constant weights; depthwise, or up to ${mostGroups} groups`,
  lower(node, build) {
    onlyInputs(node, 3);
    const x = operand(node, 0);
    const rank = rankOf(x);
    const input = channelsLast(build, x);
    const weights = weightsOf(node, build, rank);
    const [filters, depth] = weights.filter.type.shape as [number, number];
    const groups = node.attrs.int('group', 1);
    const channels = x.type.shape[1]!;
    if (!(groups >= 1) || channels !== depth * groups || filters % groups !== 0) {
      throw attributeMalformed(
        'group',
        `is ${groups}, which does not fit ${channels} input channels and weights for ${depth}`,
      );
    }
    if (weights.bias.type.shape.length !== 1 || weights.bias.type.shape[0] !== filters) {
      throw constantMismatch('Conv', `${filters} filters, but a bias of shape [${weights.bias.type.shape}]`);
    }
    const kernel = kernelShape(node, rank - 2, (node.inputs[1] as Value).type.shape.slice(2));
    const window = windowOf(node, x.type.shape, kernel);
    if (groups === 1) return [channelsFirst(build, plain(build, input, weights, window), rank)];
    if (depth === 1) return [channelsFirst(build, depthwise(build, input, weights, window), rank)];
    if (groups > mostGroups)
      throw notConvertible(`it has ${groups} groups; at most ${mostGroups} are possible`);
    return [channelsFirst(build, grouped(build, input, weights, window, groups), rank)];
  },
};
