import type { Attributes } from '../../../converter/ir/types.ts';
import type { GraphBuilder } from '../../support/graphs.ts';

export interface Problem {
  readonly name: string;
  /** Builds the graph and returns its outputs. */
  readonly build: (b: GraphBuilder) => readonly string[];
  /** Operators that the file must hold, in order. */
  readonly operators?: readonly string[];
}

const unary = (op: string, attrs: Attributes = {}): Problem => ({
  name: op,
  build: (b) => [b.node(op, [b.input('x', [1, 4, 5, 3])], attrs)],
});

/** Some operators only take positive numbers. */
const ofPositive = (op: string): Problem => ({
  name: op,
  build: (b) => [b.node(op, [b.node('abs', [b.input('x', [1, 4, 5, 3])])])],
});

const binary = (op: string, activation = 'none', shape: readonly number[] = [1, 4, 5, 3]): Problem => ({
  name: `${op} ${activation} of [1,4,5,3] and [${shape}]`,
  build: (b) => [b.node(op, [b.input('x', [1, 4, 5, 3]), b.input('y', shape)], { activation })],
});

interface Convolution {
  readonly size?: readonly [number, number];
  readonly kernel?: readonly [number, number];
  readonly strides?: readonly [number, number];
  readonly dilations?: readonly [number, number];
  readonly pads?: readonly [number, number, number, number];
  readonly activation?: string;
  readonly multiplier?: number;
}

function convolution(
  op: 'conv2d' | 'depthwiseConv2d',
  name: string,
  parts: Convolution,
  operators?: string[],
): Problem {
  const { size = [7, 6], kernel = [3, 3], multiplier = 2 } = parts;
  const attrs = {
    strides: parts.strides ?? [1, 1],
    dilations: parts.dilations ?? [1, 1],
    pads: parts.pads ?? [0, 0, 0, 0],
    activation: parts.activation ?? 'none',
  };
  const filters = op === 'conv2d' ? 4 : 3 * multiplier;
  const weights = op === 'conv2d' ? [filters, ...kernel, 3] : [1, ...kernel, filters];
  return {
    name: `${op} ${name}`,
    build: (b) => {
      const x = b.input('x', [1, ...size, 3]);
      return [b.node(op, [x, b.constant(weights), b.constant([filters])], attrs)];
    },
    ...(operators ? { operators } : {}),
  };
}

const convolutions = (['conv2d', 'depthwiseConv2d'] as const).flatMap((op) => {
  const builtin = op === 'conv2d' ? 'CONV_2D' : 'DEPTHWISE_CONV_2D';
  return [
    convolution(op, 'valid', {}, [builtin]),
    convolution(op, 'same', { pads: [1, 1, 1, 1], activation: 'relu' }, [builtin]),
    convolution(op, 'same, stride 2', { strides: [2, 2], pads: [1, 0, 1, 1], activation: 'relu6' }, [
      builtin,
    ]),
    convolution(op, 'symmetric pads, stride 2', { strides: [2, 2], pads: [1, 1, 1, 1] }, ['PAD', builtin]),
    convolution(op, 'one side', { pads: [0, 2, 0, 0], activation: 'reluN1To1' }, ['PAD', builtin]),
    convolution(op, 'dilated', { dilations: [2, 2], pads: [2, 2, 2, 2] }, [builtin]),
    convolution(op, 'kernel 1', { kernel: [1, 1], multiplier: 1 }, [builtin]),
    convolution(op, 'kernel 5x1, stride 2x1', { kernel: [5, 1], strides: [2, 1], pads: [2, 0, 2, 0] }),
  ];
});

const pool = (
  op: string,
  name: string,
  pads: readonly number[],
  operators: readonly string[],
  parts: { filter?: readonly number[]; strides?: readonly number[]; activation?: string } = {},
): Problem => ({
  name: `${op} ${name}`,
  operators,
  build: (b) => {
    const { filter = [2, 2], strides = [2, 2], activation = 'none' } = parts;
    return [b.node(op, [b.input('x', [1, 7, 6, 3])], { filter, strides, pads, activation })];
  },
});

const fullyConnected = (name: string, shape: readonly number[], activation = 'none'): Problem => ({
  name: `fullyConnected ${name}`,
  operators: ['FULLY_CONNECTED'],
  build: (b) => {
    const x = b.input('x', shape);
    return [b.node('fullyConnected', [x, b.constant([4, shape.at(-1)!]), b.constant([4])], { activation })];
  },
});

const shaped = (name: string, op: string, shape: readonly number[], attrs: Attributes, operator: string) => ({
  name,
  operators: [operator],
  build: (b: GraphBuilder) => [b.node(op, [b.input('x', shape)], attrs)],
});

