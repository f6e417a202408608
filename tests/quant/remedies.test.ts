import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readNpz } from '../../converter/data/npz.ts';
import { evaluateFloat } from '../../converter/evaluate/float.ts';
import { prepareInteger } from '../../converter/evaluate/integer.ts';
import { importModel } from '../../converter/import-model.ts';
import { elementCount } from '../../converter/ir/tensor.ts';
import type { Graph } from '../../converter/ir/types.ts';
import { optimize } from '../../converter/pipeline.ts';
import { observeValues } from '../../converter/quant/calibrate.ts';
import { chooseRange } from '../../converter/quant/choose-range.ts';
import { equalizeLayers } from '../../converter/quant/equalize-layers.ts';
import { addToHistogram } from '../../converter/quant/histogram.ts';
import { judgeCalibration } from '../../converter/quant/judge-calibration.ts';
import { observe, quantizeModel } from '../../converter/quant/quantize-model.ts';
import { defaultRecipe, type Recipe } from '../../converter/quant/recipe.ts';
import { quantizeActivations } from '../../converter/quant/scheme.ts';
import { signalToNoise } from '../../converter/quant/signal-to-noise.ts';
import { GraphBuilder, randomFloats } from '../support/graphs.ts';
import { sharedFolder } from '../support/oracle.ts';

const shared = sharedFolder();

type Activation = 'none' | 'relu' | 'relu6';

/** Numbers in [-1, 1] that no scale stores exactly. */
const noise = (size: number, seed: number) => randomFloats(size, seed).map((x) => Math.sin(9 * x + seed));

/** Convolution, pooling, depthwise and pointwise convolution, fully connected: every kind of neighbour. */
function network(activation: Activation = 'relu'): Graph {
  const b = new GraphBuilder();
  let seed = 1;
  const constant = (shape: number[]) => b.constant(shape, noise(elementCount(shape), seed++));
  const conv = { strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1], activation };
  const pool = { filter: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0], activation: 'none' };
  let x = b.input('x', [1, 8, 8, 2]);
  x = b.node('conv2d', [x, constant([6, 3, 3, 2]), constant([6])], conv, 'first');
  x = b.node('maxPool2d', [x], pool);
  x = b.node('depthwiseConv2d', [x, constant([1, 3, 3, 6]), constant([6])], conv, 'depthwise');
  const point = { ...conv, pads: [0, 0, 0, 0] };
  x = b.node('conv2d', [x, constant([5, 1, 1, 6]), constant([5])], point, 'pointwise');
  x = b.node('reshape', [x], { shape: [1, 80] });
  return b.finish(
    b.node('fullyConnected', [x, constant([4, 80]), constant([4])], { activation: 'none' }, 'last'),
  );
}

const count = 48;
const data = { inputs: [noise(count * 128, 21)], count };
const later = { inputs: [noise(16 * 128, 77)], count: 16 };

async function noiseOf(graph: Graph, changes: Partial<Recipe>): Promise<number> {
  const observed = await observe(graph, data);
  const recipe = { ...defaultRecipe, ...changes };
  const made = await quantizeModel(observed, data, recipe, { perChannelFullyConnected: true });
  const noise = await signalToNoise(graph, made.graph, later.inputs, later.count);
  return noise.get(graph.outputs[0]!.value)!;
}

describe('entropy calibration', () => {
  it('lets a lone outlier go and clips no more than a thousandth of the values', () => {
    const values = Float32Array.from(randomFloats(100_000, 5));
    values[3] = 30;
    const { min, max } = chooseRange(addToHistogram(undefined, values), 'kl');
    expect(max).toBeLessThan(5);
    const clipped = values.filter((x) => x < min || x > max).length;
    expect(clipped).toBeLessThanOrEqual(100);
  });

  it('does not mind how many values are exactly zero', () => {
    const half = randomFloats(20_000, 6).map((x) => Math.max(0, x));
    const most = Float32Array.from({ length: 200_000 }, (_, i) => half[i] ?? 0);
    const [a, b] = [half, most].map((values) => chooseRange(addToHistogram(undefined, values), 'kl'));
    expect(b!.max / a!.max).toBeGreaterThan(0.8);
  });
});

