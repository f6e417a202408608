import { describe, expect, it } from 'vitest';
import { prepareInteger } from '../../converter/evaluate/integer.ts';
import { writeTflite } from '../../converter/formats/tflite/write.ts';
import { importModel } from '../../converter/import-model.ts';
import { bytesOf, elementCount } from '../../converter/ir/tensor.ts';
import type { Graph, TensorData } from '../../converter/ir/types.ts';
import { optimize } from '../../converter/pipeline.ts';
import { observe, quantizeModel } from '../../converter/quant/quantize-model.ts';
import { defaultRecipe, type Recipe } from '../../converter/quant/recipe.ts';
import { quantizeActivations } from '../../converter/quant/scheme.ts';
import { signalToNoise } from '../../converter/quant/signal-to-noise.ts';
import { runRuntime } from '../formats/tflite/runtimes.ts';
import { GraphBuilder, randomFloats } from '../support/graphs.ts';
import { hasHostCompiler, runOnHost } from '../support/host-c.ts';
import { oraclePython } from '../support/oracle.ts';

const python = oraclePython();

/** Numbers in [-1, 1] that no scale stores exactly. */
const noise = (size: number, seed: number) => randomFloats(size, seed).map((x) => Math.sin(9 * x + seed));

type Step = (b: GraphBuilder, x: string, constant: (shape: number[]) => string) => string;

const window = { strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1], activation: 'none' };
const pool = { filter: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0], activation: 'none' };
const flat: Step = (b, x) => b.node('reshape', [x], { shape: [1, 300] });

/** One operator each on [1, 10, 10, 3]. */
const problems: Readonly<Record<string, Step>> = {
  conv2d: (b, x, c) => b.node('conv2d', [x, c([5, 3, 3, 3]), c([5])], { ...window, activation: 'relu' }),
  'conv2d, strides and dilations': (b, x, c) =>
    b.node('conv2d', [x, c([4, 3, 3, 3]), c([4])], { ...window, dilations: [2, 1], strides: [1, 2] }),
  depthwiseConv2d: (b, x, c) =>
    b.node('depthwiseConv2d', [x, c([1, 3, 3, 3]), c([3])], { ...window, activation: 'relu6' }),
  'depthwiseConv2d, two filters a channel': (b, x, c) =>
    b.node('depthwiseConv2d', [x, c([1, 3, 3, 6]), c([6])], window),
  fullyConnected: (b, x, c) =>
    b.node('fullyConnected', [flat(b, x, c), c([400, 300]), c([400])], { activation: 'none' }),
  add: (b, x) => b.node('add', [x, b.node('relu', [x])], { activation: 'none' }),
  'add, a vector': (b, x, c) => b.node('add', [x, c([3])], { activation: 'relu' }),
  sub: (b, x) => b.node('sub', [x, b.node('relu6', [x])], { activation: 'none' }),
  mul: (b, x) => b.node('mul', [x, b.node('relu', [x])], { activation: 'none' }),
  averagePool2d: (b, x) => b.node('averagePool2d', [x], pool),
  maxPool2d: (b, x) => b.node('maxPool2d', [x], { ...pool, activation: 'relu' }),
  'mean, kept axes': (b, x) => b.node('mean', [x], { axes: [1, 2], keepDims: true }),
  mean: (b, x) => b.node('mean', [x], { axes: [1, 2], keepDims: false }),
  softmax: (b, x, c) => b.node('softmax', [flat(b, x, c)], { beta: 1 }),
  relu: (b, x) => b.node('relu', [x]),
  relu6: (b, x) => b.node('relu6', [x]),
  leakyRelu: (b, x) => b.node('leakyRelu', [x], { alpha: 0.1 }),
  concatenation: (b, x) => b.node('concatenation', [x, b.node('relu', [x])], { axis: 3 }),
  transpose: (b, x) => b.node('transpose', [x], { perm: [0, 2, 3, 1] }),
  pad: (b, x) => b.node('pad', [x], { pads: [0, 0, 1, 2, 0, 1, 0, 0], value: 0 }),
  slice: (b, x) => b.node('slice', [x], { begin: [0, 1, 2, 0], size: [1, 4, 5, 2], strides: [1, 2, 1, 1] }),
};

function graphOf(step: Step): Graph {
  const b = new GraphBuilder();
  let seed = 1;
  const constant = (shape: number[]) => b.constant(shape, noise(elementCount(shape), seed++));
  return b.finish(step(b, b.input('x', [1, 10, 10, 3]), constant));
}

const calibration = { inputs: [noise(16 * 300, 5).map((x) => 8 * x)], count: 16 };

async function quantized(graph: Graph, changes: Partial<Recipe>, data = calibration): Promise<Graph> {
  const recipe = { ...defaultRecipe, ...changes };
  const options = { perChannelFullyConnected: true };
  return (await quantizeModel(await observe(graph, data), data, recipe, options)).graph;
}

const hex = (data: Uint8Array) => Buffer.from(data).toString('hex');

function reference(graph: Graph, inputs: readonly TensorData[]): string {
  return hex(bytesOf(prepareInteger(graph).run(inputs)[0]!));
}

function storedInput(graph: Graph, seed: number): TensorData {
  const { type } = graph.values.get(graph.inputs[0]!.value)!;
  return quantizeActivations(
    noise(elementCount(type.shape), seed).map((x) => 8 * x),
    type,
  );
}

