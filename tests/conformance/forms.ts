import type { AotModel } from '../../converter/codegen/aot.ts';

/** Forms and reasons with the numbers that differ from layer to layer left out. */
function kindOf(text: string): string {
  return text
    .replace(/^(?!3x3 window,)\d+x\d+ window/, 'other window')
    .replace(/window of \d+x\d+/, 'window of other size')
    .replace(/strides of \d+ and \d+/, 'strides')
    .replace(/\d+(?= (?:pixels|channels|taps|results)\b)/, 'N')
    .replace(/\d+ %/g, 'N %')
    .replace(/sums reach \d+/, 'sums reach N');
}

/** How often models have each kernel form and each reason for declining a faster one, as `operator: text`. */
export function countForms(models: readonly AotModel[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { op, kernels } of models.flatMap(({ layers }) => layers)) {
    for (const { form, declined } of kernels) {
      for (const text of [form, ...declined.map((reason) => `not ${reason}`)]) {
        const kind = `${op}: ${kindOf(text)}`;
        counts.set(kind, (counts.get(kind) ?? 0) + 1);
      }
    }
  }
  return counts;
}

export const tableOf = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, count]) => `${String(count).padStart(6)}  ${kind}`)
    .join('\n');

/** Forms and reasons that the problems must give on every machine. */
const everywhere = [
  'add: one line, all pairs compared',
  'add: portable',
  'add: not an operand is repeated',
  'conv2d: portable',
  'conv2d: not a scale of 1 or more, or sums beyond 2^30',
  'conv2d: not sums can leave 32 bits',
  'conv2d: not linear requantization: no proof for every channel',
  'depthwiseConv2d: portable',
  'depthwiseConv2d: not a scale of 1 or more, or sums beyond 2^30',
  'depthwiseConv2d: not sums can leave 32 bits',
  'depthwiseConv2d: not linear requantization: no proof for every channel',
  'depthwiseConv2d: not no window meets the image',
  'fullyConnected: portable',
  'fullyConnected: not a scale of 1 or more, or sums beyond 2^30',
  'fullyConnected: not sums can leave 32 bits',
  'fullyConnected: not linear requantization: no proof for every channel',
];

/** Each of the first with each of the others. */
const combined = (...parts: readonly (readonly string[])[]): string[] =>
  parts.reduce<string[]>((list, part) => list.flatMap((text) => part.map((more) => text + more)), ['']);

/** What coded weights are declined for. */
const notCoded = combined(
  ['conv2d', 'fullyConnected'],
  [': not coded weights: '],
  ['N % of the bytes', "decoding them would take N % of the layer's instructions"],
);

const notSparse = (form: string, inputs: number) =>
  combined(
    ['conv2d', 'fullyConnected'],
    [
      `: not ${form}: N % of the weights are zero, but N % of the blocks of N channels by ${inputs} inputs hold one that is not`,
    ],
  );

const cortexM = [
  ...notCoded,
  ...notSparse('sparse blocks', 4),
  'conv2d: sparse dual weights, linear requantization, tiles of 4',
  ...combined(
    ['fullyConnected: sparse dual weights, '],
    ['exact', 'linear'],
    [' requantization, single pixels', ' requantization, tiles of 4'],
  ),
  ...combined(
    ['fullyConnected: dual weights, linear requantization, tiles of 4, '],
    ['looked-up weights', 'entropy-coded weights'],
  ),
  ...combined(
    ['conv2d', 'fullyConnected'],
    [': dual weights, ', ': plain weights, '],
    ['exact', 'linear', 'shared linear'],
    [' requantization, single pixels', ' requantization, tiles of 4'],
  ),
  ...combined(
    ['conv2d', 'fullyConnected'],
    [
      ': not dual weights: a weight of -128 beside a negative one does not fit 16 bits',
      ': not dual weights: sums reach N, beyond 2^23',
    ],
  ),
  ...combined(
    ['depthwiseConv2d: '],
    ['3x3 window, ', 'other window in general, ', 'dual weights, '],
    ['exact requantization', 'linear requantization'],
  ).map((kind) => (kind.includes('dual') ? `${kind}, tiles of 4` : kind)),
  ...[
    'N channels are more than 1023',
    'a window of other size',
    'dilation',
    'lines of N results',
    'strides',
  ].map((reason) => `depthwiseConv2d: not 3x3 kernel: ${reason}`),
  'averagePool2d: four channels at a time',
  'averagePool2d: not a window of N pixels',
  'maxPool2d: four channels at a time',
];

const rv32 = [
  ...notCoded,
  ...notSparse('sparse', 8),
  'conv2d: sparse packed, linear requantization',
  ...combined(['fullyConnected: sparse packed, '], ['exact', 'linear'], [' requantization']),
  'conv2d: packed, linear requantization, looked-up weights',
  ...combined(
    ['fullyConnected: packed, linear requantization, '],
    ['looked-up weights', 'entropy-coded weights'],
  ),
  ...combined(
    ['conv2d: ', 'fullyConnected: '],
    ['packed, ', 'plain, '],
    ['exact requantization', 'linear requantization'],
  ),
  ...combined(['fullyConnected: four weights to a word, '], ['exact', 'linear'], [' requantization']),
  ...combined(
    ['conv2d: not packed: ', 'fullyConnected: not packed: '],
    ['N pixels are fewer than 4', 'two weights of -128 side by side'],
  ),
  ...combined(
    ['depthwiseConv2d: '],
    ['3x3 window, packed, ', 'other window, packed, '],
    ['exact requantization', 'linear requantization'],
  ),
  'depthwiseConv2d: not a dilation or stride beyond reach',
  'depthwiseConv2d: not a window of N taps, more than 100',
];

/** Kinds that a run must have often, by core. */
export const wantedForms: Readonly<Record<string, readonly string[]>> = {
  'cortex-m4f': [...everywhere, ...cortexM],
  rv32imc: [...everywhere, ...rv32],
};
