// Breaks a model on purpose, to see what quantization makes of it: one channel of a convolution is scaled up and, in
// the next layer, back again. In float nothing changes; in int8 all other channels lose their resolution.
// usage: node scripts/break-model.mjs MODEL OUT.tflite [LAYER [CHANNEL [FACTOR]]]   (after npm run build)
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './setup.mjs';

/** The first node that reads a value and has weights; what lies between must keep the channels apart. */
function nextWeighted(graph, value) {
  const reader = graph.nodes.find((node) => node.inputs[0] === value);
  return reader.inputs.length === 3 ? reader : nextWeighted(graph, reader.outputs[0]);
}

/**
 * An optimized float graph with output channel `channel` of convolution `layer` (its origin) multiplied by `factor`
 * and the weights of the next convolution that read it divided by as much.
 */
export function breakChannel(graph, layer, channel, factor) {
  const node = graph.nodes.find(({ op, origin }) => origin === layer && op === 'conv2d');
  const next = nextWeighted(graph, node.outputs[0]);
  const values = new Map(graph.values);
  const filters = graph.values.get(node.inputs[2]).data.length;
  const change = (name, factorAt) => {
    const value = graph.values.get(name);
    values.set(name, { ...value, data: value.data.map((x, i) => x * factorAt(i, value.data.length)) });
  };
  const when = (found, by) => (found ? by : 1);
  change(node.inputs[1], (i, size) => when(Math.floor(i / (size / filters)) === channel, factor));
  change(node.inputs[2], (i) => when(i === channel, factor));
  change(next.inputs[1], (i) => when(i % filters === channel, 1 / factor));
  return { ...graph, values };
}

async function main([model, out, layer, channel = '3', factor = '200']) {
  const at = (path) => import(join(root, 'dist', 'converter', path));
  const [{ importModel }, { optimize }, { writeTflite }] = await Promise.all(
    ['import-model.js', 'pipeline.js', 'formats/tflite/write.js'].map(at),
  );
  const graph = optimize(importModel(readFileSync(model), { fileName: model }).graph);
  const chosen = layer ?? graph.nodes.filter(({ op }) => op === 'conv2d').at(-2).origin;
  writeFileSync(out, writeTflite(breakChannel(graph, chosen, Number(channel), Number(factor))));
  console.log(`${out}: channel ${channel} of ${chosen} times ${factor}`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
