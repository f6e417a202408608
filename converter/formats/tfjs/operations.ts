import type { Shape, Value } from '../../ir/types.ts';
import { samePads } from '../../ops/window.ts';
import type { LayerBuilder, Padding } from './builder.ts';
import { weightShape } from './errors.ts';

/** How a window slides over [1,H,W,C]; explicit pads are top, left, bottom, right. */
export interface Sliding {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padding: Padding | readonly number[];
}

function padsFor(
  x: Value,
  kernel: readonly number[],
  { strides, dilations, padding }: Sliding,
): readonly number[] {
  if (padding === 'valid') return [0, 0, 0, 0];
  return padding === 'same' ? samePads(x.type.shape, kernel, strides, dilations) : padding;
}

function requireShape(build: LayerBuilder, weight: Value, wanted: Shape): void {
  const { shape } = weight.type;
  const fits =
    shape.length === wanted.length && shape.every((size, i) => wanted[i] === -1 || size === wanted[i]);
  if (!fits) throw weightShape(build.origin, weight.name, `have the shape [${shape}]`);
}

function biasFor(build: LayerBuilder, bias: Value | undefined, filters: number): Value {
  if (!bias) return build.constant(`${build.origin}/bias`, [filters], new Float32Array(filters));
  const flat = build.reshape(bias, [filters]);
  if (bias.data!.length !== filters)
    throw weightShape(build.origin, bias.name, `are ${bias.data!.length} for ${filters} channels`);
  return flat;
}

function channelsOf(build: LayerBuilder, x: Value): number {
  if (x.type.shape.length !== 4)
    throw build.refuse('a convolution', `its input has the shape [${x.type.shape}]`);
  return x.type.shape[3]!;
}

/** x [1,H,W,I] with a kernel [Kh,Kw,I,O]. */
export function convolve(
  build: LayerBuilder,
  x: Value,
  kernel: Value,
  bias: Value | undefined,
  sliding: Sliding,
): Value {
  requireShape(build, kernel, [-1, -1, channelsOf(build, x), -1]);
  const [height, width, , filters] = kernel.type.shape as [number, number, number, number];
  const { strides, dilations } = sliding;
  const pads = padsFor(x, [height, width], sliding);
  const inputs = [x, build.transpose(kernel, [3, 0, 1, 2]), biasFor(build, bias, filters)];
  return build.emit('conv2d', inputs, { strides, dilations, pads, activation: 'none' });
}

/** x [1,H,W,C] with a kernel [Kh,Kw,C,m]; channel c*m+q of the result reads channel c. */
export function convolveDepthwise(
  build: LayerBuilder,
  x: Value,
  kernel: Value,
  bias: Value | undefined,
  sliding: Sliding,
): Value {
  requireShape(build, kernel, [-1, -1, channelsOf(build, x), -1]);
  const [height, width, channels, multiplier] = kernel.type.shape as [number, number, number, number];
  const filters = channels * multiplier;
  const { strides, dilations } = sliding;
  const pads = padsFor(x, [height, width], sliding);
  const inputs = [x, build.reshape(kernel, [1, height, width, filters]), biasFor(build, bias, filters)];
  return build.emit('depthwiseConv2d', inputs, { strides, dilations, pads, activation: 'none' });
}

/** x [...,I] with a kernel [I,O]. */
export function connect(build: LayerBuilder, x: Value, kernel: Value, bias: Value | undefined): Value {
  requireShape(build, kernel, [x.type.shape.at(-1)!, -1]);
  const units = kernel.type.shape[1]!;
  const inputs = [x, build.transpose(kernel, [1, 0]), biasFor(build, bias, units)];
  return build.emit('fullyConnected', inputs, { activation: 'none' });
}

export function pool(
  build: LayerBuilder,
  op: 'maxPool2d' | 'averagePool2d',
  x: Value,
  filter: readonly number[],
  sliding: Omit<Sliding, 'dilations'>,
): Value {
  channelsOf(build, x);
  const pads = padsFor(x, filter, { ...sliding, dilations: [1, 1] });
  return build.emit(op, [x], { filter, strides: sliding.strides, pads, activation: 'none' });
}