describe('cross-layer equalization', () => {
  it('computes the same and evens out the reach of channels', async () => {
    const graph = network();
    const { graph: even, pairs } = equalizeLayers(graph, await observeValues(graph, data.inputs, count));
    expect(pairs).toEqual([
      ['first', 'depthwise'],
      ['depthwise', 'pointwise'],
      ['pointwise', 'last'],
    ]);
    const [before, after] = await Promise.all(
      [graph, even].map((one) => evaluateFloat(one, later.inputs, later.count)),
    );
    const most = before![0]!.reduce((a, x) => Math.max(a, Math.abs(x)), 0);
    for (const [i, x] of after![0]!.entries())
      expect(Math.abs(x - before![0]![i]!)).toBeLessThan(1e-5 * most);
    const reach = (node: number) => {
      const weights = even.values.get(even.nodes[node]!.inputs[1]!)!.data!;
      const each = weights.length / 6;
      const rows = Array.from({ length: 6 }, (_, c) =>
        Math.max(...Array.from({ length: each }, (_, k) => Math.abs(Number(weights[k * 6 + c])))),
      );
      return rows;
    };
    const following = reach(3);
    for (const [channel, own] of reach(2).entries()) expect(own / following[channel]!).toBeCloseTo(1, 1);
  });

  it('leaves layers alone whose ReLU6 is reached, and frees those where it is not', async () => {
    const graph = network('relu6');
    const wide = equalizeLayers(graph, await observeValues(graph, data.inputs, count));
    expect(wide.pairs.length).toBeLessThan(3);
    const quiet = [Float32Array.from(data.inputs[0]!, (x) => x / 1000)];
    const values = new Map(graph.values);
    for (const [name, value] of graph.values)
      if (value.data) values.set(name, { ...value, data: (value.data as Float32Array).map((x) => x / 4) });
    const small = { ...graph, values };
    const freed = equalizeLayers(small, await observeValues(small, quiet, count));
    expect(freed.pairs).toHaveLength(3);
    expect(freed.graph.nodes.filter((node) => node.attrs['activation'] === 'relu6')).toEqual([]);
  });

  it('saves a model with one channel out of proportion', async () => {
    const graph = network();
    const values = new Map(graph.values);
    const change = (node: number, input: number, factor: (i: number, size: number) => number) => {
      const value = graph.values.get(graph.nodes[node]!.inputs[input]!)!;
      const scaled = (value.data as Float32Array).map((x, i, { length }) => x * factor(i, length));
      values.set(value.name, { ...value, data: scaled });
    };
    change(0, 1, (i, size) => (Math.floor(i / (size / 6)) === 2 ? 300 : 1));
    change(0, 2, (i) => (i === 2 ? 300 : 1));
    change(2, 1, (i) => (i % 6 === 2 ? 1 / 300 : 1));
    const broken = { ...graph, values };
    expect(await noiseOf(broken, {})).toBeLessThan(15);
    expect(await noiseOf(broken, { equalize: true })).toBeGreaterThan((await noiseOf(graph, {})) - 4);
  });
});

/** Largest distance between the means of a result's channels in float and in integers. */
async function meanError(changes: Partial<Recipe>): Promise<number> {
  const graph = network();
  const recipe = { ...defaultRecipe, perTensor: true, ...changes };
  const made = await quantizeModel(await observe(graph, data), data, recipe, {
    perChannelFullyConnected: true,
  });
  const [float] = await evaluateFloat(graph, data.inputs, count);
  const { scale, zeroPoint } = made.graph.values.get(graph.outputs[0]!.value)!.type.quant!;
  const input = made.graph.values.get('x')!.type;
  const integer = prepareInteger(made.graph);
  const errors = new Float64Array(4);
  for (let n = 0; n < count; n++) {
    const [stored] = integer.run([quantizeActivations(data.inputs[0]!.slice(n * 128, (n + 1) * 128), input)]);
    for (let i = 0; i < 4; i++)
      errors[i]! += ((Number(stored![i]) - zeroPoint[0]!) * scale[0]! - float![n * 4 + i]!) / count;
  }
  return errors.reduce((most, error) => Math.max(most, Math.abs(error)), 0) / scale[0]!;
}

