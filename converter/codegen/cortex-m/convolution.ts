import type { KernelCall, KernelParams } from '../../ops/integer/kernel-call.ts';
import {
  type AccumulatingLayer,
  accumulatingLayer,
  parameter,
  sumsFit,
} from '../choice/accumulating-layer.ts';
import { chooseFinish, type Finish, sharedMultipliers } from '../choice/finish.ts';
import { type AssemblyFunction, type KernelChoice, portable } from '../choice/kernel.ts';
import { type Window, windowOf } from '../choice/window.ts';
import { assemblyFunction } from './assembly-function.ts';
import { dualObstacleOf, pairStream, pairsOf, wordsOfWindow } from './pair-stream.ts';

/** Pixels of a tile. */
const tile = 4;

/** How a pair's words are read: blocks of at most 32, which is what an FPU's registers hold. */
interface Blocks {
  readonly count: number;
  readonly length: number;
}

/** Instructions for one word, and for the change to the next block. */
const wordCost = 11;
const blockCost = 6;
const registers = 32;
/** Longest block that is repeated: longer ones gain next to nothing and take 44 bytes of code a word. */
const longestRepeated = 24;

/** The division into blocks that costs least, with words of zeros at the end where it does not come out even. */
export function blocksOf(words: number): Blocks {
  if (words <= registers) return { count: 1, length: words };
  let best = { count: 0, length: 0, cost: Number.POSITIVE_INFINITY };
  for (let length = 2; length <= longestRepeated; length++) {
    const count = Math.ceil(words / length);
    const cost = count * (length * wordCost + blockCost);
    if ((count * length) % 2 === 0 && cost < best.cost) best = { count, length, cost };
  }
  return best;
}

interface TilePlan {
  readonly layer: AccumulatingLayer;
  readonly finish: Finish;
  /** Multipliers at the head of the stream, where all channels have them in common. */
  readonly shared: readonly number[] | undefined;
  readonly weights: 'dual' | 'plain';
  readonly blocks: Blocks;
  readonly depth: number;
}

function tileNumbers({ layer, finish, shared, weights, depth }: TilePlan): number[] {
  const { low, high } = layer.result;
  const requantization = finish.form === 'exact' ? 1 : shared ? 2 : 0;
  const forms = [weights === 'dual' ? 0 : 1, requantization];
  return [...forms, finish.shifts[0]!, finish.shifts[1]!, low, high, depth % 2];
}

const wordsOf = ({ count, length }: Blocks) => count * length;

function tile4(plan: TilePlan): AssemblyFunction {
  const { length, count } = plan.blocks;
  return assemblyFunction('tile4', [length - 1, count > 1 ? 1 : 0, ...tileNumbers(plan)]);
}

/** Words that a round of the loop for single pixels takes. */
const roundWords = 16;

function tile1(plan: TilePlan): AssemblyFunction {
  const words = wordsOf(plan.blocks);
  const rounds = Math.min(2, Math.floor(words / roundWords));
  return assemblyFunction('tile1', [rounds, words % roundWords, ...tileNumbers(plan)]);
}

type Planned =
  | { readonly plan: TilePlan; readonly form: string; readonly declined: readonly string[] }
  | { readonly plan: undefined; readonly obstacle: string };

/** Multiplication of second channels in each weight form; a linear finish takes it along. */
const gains = { dual: [1, 256], plain: [1, 1] } as const;

/** Channels from which on the multipliers saved outweigh a function of their own. */
const worthSharing = 64;

/** `tiled`: whether there are tiles of four pixels, for which the words come in blocks. */
function planTiles(layer: AccumulatingLayer, taps: number, tiled: boolean): Planned {
  const depth = layer.channels.length;
  const words = wordsOfWindow(taps);
  const blocks = tiled ? blocksOf(words) : { count: 1, length: words };
  if (!sumsFit(layer)) return { plan: undefined, obstacle: 'sums can leave 32 bits' };
  const obstacle = dualObstacleOf(pairsOf(layer.channels));
  const weights = obstacle === undefined ? 'dual' : 'plain';
  const finish = chooseFinish(layer.channels, layer.result, gains[weights]);
  if (!finish) return { plan: undefined, obstacle: 'a scale of 1 or more, or sums beyond 2^30' };
  const declined = [
    ...(obstacle === undefined ? [] : [`dual weights: ${obstacle}`]),
    ...(finish.form === 'linear' ? [] : ['linear requantization: no proof for every channel']),
  ];
  const shared = depth >= worthSharing ? sharedMultipliers(finish) : undefined;
  const requantization = `${shared ? 'shared ' : ''}${finish.form} requantization`;
  return {
    plan: { layer, finish, shared, weights, blocks, depth },
    form: `${weights} weights, ${requantization}, ${tiled ? 'tiles of 4' : 'single pixels'}`,
    declined,
  };
}

