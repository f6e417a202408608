// Measures what docs/performance.md says. `node scripts/performance.mjs` prints the page, `--write` replaces it.
// Needs the shared models beside the checkout; takes about two minutes.
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
function timeConversion(model, samplesShape) {
  const folder = mkdtempSync(join(tmpdir(), 'tinyml-performance-'));
  try {
    const calib = join(folder, 'calib.npy');
    if (samplesShape) writeSamples(calib, samplesShape);
    const data = samplesShape ? ['--calib', calib] : [];
    const times = Array.from({ length: conversionRuns }, () => {
      const start = performance.now();
      call(['convert', join(shared, 'models', model), ...data, '-o', join(folder, 'out')]);
      return (performance.now() - start) / 1000;
    });
    return times.sort((a, b) => a - b)[Math.floor(conversionRuns / 2)];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const subjectOf = (name) => subjects.find((one) => one.name === name);

function row(name, { instructions, init, macs, flash, arena }, board) {
  const theirs = baselines[board][name];
  return [
    name,
    count(instructions),
    ratio(instructions, theirs.instructions),
    (instructions / macs).toFixed(2),
    count(init),
    count(flash),
    ratio(flash, theirs.flash),
    count(arena),
    ratio(arena, theirs.arena),
  ];
}

function table(board, optimize) {
  const head = [
    ...['network', 'instructions', 'of TFLM', 'per MAC', 'start-up'],
    ...['flash', 'of TFLM', 'arena', 'of TFLM'],
  ];
  const rows = networks.map((name) => row(name, measure(subjectOf(name), board, optimize), board));
  return `### \`--optimize ${optimize}\`\n${markdownTable(head, rows)}`;
}

/** Where flash and RAM go, and cycles computed from every instruction executed. */
function details() {
  const measured = networks.map((name) => {
    const { report, macs } = measure(subjectOf(name), 'virtual-stm32f405', 'speed', ['--cycles']);
    return { name, macs, ...report };
  });
  const memory = markdownTable(
    ['network', 'weights', 'code', 'other flash', 'arena', 'other RAM', 'stack used'],
    measured.map(({ name, flash, ram }) => [
      name,
      ...[flash.weights, flash.code, flash.other, ram.arena, ram.static, ram.stackUsed].map(count),
    ]),
  );
  const cycles = markdownTable(
    ['network', 'modelled cycles', 'least', 'most', 'per MAC'],
    measured.map(({ name, modelledCycles: { cycles: taken, range, perMac } }) => [
      name,
      ...[taken, range.least, range.most].map(count),
      perMac.toFixed(2),
    ]),
  );
  const { assumptions } = measured[0].modelledCycles;
  return { memory, cycles, assumptions: assumptions.map((text) => `- ${text}`).join('\n') };
}

function page() {
  const seconds = {
    kws: timeConversion('kws_torch.onnx', [calibrationSamples, 1, 49, 10]).toFixed(2),
    vww: timeConversion('vww_int8.tflite').toFixed(2),
  };
  const { memory, cycles, assumptions } = details();
  return `# Performance

Made by \`node scripts/performance.mjs --write\` on ${cpus()[0]?.model.trim() || 'this machine'}, ${availableParallelism()} processors, Node ${process.version}.
\`npm run bench:engine\` prints the figures of the engine beside TensorFlow Lite Micro's and the project's targets, and
fails when one grew by more than 1 % against \`scripts/engine-recorded.json\`; CI runs it.

## On the emulated STM32F405
\`tinyml bench MODEL_int8.tflite\`: one inference of each MLPerf Tiny network, instructions counted exactly by the emulator.
Beside it TensorFlow Lite Micro with CMSIS-NN, measured on the same emulated machine (${baselines['virtual-stm32f405'].how}).
Start-up is what the model's initialization takes: nothing, as everything is laid out when the C is generated
(TensorFlow Lite Micro takes 66,376 for ad to 3,097,855 for vww). Flash is the whole image in bytes, with start-up code
and the benchmark; arena is the working memory. For vww, channels that can hold one value only are left out first, which
halves its work; per MAC is told of the MACs that are left.

${table('virtual-stm32f405', 'speed')}

${table('virtual-stm32f405', 'size')}

### Speed or size
\`speed\` (the default) compiles every kernel for its layer, with all parameters as literals. \`size\` compiles each kernel
once, for all layers that use it. On Cortex-M the inner loops are the same assembly either way, so that \`size\` costs
little time and saves little: it is for networks of many small layers, and for portable C.

### Where the memory goes (\`--optimize speed\`)
${memory}

Weights are biases, multipliers and tables too. \`tinyml inspect MODEL --kernels\` says which layer most of the arena is
for, and what is in it; \`tinyml build\` prints this split for a firmware.

### Modelled cycles
\`tinyml bench MODEL_int8.tflite --cycles\`: cycles of a Cortex-M4, computed from every instruction that the emulator
executed. They were not measured. The assumptions:
${assumptions}

${cycles}

## On the emulated RV32IMC core
\`tinyml bench MODEL_int8.tflite --board virtual-rv32imc\`, beside TensorFlow Lite Micro's reference kernels on the same
emulated machine (${baselines['virtual-rv32imc'].how}).

${table('virtual-rv32imc', 'speed')}

${table('virtual-rv32imc', 'size')}

## Converting
From start to exit, median of ${conversionRuns} runs: \`tinyml convert kws_torch.onnx --calib calib.npy\` with ${calibrationSamples} samples
**${seconds.kws} s** (TensorFlow's own converter takes 4.6 s for the same work), \`tinyml convert vww_int8.tflite\` **${seconds.vww} s**.

## Method and limits
- Nothing here was measured on silicon. Instructions are not time: a real core waits for its flash, for loads, for
  branches. The counts are exact for the emulated machines, the same in every run and, but for the packed kernels on
  RV32, for every input.
- The compilers are GCC 12.2 as Debian has them; another one makes other code, and the recorded figures are then not compared.
- Networks are timed as a whole, by the firmware itself, with the input in place; the time of an empty function is
  subtracted. Layers (\`--profile\`) are timed one by one.
- Results are bit-exact throughout: the same firmware gives LiteRT's bytes, layer by layer (\`tests/golden\`).

### On a board of your own
\`\`\`
tinyml bench MODEL.tflite --board nucleo-f446re --port /dev/ttyACM0 --profile
\`\`\`
builds, flashes and measures: cycles by the core's own counter (DWT), with interrupts off, the minimum, median and
percentiles over \`--runs\` inferences. \`tinyml verify\` compares every layer with the same C on this machine. The report says which clock
it ran at. [Boards](boards.md) has the list, and how to describe another one.

The kernels behind these figures: [kernels.md](kernels.md).
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
