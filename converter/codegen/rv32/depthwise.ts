import type { KernelCall, KernelParams } from '../../ops/integer/kernel-call.ts';
import { type AccumulatingLayer, accumulatingLayer, sumsFit } from '../choice/accumulating-layer.ts';
import type { AssemblyFunction } from '../choice/kernel.ts';
import { type KernelChoice, portable } from '../choice/kernel.ts';
import { type Window, windowOf } from '../choice/window.ts';
import { assemblyFunction } from './assembly-function.ts';
import { chooseFinish, type Finish } from './finish.ts';
import { separable, startWords } from './packed-stream.ts';
import { StreamWriter } from './stream-writer.ts';

/** Weights [taps, channels]. */
const weightColumn = (weights: Int8Array, channel: number, channels: number) =>
  Int8Array.from({ length: weights.length / channels }, (_, tap) => weights[tap * channels + channel]!);

/** Where the windows of one channel's two halves move, in words; the halves share the middle line of an odd number. */
interface Plane {
  readonly height: number;
  readonly width: number;
  /** Lines of results in a half, and from a result to its partner. */
  readonly lines: number;
  readonly apart: number;
}

function planeOf(w: Window): Plane {
  const covered = (results: number, stride: number, taps: number, dilation: number) =>
    (results - 1) * stride + (taps - 1) * dilation + 1;
  const lines = Math.ceil(w.y_height / 2);
  return {
    height: covered(lines, w.stride_y, w.kernel_height, w.dilation_y),
    width: covered(w.y_width, w.stride_x, w.kernel_width, w.dilation_x),
    lines,
    apart: w.y_height - lines,
  };
}

/** How many of a channel's weights are grouped, row by row: the functions of tml_rv_depthwise.h in their order. */
const groupSizes = [3, 2, 1] as const;
const threes = groupSizes.indexOf(3);

const groupsOf = (w: Window, size: number) => w.kernel_height * Math.ceil(w.kernel_width / size);

function holds(weights: Int8Array, w: Window, size: number): boolean {
  for (let row = 0; row < weights.length; row += w.kernel_width) {
    for (let tap = 0; tap < w.kernel_width; tap += size) {
      const end = Math.min(tap + size, w.kernel_width);
      if (!separable(weights, row + tap, row + end)) return false;
    }
  }
  return true;
}

/** In a window of 3x3 pairs go on from row to row: eight weights and one. */
const pairsOf3x3 = (weights: Int8Array) => [0, 2, 4, 6].every((tap) => separable(weights, tap, tap + 2));

/** How the taps of a layer's windows are multiplied. */
interface Taps {
  /** Position of the function for a channel; one by one weights can always be told apart. */
  functionOf(weights: Int8Array): number;
  groups(position: number): number;
  assembly(position: number, numbers: readonly number[]): AssemblyFunction;
}

function taps3x3(w: Window, plane: Plane): Taps {
  const macros = ['TML_RV_THREES', 'TML_RV_PAIRS', 'TML_RV_SINGLES'] as const;
  const groups = [3, 5, 9] as const;
  const [row, tap] = [4 * w.dilation_y * plane.width, 4 * w.dilation_x];
  return {
    functionOf: (weights) => (holds(weights, w, 3) ? threes : pairsOf3x3(weights) ? 1 : 2),
    groups: (position) => groups[position]!,
    assembly: (position, [form, step, low]) =>
      assemblyFunction('channel3', [form!, row, tap, step!, low!], {
        suffix: String(groups[position]),
        first: macros[position]!,
      }),
  };
}

function tapsAny(w: Window): Taps {
  return {
    functionOf: (weights) => (holds(weights, w, 2) ? 1 : 2),
    groups: (position) => groupsOf(w, groupSizes[position]!),
    assembly: (position, [form, step, low]) =>
      assemblyFunction('channel_any', [
        groupSizes[position]!,
        form!,
        w.kernel_height,
        w.kernel_width,
        4 * w.dilation_x,
        step!,
        low!,
      ]),
  };
}

function streamOf({ channels }: AccumulatingLayer, finish: Finish, taps: Taps): Int32Array {
  const writer = new StreamWriter();
  for (const [i, { weights, start }] of channels.entries()) {
    const { delta, words } = finish.channels[i]!;
    const position = taps.functionOf(weights);
    const first = start + delta;
    writer.words(position, ...startWords(first, first, taps.groups(position)));
    writer.bytes(...weights);
    writer.align();
    writer.words(...words);
  }
  return writer.finish();
}

/** Farthest byte that a load reaches, and the most taps that are put one behind the other as instructions. */
const reach = 2047;
const mostTaps = 100;

function obstacleOf(w: Window, plane: Plane): string | undefined {
  const taps = w.kernel_height * w.kernel_width;
  if (taps > mostTaps) return `a window of ${taps} taps, more than ${mostTaps}`;
  if (4 * w.dilation_x * w.kernel_width > reach || 4 * w.stride_x > reach)
    return 'a dilation or stride beyond reach';
  return plane.width <= w.pad_left ? 'no window meets the image' : undefined;
}

const is3x3 = (w: Window, plane: Plane) =>
  w.kernel_height === 3 &&
  w.kernel_width === 3 &&
  4 * (2 * w.dilation_y * plane.width + 2 * w.dilation_x) <= reach;

function functionsOf(w: Window, layer: AccumulatingLayer, finish: Finish, taps: Taps) {
  const used = new Set(layer.channels.map(({ weights }) => taps.functionOf(weights)));
  const numbers = [finish.form === 'linear' ? 0 : 1, 4 * w.stride_x, layer.result.low];
  return groupSizes.map((_, position) => (used.has(position) ? taps.assembly(position, numbers) : undefined));
}

/** The kernel for a call of depthwise_conv2d_s8. */
export function chooseDepthwise(call: KernelCall): KernelChoice {
  const w = windowOf(call);
  const plane = planeOf(w);
  const layer = accumulatingLayer(call, weightColumn);
  const obstacle = obstacleOf(w, plane) ?? (sumsFit(layer) ? undefined : 'sums can leave 32 bits');
  if (obstacle) return portable(obstacle);
  const finish = chooseFinish(layer.channels, layer.result);
  if (!finish) return portable('a scale of 1 or more, or sums beyond 2^30');
  const taps = is3x3(w, plane) ? taps3x3(w, plane) : tapsAny(w);
  const stream = streamOf(layer, finish, taps);
  const line = 4 * w.y_width * w.stride_x;
  return {
    kernel: {
      kernel: 'rv_depthwise_s8',
      header: 'tml_rv_depthwise.h',
      struct: 'tml_rv_depthwise_s8',
      params: {
        plane: {
          depth: w.y_depth,
          halves: plane.apart * w.y_width * w.y_depth,
          lines: plane.lines,
          line,
          next: 4 * w.stride_y * plane.width - line,
          shift: finish.shift,
          range: layer.result.high - layer.result.low,
          row: 4 * w.dilation_y * plane.width,
        },
        window: w as unknown as KernelParams,
        x_zero: layer.inputZero,
        height: plane.height,
        width: plane.width,
        lower: plane.apart * w.stride_y,
        stream_words: stream.length / w.y_depth,
      },
      stream,
      scratchBytes: 4 * plane.height * plane.width,
      functions: functionsOf(w, layer, finish, taps),
      walk: 'channel',
    },
    form: `${w.kernel_height}x${w.kernel_width} window, packed, ${finish.form} requantization`,
    declined: finish.form === 'linear' ? [] : ['linear requantization: no proof for every channel'],
  };
}