/** Layers that take turns in 8 and 16 bits, with a residual addition between them. */
function mixedGraph(): Graph {
  return graphOf((b, x, c) => {
    const conv = (from: string, depth: number, name: string) =>
      b.node('conv2d', [from, c([4, 3, 3, depth]), c([4])], { ...window, activation: 'relu' }, name);
    const first = conv(x, 3, 'first');
    const second = conv(first, 4, 'second');
    const sum = b.node('add', [first, second], { activation: 'none' }, 'sum');
    const small = b.node('maxPool2d', [conv(sum, 4, 'third')], pool, 'pool');
    const row = b.node('reshape', [small], { shape: [1, 100] }, 'row');
    return b.node('fullyConnected', [row, c([6, 100]), c([6])], { activation: 'none' }, 'last');
  });
}

const wideLayers = (...names: string[]) => new Map(names.map((name) => [name, 'int16'] as const));

/** All operators in 16 bits, networks that mix both widths, and weights of 4 bits. */
async function graphs(): Promise<Map<string, Graph>> {
  const whole = Object.entries(problems).map(async ([name, step]) => {
    return [name, await quantized(graphOf(step), { scheme: 'int16x8' })] as const;
  });
  const mixed = [['second'], ['sum', 'third'], ['first', 'last'], ['pool', 'row', 'last']].map(
    async (names) => {
      const recipe = { precisionOfLayer: wideLayers(...names) };
      return [`16 bits in ${names}`, await quantized(mixedGraph(), recipe)] as const;
    },
  );
  const narrow = { scheme: 'int16x8', precisionOfLayer: new Map([['sum', 'int8' as const]]) } as const;
  const packed = Object.entries(problems)
    .filter(([name]) => /^(conv2d|fullyConnected)/.test(name))
    .map(async ([name, step]) => {
      return [`4 bits: ${name}`, await quantized(graphOf(step), { packedLayers: new Set(['all']) })] as const;
    });
  const inverse = ['8 bits in sum', await quantized(mixedGraph(), narrow)] as const;
  return new Map([...(await Promise.all([...whole, ...mixed, ...packed])), inverse]);
}

describe('16-bit activations and 4-bit weights', () => {
  it.skipIf(!python)('give the bytes of LiteRT (needs the oracles)', async () => {
    const all = [...(await graphs())];
    const jobs = all.map(([, graph]) => ({ model: writeTflite(graph), inputs: [storedInput(graph, 31)] }));
    const answers = runRuntime(python!, 'litert', jobs);
    const wrong = all.flatMap(([name, graph], i) => {
      const { error, outputs } = answers[i]!;
      const same = error === undefined && hex(outputs[0]!) === reference(graph, jobs[i]!.inputs);
      return same ? [] : [[name, error]];
    });
    expect(wrong).toEqual([]);
  });

  it.skipIf(!hasHostCompiler())(
    'give the same bytes in generated C (needs gcc)',
    async () => {
      const all = [...(await graphs())];
      const cases = all.map(([, graph]) => [1, 2, 3].map((seed) => [storedInput(graph, seed)]));
      const results = runOnHost(all.map(([, graph], i) => ({ graph, cases: cases[i]! })));
      for (const [i, [name, graph]] of all.entries())
        for (const [k, { outputs }] of results[i]!.cases.entries())
          expect(hex(outputs), name).toBe(reference(graph, cases[i]![k]!));
    },
    60_000,
  );

  it.skipIf(!hasHostCompiler())(
    'stand beside layers in float, the same in C (needs gcc)',
    async () => {
      const kept = [['first'], ['second', 'sum'], ['third', 'pool', 'row', 'last']];
      const made = kept.map((names) =>
        quantized(mixedGraph(), {
          precisionOfLayer: new Map(names.map((name) => [name, 'float32' as const])),
        }),
      );
      const whole = await Promise.all(made);
      const cases = whole.map((graph) => [1, 2].map((seed) => [storedInput(graph, seed)]));
      const results = runOnHost(whole.map((graph, i) => ({ graph, cases: cases[i]! })));
      for (const [i, graph] of whole.entries())
        for (const [k, { outputs }] of results[i]!.cases.entries())
          expect(hex(outputs), `${kept[i]}`).toBe(reference(graph, cases[i]![k]!));
      const soft = quantized(graphOf(problems['softmax']!), {
        precisionOfLayer: new Map([['softmax_1', 'float32']]),
      });
      await expect(soft).rejects.toMatchObject({ code: 'E_KEEP_FLOAT' });
    },
    60_000,
  );

  it('read back from the file as they were written', async () => {
    const graph = await quantized(mixedGraph(), { scheme: 'int16x8' });
    const again = optimize(importModel(writeTflite(graph), { fileName: 'wide.tflite' }).graph);
    const input = [storedInput(graph, 4)];
    expect(reference(again, input)).toBe(reference(graph, input));
  });

  it('come closer to float than 8 bits, the more layers have them', async () => {
    const graph = mixedGraph();
    const observed = await observe(graph, calibration);
    const decibels = async (changes: Partial<Recipe>) => {
      const recipe = { ...defaultRecipe, ...changes };
      const made = await quantizeModel(observed, calibration, recipe, { perChannelFullyConnected: true });
      const noises = await signalToNoise(graph, made.graph, calibration.inputs, 8);
      return noises.get(graph.outputs[0]!.value)!;
    };
    const narrow = await decibels({});
    const some = await decibels({ precisionOfLayer: wideLayers('second', 'sum', 'third', 'pool') });
    const all = await decibels({ scheme: 'int16x8' });
    expect(some).toBeGreaterThan(narrow + 1);
    expect(all).toBeGreaterThan(some + 1);
  });
});
