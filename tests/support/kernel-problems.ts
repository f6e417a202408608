import type { Attributes, Quantization, TensorData, TensorType } from '../../converter/ir/types.ts';
import type { OpCall } from '../../converter/ops/define-op.ts';
import { opOf } from '../../converter/ops/index.ts';
import { samePads } from '../../converter/ops/window.ts';
import type { Random } from '../kernels/problems.ts';

/** One call of an operator with inputs for it. */
export interface Problem {
  readonly name: string;
  readonly op: string;
  readonly call: OpCall<Attributes>;
  /** Those that are not constants, in order. */
  readonly inputs: readonly Int8Array[];
}

const one = (scale: number, zeroPoint: number): Quantization => ({ scale: [scale], zeroPoint: [zeroPoint] });
const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** Result of the reference evaluation. */
export function expectedResult({ op, call, inputs }: Problem): Int8Array {
  const result = new Int8Array(product(call.outputs[0]!.shape));
  let next = 0;
  const operands = call.inputs.map((_, i) => call.constants[i] ?? inputs[next++]!);
  opOf(op).integer!(call)(operands, [result]);
  return result;
}

/** How the weights of a layer are made. */
export type WeightStyle =
  | 'usual'
  | 'extreme'
  | 'lowest'
  | 'idle'
  | 'one-sided'
  | 'small'
  | 'growing'
  | 'group-limit'
  | 'sparse-blocks'
  | 'half-blocks'
  | 'scattered'
  | 'single-block'
  | 'few-values'
  | 'fewer-values';

/**
 * Weights of one channel in groups whose magnitudes sum to about 256, where the sums of two pixels in one word can
 * just, or just not, be told apart.
 */
function limitWeights(random: Random, taps: number): number[] {
  const size = random.pick([2, 3, 4, 8, 16]);
  const oneSign = random.pick([1, -1, 0]);
  return Array.from({ length: taps }, (_, k) => {
    const total = 254 + ((Math.floor(k / size) * 3 + (oneSign & 1)) % 5);
    const share = Math.floor(total / size) + (k % size < total % size ? 1 : 0);
    const weight = (oneSign || random.pick([1, -1])) * share;
    return Math.min(127, Math.max(-128, weight));
  });
}

function makeWeights(
  random: Random,
  style: WeightStyle,
  count: number,
  channels: number,
  axis: number,
): Int8Array {
  const channelOf = (i: number) => (axis === 0 ? Math.floor(i / (count / channels)) : i % channels);
  const tapOf = (i: number) => (axis === 0 ? i % (count / channels) : Math.floor(i / channels));
  const limits =
    style === 'group-limit'
      ? Array.from({ length: channels }, () => limitWeights(random, count / channels))
      : [];
  const bell = () => random.integer(-42, 42) + random.integer(-42, 42) + random.integer(-42, 42);
  const kept = new Map<string, boolean>();
  /** Blocks of two channels by some positions are zero or not as a whole. */
  const isKept = (i: number, taps: number, density: number) => {
    const key = `${Math.floor(channelOf(i) / 2)} ${Math.floor(tapOf(i) / taps)}`;
    if (!kept.has(key)) kept.set(key, random.next() < density);
    return kept.get(key)!;
  };
  const clusters = (count: number) => Math.round((random.integer(0, count - 1) * 240) / (count - 1)) - 120;
  const makers: Record<WeightStyle, (i: number) => number> = {
    usual: bell,
    extreme: () => random.pick([-127, 127]),
    lowest: () => random.pick([-128, -128, 127, -1]),
    idle: (i) => (channelOf(i) % 3 === 0 ? 0 : bell()),
    'one-sided': () => 127,
    small: () => random.integer(-12, 12),
    'group-limit': (i) => limits[channelOf(i)]![tapOf(i)]!,
    'sparse-blocks': (i) => (isKept(i, 4, 0.3) ? bell() : 0),
    'half-blocks': (i) => (isKept(i, 8, 0.35) ? random.pick([-128, 127, bell()]) : 0),
    'single-block': (i) => (tapOf(i) === Math.floor(count / channels) - 1 ? bell() : 0),
    'few-values': () => clusters(32),
    'fewer-values': () => clusters(16),
    scattered: () => (random.next() < 0.2 ? bell() : 0),
    growing: (i) => Math.round(((random.next() - 0.5) * 250 * i) / count),
  };
  return Int8Array.from({ length: count }, (_, i) => makers[style](i));
}

interface LayerShape {
  readonly op: 'conv2d' | 'depthwiseConv2d' | 'fullyConnected';
  readonly attrs: Attributes;
  readonly input: readonly number[];
  readonly weights: readonly number[];
  readonly axis: number;
}

