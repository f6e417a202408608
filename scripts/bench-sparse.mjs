// Bytes and instructions of layers with zeros or few values in their weights, as they are and coded, on the emulated
// boards. `npm run bench:sparse` prints the tables, `-- --write` puts them into docs/compression-kernels.md.
// Takes some minutes. Exact and repeatable: weights come from a fixed generator.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { call, count, markdownTable } from './engine.mjs';
import { root } from './setup.mjs';

const { writeTflite } = await import(join(root, 'dist', 'converter', 'formats', 'tflite', 'write.js'));

let state = 1;
/** In [0, 1). */
function random() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}
/** About normal, like trained weights: the largest of a channel of some hundred are near 127. */
const bell = () => {
  const weight = Math.round((random() + random() + random() + random() - 2) * 74);
  return Math.min(127, Math.max(-127, weight)) || 1;
};

const sameInBlock = (channels, taps, density) => {
  const kept = new Map();
  return (channel, tap) => {
    const key = `${Math.floor(channel / channels)} ${Math.floor(tap / taps)}`;
    if (!kept.has(key)) kept.set(key, random() < density);
    return kept.get(key) ? bell() : 0;
  };
};
/** `kept` of each four weights in a row. */
const ofFour = (kept) => {
  let places = [];
  return (_, tap) => {
    if (tap % 4 === 0) places = [0, 1, 2, 3].sort(() => random() - 0.5).slice(0, kept);
    return places.includes(tap % 4) ? bell() : 0;
  };
};
const clustered = (values) => {
  const list = Array.from({ length: values }, (_, i) => Math.round(-120 + (240 * i) / (values - 1)));
  const nearest = (weight) =>
    Math.min(values - 1, Math.max(0, Math.round(((weight + 120) / 240) * (values - 1))));
  return () => list[nearest(bell())];
};

const kinds = [
  ['dense', () => bell],
  ['blocks of 2 x 4, half', () => sameInBlock(2, 4, 0.5)],
  ['blocks of 2 x 4, a quarter', () => sameInBlock(2, 4, 0.25)],
  ['blocks of 2 x 8, half', () => sameInBlock(2, 8, 0.5)],
  ['blocks of 2 x 8, a quarter', () => sameInBlock(2, 8, 0.25)],
  ['2 of 4', () => ofFour(2)],
  ['1 of 4', () => ofFour(1)],
  ['scattered, half', () => sameInBlock(1, 1, 0.5)],
  ['scattered, a quarter', () => sameInBlock(1, 1, 0.25)],
  ['scattered, a tenth', () => sameInBlock(1, 1, 0.1)],
  ['16 values', () => clustered(16)],
  ['32 values', () => clustered(32)],
];

const shapes = [
  {
    title: 'Pointwise convolution, 64 to 64 channels, 125 pixels',
    op: 'conv2d',
    image: [1, 25, 5, 64],
    kernel: 1,
  },
  { title: 'Convolution 3x3, 64 to 64 channels, 64 pixels', op: 'conv2d', image: [1, 8, 8, 64], kernel: 3 },
  { title: 'Fully connected, 256 to 256', op: 'fullyConnected', image: [1, 256] },
];

