// Measures what docs/performance.md says. `node scripts/performance.mjs` prints the page, `--write` replaces it.
// Needs the shared models beside the checkout; takes about a minute.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import {
  baselines,
  call,
  count,
  hasNetworks,
  markdownTable,
  measure,
  networks,
  ratio,
  shared,
  subjects,
} from './engine.mjs';
import { root, setUp } from './setup.mjs';

const conversionRuns = 5;
const calibrationSamples = 100;

/** Calibration samples as a .npy file: numbers of a fixed generator, the time does not depend on them. */
function writeSamples(path, shape) {
  const header = `${`{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`.padEnd(117)}\n`;
  let state = 1;
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state >>> 24) - 128) / 64;
  });
  const head = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length, 0, ...Buffer.from(header)]);
  writeFileSync(path, Buffer.concat([head, Buffer.from(values.buffer)]));
}

/** Seconds from start to exit of a conversion, median of some. */
function timeConversion() {
  const folder = mkdtempSync(join(tmpdir(), 'tinyml-performance-'));
  try {
    const calib = join(folder, 'calib.npy');
    writeSamples(calib, [calibrationSamples, 1, 49, 10]);
    const times = Array.from({ length: conversionRuns }, () => {
      const start = performance.now();
      call([
        'convert',
        join(shared, 'models', 'kws_torch.onnx'),
        '--calib',
        calib,
        '-o',
        join(folder, 'out'),
      ]);
      return (performance.now() - start) / 1000;
    });
    return times.sort((a, b) => a - b)[Math.floor(conversionRuns / 2)];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function row(name, board, optimize) {
  const subject = subjects.find((one) => one.name === name);
  const { instructions, macs, flash, arena } = measure(subject, board, optimize);
  const theirs = baselines[board][name];
  return [
    name,
    count(instructions),
    ratio(instructions, theirs.instructions),
    (instructions / macs).toFixed(2),
    count(flash),
    ratio(flash, theirs.flash),
    count(arena),
    ratio(arena, theirs.arena),
  ];
}

function table(board, optimize) {
  const head = ['network', 'instructions', 'of TFLM', 'per MAC', 'flash', 'of TFLM', 'arena', 'of TFLM'];
  const rows = networks.map((name) => row(name, board, optimize));
  return `### \`--optimize ${optimize}\`\n${markdownTable(head, rows)}`;
}

function page() {
  const seconds = timeConversion();
  return `# Performance

Made by \`node scripts/performance.mjs --write\` on ${cpus()[0]?.model.trim() || 'this machine'}, ${availableParallelism()} processors, Node ${process.version}.

## Converting
\`tinyml convert kws_torch.onnx --calib calib.npy\` with ${calibrationSamples} samples, from start to exit, median of ${conversionRuns} runs:
**${seconds.toFixed(2)} s**. TensorFlow's own converter takes 4.6 s for the same work.

## On the emulated STM32F405
\`tinyml bench MODEL_int8.tflite\`: one inference of each MLPerf Tiny network, instructions counted exactly by the emulator.
Beside it TensorFlow Lite Micro with CMSIS-NN, measured on the same emulated machine (${baselines['virtual-stm32f405'].how}).
Flash is the whole image in bytes, with start-up code and the benchmark; arena is the working memory.

${table('virtual-stm32f405', 'speed')}

${table('virtual-stm32f405', 'size')}

## On the emulated RV32IMC core
\`tinyml bench MODEL_int8.tflite --board virtual-rv32imc\`, beside TensorFlow Lite Micro's reference kernels on the same
emulated machine (${baselines['virtual-rv32imc'].how}).

${table('virtual-rv32imc', 'speed')}

The kernels behind these figures: [Cortex-M](kernels-cortex-m.md), [RV32IM](kernels-rv32.md).
Instructions are not time: a real core waits for its flash and for loads. \`tinyml bench --board\` with a board on the desk measures cycles.
`;
}

await setUp();
if (!hasNetworks) {
  console.error('the shared models are not there; see docs/performance.md for the last figures');
  process.exit(1);
}
const text = page();
if (process.argv.includes('--write')) writeFileSync(join(root, 'docs', 'performance.md'), text);
else console.log(text);