/** [1,W,C] as [1,1,W,C], so that one spatial axis is worked on as two. */
export function asImage(build: LayerBuilder, x: Value): Value {
  const { shape } = x.type;
  if (shape.length !== 3) throw build.refuse('a layer for sequences', `its input has the shape [${shape}]`);
  return build.reshape(x, [shape[0]!, 1, shape[1]!, shape[2]!]);
}

/** Back from what `asImage` made. */
export function asSequence(build: LayerBuilder, x: Value): Value {
  const [batch, , width, channels] = x.type.shape as [number, number, number, number];
  return build.reshape(x, [batch, width, channels]);
}

export interface Normalization {
  readonly gamma?: Value | undefined;
  readonly beta?: Value | undefined;
  readonly mean: Value;
  readonly variance: Value;
  readonly epsilon: number;
}

/** (x - mean) / sqrt(variance + epsilon) * gamma + beta along the last axis, as a multiplication and an addition. */
export function normalize(
  build: LayerBuilder,
  x: Value,
  { gamma, beta, mean, variance, epsilon }: Normalization,
): Value {
  const channels = x.type.shape.at(-1)!;
  const elements = (value: Value | undefined, fallback: number) => {
    const data = value?.data ?? new Float32Array(channels).fill(fallback);
    if (data.length !== channels || !(data instanceof Float32Array)) {
      throw weightShape(build.origin, value?.name ?? '', `do not fit ${channels} channels`);
    }
    return data;
  };
  const [scales, offsets] = [elements(gamma, 1), elements(beta, 0)];
  const [means, variances] = [elements(mean, 0), elements(variance, 1)];
  const factors = Float64Array.from(scales, (scale, i) => scale / Math.sqrt(variances[i]! + epsilon));
  const shifts = Float32Array.from(offsets, (offset, i) => offset - means[i]! * factors[i]!);
  const factor = build.constant(`${build.origin}/scale`, [channels], Float32Array.from(factors));
  const product = build.binary('mul', x, factor);
  return build.binary('add', product, build.constant(`${build.origin}/offset`, [channels], shifts));
}

const simple: Readonly<Record<string, string>> = {
  relu: 'relu',
  relu6: 'relu6',
  sigmoid: 'logistic',
  tanh: 'tanh',
  elu: 'elu',
  exponential: 'exp',
};

/** clip(0.2 x + 0.5, 0, 1), as Keras up to version 2 and tfjs have it. */
function hardSigmoid(build: LayerBuilder, x: Value): Value {
  const line = build.binary('add', build.binary('mul', x, build.scalar(0.2)), build.scalar(0.5));
  return build.binary('minimum', build.binary('maximum', line, build.scalar(0)), build.scalar(1));
}

/** Keras's activation functions by name; undefined where there is none of that name. */
export function activate(build: LayerBuilder, x: Value, name: string): Value | undefined {
  if (name === 'linear') return x;
  if (simple[name]) return build.unary(simple[name], x);
  if (name === 'softmax') return build.emit('softmax', [x], { beta: 1 });
  if (name === 'swish' || name === 'silu') return build.binary('mul', x, build.unary('logistic', x));
  if (name === 'hardSigmoid' || name === 'hard_sigmoid') return hardSigmoid(build, x);
  if (name === 'softsign')
    return build.binary('div', x, build.binary('add', build.unary('abs', x), build.scalar(1)));
  return undefined;
}

export const activationNames = [
  'linear',
  ...Object.keys(simple),
  'softmax',
  'swish',
  'hard_sigmoid',
  'softsign',
];

/** A shape in which one size may be -1, for whatever is left. */
export function resolveShape(build: LayerBuilder, x: Value, wanted: readonly number[]): number[] {
  const total = x.type.shape.reduce((a, b) => a * b, 1);
  const known = wanted.filter((size) => size !== -1).reduce((a, b) => a * b, 1);
  const shape = wanted.map((size) => (size === -1 ? total / known : size));
  const fits =
    shape.every((size) => Number.isSafeInteger(size) && size > 0) &&
    shape.reduce((a, b) => a * b, 1) === total;
  if (!fits) throw build.refuse('a reshape', `[${x.type.shape}] cannot become [${wanted}]`);
  return shape;
}
