import { describe, expect, test } from 'vitest';
import { writeOnnx } from '../../converter/formats/onnx/write.ts';
import { importModel } from '../../converter/import-model.ts';
import type { Graph } from '../../converter/ir/types.ts';
import { metricFor } from '../../converter/metrics/metric.ts';
import { maskOf } from '../../converter/prune/sparse-masks.ts';
import { sparsifyModel } from '../../converter/prune/sparsify-model.ts';
import { GraphBuilder, randomFloats } from '../support/graphs.ts';

const zerosOf = (mask: ArrayLike<number>) => Array.from(mask).filter((one) => one === 0).length;

describe('masks', () => {
  const [outputs, inputs] = [6, 32];
  const weights = randomFloats(outputs * inputs, 3);

  test.each([
    [2, 4],
    [1, 4],
  ])('%i:%i keeps the largest of each run of neighbours', (keep, of) => {
    const mask = maskOf(weights, outputs, { kind: 'pattern', keep, of });
    for (let i = 0; i < weights.length; i += of) {
      const group = Array.from({ length: of }, (_, k) => i + k);
      const kept = group.filter((k) => mask[k] === 1).map((k) => Math.abs(weights[k]!));
      const gone = group.filter((k) => mask[k] === 0).map((k) => Math.abs(weights[k]!));
      expect(kept).toHaveLength(keep);
      expect(Math.min(...kept)).toBeGreaterThanOrEqual(Math.max(...gone));
    }
  });

  test('blocks are 2 outputs by 8 inputs, whole or not at all', () => {
    const mask = maskOf(weights, outputs, { kind: 'block', share: 0.5 });
    expect(zerosOf(mask)).toBe(weights.length / 2);
    for (let o = 0; o < outputs; o += 2) {
      for (let k = 0; k < inputs; k += 8) {
        const block = [0, 1].flatMap((y) =>
          Array.from(mask.subarray((o + y) * inputs + k, (o + y) * inputs + k + 8)),
        );
        expect(new Set(block).size).toBe(1);
      }
    }
  });

  test('scattered zeros are the smallest weights', () => {
    const mask = maskOf(weights, outputs, { kind: 'scattered', share: 0.25 });
    expect(zerosOf(mask)).toBe(weights.length / 4);
  });
});

describe('sparsifyModel', () => {
  const [count, features] = [200, 16];

  function network(): Graph {
    const build = new GraphBuilder();
    const layer = (x: string, from: number, to: number, activation: string) => {
      const inputs = [x, build.constant([to, from]), build.constant([to])];
      return build.node('fullyConnected', inputs, { activation }, `to ${to}`);
    };
    const hidden = layer(build.input('x', [1, features]), features, 32, 'relu');
    return build.finish(layer(layer(hidden, 32, 24, 'relu'), 24, 3, 'none'));
  }

  const data = randomFloats(count * features, 5);
  const labels = Int32Array.from({ length: count }, (_, n) => (data[n * features]! > 0 ? 1 : 2));
  const classes = {
    file: 'y',
    task: 'classification',
    metric: metricFor('classification', undefined),
  } as const;
  const input = () => ({ graph: network(), inputs: [data], count, labels: { ...classes, data: labels } });
  const settings = { distill: false, epochs: 40, batch: 20, rate: 0.01, seed: 2, fineTune: true };

  /** A board on which only blocks of zeros save anything. */
  const blocksSave = (graph: Graph) => {
    let cost = 0;
    for (const node of graph.nodes) {
      const { data: weights, type } = graph.values.get(node.inputs[1]!)!;
      const [rows, columns] = type.shape as [number, number];
      for (let o = 0; o < rows; o += 2)
        for (let k = 0; k < columns; k += 8)
          if ((weights as Float32Array).subarray(o * columns + k, o * columns + k + 8).some((w) => w !== 0))
            cost += 16;
    }
    return Promise.resolve(cost);
  };

  test('zeros stay zero through training, in the file too', async () => {
    const made = await sparsifyModel(
      input(),
      settings,
      { kind: 'block', share: 0.5 },
      { measure: blocksSave },
    );
    expect(made.zeros).toBeCloseTo(0.5, 1);
    expect(made.measured.after).toBeLessThan(0.7 * made.measured.before);
    expect(made.score!.after.value).toBeGreaterThan(0.75);
    const { graph } = importModel(writeOnnx(made.graph, '1.0'), { fileName: 'sparse.onnx' });
    const zeros = [...graph.values.values()].reduce(
      (sum, { data: stored }) => sum + (stored instanceof Float32Array ? zerosOf(stored) : 0),
      0,
    );
    expect(zeros).toBeGreaterThanOrEqual((16 * 32 + 32 * 24) / 2 - 16);
  });

  test('a form without a gain is refused with the numbers', async () => {
    const run = sparsifyModel(
      input(),
      settings,
      { kind: 'pattern', keep: 2, of: 4 },
      { measure: blocksSave },
    );
    await expect(run).rejects.toMatchObject({ code: 'E_SPARSE_NO_GAIN', exit: 3 });
  });
});
