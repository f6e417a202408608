import type { KernelCall, KernelParams } from '../../ops/integer/kernel-call.ts';
import {
  type AccumulatingLayer,
  accumulatingLayer,
  parameter,
  sumsFit,
} from '../choice/accumulating-layer.ts';
import { type KernelChoice, type MachineKernel, portable } from '../choice/kernel.ts';
import { type Window, windowOf } from '../choice/window.ts';
import type { Walk } from '../overlap.ts';
import { assemblyFunction } from './assembly-function.ts';
import { chooseFinish, type Finish } from './finish.ts';
import { coveredPositions, densityOf, packedStream } from './packed-stream.ts';
import { plainStream } from './plain-stream.ts';
import { quadDepth, quadPositions, quadScratch, quadStream } from './quad-stream.ts';

/** Pixels of a tile. */
const tile = 4;
/** Bytes of columns for each position: two words. */
const columnBytes = 8;
const words = (bytes: number) => Math.ceil(bytes / 4);

/** The layer's constants and functions in one of the two forms. */
interface Form {
  readonly finish: Finish;
  readonly stream: Int32Array;
  readonly form: string;
  readonly declined: readonly string[];
  /** Whether several weights are multiplied at once, for four pixels if there are so many. */
  readonly packed: boolean;
  readonly sparse: boolean;
}

interface Planned {
  readonly form: Form | undefined;
  readonly obstacle: string;
}

/** Shares of the rounds up to which it is faster to leave out the others: of tiles, and of single pixels. */
const sparseEnough = { tiles: 0.9, single: 0.8 };
/** Of fewer pixels than a tile has; all weights are packed four to a word there, or eight channels taken together. */
const sparseRows = 0.5;
/** Share of weights that are zero from which on it is said why they are not left out. */
const manyZeros = 0.3;

/** Whether to leave out rounds of zeros, and why not, told of layers with many zeros only. */
function planSparse(
  channels: AccumulatingLayer['channels'],
  taps: number,
  pixels: number,
): { readonly sparse: boolean; readonly declined: readonly string[] } {
  const { rounds, zeros } = densityOf(channels, taps);
  const limit = pixels < tile ? sparseRows : sparseEnough[pixels % tile === 0 ? 'tiles' : 'single'];
  if (zeros > 0 && taps >= 8 && rounds <= limit) return { sparse: true, declined: [] };
  if (zeros < manyZeros) return { sparse: false, declined: [] };
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  const reason = `sparse: ${percent(zeros)} of the weights are zero, but ${percent(rounds)} of the blocks of 2 channels by 8 inputs hold one that is not`;
  return { sparse: false, declined: [reason] };
}

function planForm(layer: AccumulatingLayer, taps: number, pixels: number): Planned {
  if (!sumsFit(layer)) return { form: undefined, obstacle: 'sums can leave 32 bits' };
  const finish = chooseFinish(layer.channels, layer.result);
  if (!finish) return { form: undefined, obstacle: 'a scale of 1 or more, or sums beyond 2^30' };
  const { sparse, declined: zeros } = planSparse(layer.channels, taps, pixels);
  const declined = [
    ...zeros,
    ...(finish.form === 'linear' ? [] : ['linear requantization: no proof for every channel']),
  ];
  const requantization = `${finish.form} requantization`;
  const stream = pixels < tile && !sparse ? undefined : packedStream(layer.channels, finish, taps, sparse);
  if (stream) {
    const name = `${sparse ? 'sparse ' : ''}packed, ${requantization}`;
    return { form: { finish, stream, form: name, declined, packed: true, sparse }, obstacle: '' };
  }
  const reason =
    pixels < tile
      ? `packed: ${pixels} pixels are fewer than ${tile}`
      : 'packed: two weights of -128 side by side';
  const plain = {
    finish,
    stream: plainStream(layer.channels, finish, taps),
    form: `plain, ${requantization}`,
    declined: [reason, ...declined],
    packed: false,
    sparse: false,
  };
  return { form: plain, obstacle: '' };
}

function layerParams({ channels, result }: AccumulatingLayer, finish: Finish, taps: number, packed = false) {
  const covered = coveredPositions(taps);
  return {
    depth: channels.length,
    rounds: packed ? Math.floor(covered / 8) * 64 : covered,
    half_round: packed && covered % 8 > 0 ? 1 : 0,
    shift: finish.shift,
    low: result.low,
    range: result.high - result.low,
  };
}

function functionsOf({ finish, packed, sparse }: Form, pixels: number): MachineKernel['functions'] {
  const exact = finish.form === 'linear' ? 0 : 1;
  if (!packed) return [undefined, assemblyFunction('row8', [exact])];
  const numbers = [exact, sparse ? 1 : 0];
  return [
    pixels < tile ? undefined : assemblyFunction('tile4', numbers),
    pixels % tile === 0 ? undefined : assemblyFunction('tile1', numbers),
  ];
}

/** Windows are packed or copied before their results are written. */
const walkOf = ({ packed }: Form, pixels: number): Walk => ({
  tiled: packed ? pixels - (pixels % tile) : 0,
});

