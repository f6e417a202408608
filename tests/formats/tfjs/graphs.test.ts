import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { GraphModel } from '@tensorflow/tfjs-converter';
import { beforeAll, describe, expect, test } from 'vitest';
import { evaluateFloat } from '../../../converter/evaluate/float.ts';
import { optimize } from '../../../converter/pipeline.ts';
import { seededRandom } from '../../../converter/search/random.ts';
import { imageGraph, sequenceGraph } from './graph-model.ts';
import { type Files, importFiles } from './models.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** What tfjs makes of the same files, by output name. */
async function judged(
  files: Files,
  inputs: readonly { name: string; shape: readonly number[]; data: Float32Array }[],
) {
  const document = JSON.parse(new TextDecoder().decode(files.get('model.json')));
  const [group] = document.weightsManifest;
  const weightData = new Uint8Array(Buffer.concat(group.paths.map((path: string) => files.get(path)!)))
    .buffer;
  const { modelTopology, signature } = document;
  const model = new GraphModel({
    load: async () => ({
      format: 'graph-model',
      modelTopology,
      signature,
      weightSpecs: group.weights,
      weightData,
    }),
  });
  await model.load();
  const named = Object.fromEntries(
    inputs.map(({ name, shape, data }) => [name, tf.tensor(data, [...shape])]),
  );
  const names = Object.values(signature.outputs as Record<string, { name: string }>).map(({ name }) => name);
  const results = await model.executeAsync(named, names);
  return (Array.isArray(results) ? results : [results]).map((one) => one.dataSync());
}

describe('graph models agree with tfjs itself', () => {
  test.each([
    ['an image network, fused, that computes shapes', imageGraph],
    ['a temporal network', sequenceGraph],
  ])('%s', async (_, make) => {
    const files = make();
    const { graph, format } = importFiles(files);
    expect(format).toBe('tfjs');
    const random = seededRandom(23);
    const inputs = graph.inputs.map(({ name, shape }) => ({
      name,
      shape,
      data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 4 * random() - 2),
    }));
    const theirs = await judged(files, inputs);
    const ours = await evaluateFloat(
      optimize(graph),
      inputs.map(({ data }) => data),
      1,
    );
    expect(ours.length).toBe(theirs.length);
    for (const [i, output] of theirs.entries()) {
      expect(ours[i]!.length).toBe(output.length);
      for (const [n, value] of output.entries()) expect(ours[i]![n]).toBeCloseTo(value, 4);
    }
  });
});
