import { describe, expect, it } from 'vitest';
import { elementCount } from '../../converter/ir/tensor.ts';
import type { Graph } from '../../converter/ir/types.ts';
import { clusterValues } from '../../converter/quant/cluster-weights.ts';
import { observe, quantizeModel } from '../../converter/quant/quantize-model.ts';
import { type Clustering, defaultRecipe, type Recipe } from '../../converter/quant/recipe.ts';
import { signalToNoise } from '../../converter/quant/signal-to-noise.ts';
import { tinyml } from '../support/cli.ts';
import { hasEmulator } from '../support/emulated-kernels.ts';
import { GraphBuilder, randomFloats } from '../support/graphs.ts';
import { sharedFolder } from '../support/oracle.ts';

const shared = sharedFolder();

/** Importance of each int8 value, from -128 on. */
function importanceOf(entries: readonly (readonly [value: number, weight: number])[]): Float64Array {
  const result = new Float64Array(256);
  for (const [value, weight] of entries) result[value + 128]! += weight;
  return result;
}

function squaredError(importance: Float64Array, values: readonly number[]): number {
  const nearest = (stored: number) => Math.min(...values.map((value) => (value - stored) ** 2));
  return importance.reduce((sum, weight, i) => (weight === 0 ? sum : sum + weight * nearest(i - 128)), 0);
}

describe('the values of a clustered layer', () => {
  it('have the least squared error of all choices that hold zero', () => {
    for (const seed of [1, 2, 3, 4]) {
      const numbers = randomFloats(24, seed);
      const entries = Array.from({ length: 12 }, (_, i) => {
        return [Math.round(9 * numbers[2 * i]!), 1 + Math.abs(numbers[2 * i + 1]!)] as const;
      });
      const importance = importanceOf(entries);
      let least = Number.POSITIVE_INFINITY;
      for (let a = -9; a <= 9; a++)
        for (let b = a; b <= 9; b++)
          for (let c = b; c <= 9; c++) least = Math.min(least, squaredError(importance, [0, a, b, c]));
      expect(squaredError(importance, clusterValues(importance, 4))).toBeCloseTo(least, 9);
    }
  });

  it('are the weights themselves where these are few', () => {
    const weights = [-127, -3, 0, 5, 99];
    const importance = importanceOf(weights.map((weight) => [weight, 2]));
    expect(clusterValues(importance, 16)).toEqual(weights);
  });
});

const noise = (size: number, seed: number) => randomFloats(size, seed).map((x) => Math.sin(9 * x + seed));

function network(): Graph {
  const b = new GraphBuilder();
  let seed = 1;
  const constant = (shape: number[]) => b.constant(shape, noise(elementCount(shape), seed++));
  const conv = { strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1], activation: 'relu' };
  let x = b.input('x', [1, 8, 8, 2]);
  x = b.node('conv2d', [x, constant([12, 3, 3, 2]), constant([12])], conv, 'first');
  x = b.node('depthwiseConv2d', [x, constant([1, 3, 3, 12]), constant([12])], conv, 'depthwise');
  const point = { ...conv, pads: [0, 0, 0, 0] };
  x = b.node('conv2d', [x, constant([8, 1, 1, 12]), constant([8])], point, 'pointwise');
  x = b.node('reshape', [x], { shape: [1, 512] }, 'flat');
  return b.finish(
    b.node('fullyConnected', [x, constant([4, 512]), constant([4])], { activation: 'none' }, 'last'),
  );
}

const count = 32;
const data = { inputs: [noise(count * 128, 21)], count };

async function quantized(changes: Partial<Recipe>): Promise<Graph> {
  const recipe = { ...defaultRecipe, ...changes };
  const observed = await observe(network(), data);
  return (await quantizeModel(observed, data, recipe, { perChannelFullyConnected: true })).graph;
}

/** Different weights of each layer that has any. */
function distinct(graph: Graph): Record<string, number> {
  const layers = graph.nodes.filter(({ inputs }) => inputs.length === 3);
  return Object.fromEntries(
    layers.map(({ origin, inputs }) => [
      origin,
      new Set(graph.values.get(inputs[1]!)!.data as Int8Array).size,
    ]),
  );
}