const streamOf = ({ layer, finish, shared, weights, blocks }: TilePlan) =>
  pairStream(weights, pairsOf(layer.channels), finish, wordsOf(blocks), shared);

/** Bytes of the widened inputs of four pixels. */
const columnBytesOf = ({ blocks }: TilePlan) => 16 * wordsOf(blocks);

/** Bytes for a single pixel: its widened inputs, and behind them a copy of it where it is not whole words. */
function singleBytes({ blocks }: TilePlan, taps: number): number {
  const copied = 4 * Math.ceil(taps / 4);
  return Math.max(4 * wordsOf(blocks), 2 * copied + (taps % 4 === 0 ? 0 : copied));
}

function pointwiseChoice(layer: AccumulatingLayer, pixels: number, taps: number): KernelChoice {
  const tiles = Math.floor((pixels - (taps % 4 === 0 ? 0 : 1)) / 4);
  const planned = planTiles(layer, taps, tiles > 0);
  if (!planned.plan) return portable(planned.obstacle);
  const { plan, form, declined } = planned;
  return {
    kernel: {
      kernel: 'cm_pointwise_s8',
      header: 'tml_cm_conv2d.h',
      struct: 'tml_cm_pointwise_s8',
      params: { pixels, x_depth: taps, y_depth: plan.depth, words: wordsOf(plan.blocks) },
      stream: streamOf(plan),
      scratchBytes: tiles > 0 ? columnBytesOf(plan) : singleBytes(plan, taps),
      functions: [tiles > 0 ? tile4(plan) : undefined, 4 * tiles < pixels ? tile1(plan) : undefined],
      walk: { tiled: tile * Math.max(0, tiles) },
    },
    form,
    declined,
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

/** Windows longer than this are widened row by row where a row is whole words (TML_CM_WHOLE_WINDOW). */
const wholeWindow = 64;

/** Bytes in which windows, or rows of them, are put together before widening. */
function stagingBytes(w: Window): number {
  const row = w.kernel_width * w.x_depth;
  const window = w.kernel_height * row;
  return row % 4 === 0 && window > wholeWindow ? 4 * row : 16 * Math.ceil(window / 4);
}

/** The kernel for a call of conv2d_s8. */
export function chooseConvolution(call: KernelCall): KernelChoice {
  return convolutionChoice(accumulatingLayer(call, weightRow), windowOf(call));
}

/** The kernel for a layer whose channels see all channels of the input. */
export function convolutionChoice(layer: AccumulatingLayer, w: Window): KernelChoice {
  const taps = w.kernel_height * w.kernel_width * w.x_depth;
  if (isPointwise(w)) return pointwiseChoice(layer, w.batch * w.y_height * w.y_width, taps);
  const pixels = w.y_height * w.y_width;
  const planned = planTiles(layer, taps, pixels >= 4);
  if (!planned.plan) return portable(planned.obstacle);
  const { plan, form, declined } = planned;
  return {
    kernel: {
      kernel: 'cm_conv2d_s8',
      header: 'tml_cm_conv2d.h',
      struct: 'tml_cm_conv2d_s8',
      params: {
        window: w as unknown as KernelParams,
        x_zero: layer.inputZero,
        words: wordsOf(plan.blocks),
      },
      stream: streamOf(plan),
      scratchBytes: pixels >= 4 ? columnBytesOf(plan) + stagingBytes(w) : 12 * Math.ceil(taps / 4),
      functions: [pixels >= 4 ? tile4(plan) : undefined, pixels % 4 > 0 ? tile1(plan) : undefined],
      walk: { tiled: pixels - (pixels % tile) },
    },
    form,
    declined,
  };
}

/** The kernel for a call of fully_connected_s8. */
export function chooseFullyConnected(call: KernelCall): KernelChoice {
  const layer = accumulatingLayer(call, weightRow);
  return pointwiseChoice(layer, parameter(call, 'rows'), parameter(call, 'depth'));
}