describe('learned rounding and bias correction', () => {
  it('takes most of the mean error out of the result', async () => {
    const before = await meanError({});
    expect(await meanError({ correctBias: true })).toBeLessThan(before / 2);
  });

  it.skipIf(!shared)('brings the result of a trained network closer to float (needs ../shared)', async () => {
    const read = (...path: string[]) => readFileSync(join(shared!, ...path));
    const graph = optimize(
      importModel(read('models', 'motor_tcn.onnx'), { fileName: 'motor_tcn.onnx' }).graph,
    );
    const arrays = readNpz(read('eval', 'motor.npz'), 'motor.npz');
    const samples = (name: string) => Float32Array.from(arrays.get(name)!.data as Float32Array);
    const calib = { inputs: [samples('calib')], count: arrays.get('calib')!.shape[0]! };
    const observed = await observe(graph, calib);
    const noise = async (changes: Partial<Recipe>) => {
      const recipe = { ...defaultRecipe, ...changes };
      const made = await quantizeModel(observed, calib, recipe, { perChannelFullyConnected: true });
      return (await signalToNoise(graph, made.graph, [samples('x')], 64)).get(graph.outputs[0]!.value)!;
    };
    expect(await noise({ learnRounding: true })).toBeGreaterThan((await noise({})) + 1);
  });

  it('keeps every weight on one of the two steps next to it', async () => {
    const graph = network();
    const recipe = { ...defaultRecipe, learnRounding: true };
    const made = await quantizeModel(await observe(graph, data), data, recipe, {
      perChannelFullyConnected: true,
    });
    const real = graph.values.get(graph.nodes.at(-1)!.inputs[1]!)!.data!;
    const stored = made.graph.values.get(made.graph.nodes.at(-1)!.inputs[1]!)!;
    const scales = stored.type.quant!.scale;
    let moved = 0;
    for (const [i, weight] of (real as Float32Array).entries()) {
      const steps = weight / scales[Math.floor(i / 80)]!;
      expect(Math.abs(Number(stored.data![i]) - steps)).toBeLessThanOrEqual(1.0001);
      if (Number(stored.data![i]) !== Math.round(steps)) moved++;
    }
    expect(moved).toBeGreaterThan(0);
  });
});

describe('a recipe', () => {
  it('takes another method for one layer', async () => {
    const graph = network();
    const loud = { inputs: [data.inputs[0]!.map((x, i) => (i < 128 ? 9 * x : x))], count };
    const scaleOf = async (changes: Partial<Recipe>) => {
      const recipe = { ...defaultRecipe, ...changes };
      const made = await quantizeModel(await observe(graph, loud), loud, recipe, {
        perChannelFullyConnected: true,
      });
      return graph.nodes.map((node) => made.graph.values.get(node.outputs[0]!)!.type.quant!.scale[0]);
    };
    const plain = await scaleOf({ method: 'mse' });
    const mixed = await scaleOf({ method: 'mse', methodOfLayer: new Map([['first', 'minmax']]) });
    expect(mixed[0]).toBeGreaterThan(plain[0]!);
    expect(mixed.slice(2)).toEqual(plain.slice(2));
  });

  it('is refused when it names a layer that is not there', async () => {
    const graph = network();
    const recipe = { ...defaultRecipe, methodOfLayer: new Map([['pointwize', 'mse' as const]]) };
    const made = quantizeModel(await observe(graph, data), data, recipe, { perChannelFullyConnected: true });
    await expect(made).rejects.toMatchObject({ code: 'E_UNKNOWN_LAYER', hint: 'did you mean pointwise?' });
  });
});

describe('calibration data', () => {
  const judge = async (inputs: Float32Array, samples: number) => {
    const graph = network();
    const set = { inputs: [inputs], count: samples };
    const histograms = await observeValues(graph, set.inputs, samples);
    return { graph, histograms, words: judgeCalibration(graph, set, histograms).join('\n') };
  };

  it('are fine when there are enough different ones', async () => {
    expect((await judge(data.inputs[0]!, count)).words).toBe('');
  });

  it('are too few, all alike, or constant', async () => {
    expect((await judge(randomFloats(4 * 128, 3), 4)).words).toContain('only 4 calibration samples');
    const one = randomFloats(128, 3);
    const alike = Float32Array.from({ length: 40 * 128 }, (_, i) => one[i % 128]!);
    expect((await judge(alike, 40)).words).toContain('only 1 of 40 calibration samples differ');
    expect((await judge(new Float32Array(40 * 128), 40)).words).toContain('input x is 0 throughout');
  });
});
