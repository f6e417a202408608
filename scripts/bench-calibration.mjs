// Measures what each way to quantize costs in accuracy: the tables of docs/quantization.md and docs/compression.md.
// usage: npm run bench:calibration [-- remedies|broken]   (needs ../shared with models and evaluation data)
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { breakChannel } from './break-model.mjs';
import { root } from './setup.mjs';

const at = (path) => import(join(root, 'dist', 'converter', path));
const { importModel } = await at('import-model.js');
const { optimize } = await at('pipeline.js');
const { readNpz } = await at('data/npz.js');
const { evaluateFloat } = await at('evaluate/float.js');
const { prepareInteger } = await at('evaluate/integer.js');
const { followsInputs, judgeLabels } = await at('metrics/judge-labels.js');
const { metricFor, scoreBy } = await at('metrics/metric.js');
const { toGraphLayout } = await at('evaluate/ports.js');
const { calibrationMethods } = await at('quant/choose-range.js');
const { observe, quantizeModel } = await at('quant/quantize-model.js');
const { defaultRecipe } = await at('quant/recipe.js');
const { quantizeActivations } = await at('quant/scheme.js');

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
  const input = graph.values.get(port.value).type;
  const { scale, zeroPoint } = graph.values.get(graph.outputs[0].value).type.quant;
  const outputs = [];
  for (let n = 0; n < count; n++) {
    const sample = toGraphLayout(port, x.slice(n * size, (n + 1) * size));
    const [stored] = model.run([quantizeActivations(sample, input)]);
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

const methods = calibrationMethods.map((method) => [method, { method }]);
const plain = { method: 'minmax', perTensor: true };
const remedies = [
  ['defaults', {}],
  ['--per-tensor --calibration minmax', plain],
  ['--per-tensor --calibration minmax --equalize', { ...plain, equalize: true }],
  ['--equalize', { equalize: true }],
  ['--correct-bias', { correctBias: true }],
  ['--adaround', { learnRounding: true }],
  ['--adaround --correct-bias', { learnRounding: true, correctBias: true }],
  ['--quantize int16x8', { scheme: 'int16x8' }],
];
const broken = [
  ['--per-tensor --calibration minmax', plain],
  ['--calibration minmax', { method: 'minmax' }],
  ...methods.slice(1).map(([name, recipe]) => [`--calibration ${name}`, recipe]),
  ['--correct-bias', { correctBias: true }],
  ['--adaround', { learnRounding: true }],
  ['--quantize int16x8', { scheme: 'int16x8' }],
  ['--equalize', { equalize: true }],
];

/** Jobs, recipes, and what is done to each graph before. */
const tables = {
  methods: [jobs, methods, (graph) => graph],
  remedies: [jobs, remedies, (graph) => graph],
  broken: [jobs.slice(0, 1), broken, (graph) => breakChannel(graph, 'node_Conv_25', 3, 200)],
};
const [chosen, recipes, prepare] = tables[process.argv[2] ?? 'methods'];

console.log(
  '| model | metric | float | quantized with | score | lost | SQNR of the output |\n|---|---|---|---|---|---|---|',
);
for (const [name, set] of chosen) {
  const data = readNpz(readFileSync(join(shared, 'eval', `${set}.npz`)), set);
  const floats = (array) => Float32Array.from(data.get(array).data, Number);
  const [x, calib] = [floats('x'), floats('calib')];
  const file = join(shared, 'models', `${name}.onnx`);
  const graph = prepare(optimize(importModel(readFileSync(file), { fileName: file }).graph));
  const count = data.get('x').shape[0];
  const labels = { data: Array.from(data.get('y').data, Number), shape: [count] };
  const [reference] = await evaluateFloat(graph, [x], count);
  const judged = await judgeLabels(set, labels, {
    inputShape: graph.inputs[0].shape,
    outputShape: graph.outputs[0].shape,
    reproduces: async () => followsInputs(x, reference),
  });
  const metric = metricFor(judged.task);
  const scoreOf = (outputs) => scoreBy(metric, x, outputs, judged.labels);
  const best = scoreOf(reference);
  const samples = { inputs: [calib], count: data.get('calib').shape[0] };
  const observed = await observe(graph, samples);
  for (const [title, changes] of recipes) {
    const recipe = { ...defaultRecipe, ...changes };
    const made = await quantizeModel(observed, samples, recipe, { perChannelFullyConnected: true });
    const outputs = integerOutputs(made.graph, x, count);
    const { value } = scoreOf(outputs);
    const row = [
      name,
      best.metric,
      best.value.toFixed(4),
      title,
      value.toFixed(4),
      (100 * (best.value - value)).toFixed(2),
      `${decibels(reference, outputs).toFixed(1)} dB`,
    ];
    console.log(`| ${row.join(' | ')} |`);
  }
}