/** Every operator of the IR in the forms that a TFLite file distinguishes, as float graphs. */
export const problems: readonly Problem[] = [
  ...['abs', 'elu', 'exp', 'hardSwish', 'logistic', 'neg', 'relu', 'relu6', 'reluN1To1', 'tanh'].map((op) =>
    unary(op),
  ),
  ofPositive('sqrt'),
  unary('leakyRelu', { alpha: 0.25 }),
  unary('softmax', { beta: 1 }),
  unary('softmax', { beta: 0.5 }),
  ...['add', 'sub', 'mul'].flatMap((op) => [
    binary(op),
    binary(op, 'relu', [1, 1, 1, 3]),
    binary(op, 'relu6', [3]),
    binary(op, 'reluN1To1', [1, 4, 1, 1]),
  ]),
  ...['maximum', 'minimum'].flatMap((op) => [binary(op), binary(op, 'relu', [1, 1, 5, 1])]),
  {
    name: 'div',
    build: (b) => {
      const y = b.node('add', [b.node('abs', [b.input('y', [1, 4, 5, 3])]), b.constant([1], [0.5])], {
        activation: 'none',
      });
      return [b.node('div', [b.input('x', [1, 4, 5, 3]), y], { activation: 'none' })];
    },
  },
  {
    name: 'mul by a constant, whose scales need the wide rescale',
    build: (b) => [
      b.node('mul', [b.input('x', [1, 4, 5, 3]), b.constant([3], [90, -7, 3])], { activation: 'reluN1To1' }),
    ],
  },
  ...convolutions,
  pool('averagePool2d', 'valid', [0, 0, 0, 0], ['AVERAGE_POOL_2D']),
  pool('averagePool2d', 'same', [0, 0, 1, 0], ['AVERAGE_POOL_2D'], { activation: 'relu' }),
  pool('averagePool2d', 'same 3x3', [1, 1, 1, 1], ['AVERAGE_POOL_2D'], { filter: [3, 3], strides: [1, 1] }),
  pool('maxPool2d', 'valid', [0, 0, 0, 0], ['MAX_POOL_2D']),
  pool('maxPool2d', 'same', [0, 0, 1, 0], ['MAX_POOL_2D'], { activation: 'relu' }),
  pool('maxPool2d', 'symmetric pads', [1, 1, 1, 1], ['PADV2', 'MAX_POOL_2D'], { filter: [3, 3] }),
  fullyConnected('of rows', [1, 6]),
  fullyConnected('of several rows', [3, 6], 'relu'),
  fullyConnected('of rank 3', [1, 5, 6], 'relu6'),
  shaped('concatenation of itself', 'reshape', [1, 2, 6], { shape: [1, 12] }, 'RESHAPE'),
  {
    name: 'concatenation',
    operators: ['CONCATENATION'],
    build: (b) => {
      const inputs = [b.input('x', [1, 4, 3]), b.input('y', [1, 4, 2])];
      return [b.node('concatenation', inputs, { axis: 2 })];
    },
  },
  shaped('mean, kept', 'mean', [1, 4, 5, 3], { axes: [1, 2], keepDims: true }, 'MEAN'),
  shaped('mean, dropped', 'mean', [1, 4, 5, 3], { axes: [1, 2], keepDims: false }, 'MEAN'),
  shaped('mean of the last axis', 'mean', [1, 4, 5], { axes: [2], keepDims: false }, 'MEAN'),
  shaped('pad', 'pad', [1, 4, 5, 3], { pads: [0, 0, 1, 2, 0, 3, 1, 0], value: 0 }, 'PAD'),
  shaped('pad with a value', 'pad', [1, 4, 5], { pads: [0, 0, 1, 2, 2, 0], value: 0.5 }, 'PADV2'),
  shaped('reshape', 'reshape', [1, 4, 6], { shape: [1, 2, 3, 4] }, 'RESHAPE'),
  shaped(
    'slice',
    'slice',
    [1, 6, 5, 3],
    { begin: [0, 1, 2, 0], size: [1, 4, 3, 2], strides: [1, 1, 1, 1] },
    'SLICE',
  ),
  shaped(
    'slice with strides',
    'slice',
    [1, 6, 5, 3],
    { begin: [0, 1, 0, 0], size: [1, 3, 2, 3], strides: [1, 2, 3, 1] },
    'STRIDED_SLICE',
  ),
  shaped('transpose', 'transpose', [1, 4, 5, 3], { perm: [0, 3, 1, 2] }, 'TRANSPOSE'),
  shaped('transpose of rank 3', 'transpose', [1, 4, 5], { perm: [0, 2, 1] }, 'TRANSPOSE'),
  {
    name: 'two outputs, one of them an intermediate value',
    build: (b) => {
      const hidden = b.node('relu', [b.input('x', [1, 8])]);
      return [hidden, b.node('tanh', [hidden])];
    },
  },
];