/** A chain of layers of one shape, a layer for each kind of weights. */
function network({ op, image, kernel = 1 }) {
  const depth = image.at(-1);
  const taps = kernel * kernel * depth;
  const values = new Map();
  const add = (name, dtype, shape, scale, zeroPoint, data) =>
    values.set(name, {
      name,
      type: { dtype, shape, quant: { scale: scale.map(Math.fround), zeroPoint } },
      ...(data ? { data } : {}),
    });
  const scales = Array.from({ length: depth }, (_, i) => Math.fround(0.002 + 0.00001 * i));
  const quantization = { scale: scales, zeroPoint: scales.map(() => 0), axis: 0 };
  const pad = (kernel - 1) / 2;
  const window = { strides: [1, 1], dilations: [1, 1], pads: [pad, pad, pad, pad] };
  add('x', 'int8', image, [0.05], [-3]);
  const nodes = kinds.map(([name, make], i) => {
    const weightOf = make();
    const data = Int8Array.from({ length: depth * taps }, (_, j) => weightOf(Math.floor(j / taps), j % taps));
    const shape = op === 'conv2d' ? [depth, kernel, kernel, depth] : [depth, depth];
    values.set(`w${i}`, { name: `w${i}`, type: { dtype: 'int8', shape, quant: quantization }, data });
    const biasQuant = {
      ...quantization,
      scale: scales.map((scale) => Math.fround(scale * Math.fround(0.05))),
    };
    const bias = Int32Array.from({ length: depth }, () => Math.round(1000 * (random() - 0.5)));
    values.set(`b${i}`, {
      name: `b${i}`,
      type: { dtype: 'int32', shape: [depth], quant: biasQuant },
      data: bias,
    });
    add(`y${i}`, 'int8', image, [0.05], [-3]);
    const attrs = { ...(op === 'conv2d' ? window : {}), activation: 'none' };
    return {
      op,
      inputs: [i === 0 ? 'x' : `y${i - 1}`, `w${i}`, `b${i}`],
      outputs: [`y${i}`],
      attrs,
      origin: name,
    };
  });
  const port = (name) => ({ name, value: name, shape: image });
  return { name: 'sparse', nodes, values, inputs: [port('x')], outputs: [port(`y${kinds.length - 1}`)] };
}

/** Per layer: form, bytes of constants, instructions. */
function measured(file, board, weights) {
  const flags = [file, '--board', board, '--weights', weights, '--json'];
  const kernels = JSON.parse(call(['inspect', '--kernels', ...flags])).layers;
  const { layers } = JSON.parse(call(['bench', ...flags, '--runs', '1']));
  return layers.map(({ instructions }, i) => ({
    instructions,
    bytes: kernels[i].weightsBytes,
    form: kernels[i].kernels.map(({ form }) => form).join(', '),
    declined: kernels[i].kernels.flatMap(({ declined }) => declined),
  }));
}

const share = (value, whole) => `${(value / whole).toFixed(2)} x`;

function codedCells(one, plain) {
  if (!/weights$/.test(one.form)) {
    const reason = one.declined.find((text) => text.startsWith('coded weights: '));
    return [
      '-',
      '-',
      (
        reason ?? (/sparse/.test(one.form) ? 'stored sparsely instead' : 'no coded form of this kernel')
      ).replace('coded weights: ', ''),
    ];
  }
  const kind = one.form.includes('looked-up') ? 'looked up' : 'entropy code';
  return [share(one.bytes, plain.bytes), share(one.instructions, plain.instructions), kind];
}

function table(file, board) {
  const [plain, coded] = ['plain', 'coded'].map((weights) => measured(file, board, weights));
  const [dense] = plain;
  const rows = kinds.map(([name], i) => [
    name,
    /sparse/.test(plain[i].form) ? 'yes' : 'no',
    count(plain[i].bytes),
    share(plain[i].bytes, dense.bytes),
    count(plain[i].instructions),
    share(plain[i].instructions, dense.instructions),
    ...codedCells(coded[i], dense),
  ]);
  const head = [
    ...['weights', 'sparse kernel', 'bytes', 'of dense', 'instructions', 'of dense'],
    ...['coded: bytes', 'instructions', 'how'],
  ];
  return markdownTable(head, rows);
}

const boards = [
  ['virtual-stm32f405', 'Cortex-M4'],
  ['virtual-rv32imc', 'RV32IMC'],
];
const folder = mkdtempSync(join(tmpdir(), 'tinyml-sparse-'));
const parts = [];
try {
  for (const shape of shapes) {
    const file = join(folder, 'chain.tflite');
    writeFileSync(file, writeTflite(network(shape)));
    parts.push(`### ${shape.title}`);
    for (const [board, core] of boards) parts.push(`${core}:\n\n${table(file, board)}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const text = parts.join('\n\n');
console.log(text);
if (process.argv.includes('--write')) {
  const page = join(root, 'docs', 'compression-kernels.md');
  const [start, end] = ['<!-- tables -->\n', '<!-- end of tables -->'];
  const old = readFileSync(page, 'utf8');
  const before = old.slice(0, old.indexOf(start) + start.length);
  writeFileSync(page, `${before}\n${text}\n\n${old.slice(old.indexOf(end))}`);
}
