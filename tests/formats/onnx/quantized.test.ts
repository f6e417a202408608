import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CalibrationData, type ConvertedModel, convertModel } from '../../../converter/convert-model.ts';
import { readNpz } from '../../../converter/data/npz.ts';
import { prepareInteger } from '../../../converter/evaluate/integer.ts';
import { toGraphLayout } from '../../../converter/evaluate/ports.ts';
import { writeOnnx } from '../../../converter/formats/onnx/write.ts';
import { importModel } from '../../../converter/import-model.ts';
import type { Graph } from '../../../converter/ir/types.ts';
import { markScales } from '../../../converter/quant/mark-scales.ts';
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

const sources = [
  ['digits_lenet', 'digits'],
  ['digits_mbv2', 'digits'],
  ['motor_tcn', 'motor'],
] as const;

const options = {
  engine: 'aot',
  quantize: 'int8',
  optimize: 'speed',
  kernels: kernelTexts,
  toolVersion: 'test',
  command: 'test',
} as const;

const hex = (data: Int8Array) => Buffer.from(data).toString('hex');

function convert(bytes: Uint8Array, calibration?: CalibrationData): Promise<ConvertedModel> {
  const { graph } = importModel(bytes, { fileName: 'quantized.onnx' });
  return convertModel(graph, { ...options, ...(calibration ? { calibration } : {}) });
}

function floats(set: string, array: string): { data: Float32Array; count: number } {
  const { data, shape } = readNpz(readFileSync(join(shared!, 'eval', `${set}.npz`)), set).get(array)!;
  return { data: Float32Array.from(data as Float32Array), count: shape[0]! };
}

/** Stored results of the first samples, one after another. */
function storedResults(graph: Graph, set: string): Int8Array {
  const { data, count } = floats(set, 'x');
  const size = data.length / count;
  const model = prepareInteger(graph);
  const { type } = graph.values.get(graph.inputs[0]!.value)!;
  const results = Array.from({ length: samples }, (_, n) => {
    const x = data.slice(n * size, (n + 1) * size);
    return [...(model.run([quantizeActivations(toGraphLayout(graph.inputs[0]!, x), type)])[0] as Int8Array)];
  });
  return Int8Array.from(results.flat());
}

/** Largest distance in steps between stored and real results. */
function farthest(stored: Int8Array, real: readonly number[], graph: Graph): number {
  const { scale, zeroPoint } = graph.values.get(graph.outputs[0]!.value)!.type.quant!;
  return stored.reduce((most, value, i) => {
    return Math.max(most, Math.abs(value - real[i]! / scale[0]! - zeroPoint[0]!));
  }, 0);
}

/** Runs quantized models of ours on the same samples. */
const runner = `
import sys, json
import numpy as np, onnx, onnxruntime as ort
shared, folder, *jobs = sys.argv[1:]
answers = {}
for job in jobs:
    key, data = job.split(':')
    onnx.checker.check_model(onnx.load(f'{folder}/{key}.onnx'), full_check=True)
    session = ort.InferenceSession(f'{folder}/{key}.onnx', providers=['CPUExecutionProvider'])
    x = np.load(f'{shared}/eval/{data}.npz')['x'][:48].astype('float32')
    name = session.get_inputs()[0].name
    answers[key] = np.concatenate([session.run(None, {name: x[i:i+1]})[0].reshape(-1) for i in range(48)]).tolist()
print(json.dumps(answers))
`;
const samples = 48;
const own = new Map<string, Graph>();

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

    it('keep their scales, and give its results within a step', async () => {
      const most = new Map<string, number>();
      for (const [key, { out, scales, set }] of Object.entries(facts)) {
        const { graph } = await convert(new Uint8Array(readFileSync(join(folder, `${key}.onnx`))));
        const known = new Set(scales.map(Math.fround));
        for (const port of [...graph.inputs, ...graph.outputs])
          expect(known, key).toContain(graph.values.get(port.value)!.type.quant!.scale[0]);
        most.set(key, Math.round(farthest(storedResults(graph, set), out, graph)));
      }
      // ONNX Runtime computes in float and rounds once, halves to even; TensorFlow Lite's fixed point rounds twice.
      // One step of difference in a layer can become a few through the layers behind it.
      const deep: Readonly<Record<string, number>> = { digits_mbv2: 3, motor_ae: 2 };
      for (const [key, steps] of most) expect(steps, key).toBeLessThanOrEqual(deep[key.split('-')[0]!] ?? 1);
    }, 120_000);

    it('are written as ONNX Runtime runs them, and read back to the same bytes', async () => {
      const written: string[] = [];
      for (const [model, set] of sources) {
        const bytes = new Uint8Array(readFileSync(join(shared!, 'models', `${model}.onnx`)));
        const calib = floats(set, 'calib');
        const converted = await convert(bytes, { inputs: [calib.data], count: calib.count });
        const qdq = writeOnnx(markScales(converted.graph), 'test');
        const again = await convert(qdq);
        expect(hex(storedResults(again.graph, set)), model).toBe(hex(storedResults(converted.graph, set)));
        writeFileSync(join(folder, `${model}-own.onnx`), qdq);
        written.push(`${model}-own:${set}`);
        own.set(`${model}-own`, converted.graph);
      }
      const answers = JSON.parse(runOracle(python!, runner, [shared!, folder, ...written])) as Record<
        string,
        number[]
      >;
      for (const [model, set] of sources) {
        const graph = own.get(`${model}-own`)!;
        const steps = farthest(storedResults(graph, set), answers[`${model}-own`]!, graph);
        expect(Math.round(steps), model).toBeLessThanOrEqual(3);
      }
    }, 120_000);

    it('are refused where a value has no scale', async () => {
      const { graph } = importModel(
        new Uint8Array(readFileSync(join(folder, 'digits_lenet-QDQ-QInt8.onnx'))),
        {
          fileName: 'part.onnx',
        },
      );
      const last = graph.nodes.findLast((node) => node.op === 'fakeQuantize')!;
      const outputs = [{ ...graph.outputs[0]!, value: last.inputs[0]! }];
      const part = { ...graph, outputs, nodes: graph.nodes.filter((node) => node !== last) };
      await expect(convertModel(part, options)).rejects.toMatchObject({
        code: 'E_QUANTIZED_PARTLY',
        measure: ['without: node_linear'],
      });
    });
  },
);
