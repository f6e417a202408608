import { elementCount } from '../../converter/ir/tensor.ts';
import type { Attributes, Graph, Quantization, TensorData, Value } from '../../converter/ir/types.ts';
import { opOf } from '../../converter/ops/index.ts';
import { samePads } from '../../converter/ops/window.ts';

/** One quantized node with inputs for it; the same problem is given to every executor. */
export interface Problem {
  readonly name: string;
  readonly graph: Graph;
  readonly cases: readonly (readonly TensorData[])[];
}

/** Numbers from a linear congruential generator, the same for the same seed everywhere. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
    for (let i = 0; i < 8; i++) this.next();
  }

  /** In [0, 1). */
  next(): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return this.state / 2 ** 32;
  }

  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick<T>(list: readonly T[]): T {
    return list[this.integer(0, list.length - 1)]!;
  }

  /** Mostly uniform, with the extremes far more often than by chance. */
  int8(): number {
    return this.next() < 0.1 ? this.pick([-128, 127]) : this.integer(-128, 127);
  }

  int8s(count: number): Int8Array {
    return Int8Array.from({ length: count }, () => this.int8());
  }

  scale(low: number, high: number): number {
    return Math.fround(low * (high / low) ** this.next());
  }

  zeroPoint(): number {
    return this.next() < 0.3 ? this.pick([-128, 127, 0]) : this.integer(-128, 127);
  }
}

const casesPerProblem = 3;

interface Operand {
  readonly shape: readonly number[];
  readonly quant: Quantization;
  readonly data?: TensorData;
  readonly dtype?: 'int8' | 'int32' | 'float32';
}

/** A problem around one node; inputs without data become ports. */
function problem(
  random: Random,
  op: string,
  attrs: Attributes,
  operands: readonly Operand[],
  output: Quantization | undefined,
): Problem {
  const values: Value[] = operands.map(({ shape, quant, data, dtype = 'int8' }, i) => ({
    name: `x${i}`,
    type: { dtype, shape, ...(dtype === 'float32' ? {} : { quant }) },
    ...(data ? { data } : {}),
  }));
  const [result] = opOf(op).infer(
    values.map((value) => value.type),
    attrs,
  );
  const type = { dtype: result!.dtype, shape: result!.shape, ...(output ? { quant: output } : {}) };
  const ports = values.filter((value) => !value.data);
  const port = (name: string, shape: readonly number[]) => ({ name, value: name, shape });
  const dynamic = ports.map((value) => () => {
    const count = elementCount(value.type.shape);
    return value.type.dtype === 'float32'
      ? Float32Array.from({ length: count }, () => (random.next() - 0.5) * 12)
      : random.int8s(count);
  });
  const inputs = operands.map(({ shape }) => `[${shape.join(',')}]`).join(' ');
  return {
    name: `${op} ${inputs} -> [${result!.shape.join(',')}] ${JSON.stringify(attrs)}`,
    graph: {
      name: op,
      nodes: [{ op, inputs: values.map((v) => v.name), outputs: ['y'], attrs, origin: `layer/${op}` }],
      values: new Map([...values, { name: 'y', type }].map((value) => [value.name, value])),
      inputs: ports.map((value) => port(value.name, value.type.shape)),
      outputs: [port('y', result!.shape)],
    },
    cases: Array.from({ length: casesPerProblem }, () => dynamic.map((make) => make())),
  };
}

const one = (scale: number, zeroPoint: number): Quantization => ({ scale: [scale], zeroPoint: [zeroPoint] });
const anyQuant = (random: Random) => one(random.scale(0.002, 0.5), random.zeroPoint());
const activations = ['none', 'none', 'relu', 'relu6', 'reluN1To1'] as const;

/** Output scale that spreads sums of `terms` products over the int8 range, sometimes far off. */
function outputScale(random: Random, product: number, terms: number): number {
  const fitting = product * 128 * Math.sqrt(terms) * 0.7;
  return Math.fround(fitting * random.pick([1, 1, 1, 0.2, 5, 1 / 300]));
}

