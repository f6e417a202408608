// Measures what each calibration method costs in accuracy: the table of docs/quantization.md.
// usage: npm run bench:calibration   (needs ../shared with models and evaluation data)
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup.mjs';

const at = (path) => import(join(root, 'dist', 'converter', path));
const { importModel } = await at('import-model.js');
const { optimize } = await at('pipeline.js');
const { readNpz } = await at('data/npz.js');
const { evaluateFloat } = await at('evaluate/float.js');
const { prepareInteger } = await at('evaluate/integer.js');
const { score } = await at('evaluate/metrics.js');
const { toGraphLayout } = await at('evaluate/ports.js');
const { calibrate } = await at('quant/calibrate.js');
const { calibrationMethods } = await at('quant/choose-range.js');
const { quantizeGraph } = await at('quant/quantize-graph.js');
const { quantizeToInt8 } = await at('quant/scheme.js');

const shared = join(root, '..', 'shared');
const jobs = [
  ['digits_lenet', 'digits'],
  ['digits_mbv2', 'digits'],
  ['motor_tcn', 'motor'],
  ['motor_ae', 'motor'],
];

/** Real outputs of the int8 graph for every sample, one after another. */
function integerOutputs(graph, x, count) {
  const port = graph.inputs[0];
  const size = x.length / count;
  const model = prepareInteger(graph);
  const input = graph.values.get(port.value).type.quant;
  const { scale, zeroPoint } = graph.values.get(graph.outputs[0].value).type.quant;
  const outputs = [];
  for (let n = 0; n < count; n++) {
    const sample = toGraphLayout(port, x.slice(n * size, (n + 1) * size));
    const [stored] = model.run([quantizeToInt8(sample, input)]);
    for (const element of stored) outputs.push((element - zeroPoint[0]) * scale[0]);
  }
  return outputs;
}

function decibels(reference, outputs) {
  let signal = 0;
  let noise = 0;
  for (let i = 0; i < reference.length; i++) {
    signal += reference[i] ** 2;
    noise += (reference[i] - outputs[i]) ** 2;
  }
  return 10 * Math.log10(signal / noise);
}

console.log('| model | metric | float | method | int8 | SQNR of the output |\n|---|---|---|---|---|---|');
for (const [name, set] of jobs) {
  const data = readNpz(readFileSync(join(shared, 'eval', `${set}.npz`)), set);
  const floats = (array) => Float32Array.from(data.get(array).data, Number);
  const [x, calib] = [floats('x'), floats('calib')];
  const file = join(shared, 'models', `${name}.onnx`);
  const graph = optimize(importModel(readFileSync(file), { fileName: file }).graph);
  const count = data.get('x').shape[0];
  const labels = { data: Array.from(data.get('y').data, Number), shape: [count] };
  const [reference] = await evaluateFloat(graph, [x], count);
  const best = score(x, reference, labels);
  for (const method of calibrationMethods) {
    const ranges = await calibrate(graph, [calib], data.get('calib').shape[0], method);
    const quantized = quantizeGraph(graph, ranges, { perChannelFullyConnected: true });
    const outputs = integerOutputs(quantized, x, count);
    const { value } = score(x, outputs, labels);
    const row = [
      name,
      best.metric,
      best.value.toFixed(4),
      method,
      value.toFixed(4),
      `${decibels(reference, outputs).toFixed(1)} dB`,
    ];
    console.log(`| ${row.join(' | ')} |`);
  }
}