/** What of a layer is not its shape; anything left out is random. */
export interface LayerNumbers {
  readonly style?: WeightStyle;
  /** Real scale of the requantization, of the channel with the largest. */
  readonly factor?: number;
  readonly outputZero?: number;
  readonly activation?: string;
  readonly biasReach?: number;
  /** Largest ratio between the scales of two channels. */
  readonly spread?: number;
}

const styles: readonly WeightStyle[] = ['usual', 'usual', 'usual', 'extreme', 'lowest', 'idle', 'one-sided'];

/** Factor that spreads sums of `terms` products over the results, or sometimes one at either end. */
function anyFactor(random: Random, terms: number): number {
  const fitting = 1 / (Math.sqrt(terms) * 40);
  return fitting * random.pick([1, 1, 1, 1, 1, 8, 40, 1 / 300, 2 ** -16]);
}

/** A layer of weighted sums. */
export function weightedLayer(random: Random, shape: LayerShape, numbers: LayerNumbers = {}): Problem {
  const { op, attrs, input, weights, axis } = shape;
  const channels = weights[axis]!;
  const terms = product(weights) / channels;
  const x = one(0.05, random.pick([-128, 127, 0, random.integer(-128, 127)]));
  const spread = numbers.spread ?? random.pick([1, 1, 4, 60]);
  const scale =
    random.next() < 0.2 ? [0.01] : Array.from({ length: channels }, () => 0.01 / spread ** random.next());
  const factor = numbers.factor ?? anyFactor(random, terms);
  const y = one((0.05 * Math.max(...scale)) / factor, numbers.outputZero ?? random.pick([-128, 127, -5, 30]));
  const reach = numbers.biasReach ?? random.pick([0, 100, 20_000]);
  const bias = Int32Array.from({ length: channels }, () => random.integer(-reach, reach));
  const data = makeWeights(random, numbers.style ?? random.pick(styles), product(weights), channels, axis);
  const types: TensorType[] = [
    { dtype: 'int8', shape: input, quant: x },
    { dtype: 'int8', shape: weights, quant: { scale, zeroPoint: scale.map(() => 0), axis } },
    { dtype: 'int32', shape: [channels] },
  ];
  const activation = numbers.activation ?? random.pick(['none', 'none', 'relu', 'relu6']);
  const allAttrs = { ...attrs, activation };
  const [result] = opOf(op).infer(types, allAttrs);
  const constants: (TensorData | undefined)[] = [undefined, data, bias];
  return {
    name: `${op} [${input.join(',')}] [${weights.join(',')}] ${JSON.stringify(allAttrs)}`,
    op,
    call: {
      attrs: allAttrs,
      inputs: types,
      outputs: [{ dtype: 'int8', shape: result!.shape, quant: y }],
      constants,
      origin: 'layer',
    },
    inputs: [random.int8s(product(input))],
  };
}

const depths = [1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 31, 33, 64, 70];

export interface WindowChoice {
  readonly kernel: readonly [number, number];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Outputs along each axis, about. */
  readonly size: readonly [number, number];
}

function windowAttributes(random: Random, batch: number, depth: number, choice: WindowChoice) {
  const { kernel, strides, dilations } = choice;
  const extent = kernel.map(
    (taps, axis) => (taps - 1) * dilations[axis]! + 1 + (choice.size[axis]! - 1) * strides[axis]!,
  );
  const input = [batch, extent[0]!, extent[1]!, depth];
  const free = () => random.integer(0, 3);
  const pads = random.pick([
    [0, 0, 0, 0],
    samePads(input, kernel, [...strides], [...dilations]),
    samePads(input, kernel, [...strides], [...dilations]),
    [free(), free(), free(), free()],
  ]);
  return { input, attrs: { strides, dilations, pads } };
}

function anyWindow(random: Random): WindowChoice {
  return {
    kernel: random.pick([
      [1, 1],
      [3, 3],
      [3, 3],
      [5, 5],
      [1, 3],
      [4, 10],
      [2, 2],
      [7, 1],
    ] as const),
    strides: random.pick([
      [1, 1],
      [1, 1],
      [2, 2],
      [1, 2],
      [3, 3],
    ]),
    dilations: random.pick([
      [1, 1],
      [1, 1],
      [1, 1],
      [2, 2],
      [1, 3],
    ]),
    size: [random.integer(1, 6), random.integer(1, 13)],
  };
}