function weightsOf(random: Random, count: number): Int8Array {
  const style = random.integer(0, 5);
  if (style === 0) return new Int8Array(count).fill(-128);
  if (style === 1) return new Int8Array(count).fill(127);
  return random.int8s(count);
}

interface Window {
  readonly input: readonly number[];
  readonly kernel: readonly [number, number];
  readonly attrs: { strides: number[]; dilations: number[]; pads: number[] };
}

function windowOf(random: Random, channels: number): Window {
  const kernel = [random.integer(1, 5), random.integer(1, 5)] as const;
  const dilations = random.next() < 0.2 ? [random.integer(1, 2), random.integer(1, 3)] : [1, 1];
  const strides = random.next() < 0.4 ? [random.integer(1, 3), random.integer(1, 3)] : [1, 1];
  const size = kernel.map((taps, axis) => (taps - 1) * dilations[axis]! + random.integer(1, 8));
  const input = [1, size[0]!, size[1]!, channels];
  const pads = random.next() < 0.6 ? samePads(input, kernel, strides, dilations) : [0, 0, 0, 0];
  return { input, kernel, attrs: { strides, dilations, pads } };
}

/** Scales of weights: one for each channel, or one for all. */
function weightQuant(random: Random, channels: number, axis: number): Quantization {
  if (random.next() < 0.2) return one(random.scale(0.001, 0.02), 0);
  const scale = Array.from({ length: channels }, () => random.scale(0.0005, 0.02));
  return { scale, zeroPoint: scale.map(() => 0), axis };
}

function biasOf(random: Random, channels: number): Int32Array {
  const reach = random.pick([10, 1000, 100_000]);
  return Int32Array.from({ length: channels }, () => random.integer(-reach, reach));
}

interface Layer {
  readonly op: string;
  readonly attrs: Attributes;
  readonly input: readonly number[];
  readonly weights: readonly number[];
  readonly axis: number;
  readonly terms: number;
}

function weighted(random: Random, { op, attrs, input, weights, axis, terms }: Layer): Problem {
  const channels = weights[axis]!;
  const x = anyQuant(random);
  const quant = weightQuant(random, channels, axis);
  const largest = Math.max(...quant.scale);
  const y = one(outputScale(random, x.scale[0]! * largest, terms), random.zeroPoint());
  const bias = {
    scale: quant.scale.map((scale) => scale * x.scale[0]!),
    zeroPoint: quant.zeroPoint,
    ...(quant.scale.length > 1 ? { axis: 0 } : {}),
  };
  return problem(
    random,
    op,
    { ...attrs, activation: random.pick(activations) },
    [
      { shape: input, quant: x },
      { shape: weights, quant, data: weightsOf(random, elementCount(weights)) },
      { shape: [channels], quant: bias, data: biasOf(random, channels), dtype: 'int32' },
    ],
    y,
  );
}

const channelCounts = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 70];

function conv2d(random: Random): Problem {
  const depth = random.pick(channelCounts);
  const window = windowOf(random, depth);
  const weights = [random.pick(channelCounts), ...window.kernel, depth];
  const terms = window.kernel[0] * window.kernel[1] * depth;
  return weighted(random, { op: 'conv2d', ...window, weights, axis: 0, terms });
}

function depthwiseConv2d(random: Random): Problem {
  const depth = random.pick(channelCounts);
  const window = windowOf(random, depth);
  const weights = [1, ...window.kernel, depth * random.pick([1, 1, 1, 2, 3])];
  const terms = window.kernel[0] * window.kernel[1];
  return weighted(random, { op: 'depthwiseConv2d', ...window, weights, axis: 3, terms });
}

function fullyConnected(random: Random): Problem {
  const depth = random.integer(1, 300);
  const input = [random.pick([1, 1, 1, 3, 5]), depth];
  const weights = [random.pick(channelCounts), depth];
  return weighted(random, { op: 'fullyConnected', attrs: {}, input, weights, axis: 0, terms: depth });
}

