import type { KernelCall, KernelParams } from '../../ops/integer/kernel-call.ts';
import { type AccumulatingLayer, accumulatingLayer, sumsFit } from '../cortex-m/accumulating-layer.ts';
import { type Window, windowOf } from '../cortex-m/convolution.ts';
import { chooseFinish, type Finish } from './finish.ts';
import { assemblyFunction, type KernelChoice, portable } from './kernel.ts';
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

/** How a channel's nine weights are grouped: the position of the function, and its groups' sizes. */
const groupings = [
  { macro: 'TML_RV_THREES', sizes: [3, 3, 3] },
  { macro: 'TML_RV_PAIRS', sizes: [2, 2, 2, 2, 1] },
  { macro: 'TML_RV_SINGLES', sizes: [1, 1, 1, 1, 1, 1, 1, 1, 1] },
] as const;

function holds(weights: Int8Array, sizes: readonly number[]): boolean {
  let from = 0;
  return sizes.every((size) => {
    from += size;
    return separable(weights, from - size, from);
  });
}

/** The fewest groups for these weights; one by one they can always be told apart. */
const groupingOf = (weights: Int8Array) => groupings.findIndex(({ sizes }) => holds(weights, sizes));

function streamOf({ channels }: AccumulatingLayer, finish: Finish): Int32Array {
  const writer = new StreamWriter();
  for (const [i, { weights, start }] of channels.entries()) {
    const { delta, words } = finish.channels[i]!;
    const grouping = groupingOf(weights);
    const first = start + delta;
    writer.words(grouping, ...startWords(first, first, groupings[grouping]!.sizes.length));
    writer.bytes(...weights);
    writer.align();
    writer.words(...words);
  }
  return writer.finish();
}

/** Farthest byte that a load reaches. */
const reach = 2047;

function obstacleOf(w: Window, plane: Plane): string | undefined {
  if (w.kernel_height !== 3 || w.kernel_width !== 3)
    return `a window of ${w.kernel_height}x${w.kernel_width}`;
  const farthest = 4 * (2 * w.dilation_y * plane.width + 2 * w.dilation_x);
  if (farthest > reach) return `lines of ${w.y_width} results`;
  return plane.width <= w.pad_left ? 'no window meets the image' : undefined;
}

function functionsOf(w: Window, plane: Plane, layer: AccumulatingLayer, finish: Finish) {
  const used = new Set(layer.channels.map(({ weights }) => groupingOf(weights)));
  const numbers = [
    finish.form === 'linear' ? 0 : 1,
    4 * w.dilation_y * plane.width,
    4 * w.dilation_x,
    4 * w.stride_x,
    layer.result.low,
  ];
  return groupings.map(({ macro, sizes }, i) =>
    used.has(i)
      ? assemblyFunction('channel3', numbers, { suffix: String(sizes.length), first: macro })
      : undefined,
  );
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
  const stream = streamOf(layer, finish);
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
      functions: functionsOf(w, plane, layer, finish),
      inPlace: w.x_depth === w.y_depth && w.y_height * w.y_width <= w.x_height * w.x_width && w.batch === 1,
    },
    form: `3x3 window, packed, ${finish.form} requantization`,
    declined: finish.form === 'linear' ? [] : ['linear requantization: no proof for every channel'],
  };
}
