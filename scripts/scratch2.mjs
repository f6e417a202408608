import { readFileSync } from 'node:fs';
import { importModel } from '../dist/converter/import-model.js';
import { optimize } from '../dist/converter/pipeline.js';
import { loadTraining } from '../dist/converter/train/load-training.js';
import { Trainer } from '../dist/converter/train/trainer.js';

const g = optimize(importModel(readFileSync(`../shared/models/digits_mbv2.onnx`), { fileName: 'a' }).graph);
const tf = await loadTraining();
const n = 640;
const x = Float32Array.from({ length: n * 784 }, (_, i) => Math.abs(Math.sin(i * i)));
const targets = Float32Array.from({ length: n }, (_, i) => i % 10);
const t = new Trainer(tf, g, {
  data: { inputs: [x], count: n },
  objective: { kind: 'classes', targets, width: 1, samples: Int32Array.from({ length: n }, (_, i) => i) },
  batch: 32,
  seed: 1,
});
for (let e = 0; e < 3; e++) {
  const t0 = performance.now(),
    c0 = process.cpuUsage();
  const l = await t.epoch(e, () => 5e-4);
  const c = process.cpuUsage(c0);
  console.log(
    l,
    ((performance.now() - t0) / 20).toFixed(1),
    'ms/step',
    'cpu',
    ((c.user + c.system) / 2e4).toFixed(1),
    tf.memory().numTensors,
  );
}
