// Measures pruning and quantization-aware fine-tuning: the tables of docs/compression.md, section "Pruning".
// usage: npm run bench:pruning [-- NAME ...]   NAME: half, quarter, qat (without names: these three), choices, motor
// Needs ../shared. Each row of digits_mbv2 trains for two to three minutes of one core; without names it takes about a quarter of an hour.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, tinyml } from './setup.mjs';

const shared = join(root, '..', 'shared');
const folder = mkdtempSync(join(tmpdir(), 'tinyml-bench-pruning-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Runs a command with `--json` and gives its document. */
function json(args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [tinyml, ...args, '--json'], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`tinyml ${args.join(' ')}: ${stderr}`);
  return JSON.parse(stdout);
}

const data = (set) => join(shared, 'eval', `${set}.npz`);
const percent = (value) => `${(100 * value).toFixed(2)} %`;

/** Accuracy on samples that nothing was tuned on, instructions and flash of the int8 model on the emulated board. */
function measure(model, set) {
  const calib = ['--calib', data(`${set}_train`)];
  const float = json(['eval', model, '--data', data(set), '--engine', 'float']);
  const int8 = json(['eval', model, '--data', data(set), ...calib, '--engine', 'int8']);
  const { instructions, flash } = json(['bench', model, ...calib, '--runs', '1']);
  return { float: float.value, int8: int8.value, instructions, flash: flash.image };
}

function row(name, now, first) {
  const share = (now.instructions / first.instructions).toFixed(3);
  const cells = [name, percent(now.float), percent(now.int8), now.instructions, share, now.flash];
  console.log(`| ${cells.join(' | ')} |`);
}

function prune(network, set, words) {
  const out = join(folder, 'smaller.onnx');
  const model = join(shared, 'models', `${network}.onnx`);
  json(['prune', model, '--data', data(`${set}_train`), ...words, '-o', out]);
  return measure(out, set);
}

function table(network, set, runs) {
  const first = measure(join(shared, 'models', `${network}.onnx`), set);
  console.log(
    `\n${network}\n| options | float | int8 | instructions | share | flash |\n|---|---|---|---|---|---|`,
  );
  row('unpruned', first, first);
  for (const words of runs) row(`\`${words}\``, prune(network, set, words.split(' ')), first);
}

/** A model that int8 breaks, before and after training with simulated rounding. */
function qat() {
  const broken = join(folder, 'broken.tflite');
  const source = join(shared, 'models', 'digits_lenet.onnx');
  spawnSync(process.execPath, [join(root, 'scripts', 'break-model.mjs'), source, broken], {
    stdio: 'ignore',
  });
  const plain = [
    'convert',
    broken,
    '--per-tensor',
    '--calib',
    data('digits_train'),
    '-o',
    join(folder, 'out'),
  ];
  const evaluate = (words) => {
    json([...plain, ...words]);
    return json(['eval', join(folder, 'out', 'model.tflite'), '--data', data('digits')]).value;
  };
  console.log('\ndigits_lenet, broken on purpose, one weight scale a layer\n| options | int8 |\n|---|---|');
  console.log(`| none | ${percent(evaluate([]))} |`);
  const tuned = evaluate(['--qat', '--epochs', '0.5', '--train', data('digits_train')]);
  console.log(`| \`--qat --epochs 0.5\` | ${percent(tuned)} |`);
}

const jobs = {
  half: () => table('digits_mbv2', 'digits', ['--target macs=0.5', '--target instructions=0.5']),
  quarter: () =>
    table('digits_mbv2', 'digits', [
      '--target instructions=0.25 --epochs 12',
      '--target instructions=0.25 --step 2 --learning-rate 0.005 --epochs 16',
    ]),
  qat,
  choices: () =>
    table('digits_mbv2', 'digits', [
      '--target macs=0.5 --criterion l1',
      '--target macs=0.5 --criterion batch-norm',
      '--target macs=0.5 --schedule one-shot',
      '--target macs=0.5 --no-distill',
      '--target macs=0.5 --no-fine-tune',
    ]),
  motor: () => table('motor_tcn', 'motor', ['--target macs=0.5', '--target instructions=0.25']),
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in jobs));
if (unknown.length > 0) {
  console.error(`no measurement named ${unknown.join(', ')}; there are ${Object.keys(jobs).join(', ')}`);
  process.exit(1);
}
for (const name of wanted.length > 0 ? wanted : ['half', 'quarter', 'qat']) jobs[name]();
