import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evaluateFloat } from '../../../converter/evaluate/float.ts';
import { readModel } from '../../../converter/formats/onnx/container/read-model.ts';
import { importOnnx } from '../../../converter/formats/onnx/import.ts';
import { writeOnnx } from '../../../converter/formats/onnx/write.ts';
import { importModel } from '../../../converter/import-model.ts';
import { elementCount } from '../../../converter/ir/tensor.ts';
import type { Graph } from '../../../converter/ir/types.ts';
import { optimize } from '../../../converter/pipeline.ts';
import { oraclePython, runOracle, sharedFolder } from '../../support/oracle.ts';

const python = oraclePython();
const shared = sharedFolder();
const absent = shared ? (python ? '' : ' (no oracle Python)') : ' (no shared models)';

/** With the transposes that the written file may have: none where the user exported channels first. */
const models: readonly (readonly [name: string, transposes: number])[] = [
  ['kws_torch.onnx', 0],
  ['kws_tf2onnx.onnx', 1],
  ['ic_torch.onnx', 0],
  ['ic_torch_legacy.onnx', 0],
  ['ic_tf2onnx.onnx', 1],
  ['vww_torch.onnx', 0],
  ['ad_torch.onnx', 0],
  ['digits_lenet.onnx', 0],
  ['digits_mbv2.onnx', 0],
  ['motor_tcn.onnx', 0],
  ['motor_ae.onnx', 0],
  ['ic_float.tflite', 1],
  ['vww_float.tflite', 1],
];

/** Checks each written file and runs it beside the original: arguments folder, written/original pairs. */
const runtime = `
import sys, json, numpy as np, onnx, onnxruntime as ort
worst = []
for written, original in zip(sys.argv[1::2], sys.argv[2::2]):
    onnx.checker.check_model(onnx.load(written), full_check=True)
    session = ort.InferenceSession(written)
    port = session.get_inputs()[0]
    rng = np.random.RandomState(5)
    far = 0
    for _ in range(3):
        x = rng.randn(*port.shape).astype(np.float32)
        y = session.run(None, {port.name: x})[0]
        if original.endswith('.onnx'):
            reference = ort.InferenceSession(original)
            z = reference.run(None, {reference.get_inputs()[0].name: x})[0]
        else:
            from ai_edge_litert.interpreter import Interpreter
            reference = Interpreter(original); reference.allocate_tensors()
            reference.set_tensor(reference.get_input_details()[0]['index'], x); reference.invoke()
            z = reference.get_tensor(reference.get_output_details()[0]['index'])
        assert y.shape == z.shape, (y.shape, z.shape)
        far = max(far, float(np.max(np.abs(y - z) / np.maximum(1, np.abs(z)))))
    worst.append(far)
print(json.dumps(worst))
`;

const folder = mkdtempSync(join(tmpdir(), 'tinyml-write-onnx-'));
afterAll(() => rmSync(folder, { recursive: true }));

function optimized(name: string): Graph {
  const bytes = readFileSync(join(shared!, 'models', name));
  return optimize(importModel(bytes, { fileName: name }).graph);
}

describe.skipIf(absent)(`optimized graphs written as ONNX${absent}`, () => {
  const written = new Map<string, Uint8Array>();
  let distances: readonly number[] = [];

  beforeAll(() => {
    const pairs = models.flatMap(([name]) => {
      const bytes = writeOnnx(optimized(name), '1.0');
      written.set(name, bytes);
      const path = join(folder, `${name}.onnx`);
      writeFileSync(path, bytes);
      return [path, join(shared!, 'models', name)];
    });
    distances = JSON.parse(runOracle(python!, runtime, pairs));
  });

  test.each(models)('%s: ONNX Runtime computes the same to 1e-5, with %i transposes', (name, transposes) => {
    expect(distances[models.findIndex(([other]) => other === name)]).toBeLessThan(1e-5);
    const { node } = readModel(written.get(name)!).graph;
    expect(node.filter(({ opType }) => opType === 'Transpose').length).toBeLessThanOrEqual(transposes);
  });

  test.each(models)('%s: the importer reads it back to a graph that computes the same', async (name) => {
    const before = optimized(name);
    const after = optimize(importOnnx(written.get(name)!, { fileName: name }).graph);
    expect(after.inputs.map(({ name, shape }) => [name, shape])).toEqual(
      before.inputs.map(({ name, shape }) => [name, shape]),
    );
    expect(after.nodes.map(({ op }) => op).sort()).toEqual(before.nodes.map(({ op }) => op).sort());
    const x = Float32Array.from({ length: elementCount(before.inputs[0]!.shape) }, (_, i) => Math.sin(i * i));
    const [expected] = await evaluateFloat(before, [x], 1);
    const [actual] = await evaluateFloat(after, [x], 1);
    for (const [i, value] of expected!.entries()) expect(actual![i]).toBeCloseTo(value, 4);
  });
});
