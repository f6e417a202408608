// Figures of the engine on the emulated boards, for the benchmark and for docs/performance.md.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, tinyml } from './setup.mjs';

export const shared = join(root, '..', 'shared');
export const baselines = JSON.parse(readFileSync(join(root, 'scripts', 'engine-baselines.json'), 'utf8'));

/** The MLPerf Tiny networks lie outside of the repository; the example of the README is in it. */
const networkFile = (name) => join(shared, 'models', `${name}_int8.tflite`);
const example = join(root, 'examples', 'motor-fault');
export const networks = ['kws', 'ic', 'vww', 'ad'];
export const hasNetworks = networks.every((name) => existsSync(networkFile(name)));
export const subjects = [
  ...(hasNetworks ? networks : []).map((name) => ({ name, args: [networkFile(name)] })),
  {
    name: 'motor-fault',
    args: [join(example, 'model.onnx'), '--calib', join(example, 'data.npz')],
  },
];

/** Runs tinyml; returns its standard output, throws with its standard error. */
export function call(args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [tinyml, ...args], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`tinyml ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** One inference on an emulated board: exact instructions, also those of the model's initialization, bytes of image and arena. */
export function measure({ args }, board, optimize, extra = []) {
  const flags = ['--board', board, '--optimize', optimize, '--runs', '1', '--json', ...extra];
  const report = JSON.parse(call(['bench', ...args, ...flags]));
  const { instructions, initInstructions: init, flash, ram, layers } = report;
  const macs = layers.reduce((sum, layer) => sum + layer.macs, 0);
  return { report, instructions, init, macs, flash: flash.image, arena: ram.arena };
}

export const count = (value) => value.toLocaleString('en-US');
export const ratio = (ours, theirs) => (theirs ? `${(ours / theirs).toFixed(2)} x` : 'not measured');

/** A Markdown table; all columns but the first are numbers. */
export function markdownTable(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(['---', ...head.slice(1).map(() => '--:')]), ...rows.map(line)].join('\n');
}