describe('clustering', () => {
  it('leaves each convolution 16 or 32 weights, and other layers theirs', async () => {
    const before = distinct(await quantized({}));
    for (const clusterTo of [16, 32] as const) {
      const { first, pointwise, ...others } = distinct(await quantized({ clusterTo }));
      for (const size of [first!, pointwise!]) {
        expect(size).toBeLessThanOrEqual(clusterTo);
        expect(size).toBeGreaterThan(clusterTo / 2);
      }
      expect(others).toEqual({ depthwise: before['depthwise'], last: before['last'] });
    }
  });

  it('does what it is told for single layers, with learned rounding as well', async () => {
    const clusterOfLayer = new Map<string, Clustering>([
      ['first', 'none'],
      ['last', 32],
      ['depthwise', 16],
    ]);
    const before = distinct(await quantized({}));
    const after = distinct(await quantized({ clusterTo: 16, clusterOfLayer, learnRounding: true }));
    expect(after['first']).toBeGreaterThan(32);
    expect(after['pointwise']).toBeLessThanOrEqual(16);
    expect(after['depthwise']).toBeLessThanOrEqual(16);
    expect(after['last']).toBeLessThanOrEqual(32);
    expect(before['last']).toBeGreaterThan(32);
  });

  it('loses little, and less with more values', async () => {
    const graph = network();
    const decibels = async (changes: Partial<Recipe>) => {
      const noises = await signalToNoise(graph, await quantized(changes), [noise(16 * 128, 77)], 16);
      return noises.get(graph.outputs[0]!.value)!;
    };
    const [few, more] = [await decibels({ clusterTo: 16 }), await decibels({ clusterTo: 32 })];
    expect(few).toBeGreaterThan(20);
    expect(more).toBeGreaterThan(few + 3);
  });

  it('refuses a layer without weights, and a name that no layer has', async () => {
    const cluster = (name: string) => quantized({ clusterOfLayer: new Map([[name, 16]]) });
    await expect(cluster('flat')).rejects.toMatchObject({ code: 'E_CLUSTER' });
    await expect(cluster('pointwize')).rejects.toMatchObject({ code: 'E_UNKNOWN_LAYER' });
  });
});

describe.skipIf(!shared || !hasEmulator())(
  'digits_mbv2 with 16 weights a layer (needs ../shared, QEMU and arm-none-eabi-gcc)',
  () => {
    const model = `${shared}/models/digits_mbv2.onnx`;
    const digits = `${shared}/eval/digits.npz`;
    interface Deployed {
      readonly verify: { readonly bitExact: boolean };
      readonly bench: { readonly flash: { readonly image: number; readonly weights: number } };
      readonly accuracy: { readonly float: number; readonly int8: number };
    }
    const deploy = async (...options: string[]) => {
      const result = await tinyml(['deploy', model, '--calib', digits, '--runs', '1', '--json', ...options]);
      expect(result.code, result.stderr).toBe(0);
      return result.json<Deployed>();
    };

    it('takes less flash than without, gives the same bytes on the board, and keeps its accuracy', async () => {
      const [plain, coded] = [await deploy(), await deploy('--cluster', '16', '--weights', 'coded')];
      expect(coded.verify.bitExact).toBe(true);
      expect(coded.bench.flash.weights).toBeLessThan(0.85 * plain.bench.flash.weights);
      expect(coded.bench.flash.image).toBeLessThan(plain.bench.flash.image - 800);
      expect(coded.accuracy.int8).toBeGreaterThan(coded.accuracy.float - 0.01);
    }, 240_000);
  },
);

describe('--cluster', () => {
  it('takes 16, 32 or none', async () => {
    const { code, stderr } = await tinyml(['convert', 'model.onnx', '--cluster', '8']);
    expect(code).toBe(1);
    expect(stderr).toContain('none, 16, 32');
  });
});
