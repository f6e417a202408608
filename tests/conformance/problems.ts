import { elementCount } from '../../converter/ir/tensor.ts';
import type { Graph, TensorData, TensorType, Value } from '../../converter/ir/types.ts';
import { opOf } from '../../converter/ops/index.ts';
import { makers, type Problem, Random } from '../kernels/problems.ts';
import {
  addition,
  convolution,
  depthwise,
  type FixedShape,
  fullyConnected,
  type Problem as KernelProblem,
  type LayerNumbers,
  pooling,
  type WeightStyle,
  type WindowChoice,
  weightedLayer,
} from '../support/kernel-problems.ts';

/** Scales as a model file holds them. */
function stored(type: TensorType): TensorType {
  const { quant } = type;
  return quant ? { ...type, quant: { ...quant, scale: quant.scale.map(Math.fround) } } : type;
}

/** Quantization that biases have in a model: the product of those of input and weights. */
function biasType(type: TensorType, [x, weights]: readonly TensorType[]): TensorType {
  const scale = weights!.quant!.scale.map((value) => Math.fround(Math.fround(value) * x!.quant!.scale[0]!));
  const quant = { scale, zeroPoint: scale.map(() => 0), ...(scale.length > 1 ? { axis: 0 } : {}) };
  return { ...type, quant };
}

/** The call as a graph of one node. */
function graphOf({ op, call }: KernelProblem): Graph {
  const inputs: Value[] = call.inputs.map((type, i) => {
    const data = call.constants[i];
    const own = type.dtype === 'int32' ? biasType(type, call.inputs) : stored(type);
    return { name: `x${i}`, type: own, ...(data ? { data } : {}) };
  });
  const port = ({ name, type }: Value) => ({ name, value: name, shape: type.shape });
  const output = { name: 'y', type: stored(call.outputs[0]!) };
  const names = inputs.map(({ name }) => name);
  return {
    name: op,
    nodes: [{ op, inputs: names, outputs: ['y'], attrs: call.attrs, origin: `layer/${op}` }],
    values: new Map([...inputs, output].map((value) => [value.name, value])),
    inputs: inputs.filter(({ data }) => !data).map(port),
    outputs: [port(output)],
  };
}

/** Inputs that drive sums to their ends: all the lowest, all the highest, or nothing else than these two. */
function endInput(random: Random, length: number): Int8Array {
  const fill = random.pick([-128, 127, undefined]);
  return Int8Array.from({ length }, () => fill ?? random.pick([-128, 127]));
}

/** Every problem is run on two cases: any values, and those at the ends. */
function withEnds(random: Random, name: string, graph: Graph, first: readonly TensorData[]): Problem {
  const ends = first.map((data) => (data instanceof Int8Array ? endInput(random, data.length) : data));
  return { name, graph, cases: [first, ends] };
}

type Maker = (random: Random) => KernelProblem;

const styles: readonly WeightStyle[] = [
  'usual',
  'extreme',
  'lowest',
  'idle',
  'one-sided',
  'small',
  'growing',
  'group-limit',
];

/** Around the bounds of the proofs: 2^23 for the second of dual weights, 2^30 for a sum that is shifted left. */
const biasReaches = [
  0,
  100,
  100,
  20_000,
  20_000,
  2 ** 22,
  2 ** 23 - 2 ** 12,
  2 ** 23,
  2 ** 29,
  2 ** 30,
  2 ** 30 + 2 ** 29,
];

/** Both ends of the shifts, around the scales of 1/4, 1/2 and 1 where forms change, and one beyond 1. */
const factors = [2 ** -30, 2 ** -24, 2 ** -16, 0.24, 0.25, 0.26, 0.49, 0.51, 0.99, 1, 1.01, 3];

/** Mostly numbers of a usual layer, each of them at an end now and then. */
function anyNumbers(random: Random): LayerNumbers {
  const at = random.next();
  return {
    style: random.pick(styles),
    activation: random.pick(['none', 'none', 'relu', 'relu6', 'reluN1To1']),
    outputZero: random.zeroPoint(),
    ...(at < 0.2 ? { factor: random.pick(factors) } : {}),
    ...(at > 0.8 ? { biasReach: random.pick(biasReaches) } : {}),
  };
}

const anyDepth = (random: Random) => (random.next() < 0.4 ? random.integer(1, 9) : random.integer(1, 70));

const anyChannels = (random: Random): FixedShape => ({
  depth: anyDepth(random),
  channels: anyDepth(random),
});

const any =
  (make: (random: Random, fixed: LayerNumbers & FixedShape) => KernelProblem): Maker =>
  (random) =>
    make(random, { ...anyNumbers(random), ...anyChannels(random) });

/** Windows larger than the image, so that most of what they cover is padding. */
const wideWindow: WindowChoice = { kernel: [5, 5], strides: [1, 1], dilations: [2, 2], size: [1, 2] };

