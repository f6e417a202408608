import { expect, test } from 'vitest';
import { encodeSample, joinOutputs } from '../../converter/evaluate/encode.ts';
import { evaluateFloat } from '../../converter/evaluate/float.ts';
import { prepareInteger } from '../../converter/evaluate/integer.ts';
import { tensorOf } from '../../converter/ir/graph.ts';
import type { Graph } from '../../converter/ir/types.ts';
import { metricNamed, scoreBy } from '../../converter/metrics/metric.ts';
import { chooseRanges, type Ranges } from '../../converter/quant/calibrate.ts';
import { observe, quantizeModel } from '../../converter/quant/quantize-model.ts';
import { defaultRecipe } from '../../converter/quant/recipe.ts';
import { activationQuantization } from '../../converter/quant/scheme.ts';
import { tuneForStorage } from '../../converter/train/tune-model.ts';
import { GraphBuilder, randomFloats } from '../support/graphs.ts';

const [features, hidden, classes, count] = [8, 16, 4, 600];
const recipe = { ...defaultRecipe, perTensor: true };

/** Two layers; one hidden unit is scaled up by 300 and back, which one scale for all weights cannot hold. */
function brokenNetwork(): Graph {
  const up = (i: number) => (Math.floor(i / features) === 3 ? 300 : 1);
  const back = (i: number) => (i % hidden === 3 ? 300 : 1);
  const build = new GraphBuilder();
  const first = randomFloats(hidden * features, 3).map((w, i) => w * up(i));
  const second = randomFloats(classes * hidden, 4).map((w, i) => w / back(i));
  const relu = { activation: 'relu' };
  const x = build.input('x', [1, features]);
  const inputs = [
    x,
    build.constant([hidden, features], first),
    build.constant([hidden], new Float32Array(hidden)),
  ];
  const middle = build.node('fullyConnected', inputs, relu);
  const head = [middle, build.constant([classes, hidden], second), build.constant([classes])];
  return build.finish(build.node('fullyConnected', head, { activation: 'none' }));
}

const x = randomFloats(count * features, 9);
const data = { inputs: [x], count };

async function integerAccuracy(graph: Graph, labels: Int32Array, learned?: Ranges): Promise<number> {
  const options = { perChannelFullyConnected: false };
  const made = await quantizeModel(await observe(graph, data), data, recipe, options, learned);
  const array = { name: 'x', dtype: 'float32' as const, shape: [count, features], data: x };
  const type = { dtype: 'float32' as const, shape: [1, features] };
  const samples = [{ name: 'x', array, count, size: features, means: 'real' as const, type }];
  const run = prepareInteger(made.graph);
  const results = Array.from({ length: count }, (_, n) => run.run(encodeSample(made.graph, samples, n)));
  const [outputs] = joinOutputs(made.graph, results);
  if (learned) {
    const name = graph.outputs[0]!.value;
    const { quant } = tensorOf(made.graph, name).type;
    expect(quant).toEqual(activationQuantization(learned.get(name)!));
  }
  const truth = { data: labels, shape: [count], task: 'classification' as const };
  return scoreBy(metricNamed('top1'), x, outputs as Int8Array, truth).value;
}

test('training under simulated rounding finds weights and ranges that int8 storage keeps', async () => {
  const graph = brokenNetwork();
  const [logits] = await evaluateFloat(graph, [x], count);
  const labels = Int32Array.from({ length: count }, (_, n) => {
    const row = logits!.subarray(n * classes, (n + 1) * classes);
    return row.indexOf(Math.max(...row));
  });
  const before = await integerAccuracy(graph, labels);
  expect(before).toBeLessThan(0.7);
  const { histograms } = await observe(graph, data);
  const ranges = await chooseRanges(graph, histograms, { method: 'mse' });
  const task = 'classification';
  const wanted = { file: 'labels', task, metric: metricNamed('top1'), data: labels } as const;
  const input = { graph, inputs: [x], count, labels: wanted };
  const settings = { distill: false, epochs: 12, batch: 16, rate: 0.01, seed: 1 };
  const tune = () => tuneForStorage(input, settings, ranges, { perTensor: true, weightBits: 8 });
  const tuned = await tune();
  expect(tuned.loss.last).toBeLessThan(tuned.loss.first);
  expect(await integerAccuracy(tuned.graph, labels, tuned.ranges)).toBeGreaterThan(before + 0.15);
  const again = await tune();
  for (const [name, value] of tuned.graph.values)
    expect(again.graph.values.get(name)!.data).toEqual(value.data);
});