/** What of a layer's shape is not random. */
export interface FixedShape {
  readonly depth?: number;
  readonly channels?: number;
  readonly rows?: number;
  readonly window?: WindowChoice;
}

export function convolution(random: Random, fixed: LayerNumbers & FixedShape = {}): Problem {
  const { depth = random.pick(depths), channels = random.pick(depths), ...numbers } = fixed;
  const choice = fixed.window ?? anyWindow(random);
  const { input, attrs } = windowAttributes(
    random,
    depth > 33 ? 1 : random.pick([1, 1, 1, 2]),
    depth,
    choice,
  );
  const weights = [channels, ...choice.kernel, depth];
  return weightedLayer(random, { op: 'conv2d', attrs, input, weights, axis: 0 }, numbers);
}

function squareWindow(random: Random, depth: number): WindowChoice {
  const strides = random.pick([
    [1, 1],
    [2, 2],
  ]);
  const size = [random.integer(1, 6), random.integer(1, depth > 16 ? 14 : 60)] as const;
  return { kernel: [3, 3], strides, dilations: [1, 1], size };
}

export function depthwise(random: Random, fixed: LayerNumbers & FixedShape = {}): Problem {
  const { depth = random.pick(depths), window, ...numbers } = fixed;
  const small = random.next() < 0.6;
  const choice = window ?? (small ? squareWindow(random, depth) : anyWindow(random));
  const { input, attrs } = windowAttributes(
    random,
    depth > 33 ? 1 : random.pick([1, 1, 1, 2]),
    depth,
    choice,
  );
  const weights = [1, ...choice.kernel, depth * random.pick([1, 1, 1, 2, 3])];
  return weightedLayer(random, { op: 'depthwiseConv2d', attrs, input, weights, axis: 3 }, numbers);
}

export function fullyConnected(random: Random, fixed: LayerNumbers & FixedShape = {}): Problem {
  const { channels = random.pick(depths), rows = random.pick([1, 1, 1, 4, 6]), ...numbers } = fixed;
  const depth = fixed.depth ?? random.pick([...depths, 100, 128, 131, 250]);
  const shape = {
    input: [rows, depth],
    weights: [channels, depth],
    axis: 0,
    attrs: {},
  };
  return weightedLayer(random, { op: 'fullyConnected', ...shape }, numbers);
}

/** The second operand may be one row that is repeated. */
export function addition(random: Random, repeated = false): Problem {
  const shape = [1, random.pick([1, 4, 5]), random.pick([4, 7, 16]), random.pick(depths)];
  const second = repeated ? [1, 1, 1, shape[3]!] : shape;
  const operand = () => one(random.scale(0.01, 0.2), random.zeroPoint());
  const [a, b] = [operand(), operand()];
  const activation = random.pick(['none', 'relu']);
  const size = Math.max(a.scale[0]!, b.scale[0]!) * random.scale(0.5, 3);
  const y = one(Math.fround(size), activation === 'relu' ? -128 : random.zeroPoint());
  return {
    name: `add [${shape.join(',')}] ${activation}`,
    op: 'add',
    call: {
      attrs: { activation },
      inputs: [
        { dtype: 'int8', shape, quant: a },
        { dtype: 'int8', shape: second, quant: b },
      ],
      outputs: [{ dtype: 'int8', shape, quant: y }],
      constants: [undefined, undefined],
      origin: 'layer',
    },
    inputs: [random.int8s(product(shape)), random.int8s(product(second))],
  };
}

export function pooling(random: Random, window?: readonly [number, number]): Problem {
  const op = random.pick(['averagePool2d', 'maxPool2d']);
  const filter = window ?? [random.integer(1, 5), random.integer(1, 5)];
  const strides = random.pick([
    [1, 1],
    [2, 2],
    [1, 3],
  ]);
  const input = [
    random.pick([1, 2]),
    filter[0]! + random.integer(0, 6),
    filter[1]! + random.integer(0, 6),
    random.pick(depths),
  ];
  const pads = random.pick([[0, 0, 0, 0], samePads(input, filter, strides)]);
  const attrs = { filter, strides, pads, activation: random.pick(['none', 'relu6']) };
  const type: TensorType = { dtype: 'int8', shape: input, quant: one(0.05, random.zeroPoint()) };
  const [result] = opOf(op).infer([type], attrs);
  return {
    name: `${op} [${input.join(',')}] ${JSON.stringify(attrs)}`,
    op,
    call: {
      attrs,
      inputs: [type],
      outputs: [{ ...type, shape: result!.shape }],
      constants: [undefined],
      origin: 'layer',
    },
    inputs: [random.int8s(product(input))],
  };
}