const shapePairs: readonly (readonly [readonly number[], readonly number[]])[] = [
  [
    [1, 5, 7, 9],
    [1, 5, 7, 9],
  ],
  [
    [1, 5, 7, 9],
    [1, 1, 1, 9],
  ],
  [
    [1, 5, 7, 9],
    [1, 5, 7, 1],
  ],
  [
    [1, 1, 1, 9],
    [1, 5, 7, 9],
  ],
  [[1, 33], [1]],
  [
    [1, 4, 1, 3],
    [1, 1, 6, 1],
  ],
  [
    [1, 129],
    [1, 129],
  ],
];

/**
 * A result more than 256 times beyond the int8 range wraps in LiteRT's vector code, which works in 16 bits there; no
 * calibrated model comes near, so the scale of a sum or product is kept in proportion.
 */
function resultQuant(random: Random, op: string, a: Quantization, b: Quantization): Quantization {
  const [left, right] = [a.scale[0]!, b.scale[0]!];
  const unit = op === 'mul' ? left * right * 3 : (left + right) / 100;
  return one(Math.fround(unit * random.scale(1, 130)), random.zeroPoint());
}

function binary(op: string, sameScale: boolean) {
  return (random: Random): Problem => {
    const [left, right] = random.pick(shapePairs);
    const a = anyQuant(random);
    const b = sameScale ? a : anyQuant(random);
    const y = sameScale ? a : resultQuant(random, op, a, b);
    const constant = random.next() < 0.3 ? { data: random.int8s(elementCount(right)) } : {};
    return problem(
      random,
      op,
      { activation: sameScale ? 'none' : random.pick(activations) },
      [
        { shape: left, quant: a },
        { shape: right, quant: b, ...constant },
      ],
      y,
    );
  };
}

function unary(op: string, output?: Quantization, attrs: (random: Random) => Attributes = () => ({})) {
  return (random: Random): Problem => {
    const x = anyQuant(random);
    return problem(
      random,
      op,
      attrs(random),
      [{ shape: [1, random.integer(1, 9), 33], quant: x }],
      output ?? one(Math.fround(x.scale[0]! * random.scale(0.3, 3)), random.zeroPoint()),
    );
  };
}

function pool(op: string) {
  return (random: Random): Problem => {
    const window = windowOf(random, random.pick(channelCounts));
    const { strides } = window.attrs;
    const pads = random.next() < 0.5 ? samePads(window.input, window.kernel, strides) : [0, 0, 0, 0];
    const quant = anyQuant(random);
    const attrs = { filter: [...window.kernel], strides, pads, activation: random.pick(activations) };
    return problem(random, op, attrs, [{ shape: window.input, quant }], quant);
  };
}

function mean(random: Random): Problem {
  const shape = [1, random.integer(1, 9), random.integer(1, 9), random.pick(channelCounts)];
  const axes = random.pick([[1, 2], [1, 2], [1, 2], [1], [2], [3], [1, 2, 3]]);
  const x = anyQuant(random);
  const y = one(Math.fround(x.scale[0]! * random.scale(0.3, 2)), random.zeroPoint());
  const same = random.next() < 0.2;
  return problem(
    random,
    'mean',
    { axes, keepDims: random.next() < 0.5 },
    [{ shape, quant: x }],
    same ? x : y,
  );
}

function softmax(random: Random): Problem {
  const quant = one(random.scale(0.005, 1), random.zeroPoint());
  const shape = random.pick([
    [1, 2],
    [1, 10],
    [1, 12],
    [1, 70],
    [1, 5, 4],
  ]);
  return problem(
    random,
    'softmax',
    { beta: random.pick([1, 1, 0.5]) },
    [{ shape, quant }],
    one(1 / 256, -128),
  );
}

function moved(op: string, shape: readonly number[], attrs: (random: Random) => Attributes) {
  return (random: Random): Problem => {
    const quant = anyQuant(random);
    return problem(random, op, attrs(random), [{ shape, quant }], quant);
  };
}

