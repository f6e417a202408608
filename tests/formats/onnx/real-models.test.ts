import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evaluateFloat } from '../../../converter/evaluate/float.ts';
import { importOnnx } from '../../../converter/formats/onnx/import.ts';
import { oraclePython, runOracle, sharedFolder } from '../../support/oracle.ts';

const python = oraclePython();
const shared = sharedFolder();
const absent = shared ? (python ? '' : ' (no oracle Python)') : ' (no shared models)';

const models = [
  'kws_torch',
  'kws_torch_legacy',
  'kws_tf2onnx',
  'ic_torch',
  'ic_torch_legacy',
  'ic_tf2onnx',
  'vww_torch',
  'ad_torch',
  'digits_lenet',
  'digits_mbv2',
  'motor_tcn',
  'motor_ae',
];
const vectors = 3;

/** Writes random inputs and ONNX Runtime's outputs for each model: arguments folder, vectors, models. */
const runtime = `
import sys, numpy as np, onnxruntime as ort
folder, vectors, *models = sys.argv[1:]
for path in models:
    session = ort.InferenceSession(path)
    port = session.get_inputs()[0]
    shape = [d if isinstance(d, int) and d > 0 else 1 for d in port.shape]
    name = folder + '/' + path.split('/')[-1]
    x = np.random.RandomState(7).randn(int(vectors), *shape).astype(np.float32)
    y = [session.run(None, {port.name: sample})[0] for sample in x]
    x.tofile(name + '.x'); np.stack(y).astype(np.float32).tofile(name + '.y')
`;

const folder = mkdtempSync(join(tmpdir(), 'tinyml-onnx-'));
afterAll(() => rmSync(folder, { recursive: true }));

function readFloats(path: string): Float32Array {
  return new Float32Array(new Uint8Array(readFileSync(path)).buffer);
}

function read(name: string): Uint8Array {
  return readFileSync(join(shared!, 'models', `${name}.onnx`));
}

describe.skipIf(absent)(`real models against ONNX Runtime${absent}`, () => {
  beforeAll(() => {
    const paths = models.map((name) => join(shared!, 'models', `${name}.onnx`));
    runOracle(python!, runtime, [folder, String(vectors), ...paths]);
  });

  test.each(models)('%s computes what ONNX Runtime computes', async (name) => {
    const { graph } = importOnnx(read(name), { fileName: `${name}.onnx` });
    const [result] = await evaluateFloat(graph, [readFloats(join(folder, `${name}.onnx.x`))], vectors);
    const expected = readFloats(join(folder, `${name}.onnx.y`));
    expect(result!.length).toBe(expected.length);
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const distance = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - result![i]!)), 0);
    expect(distance / largest).toBeLessThan(1e-4);
  });
});

describe.skipIf(!shared)(`real models${shared ? '' : ' (no shared models)'}`, () => {
  test.each(['kws_torch_legacy', 'kws_tf2onnx', 'ic_torch_legacy', 'ic_tf2onnx'])(
    '%s has an open batch, which becomes 1 with a note',
    (name) => {
      const { graph, notes } = importOnnx(read(name), { fileName: name });
      expect(graph.inputs[0]!.shape[0]).toBe(1);
      expect(notes.join()).toMatch(/batch dimension .* open; converted for a batch of 1/);
    },
  );

  test('ports keep the names and shapes of the user', () => {
    const { graph } = importOnnx(read('kws_torch'), { fileName: 'kws_torch.onnx' });
    expect(graph.inputs).toMatchObject([{ name: 'input', shape: [1, 1, 49, 10] }]);
    expect(graph.outputs).toMatchObject([{ name: 'output', shape: [1, 12] }]);
  });

  test('nodes carry the names that the user gave their layers', () => {
    const { graph } = importOnnx(read('kws_torch_legacy'), { fileName: 'kws.onnx' });
    const convolutions = graph.nodes.filter(({ op }) => /conv/i.test(op)).map(({ origin }) => origin);
    expect(convolutions).toEqual(Array.from({ length: 9 }, (_, i) => `/l${i}/Conv`));
  });

  test('networks of other kinds are refused with every operator named', () => {
    const load = () => importOnnx(read('motor_svm'), { fileName: 'motor_svm.onnx' });
    expect(load).toThrow(/node "Scaler" uses ai\.onnx\.ml\.Scaler/);
  });
});
