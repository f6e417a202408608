import { readFileSync } from 'node:fs';
import { readDataset } from '../dist/converter/data/dataset.js';
import { labelsFor, samplesFor } from '../dist/converter/data/samples.js';
import { floatBatch } from '../dist/converter/evaluate/encode.js';
import { evaluateFloat } from '../dist/converter/evaluate/float.js';
import { importModel } from '../dist/converter/import-model.js';
import { optimize } from '../dist/converter/pipeline.js';
import { loadTraining } from '../dist/converter/train/load-training.js';
import { objectiveFor } from '../dist/converter/train/objective.js';
import { Trainer, trainingSet } from '../dist/converter/train/trainer.js';

const name = process.argv[2] ?? 'digits_mbv2',
  dn = process.argv[3] ?? 'digits';
const g = optimize(importModel(readFileSync(`../shared/models/${name}.onnx`), { fileName: name }).graph);
const load = (f) => {
  const d = readDataset(readFileSync(`../shared/eval/${f}.npz`), f, 'npz', { lastIsLabel: false });
  const s = samplesFor(g.inputs, d, 'x');
  return { x: floatBatch(s), n: s[0].count, y: labelsFor(d, s[0].count).data };
};
const train = load(dn + '_train'),
  test = load(dn);
const tf = await loadTraining();
const acc = async (g) => {
  const [o] = await evaluateFloat(g, test.x, test.n);
  const k = o.length / test.n;
  let r = 0;
  for (let n = 0; n < test.n; n++) {
    let b = 0;
    for (let i = 1; i < k; i++) if (o[n * k + i] > o[n * k + b]) b = i;
    if (b === test.y[n]) r++;
  }
  return r / test.n;
};
console.log('before', await acc(g));
const objective = objectiveFor(g, train.x, train.n, { file: 'x', data: train.y }, false);
const t = new Trainer(tf, g, { data: trainingSet(g, train.x, train.n), objective, batch: 64, seed: 1 });
// finite differences
{
  const picked = objective.samples.slice(0, 64);
  const { loss, gradients } = t.gradients(picked);
  console.log('loss', loss);
  for (const [nm, gr] of [...gradients].slice(0, 14)) {
    const w = t.weights.get(nm);
    let i = 0;
    for (let k = 0; k < gr.length; k++) if (Math.abs(gr[k]) > Math.abs(gr[i])) i = k;
    const h = 1e-3;
    const old = w[i];
    w[i] = old + h;
    const a = t.gradients(picked).loss;
    w[i] = old - h;
    const b = t.gradients(picked).loss;
    w[i] = old;
    console.log(nm, i, gr[i].toFixed(5), ((a - b) / 2 / h).toFixed(5));
  }
}
const t0 = performance.now();
for (let e = 0; e < 2; e++) {
  const l = await t.epoch(e, () => 5e-4);
  console.log('epoch', e, l, (performance.now() - t0) / 1000);
  console.log(await acc(t.result()));
}
