import type { KernelCall, KernelParams } from '../../ops/integer/kernel-call.ts';
import { type AccumulatingLayer, accumulatingLayer, sumsFit } from './accumulating-layer.ts';
import { type Window, windowOf } from './convolution.ts';
import { chooseFinish, type Finish } from './finish.ts';
import { type AssemblyFunction, assemblyFunction, type KernelChoice, portable } from './kernel.ts';

/** Weights [taps, channels]. */
const weightColumn = (weights: Int8Array, channel: number, channels: number) =>
  Int8Array.from({ length: weights.length / channels }, (_, tap) => weights[tap * channels + channel]!);

/** The plane of one channel: all that windows cover, in an even width, and how much of the image lies in it. */
interface Plane {
  readonly height: number;
  readonly width: number;
  readonly lines: number;
  readonly columns: number;
}

function planeOf(w: Window): Plane {
  const covered = (results: number, stride: number, taps: number, dilation: number) =>
    (results - 1) * stride + (taps - 1) * dilation + 1;
  const width = covered(w.y_width, w.stride_x, w.kernel_width, w.dilation_x);
  const height = covered(w.y_height, w.stride_y, w.kernel_height, w.dilation_y);
  return {
    height,
    width: width + (width % 2),
    lines: Math.min(w.x_height, height - w.pad_top),
    columns: Math.min(w.x_width, width - w.pad_left),
  };
}

/** Pixels widened by instructions in a row; more are a loop. */
const longestRow = 25;
const longestPart = 16;
/** Furthest byte that a load reaches. */
const reach = 4095;

/** Lines widened together: as many as divide all lines and stay within the length and the loads' reach. */
function linesTogether({ lines, columns, width }: Plane, w: Window): number {
  const fits = (rows: number) =>
    rows * columns <= longestRow &&
    2 * rows * width <= reach &&
    ((rows - 1) * w.x_width + columns) * w.x_depth <= reach;
  let most = 1;
  for (let rows = 2; rows <= lines; rows++) if (lines % rows === 0 && fits(rows)) most = rows;
  return most;
}

function fillPlane(w: Window, plane: Plane): AssemblyFunction {
  const { lines, columns, width } = plane;
  const part = Math.min(longestPart, Math.floor(reach / w.x_depth));
  const inParts = columns > longestRow || columns * w.x_depth > reach;
  const parts = inParts ? Math.floor(columns / part) : 0;
  const rows = inParts ? 1 : linesTogether(plane, w);
  const shape = [lines / rows, rows, parts, inParts ? part : 0, columns - parts * part];
  return assemblyFunction('plane', [...shape, w.x_width * w.x_depth, w.x_depth, 2 * width]);
}

const deepest = 1023;
/** Offset of the third line's last word, which LDRD reaches. */
const farthest = 1020;

/** Why a layer cannot take the 3x3 kernel. */
function obstacle3x3(w: Window): string | undefined {
  if (w.kernel_height !== 3 || w.kernel_width !== 3) return `a window of ${w.kernel_height}x${w.kernel_width}`;
  if (w.dilation_x !== 1 || w.dilation_y !== 1) return 'dilation';
  if (w.stride_x !== w.stride_y || w.stride_x > 2) return `strides of ${w.stride_y} and ${w.stride_x}`;
  if (w.y_depth > deepest) return `${w.y_depth} channels are more than ${deepest}`;
  const plane = planeOf(w);
  if (plane.lines < 1 || plane.columns < 1) return 'no window meets the image';
  return 4 * plane.width + 16 > farthest ? `lines of ${w.y_width} results` : undefined;
}

function channel3x3(w: Window, { result }: AccumulatingLayer, finish: Finish): AssemblyFunction {
  const linear = finish.form === 'linear';
  const numbers = [w.stride_x, w.y_width, 2 * planeOf(w).width, linear ? 0 : 1, finish.shifts[0]!];
  return assemblyFunction('channel3', [...numbers, result.low, result.high, w.y_depth]);
}

/** A row of weights as the kernel unpacks it: the bytes 0, 1, 1, 2. */
function rowWord(weights: Int8Array, row: number): number {
  const [a, b, c] = weights.subarray(3 * row, 3 * row + 3) as unknown as [number, number, number];
  return (a & 0xff) | ((b & 0xff) << 8) | ((b & 0xff) << 16) | ((c & 0xff) << 24);
}

function stream3x3({ channels }: AccumulatingLayer, finish: Finish): Int32Array {
  const words = channels.flatMap(({ weights, start }, i) => {
    const { delta, words: requantization } = finish.channels[i]!;
    return [start + delta, ...[0, 1, 2].map((row) => rowWord(weights, row)), ...requantization];
  });
  return Int32Array.from(words, (word) => word | 0);
}

/** The kernel for a call of depthwise_conv2d_s8. */
export function chooseDepthwise(call: KernelCall): KernelChoice {
  const w = windowOf(call);
  const layer = accumulatingLayer(call, weightColumn);
  const obstacle = obstacle3x3(w) ?? (sumsFit(layer) ? undefined : 'sums can leave 32 bits');
  if (obstacle) return portable(obstacle);
  const finish = chooseFinish(layer.channels, layer.result, [1]);
  if (!finish) return portable('a scale of 1 or more, or sums beyond 2^30');
  const plane = planeOf(w);
  return {
    kernel: {
      kernel: 'cm_depthwise_s8',
      header: 'tml_cm_depthwise.h',
      struct: 'tml_cm_depthwise_s8',
      params: {
        window: w as unknown as KernelParams,
        x_zero: layer.inputZero,
        plane_height: plane.height,
        plane_width: plane.width,
        stream_words: finish.form === 'linear' ? 6 : 8,
      },
      stream: stream3x3(layer, finish),
      // A pair of words is loaded where only the first belongs to the plane's last line.
      scratchBytes: 2 * plane.height * plane.width + 4,
      functions: [fillPlane(w, plane), channel3x3(w, layer, finish)],
      inPlace: w.x_depth === w.y_depth && w.y_height * w.y_width <= w.x_height * w.x_width && w.batch === 1,
    },
    form: `3x3 window, ${finish.form} requantization`,
    declined: finish.form === 'linear' ? [] : ['linear requantization: no proof for every channel'],
  };
}