function concatenation(random: Random): Problem {
  const quant = anyQuant(random);
  const axis = random.integer(1, 3);
  const operands = Array.from({ length: random.integer(1, 4) }, () => {
    const shape = [1, 3, 4, 5];
    shape[axis] = random.integer(1, 6);
    return { shape, quant };
  });
  return problem(random, 'concatenation', { axis }, operands, quant);
}

const permutations = [
  [0, 3, 1, 2],
  [0, 2, 3, 1],
  [0, 1, 3, 2],
  [0, 3, 2, 1],
  [0, 1, 2, 3],
];

function pads(random: Random): Attributes {
  const list = Array.from({ length: 8 }, (_, i) => (i < 2 ? 0 : random.integer(0, 3)));
  return { pads: list, value: random.next() < 0.7 ? 0 : random.pick([-1.5, 0.25, 3]) };
}

function box(random: Random): Attributes {
  const shape = [1, 6, 7, 5];
  const strides = [1, random.integer(1, 2), random.integer(1, 3), random.integer(1, 2)];
  const begin = shape.map((size) => random.integer(0, size - 1));
  const size = shape.map((extent, axis) =>
    random.integer(1, Math.floor((extent - 1 - begin[axis]!) / strides[axis]!) + 1),
  );
  return { begin, size, strides };
}

function quantizeReal(random: Random): Problem {
  const quant = one(random.scale(0.005, 0.2), random.zeroPoint());
  const input = { shape: [1, random.integer(1, 200)], quant, dtype: 'float32' } as const;
  return problem(random, 'quantize', { dtype: 'int8' }, [input], quant);
}

function dequantize(random: Random): Problem {
  return problem(random, 'dequantize', {}, [{ shape: [1, 100], quant: anyQuant(random) }], undefined);
}

/** Makers of one problem each, by operator; every operator with an int8 form is here. */
export const makers: readonly (readonly [string, (random: Random) => Problem])[] = [
  ['conv2d', conv2d],
  ['depthwiseConv2d', depthwiseConv2d],
  ['fullyConnected', fullyConnected],
  ['add', binary('add', false)],
  ['sub', binary('sub', false)],
  ['mul', binary('mul', false)],
  ['minimum', binary('minimum', true)],
  ['maximum', binary('maximum', true)],
  ['relu', unary('relu')],
  ['relu6', unary('relu6')],
  ['reluN1To1', unary('reluN1To1')],
  ['leakyRelu', unary('leakyRelu', undefined, (random) => ({ alpha: random.pick([0.01, 0.1, 0.3, 0.75]) }))],
  ['elu', unary('elu')],
  ['exp', unary('exp')],
  ['abs', unary('abs')],
  ['hardSwish', unary('hardSwish')],
  ['logistic', unary('logistic', one(1 / 256, -128))],
  ['tanh', unary('tanh', one(1 / 128, 0))],
  ['quantize', unary('quantize', undefined, () => ({ dtype: 'int8' }))],
  ['quantize', quantizeReal],
  ['dequantize', dequantize],
  ['averagePool2d', pool('averagePool2d')],
  ['maxPool2d', pool('maxPool2d')],
  ['mean', mean],
  ['softmax', softmax],
  ['reshape', moved('reshape', [1, 6, 4], () => ({ shape: [1, 24] }))],
  ['transpose', moved('transpose', [1, 5, 3, 4], (random) => ({ perm: random.pick(permutations) }))],
  ['pad', moved('pad', [1, 4, 3, 5], pads)],
  ['slice', moved('slice', [1, 6, 7, 5], box)],
  ['concatenation', concatenation],
];

/** `count` problems for every maker, the same for the same seed. */
export function makeProblems(seed: number, count: number): Problem[] {
  return makers.flatMap(([op, make]) => {
    const random = new Random(seed + elementCount([...op].map((letter) => (letter.charCodeAt(0) % 7) + 1)));
    return Array.from({ length: count }, () => make(random));
  });
}
