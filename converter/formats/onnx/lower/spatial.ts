import type { Shape, Value } from '../../../ir/types.ts';
import { attributeMalformed, notConvertible } from '../errors.ts';
import type { NodeBuilder } from './builder.ts';
import { type LowerNode, rankOf } from './lowering.ts';

/** Largest kernel, stride, dilation or padding; TFLite keeps them in 32 bits. */
const largest = 2 ** 20;

/** Window geometry of the graph's operators; one-dimensional windows have height 1. */
export interface Window {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** Top, left, bottom, right. */
  readonly pads: readonly [number, number, number, number];
}

/** [N,C,H,W] or [N,C,L] as [N,H,W,C], with H = 1 for the latter. */
export function channelsLast(build: NodeBuilder, x: Value): Value {
  const rank = rankOf(x);
  if (rank === 4) return build.transpose(x, [0, 2, 3, 1], ':nhwc');
  if (rank !== 3) throw notConvertible(`its input has ${rank} axes; one or two spatial axes are possible`);
  const [batch, channels, length] = x.type.shape as [number, number, number];
  return build.reshape(build.transpose(x, [0, 2, 1], ':nlc'), [batch, 1, length, channels]);
}

/** The way back to the rank that the ONNX node has. */
export function channelsFirst(build: NodeBuilder, y: Value, rank: number): Value {
  if (rank === 4) return build.transpose(y, [0, 3, 1, 2], ':nchw');
  const [batch, , length, channels] = y.type.shape as [number, number, number, number];
  return build.transpose(build.reshape(y, [batch, length, channels]), [0, 2, 1], ':ncl');
}

/** One number for each spatial axis. */
function perAxis(node: LowerNode, name: string, count: number, otherwise: number): readonly number[] {
  const values = node.attrs.ints(name) ?? new Array<number>(count).fill(otherwise);
  const valid = values.every((value) => Number.isInteger(value) && value >= otherwise && value <= largest);
  if (values.length !== count || !valid) {
    throw attributeMalformed(name, `is [${values.slice(0, 8).join(',')}] for ${count} spatial axes`);
  }
  return values;
}

/** kernel_shape, which pooling must have and convolution may repeat. */
export function kernelShape(node: LowerNode, count: number, own: Shape | undefined): readonly number[] {
  const given = node.attrs.ints('kernel_shape') ?? own;
  const valid = given?.every((size) => Number.isInteger(size) && size >= 1 && size <= largest);
  const fits = given?.length === count && (own === undefined || own.every((size, i) => size === given[i]));
  if (!given || !valid || !fits) {
    throw attributeMalformed(
      'kernel_shape',
      `is [${given?.slice(0, 8).join(',') ?? ''}], which does not fit`,
    );
  }
  return given;
}

/** Padding before and after one axis for auto_pad SAME: as much as ceil(size / stride) positions need. */
function samePadding(size: number, reach: number, stride: number, lower: boolean): readonly [number, number] {
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + reach - size);
  const less = Math.floor(total / 2);
  return lower ? [total - less, less] : [less, total - less];
}

interface AxisPads {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

function padding(
  node: LowerNode,
  spatial: Shape,
  reach: readonly number[],
  strides: readonly number[],
): AxisPads {
  const count = spatial.length;
  const mode = node.attrs.string('auto_pad', 'NOTSET') || 'NOTSET';
  const pads = perAxis(node, 'pads', 2 * count, 0);
  switch (mode) {
    case 'NOTSET':
      return { before: pads.slice(0, count), after: pads.slice(count) };
    case 'VALID':
      return { before: spatial.map(() => 0), after: spatial.map(() => 0) };
    case 'SAME_UPPER':
    case 'SAME_LOWER': {
      const pairs = spatial.map((size, axis) =>
        samePadding(size, reach[axis]!, strides[axis]!, mode === 'SAME_LOWER'),
      );
      return { before: pairs.map(([before]) => before), after: pairs.map(([, after]) => after) };
    }
    default:
      throw attributeMalformed('auto_pad', `is "${mode.slice(0, 40)}"`);
  }
}

/**
 * ceil_mode counts a last window that reaches over the end, if it starts inside the input or the padding before
 * it; the padding after the axis is what that window needs.
 */
function ceiledPadding(size: number, before: number, after: number, reach: number, stride: number): number {
  let count = Math.ceil((size + before + after - reach) / stride) + 1;
  if ((count - 1) * stride >= size + before) count--;
  return Math.max(0, (count - 1) * stride + reach - size - before);
}

/** Kernel, strides, dilations and padding (`ceil`: also what ceil_mode adds) of a convolution or pooling over [N,C,...spatial]. */
export function windowOf(node: LowerNode, input: Shape, kernel: readonly number[], ceil = false): Window {
  const spatial = input.slice(2);
  const strides = perAxis(node, 'strides', spatial.length, 1);
  const dilations = perAxis(node, 'dilations', spatial.length, 1);
  const reach = kernel.map((size, axis) => (size - 1) * dilations[axis]! + 1);
  const { before, after } = padding(node, spatial, reach, strides);
  const end = ceil
    ? after.map((pad, axis) =>
        ceiledPadding(spatial[axis]!, before[axis]!, pad, reach[axis]!, strides[axis]!),
      )
    : after;
  return {
    kernel: twoAxes(kernel, 1),
    strides: twoAxes(strides, 1),
    dilations: twoAxes(dilations, 1),
    pads: [...twoAxes(before, 0), ...twoAxes(end, 0)],
  };
}

function twoAxes(values: readonly number[], filler: number): readonly [number, number] {
  return values.length === 1 ? [filler, values[0]!] : [values[0]!, values[1]!];
}