/**
 * Halves go away from zero on both sides of it, which no line does: in channels beyond the last multiple of 4, and
 * with a scale that gives many halves.
 */
const awayFromZero = {
  channels: 7,
  depth: 30,
  outputZero: 3,
  activation: 'none',
  factor: 2 ** -8,
  spread: 1,
  biasReach: 100,
} as const;

/** The problem with biases so large that sums leave 32 bits. */
function overflowing(make: Maker): Maker {
  return (random) => {
    const problem = make(random);
    const [x, weights, bias] = problem.call.constants;
    const ends = Int32Array.from(bias as Int32Array, () => random.pick([2 ** 31 - 1, -(2 ** 31)]));
    return { ...problem, call: { ...problem.call, constants: [x, weights, ends] } };
  };
}

/** A scale of more than 1/4, which leaves a linear form no bits to shift. */
const steep = { channels: 6, depth: 30, factor: 0.3, spread: 1, biasReach: 100 } as const;

const oneScale = { channels: 67, spread: 1, factor: 0.0005, biasReach: 100 } as const;

/** One result, or a few with padding. */
const narrowWindow: WindowChoice = { kernel: [1, 3], strides: [1, 1], dilations: [1, 1], size: [1, 1] };

const square = (rows: number, columns: number): WindowChoice => ({
  kernel: [3, 3],
  strides: [1, 1],
  dilations: [1, 1],
  size: [rows, columns],
});

/** Second channels whose sums reach 2^23, what dual weights bear: just below, at and beyond it. */
const deepLayers: readonly Maker[] = [
  ...[508, 512, 513, 516, 520].map(
    (depth): Maker =>
      (random) =>
        fullyConnected(random, { depth, style: 'one-sided', biasReach: 100 }),
  ),
  ...[510, 515, 516].map(
    (depth): Maker =>
      (random) =>
        fullyConnected(random, { depth, style: 'extreme', biasReach: 100 }),
  ),
];

const matrixLayers: readonly Maker[] = [1, 5].flatMap((rows): Maker[] => [
  (random) => fullyConnected(random, { rows, ...oneScale }),
  (random) => fullyConnected(random, { rows, style: 'lowest', ...oneScale }),
  (random) => fullyConnected(random, { rows, style: 'usual', ...awayFromZero }),
  (random) => fullyConnected(random, { rows, style: 'lowest', ...awayFromZero }),
  (random) => fullyConnected(random, { rows, style: 'usual', ...steep }),
  (random) => fullyConnected(random, { rows, style: 'lowest', ...steep }),
]);

/** Layers of so many weights that the RV32 kernels put four of them to a word. */
const wideLayers: readonly Maker[] = (['small', 'growing', 'group-limit'] as const).flatMap(
  (style): Maker[] => [
    (random) => fullyConnected(random, { rows: 1, depth: 200, channels: 96, style, biasReach: 100 }),
    (random) => fullyConnected(random, { ...steep, rows: 1, depth: 200, channels: 96, style }),
  ],
);

const convolutions: readonly Maker[] = [
  ...(['usual', 'lowest'] as const).flatMap((style): Maker[] => [
    (random) => convolution(random, { style, depth: 9, ...oneScale }),
    (random) => convolution(random, { style, ...awayFromZero }),
    (random) => convolution(random, { style, window: narrowWindow, ...awayFromZero }),
    (random) => convolution(random, { style, ...steep }),
    (random) => convolution(random, { style, window: narrowWindow, ...steep }),
    (random) => convolution(random, { style, window: narrowWindow, factor: 0.001, biasReach: 100 }),
    (random) => convolution(random, { style, window: narrowWindow, depth: 9, ...oneScale }),
  ]),
  (random) => convolution(random, { window: wideWindow }),
  overflowing(convolution),
  overflowing(fullyConnected),
];

const depthwiseLayers: readonly Maker[] = [
  overflowing(depthwise),
  ...[0.3, 0.003].map(
    (factor): Maker =>
      (random) =>
        depthwise(random, { depth: 1, window: square(3, 5), style: 'usual', factor, biasReach: 100 }),
  ),
  (random) => depthwise(random, { window: wideWindow }),
  (random) => depthwise(random, { outputZero: 3, activation: 'none', biasReach: 100 }),
  (random) => depthwise(random, { window: narrowWindow, depth: 5, factor: 0.01, biasReach: 100 }),
  (random) =>
    depthwise(random, { window: narrowWindow, ...awayFromZero, depth: random.integer(5, 30), factor: 0.02 }),
  (random) => depthwise(random, { window: { ...narrowWindow, strides: [2, 3] } }),
  (random) => depthwise(random, { window: { ...narrowWindow, kernel: [11, 10] }, depth: 3 }),
  (random) => depthwise(random, { window: { ...narrowWindow, dilations: [1, 171] }, depth: 2 }),
  (random) => depthwise(random, { window: square(1, 2), depth: 1030 }),
  (random) => depthwise(random, { window: square(2, 260), depth: 2 }),
];

