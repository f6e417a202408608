import type { KernelCall, KernelParams } from '../../ops/integer/kernel-call.ts';
import {
  type AccumulatingLayer,
  accumulatingLayer,
  parameter,
  sumsFit,
} from '../choice/accumulating-layer.ts';
import type { StreamLayout } from '../choice/coded-stream.ts';
import { chooseFinish, type Finish, sharedMultipliers } from '../choice/finish.ts';
import { type AssemblyFunction, type KernelChoice, type MachineKernel, portable } from '../choice/kernel.ts';
import { type Window, windowOf } from '../choice/window.ts';
import { assemblyFunction } from './assembly-function.ts';
import { planSparse, type SparseBlocks, sparseWords } from './block-sparse.ts';
import { type Blocks, blocksOf, type Pixels, wordsOf } from './blocks.ts';
import { dualObstacleOf, type Pair, pairStream, pairsOf, weightWords, wordsOfWindow } from './pair-stream.ts';

/** Pixels of a tile. */
const tile = 4;

interface TilePlan {
  readonly layer: AccumulatingLayer;
  readonly finish: Finish;
  /** Multipliers at the head of the stream, where all channels have them in common. */
  readonly shared: readonly number[] | undefined;
  readonly weights: 'dual' | 'plain';
  readonly blocks: Blocks;
  /** What of the blocks is stored, where blocks of zeros are left out. */
  readonly sparse: SparseBlocks | undefined;
  readonly depth: number;
}

function tileNumbers({ layer, finish, shared, weights, depth }: TilePlan): number[] {
  const { low, high } = layer.result;
  const requantization = finish.form === 'exact' ? 1 : shared ? 2 : 0;
  const forms = [weights === 'dual' ? 0 : 1, requantization];
  return [...forms, finish.shifts[0]!, finish.shifts[1]!, low, high, depth % 2];
}

function tile4(plan: TilePlan): AssemblyFunction {
  if (plan.sparse) return assemblyFunction('sparse4', tileNumbers(plan));
  const { length, count } = plan.blocks;
  return assemblyFunction('tile4', [length - 1, count > 1 ? 1 : 0, ...tileNumbers(plan)]);
}

/** Words that a round of the loop for single pixels takes. */
const roundWords = 16;

function tile1(plan: TilePlan): AssemblyFunction {
  if (plan.sparse) return assemblyFunction('sparse1', tileNumbers(plan));
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

function planTiles(layer: AccumulatingLayer, taps: number, pixels: Pixels): Planned {
  const tiled = pixels.tiles > 0;
  const depth = layer.channels.length;
  const words = wordsOfWindow(taps);
  const blocks = tiled ? blocksOf(words) : { count: 1, length: words };
  if (!sumsFit(layer)) return { plan: undefined, obstacle: 'sums can leave 32 bits' };
  const obstacle = dualObstacleOf(pairsOf(layer.channels));
  const weights = obstacle === undefined ? 'dual' : 'plain';
  const finish = chooseFinish(layer.channels, layer.result, gains[weights]);
  if (!finish) return { plan: undefined, obstacle: 'a scale of 1 or more, or sums beyond 2^30' };
  const { sparse, declined: zeros } = planSparse(pairsOf(layer.channels), taps, blocks, pixels);
  const declined = [
    ...(zeros === undefined ? [] : [zeros]),
    ...(obstacle === undefined ? [] : [`dual weights: ${obstacle}`]),
    ...(finish.form === 'linear' ? [] : ['linear requantization: no proof for every channel']),
  ];
  const shared = depth >= worthSharing ? sharedMultipliers(finish) : undefined;
  const requantization = `${shared ? 'shared ' : ''}${finish.form} requantization`;
  return {
    plan: {
      layer,
      finish,
      shared,
      weights,
      blocks: sparse ? { count: 1, length: words } : blocks,
      sparse,
      depth,
    },
    form: `${sparse ? 'sparse ' : ''}${weights} weights, ${requantization}, ${tiled ? 'tiles of 4' : 'single pixels'}`,
    declined,
  };
}

function streamOf({ layer, finish, shared, weights, blocks, sparse }: TilePlan): Int32Array {
  const weightsOf = (pair: Pair, i: number) =>
    sparse ? sparseWords(weights, pair, sparse.stored[i]!) : weightWords(weights, pair, wordsOf(blocks));
  return pairStream(weights, pairsOf(layer.channels), finish, weightsOf, shared);
}

/** How the stream is made up; undefined for sparse blocks, of which pairs have different numbers. */
function layoutOf({ layer, finish, shared, weights, blocks, sparse }: TilePlan): StreamLayout | undefined {
  if (sparse) return undefined;
  const perChannel = finish.channels[0]!.words.length - (shared ? 1 : 0);
  return {
    prefix: shared?.length ?? 0,
    groups: pairsOf(layer.channels).length,
    head: 2,
    body: wordsOf(blocks),
    tail: 2 * perChannel,
    dual: weights === 'dual',
  };
}

/** The stream, and its layout where it has one. */
function constantsOf(plan: TilePlan): Pick<MachineKernel, 'stream' | 'layout'> {
  const layout = layoutOf(plan);
  return { stream: streamOf(plan), ...(layout ? { layout } : {}) };
}

/** Bytes of the widened inputs of four pixels. */
const columnBytesOf = ({ blocks }: TilePlan) => 16 * wordsOf(blocks);

/** Bytes for a single pixel: its widened inputs, and behind them a copy of it where it is not whole words. */
function singleBytes({ blocks }: TilePlan, taps: number): number {
  const copied = 4 * Math.ceil(taps / 4);
  return Math.max(4 * wordsOf(blocks), 2 * copied + (taps % 4 === 0 ? 0 : copied));
}

function pointwiseChoice(layer: AccumulatingLayer, pixels: number, taps: number): KernelChoice {
  const tiles = Math.floor((pixels - (taps % 4 === 0 ? 0 : 1)) / 4);
  const planned = planTiles(layer, taps, { tiles, single: pixels - 4 * tiles });
  if (!planned.plan) return portable(planned.obstacle);
  const { plan, form, declined } = planned;
  return {
    kernel: {
      kernel: 'cm_pointwise_s8',
      header: 'tml_cm_conv2d.h',
      struct: 'tml_cm_pointwise_s8',
      params: { pixels, x_depth: taps, y_depth: plan.depth, words: wordsOf(plan.blocks) },
      ...constantsOf(plan),
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
  const planned = planTiles(layer, taps, { tiles: Math.floor(pixels / 4), single: pixels % 4 });
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
      ...constantsOf(plan),
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