/** The stream, and how it is made up in the packed form without gaps. */
function constantsOf(
  { stream, finish, packed, sparse }: Form,
  { channels }: AccumulatingLayer,
): Pick<MachineKernel, 'stream' | 'layout'> {
  if (!packed || sparse) return { stream };
  const groups = Math.ceil(channels.length / 2);
  const [head, tail] = [4, 2 * finish.channels[0]!.words.length];
  const body = stream.length / groups - head - tail;
  return { stream, layout: { prefix: 0, groups, head, body, tail, dual: false } };
}

/** Bytes of the scratch memory's first part. */
const columnsOf = ({ packed }: Form, taps: number, pixels: number) =>
  packed && pixels >= tile ? columnBytes * coveredPositions(taps) : 0;

function pointwiseChoice(layer: AccumulatingLayer, pixels: number, taps: number): KernelChoice {
  const { form, obstacle } = planForm(layer, taps, pixels);
  if (!form) return portable(obstacle);
  const columns = columnsOf(form, taps, pixels);
  return {
    kernel: {
      kernel: 'rv_pointwise_s8',
      header: 'tml_rv_conv2d.h',
      struct: 'tml_rv_pointwise_s8',
      params: {
        layer: layerParams(layer, form.finish, taps, form.packed),
        pixels,
        x_depth: taps,
        row_words: words(columns),
      },
      ...constantsOf(form, layer),
      scratchBytes: columns + 4 * words(taps),
      functions: functionsOf(form, pixels),
      walk: walkOf(form, pixels),
    },
    form: form.form,
    declined: form.declined,
  };
}

/** Weights [channels, taps]. */
const weightRow = (weights: Int8Array, channel: number, channels: number) => {
  const taps = weights.length / channels;
  return weights.subarray(channel * taps, (channel + 1) * taps);
};

/** A window of one pixel that takes all pixels in order is a matrix product. */
function isPointwise(w: Window): boolean {
  const single = w.kernel_height === 1 && w.kernel_width === 1 && w.stride_x === 1 && w.stride_y === 1;
  return (
    single && w.pad_top === 0 && w.pad_left === 0 && w.x_width === w.y_width && w.x_height === w.y_height
  );
}

/** The kernel for a call of conv2d_s8. */
export function chooseConvolution(call: KernelCall): KernelChoice {
  const w = windowOf(call);
  const layer = accumulatingLayer(call, weightRow);
  const taps = w.kernel_height * w.kernel_width * w.x_depth;
  const pixels = w.y_height * w.y_width;
  if (isPointwise(w)) return pointwiseChoice(layer, w.batch * pixels, taps);
  const { form, obstacle } = planForm(layer, taps, pixels);
  if (!form) return portable(obstacle);
  const columns = columnsOf(form, taps, pixels);
  const rows = columns > 0 ? tile * w.kernel_width * w.x_depth : 0;
  return {
    kernel: {
      kernel: 'rv_conv2d_s8',
      header: 'tml_rv_conv2d.h',
      struct: 'tml_rv_conv2d_s8',
      params: {
        layer: layerParams(layer, form.finish, taps, form.packed),
        window: w as unknown as KernelParams,
        x_zero: layer.inputZero,
        row_words: words(columns),
      },
      ...constantsOf(form, layer),
      scratchBytes: columns + 4 * words(Math.max(rows, taps)),
      functions: functionsOf(form, pixels),
      walk: walkOf(form, pixels),
    },
    form: form.form,
    declined: form.declined,
  };
}

/** Instructions for which 2.5 kB of code are worth having. */
const worthQuads = 10_000;

/** Four weights to a word, for few rows; undefined where that is not possible or not worth it. */
function quadsChoice(layer: AccumulatingLayer, rows: number, depth: number): KernelChoice | undefined {
  const finish = sumsFit(layer) ? chooseFinish(layer.channels, layer.result) : undefined;
  const quads = finish && quadStream(layer.channels, finish, depth);
  if (!quads || quads.saved * rows < worthQuads) return undefined;
  const units = layer.channels.length;
  const computed = quadDepth(units);
  const inputs = quadScratch(depth);
  const params = { ...layerParams(layer, finish, depth), depth: computed, rounds: quadPositions(depth) };
  return {
    kernel: {
      kernel: 'rv_quads_s8',
      header: 'tml_rv_quads.h',
      struct: 'tml_rv_quads_s8',
      params: { layer: params, rows, x_depth: depth, y_depth: units, result_words: words(inputs) },
      stream: quads.stream,
      scratchBytes: inputs + (units === computed ? 0 : computed),
      functions: [assemblyFunction('quads', [finish.form === 'linear' ? 0 : 1])],
      walk: { tiled: 0 },
    },
    form: `four weights to a word, ${finish.form} requantization`,
    declined: finish.form === 'linear' ? [] : ['linear requantization: no proof for every channel'],
  };
}

/** The kernel for a call of fully_connected_s8. */
export function chooseFullyConnected(call: KernelCall): KernelChoice {
  const layer = accumulatingLayer(call, weightRow);
  const rows = parameter(call, 'rows');
  const depth = parameter(call, 'depth');
  const quads =
    rows < tile && !planForm(layer, depth, rows).form?.sparse ? quadsChoice(layer, rows, depth) : undefined;
  return quads ?? pointwiseChoice(layer, rows, depth);
}
