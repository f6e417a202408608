import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConvertedModel, convertModel } from '../../../converter/convert-model.ts';
import { readNpz } from '../../../converter/data/npz.ts';
import { prepareInteger } from '../../../converter/evaluate/integer.ts';
import { toGraphLayout } from '../../../converter/evaluate/ports.ts';
import { importModel } from '../../../converter/import-model.ts';
import { quantizeActivations } from '../../../converter/quant/scheme.ts';
import { kernelTexts } from '../../support/model-options.ts';
import { oraclePython, runOracle, sharedFolder } from '../../support/oracle.ts';

const python = oraclePython();
const shared = sharedFolder();

/** Quantizes models with ONNX Runtime's own tool and runs them; prints what it stored for inputs and outputs. */
const program = `
import sys, json, logging
import numpy as np, onnx, onnxruntime as ort
logging.disable(logging.WARNING)
from onnxruntime.quantization import quantize_static, CalibrationDataReader, QuantFormat, QuantType
shared, folder = sys.argv[1:3]
class Reader(CalibrationDataReader):
    def __init__(self, name, x): self.items = iter([{name: x[i:i+1]} for i in range(32)])
    def get_next(self): return next(self.items, None)
facts = {}
for model, data in [('digits_lenet', 'digits'), ('digits_mbv2', 'digits'), ('motor_tcn', 'motor'), ('motor_ae', 'motor')]:
    source = f'{shared}/models/{model}.onnx'
    name = onnx.load(source).graph.input[0].name
    set = np.load(f'{shared}/eval/{data}.npz')
    calib, x = set['calib'].astype('float32'), set['x'][:48].astype('float32')
    for form, kind in [('QDQ', 'QInt8'), ('QDQ', 'QUInt8'), ('QOperator', 'QUInt8'), ('QOperator', 'QInt8')]:
        key = f'{model}-{form}-{kind}'
        path = f'{folder}/{key}.onnx'
        quantize_static(source, path, Reader(name, calib), quant_format=getattr(QuantFormat, form),
                        activation_type=getattr(QuantType, kind), weight_type=QuantType.QInt8, per_channel=True)
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        session = ort.InferenceSession(path, options, providers=['CPUExecutionProvider'])
        out = np.concatenate([session.run(None, {name: x[i:i+1]})[0].reshape(1, -1) for i in range(len(x))])
        g = onnx.load(path).graph
        last = {init.name: onnx.numpy_helper.to_array(init) for init in g.initializer}
        scales = sorted({float(v.reshape(-1)[0]) for k, v in last.items() if k.endswith('_scale') and v.size == 1})
        facts[key] = {'out': out.reshape(-1).tolist(), 'scales': scales, 'set': data}
print(json.dumps(facts))
`;

interface Fact {
  readonly out: readonly number[];
  readonly scales: readonly number[];
  readonly set: string;
}

describe.skipIf(!python || !shared)(
  'quantized models of ONNX Runtime (need the oracles and ../shared)',
  () => {
    let folder: string;
    let facts: Record<string, Fact>;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'tinyml-qdq-'));
      facts = JSON.parse(runOracle(python!, program, [shared!, folder])) as Record<string, Fact>;
    }, 120_000);
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    function convert(bytes: Uint8Array): Promise<ConvertedModel> {
      return convertModel(importModel(bytes, { fileName: 'quantized.onnx' }).graph, {
        engine: 'aot',
        quantize: 'int8',
        optimize: 'speed',
        kernels: kernelTexts,
        toolVersion: 'test',
        command: 'test',
      });
    }

    it('keep their scales, and give its results within a step', async () => {
      const report: string[] = [];
      for (const [key, { out, scales, set }] of Object.entries(facts)) {
        const { graph } = await convert(new Uint8Array(readFileSync(join(folder, `${key}.onnx`))));
        const own = new Set([...scales].map(Math.fround));
        const kept = [...graph.inputs, ...graph.outputs].map((port) => graph.values.get(port.value)!.type);
        for (const type of kept) expect(own, key).toContain(type.quant!.scale[0]);
        const data = readNpz(readFileSync(join(shared!, 'eval', `${set}.npz`)), set).get('x')!;
        const size = data.data.length / data.shape[0]!;
        const model = prepareInteger(graph);
        const { scale, zeroPoint } = kept[1]!.quant!;
        let [most, exact, total] = [0, 0, 0];
        for (let n = 0; n < 48; n++) {
          const x = Float32Array.from(data.data.subarray(n * size, (n + 1) * size) as Float32Array);
          const [y] = model.run([quantizeActivations(toGraphLayout(graph.inputs[0]!, x), kept[0]!)]);
          for (const [i, stored] of (y as Int8Array).entries()) {
            const theirs = out[n * y!.length + i]! / scale[0]! + zeroPoint[0]!;
            most = Math.max(most, Math.abs(stored - theirs));
            if (Math.abs(stored - theirs) < 0.01) exact++;
            total++;
          }
        }
        report.push(`${key}: ${exact} of ${total} equal, at most ${most.toFixed(2)} steps`);
      }
      console.log(report.join('\n'));
    }, 120_000);
  },
);