/** A window that stands on nothing else than padding. */
const onPadding: Maker = (random) => {
  const depth = random.integer(2, 9);
  const attrs = { strides: [1, 5], dilations: [1, 1], pads: [0, 3, 0, 0] };
  const shape = { input: [1, 2, 1, depth], weights: [1, 1, 1, depth], axis: 3, attrs };
  return weightedLayer(random, { op: 'depthwiseConv2d', ...shape }, { factor: 0.01 });
};

/** Means over two neighbours, whose loop a compiler simplifies most. */
const meanOfTwo: Maker = (random) => {
  const quant = { scale: [random.scale(0.01, 0.1)], zeroPoint: [random.zeroPoint()] };
  const y = { scale: [random.scale(0.01, 0.1)], zeroPoint: [random.zeroPoint()] };
  const shape = [1, 1, random.integer(1, 9), 2];
  const call = {
    attrs: { axes: [3], keepDims: true },
    inputs: [{ dtype: 'int8' as const, shape, quant }],
    outputs: [{ dtype: 'int8' as const, shape: [...shape.slice(0, 3), 1], quant: y }],
    constants: [undefined],
    origin: 'layer',
  };
  return { name: `mean [${shape.join(',')}]`, op: 'mean', call, inputs: [random.int8s(elementCount(shape))] };
};

/** Weights with zeros, in blocks and scattered, and with few values, in layers with enough of them. */
const compressedLayers: readonly Maker[] = [
  ...(['sparse-blocks', 'half-blocks', 'scattered', 'single-block'] as const).flatMap((style): Maker[] => [
    (random) =>
      convolution(random, { style, window: square(3, 3), depth: random.integer(16, 40), channels: 9 }),
    (random) => fullyConnected(random, { style, rows: random.integer(1, 6), depth: 200 }),
    (random) => fullyConnected(random, { style, ...steep, rows: random.pick([1, 5]), depth: 64 }),
  ]),
  ...(['few-values', 'fewer-values', 'scattered'] as const).flatMap((style): Maker[] => [
    (random) => fullyConnected(random, { style, rows: 90, depth: 40, channels: 40 }),
    (random) => fullyConnected(random, { style, rows: 90, ...awayFromZero, depth: 40, channels: 39 }),
  ]),
];

/** Problems made for a form or a fallback that chance seldom gives. */
const rare: readonly Maker[] = [
  ...deepLayers,
  ...matrixLayers,
  ...wideLayers,
  ...convolutions,
  ...depthwiseLayers,
  ...compressedLayers,
  onPadding,
  meanOfTwo,
  (random) => addition(random, true),
  (random) => pooling(random, [16, 16]),
  (random) => pooling(random, [17, 16]),
];

/** Makers of single calls with numbers at the ends, and how many of each a round has. */
const kernelMakers: readonly (readonly [number, Maker])[] = [
  [320, any(convolution)],
  [260, any(depthwise)],
  [160, any(fullyConnected)],
  [90, (random) => addition(random, random.next() < 0.2)],
  [80, pooling],
  ...rare.map((make) => [8, make] as const),
];

/** Of each operator with an int8 form. */
const perOperator = 24;

/** Work and elements beyond these would tell nothing more, and take the emulators' time and memory. */
const mostMacs = 150_000;
const mostElements = 30_000;

function isSmall({ op, call }: KernelProblem): boolean {
  const macs = opOf(op).macs?.(call.inputs, call.outputs, call.attrs) ?? 0;
  const elements = [...call.inputs, ...call.outputs].reduce((sum, { shape }) => sum + elementCount(shape), 0);
  return macs <= mostMacs && elements <= mostElements;
}

function smallEnough(random: Random, make: Maker): KernelProblem {
  let problem = make(random);
  while (!isSmall(problem)) problem = make(random);
  return problem;
}

/** Problems of one node with two cases each, the same for the same seed; about 2,200 a round. */
export function conformanceProblems(seed: number, rounds: number): Problem[] {
  const random = new Random(seed);
  const many = <T>(count: number, make: () => T) => Array.from({ length: count * rounds }, make);
  const single = kernelMakers.flatMap(([count, make]) =>
    many(count, () => {
      const problem = smallEnough(random, make);
      return withEnds(random, problem.name, graphOf(problem), problem.inputs);
    }),
  );
  const anyOperator = makers.flatMap(([, make]) =>
    many(perOperator, () => {
      const { name, graph, cases } = make(random);
      return withEnds(random, name, graph, cases[0]!);
    }),
  );
  return [...single, ...anyOperator];
}
