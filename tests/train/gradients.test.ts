import { beforeAll, describe, expect, test } from 'vitest';
import { tensorOf } from '../../converter/ir/graph.ts';
import { elementCount } from '../../converter/ir/tensor.ts';
import type { Graph } from '../../converter/ir/types.ts';
import { metricFor } from '../../converter/metrics/metric.ts';
import type { Tf } from '../../converter/ops/define-op.ts';
import { loadTraining } from '../../converter/train/load-training.ts';
import { objectiveFor } from '../../converter/train/objective.ts';
import { Trainer, trainingSet } from '../../converter/train/trainer.ts';
import { GraphBuilder, randomFloats } from '../support/graphs.ts';

let tf: Tf;
beforeAll(async () => {
  tf = await loadTraining();
});

const count = 3;

type Layers = (build: GraphBuilder, x: string) => string;

const plain = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], activation: 'none' };

function conv(attrs: object, from: number, to: number, kernel = 3): Layers {
  return (build, x) => {
    const weights = build.constant([to, kernel, kernel, from]);
    return build.node('conv2d', [x, weights, build.constant([to])], { ...plain, ...attrs });
  };
}

function depthwise(attrs: object, channels: number, multiplier = 1): Layers {
  return (build, x) => {
    const weights = build.constant([1, 3, 3, channels * multiplier]);
    const bias = build.constant([channels * multiplier]);
    return build.node('depthwiseConv2d', [x, weights, bias], { ...plain, ...attrs });
  };
}

const unary =
  (op: string, attrs: object = {}): Layers =>
  (build, x) =>
    build.node(op, [x], attrs as never);

const pool = { filter: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0], activation: 'none' };

/** Every kind of layer that stands between trained ones, on 6 x 6 images of 4 channels. */
const between: Readonly<Record<string, Layers>> = {
  'conv, stride 2, uneven pads': conv({ strides: [2, 2], pads: [0, 1, 2, 1], activation: 'relu6' }, 4, 4),
  'conv, dilated': conv({ dilations: [2, 2], pads: [2, 2, 2, 2], activation: 'reluN1To1' }, 4, 4),
  'conv, 1 x 1, stride 2': conv({ strides: [2, 1] }, 4, 4, 1),
  depthwise: depthwise({ pads: [1, 1, 1, 1], activation: 'relu' }, 4),
  'depthwise, stride 2, uneven pads': depthwise({ strides: [2, 1], pads: [0, 1, 1, 2] }, 4),
  'depthwise, multiplier 2': depthwise({ pads: [1, 0, 1, 0], activation: 'relu6' }, 4, 2),
  leakyRelu: unary('leakyRelu', { alpha: 0.2 }),
  elu: unary('elu'),
  hardSwish: unary('hardSwish'),
  logistic: unary('logistic'),
  tanh: unary('tanh'),
  exp: unary('exp'),
  abs: unary('abs'),
  relu: unary('relu'),
  neg: unary('neg'),
  softmax: unary('softmax', { beta: 1 }),
  'average pool': unary('averagePool2d', pool),
  'average pool, padded': unary('averagePool2d', {
    ...pool,
    filter: [3, 3],
    strides: [1, 1],
    pads: [1, 1, 1, 1],
  }),
  'max pool': unary('maxPool2d', pool),
  pad: unary('pad', { pads: [0, 0, 1, 0, 0, 2, 0, 0], value: 0.5 }),
  slice: unary('slice', { begin: [0, 1, 0, 1], size: [1, 4, 6, 3], strides: [1, 1, 1, 1] }),
  transpose: unary('transpose', { perm: [0, 2, 1, 3] }),
  mean: unary('mean', { axes: [1], keepDims: true }),
  concatenation: (build, x) => build.node('concatenation', [x, x, x], { axis: 3 }),
  'residual add': (build, x) =>
    build.node('add', [x, conv({ pads: [1, 1, 1, 1] }, 4, 4)(build, x)], { activation: 'relu' }),
  'gate by channel': (build, x) =>
    build.node('mul', [x, build.node('mean', [x], { axes: [1, 2], keepDims: true })], { activation: 'none' }),
  'sub and div': (build, x) => {
    const shifted = build.node('sub', [build.constant([4]), x], { activation: 'none' });
    return build.node('div', [shifted, build.constant([1], [3])], { activation: 'none' });
  },
  'minimum and maximum': (build, x) => {
    const low = build.node('minimum', [x, build.constant([4])], { activation: 'none' });
    return build.node('maximum', [low, build.constant([1], [-0.4])], { activation: 'none' });
  },
};

function network(layers: Layers): Graph {
  const build = new GraphBuilder();
  const x = build.input('x', [1, 6, 6, 2]);
  const first = conv({ pads: [1, 1, 1, 1] }, 2, 4)(build, x);
  const middle = build.node('mul', [first, build.constant([1], [0.3])], { activation: 'none' });
  const last = layers(build, middle);
  const open = build.finish(last);
  const size = elementCount(open.outputs[0]!.shape);
  const flat = build.node('reshape', [last], { shape: [1, size] });
  const inputs = [flat, build.constant([3, size]), build.constant([3])];
  return build.finish(build.node('fullyConnected', inputs, { activation: 'none' }));
}

function trainerOf(graph: Graph): Trainer {
  const inputs = graph.inputs.map(({ shape }) => randomFloats(count * elementCount(shape), 21));
  const task = 'classification';
  const labels = {
    file: 'labels',
    task,
    metric: metricFor(task, undefined),
    data: Int32Array.of(0, 2, 1),
  } as const;
  const objective = objectiveFor(graph, inputs, count, labels, false);
  const setup = { data: trainingSet(graph, inputs, count), objective, batch: count, seed: 1 };
  return new Trainer(tf, graph, setup);
}

const picked = Int32Array.of(0, 1, 2);

/** Directional derivative of the loss by central differences in steps of `h`. */
function slope(trainer: Trainer, direction: ReadonlyMap<string, Float32Array>, h: number): number {
  const at = (factor: number) => {
    const before = new Map([...trainer.weights].map(([name, data]) => [name, data.slice()]));
    for (const [name, data] of trainer.weights)
      for (let i = 0; i < data.length; i++) data[i]! += factor * direction.get(name)![i]!;
    const { loss } = trainer.gradients(picked);
    for (const [name, data] of before) trainer.weights.get(name)!.set(data);
    return loss;
  };
  return (at(h) - at(-h)) / (2 * h);
}

describe('gradients of the loss', () => {
  test.each(Object.keys(between))('%s: as central differences say, layer by layer', (name) => {
    const graph = network(between[name]!);
    const trainer = trainerOf(graph);
    const { gradients } = trainer.gradients(picked);
    for (const [changed, gradient] of gradients) {
      const length = Math.hypot(...gradient);
      const direction = new Map(
        [...trainer.weights].map(([other, data]) => [
          other,
          other === changed ? gradient.map((g) => g / (length || 1)) : new Float32Array(data.length),
        ]),
      );
      const measured = slope(trainer, direction, 5e-4);
      expect(
        Math.abs(measured - length),
        `${changed} of ${tensorOf(graph, changed).type.shape}`,
      ).toBeLessThan(0.03 * length + 2e-3);
    }
  });
});
