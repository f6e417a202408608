import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readNpz } from '../../converter/data/npz.ts';
import { evaluateFloat } from '../../converter/evaluate/float.ts';
import { prepareInteger } from '../../converter/evaluate/integer.ts';
import { toGraphLayout } from '../../converter/evaluate/ports.ts';
import { writeTflite } from '../../converter/formats/tflite/write.ts';
import { importModel } from '../../converter/import-model.ts';
import { bytesOf, elementCount } from '../../converter/ir/tensor.ts';
import type { Graph } from '../../converter/ir/types.ts';
import { verify } from '../../converter/ir/verify.ts';
import { followsInputs, judgeLabels } from '../../converter/metrics/judge-labels.ts';
import { metricFor, scoreBy } from '../../converter/metrics/metric.ts';
import { opRules } from '../../converter/ops/rules.ts';
import { transposesLeft } from '../../converter/passes/simplify-layout.ts';
import { integerPasses, optimize, runPasses } from '../../converter/pipeline.ts';
import { calibrate } from '../../converter/quant/calibrate.ts';
import { quantizeGraph } from '../../converter/quant/quantize-graph.ts';
import { quantizeToInt8 } from '../../converter/quant/scheme.ts';
import { runRuntime } from '../formats/tflite/runtimes.ts';
import { randomFloats } from '../support/graphs.ts';
import { oraclePython, sharedFolder } from '../support/oracle.ts';

const shared = sharedFolder();
const python = oraclePython();

const names = [
  'kws_torch.onnx',
  'kws_torch_legacy.onnx',
  'kws_tf2onnx.onnx',
  'ic_torch.onnx',
  'ic_torch_legacy.onnx',
  'ic_tf2onnx.onnx',
  'vww_torch.onnx',
  'ad_torch.onnx',
  'digits_lenet.onnx',
  'digits_mbv2.onnx',
  'motor_tcn.onnx',
  'motor_ae.onnx',
  'kws_float.tflite',
  'ic_float.tflite',
  'ad_float.tflite',
  'hello_world_float.tflite',
];

function optimizedModel(name: string): Graph {
  return optimize(importModel(readFileSync(join(shared!, 'models', name)), { fileName: name }).graph);
}

async function quantized(float: Graph, samples: Float32Array, count: number): Promise<Graph> {
  const ranges = await calibrate(float, [samples], count, 'mse');
  const graph = quantizeGraph(float, ranges, { perChannelFullyConnected: true });
  verify(graph, 'quantized', opRules);
  return runPasses(graph, integerPasses);
}

describe.skipIf(!shared)('real models (need ../shared)', () => {
  it.each(names)('%s keeps no transposes', (name) => {
    expect(transposesLeft(optimizedModel(name))).toBe(0);
  });

  it.skipIf(!python)(
    'converted to int8 give the same bytes in LiteRT on 32 inputs each (needs the oracles)',
    async () => {
      const inputsPerModel = 32;
      for (const name of names) {
        const float = optimizedModel(name);
        const size = elementCount(float.inputs[0]!.shape);
        const graph = await quantized(float, randomFloats(8 * size, 3), 8);
        const model = writeTflite(graph);
        const inputs = Array.from({ length: inputsPerModel }, (_, seed) =>
          Int8Array.from(randomFloats(size, 100 + seed), (value) => value * 128),
        );
        const answers = runRuntime(
          python!,
          'litert',
          inputs.map((input) => ({ model, inputs: [input] })),
        );
        const integer = prepareInteger(graph);
        for (const [i, answer] of answers.entries()) {
          expect(answer.error, name).toBeUndefined();
          const expected = integer
            .run([inputs[i]!])
            .map((data) => Buffer.from(bytesOf(data)).toString('hex'));
          expect(
            answer.outputs.map((output) => Buffer.from(output).toString('hex')),
            `${name}, input ${i}`,
          ).toEqual(expected);
        }
      }
    },
    240_000,
  );
});

/** Largest loss that int8 may cost against float, and samples to score: enough to see it, few enough to be quick. */
const accuracy = [
  { model: 'digits_lenet', data: 'digits', loss: 0.003, metric: 'top-1' },
  { model: 'digits_mbv2', data: 'digits', loss: 0.005, metric: 'top-1' },
  { model: 'motor_tcn', data: 'motor', loss: 0.003, metric: 'top-1' },
  { model: 'motor_ae', data: 'motor', loss: 0.003, metric: 'reconstruction-auc' },
] as const;
const scored = 500;

describe.skipIf(!shared)('accuracy (needs ../shared)', () => {
  let data: Map<string, ReturnType<typeof readNpz>>;
  beforeAll(() => {
    data = new Map(
      ['digits', 'motor'].map((name) => [
        name,
        readNpz(readFileSync(join(shared!, 'eval', `${name}.npz`)), name),
      ]),
    );
  });
  const floats = (set: string, array: string) =>
    Float32Array.from(data.get(set)!.get(array)!.data as Float32Array);

  it.each(accuracy)(
    '$model loses at most $loss',
    async ({ model, data: set, loss, metric }) => {
      const float = optimizedModel(`${model}.onnx`);
      const port = float.inputs[0]!;
      const size = elementCount(port.shape);
      const inputs = floats(set, 'x').subarray(0, scored * size);
      const calib = floats(set, 'calib');
      const labels = {
        data: Array.from(data.get(set)!.get('y')!.data, Number).slice(0, scored),
        shape: [scored],
      };
      const graph = await quantized(float, calib, calib.length / size);
      const reference = (await evaluateFloat(float, [inputs], scored))[0]!;
      const quant = (name: string) => graph.values.get(name)!.type.quant!;
      const { scale, zeroPoint } = quant(graph.outputs[0]!.value);
      const integer = prepareInteger(graph);
      const outputs = Array.from({ length: scored }, (_, n) => {
        const sample = toGraphLayout(port, inputs.slice(n * size, (n + 1) * size));
        const stored = integer.run([quantizeToInt8(sample, quant(port.value))])[0] as Int8Array;
        return Array.from(stored, (element) => (element - zeroPoint[0]!) * scale[0]!);
      }).flat();
      const judged = await judgeLabels(set, labels, {
        inputShape: port.shape,
        outputShape: float.outputs[0]!.shape,
        reproduces: async () => followsInputs(inputs, reference),
      });
      const chosen = metricFor(judged.task, undefined);
      expect(chosen.name).toBe(metric);
      const worth = (results: ArrayLike<number>) => scoreBy(chosen, inputs, results, judged.labels!).value;
      expect(worth(reference) - worth(outputs)).toBeLessThanOrEqual(loss + 1e-9);
    },
    120_000,
  );
});
