import type { KernelCall, KernelParams } from '../../ops/integer/kernel-call.ts';
import { type AccumulatingLayer, accumulatingLayer, sumsFit } from '../choice/accumulating-layer.ts';
import { chooseFinish, type Finish } from '../choice/finish.ts';
import { type AssemblyFunction, type KernelChoice, portable } from '../choice/kernel.ts';
import { type Window, windowOf } from '../choice/window.ts';
import { assemblyFunction } from './assembly-function.ts';
import { convolutionChoice } from './convolution.ts';

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
/** Furthest byte of the plane that LDRD reaches. */
const farthest = 1020;

/** Why a layer cannot take the 3x3 kernel. */
function obstacle3x3(w: Window, plane: Plane): string | undefined {
  if (w.kernel_height !== 3 || w.kernel_width !== 3)
    return `a window of ${w.kernel_height}x${w.kernel_width}`;
  if (w.dilation_x !== 1 || w.dilation_y !== 1) return 'dilation';
  if (w.stride_x !== w.stride_y || w.stride_x > 2) return `strides of ${w.stride_y} and ${w.stride_x}`;
  if (w.y_depth > deepest) return `${w.y_depth} channels are more than ${deepest}`;
  return 4 * plane.width + 16 > farthest ? `lines of ${w.y_width} results` : undefined;
}

/** The inner loops of one window, and how they take a channel's weights. */
interface WindowKernel {
  readonly form: string;
  readonly channel: AssemblyFunction;
  weightWords(weights: Int8Array): number[];
}

function kernel3x3(w: Window, plane: Plane, { result }: AccumulatingLayer, finish: Finish): WindowKernel {
  const requantization = [finish.form === 'linear' ? 0 : 1, finish.shifts[0]!, result.low, result.high];
  const numbers = [w.stride_x, w.y_width, 2 * plane.width, ...requantization, w.y_depth];
  return {
    form: '3x3 window',
    channel: assemblyFunction('channel3', numbers),
    // Of each row the bytes 0, 1, 1, 2.
    weightWords: (weights) =>
      [0, 3, 6].map((row) => {
        const [a, b, c] = [0, 1, 2].map((tap) => weights[row + tap]! & 0xff) as [number, number, number];
        return a | (b << 8) | (b << 16) | (c << 24);
      }),
  };
}

function kernelAny(w: Window): WindowKernel {
  const rows = Array.from({ length: w.kernel_height }, (_, row) => row * w.kernel_width);
  const pairs = Array.from({ length: Math.ceil(w.kernel_width / 2) }, (_, pair) => 2 * pair);
  return {
    form: `${w.kernel_height}x${w.kernel_width} window in general`,
    channel: { name: 'tml_cm_channel_any' },
    weightWords: (weights) =>
      rows.flatMap((row) =>
        pairs.map((tap) => {
          const second = tap + 1 < w.kernel_width ? weights[row + tap + 1]! : 0;
          return (weights[row + tap]! & 0xffff) | (second << 16);
        }),
      ),
  };
}

function streamOf(
  { channels }: AccumulatingLayer,
  finish: Finish,
  { weightWords }: WindowKernel,
): Int32Array {
  const words = channels.flatMap(({ weights, start }, i) => {
    const { delta, words: requantization } = finish.channels[i]!;
    return [start + delta, ...weightWords(weights), ...requantization];
  });
  return Int32Array.from(words, (word) => word | 0);
}

/** The kernel for a call of depthwise_conv2d_s8. */
export function chooseDepthwise(call: KernelCall): KernelChoice {
  const w = windowOf(call);
  const layer = accumulatingLayer(call, weightColumn);
  // Of a single channel every filter sees all there is, and two filters share each input.
  if (w.x_depth === 1 && w.y_depth > 1) return convolutionChoice(layer, w);
  const plane = planeOf(w);
  if (plane.lines < 1 || plane.columns < 1) return portable('no window meets the image');
  if (!sumsFit(layer)) return portable('sums can leave 32 bits');
  const finish = chooseFinish(layer.channels, layer.result, [1]);
  if (!finish) return portable('a scale of 1 or more, or sums beyond 2^30');
  const obstacle = obstacle3x3(w, plane);
  const windowKernel = obstacle === undefined ? kernel3x3(w, plane, layer, finish) : kernelAny(w);
  const stream = streamOf(layer, finish, windowKernel);
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
        stream_words: stream.length / w.y_depth,
        requantization: finish.form === 'linear' ? 0 : 1,
        shift: finish.shifts[0]!,
        low: layer.result.low,
        high: layer.result.high,
      },
      stream,
      // A pair is loaded where only the first belongs to the plane's last line.
      scratchBytes: 2 * plane.height * plane.width + 4 * w.dilation_x,
      functions: [fillPlane(w, plane), windowKernel.channel],
      walk: 'channel',
    },
    form: `${windowKernel.form}, ${finish.form} requantization`,
    declined: [
      ...(obstacle === undefined ? [] : [`3x3 kernel: ${obstacle}`]),
      ...(finish.form === 'linear' ? [] : ['linear requantization: no proof for every channel']),
    ],
  };
}
