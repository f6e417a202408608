import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import * as layers from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, test } from 'vitest';
import { evaluateFloat } from '../../../converter/evaluate/float.ts';
import { optimize } from '../../../converter/pipeline.ts';
import { seededRandom } from '../../../converter/search/random.ts';
import { type Files, importFiles, layerModels, randomize, save } from './models.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Results of tfjs itself for the stored model, and ours, for two random samples. */
async function bothResults(files: Files) {
  const document = JSON.parse(new TextDecoder().decode(files.get('model.json')));
  const [group] = document.weightsManifest;
  const weightData = Buffer.concat(group.paths.map((path: string) => files.get(path)!));
  const judge = await layers.loadLayersModel({
    load: async () => ({
      modelTopology: document.modelTopology,
      weightSpecs: group.weights,
      weightData: new Uint8Array(weightData).buffer,
    }),
  });
  const { graph, format } = importFiles(files);
  expect(format).toBe('tfjs');
  const random = seededRandom(11);
  const count = 2;
  const samples = graph.inputs.map(({ shape }) =>
    Float32Array.from({ length: count * shape.reduce((a, b) => a * b, 1) }, () => 4 * random() - 2),
  );
  const tensors = graph.inputs.map(({ shape }, i) => tf.tensor(samples[i]!, [count, ...shape.slice(1)]));
  const predicted = judge.predict(tensors.length === 1 ? tensors[0]! : tensors);
  const theirs = (Array.isArray(predicted) ? predicted : [predicted]).map((one) => one.dataSync());
  const ours = await evaluateFloat(optimize(graph), samples, count);
  return { theirs, ours };
}

describe('layers models agree with tfjs itself', () => {
  test.each([...layerModels(layers)])('%s', async (_, make) => {
    const model = make();
    randomize(tf, model, 5);
    const { theirs, ours } = await bothResults(await save(model));
    expect(ours.length).toBe(theirs.length);
    for (const [i, output] of theirs.entries()) {
      expect(ours[i]!.length).toBe(output.length);
      for (const [n, value] of output.entries()) expect(ours[i]![n]).toBeCloseTo(value, 4);
    }
  });
});
