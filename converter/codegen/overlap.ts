import type { KernelCall } from '../ops/integer/kernel-call.ts';
import { type Window, windowOf } from './choice/window.ts';
import type { OverlapRule } from './plan-memory.ts';

/**
 * In which order a kernel reads its first input and writes its result.
 * `pixel`: pixel by pixel in the order of memory, reading the window of a pixel while it writes that pixel.
 * `tiled`: in that order too, but it reads the windows of four pixels before it writes the first of them, for as many
 * pixels as given, and from there on the window of one pixel.
 * `channel`: channel by channel, of which the results have as many as the input; it reads all of a channel first.
 * `element`: element by element, of several inputs too; the result may take the place of one that has its size.
 */
export type Walk = 'element' | 'pixel' | 'channel' | { readonly tiled: number };
type PixelWalk = Exclude<Walk, 'channel' | 'element'>;

const tile = 4;

/** A matrix product as a window of one pixel. */
function rowsOf({ params }: KernelCall): Window | undefined {
  const { rows, depth, units } = params;
  if (typeof rows !== 'number' || typeof depth !== 'number' || typeof units !== 'number') return undefined;
  const single = {
    kernel_height: 1,
    kernel_width: 1,
    stride_y: 1,
    stride_x: 1,
    dilation_y: 1,
    dilation_x: 1,
  };
  const size = { x_height: rows, x_width: 1, x_depth: depth, y_height: rows, y_width: 1, y_depth: units };
  return { batch: 1, ...size, ...single, pad_top: 0, pad_left: 0 };
}

/** The first pixel of the image that each window reads, at the least; past the end for one that only meets padding. */
function firstReads(w: Window): Float64Array {
  const first = new Float64Array(w.y_height * w.y_width);
  const inside = (start: number, dilation: number) =>
    start >= 0 ? start : start + Math.ceil(-start / dilation) * dilation;
  for (let row = 0; row < w.y_height; row++) {
    const top = inside(row * w.stride_y - w.pad_top, w.dilation_y);
    for (let column = 0; column < w.y_width; column++) {
      const left = inside(column * w.stride_x - w.pad_left, w.dilation_x);
      first[row * w.y_width + column] = top * w.x_width + Math.min(left, w.x_width - 1);
    }
  }
  return first;
}

/** The first pixel of the image that is read for a pixel of the result or for one after it. */
function pendingReads(w: Window): Float64Array {
  const pending = firstReads(w);
  for (let i = pending.length - 2; i >= 0; i--) pending[i] = Math.min(pending[i]!, pending[i + 1]!);
  return pending;
}

/** Pixels that are written together, as start and end, and from which one on windows are still to be read then. */
function* steps(pixels: number, walk: PixelWalk): Generator<{ end: number; unread: number }> {
  const tiled = walk === 'pixel' ? 0 : walk.tiled;
  for (let start = 0; start < pixels; ) {
    const end = start + (start < tiled ? tile : 1);
    yield { end, unread: walk === 'pixel' ? start : end };
    start = end;
  }
}

/**
 * The least number of elements by which the input must begin behind the result: every write must end before the first
 * element that is still to be read.
 */
function distanceOf(w: Window, walk: PixelWalk): number {
  const pending = pendingReads(w);
  let distance = 0;
  for (const { end, unread } of steps(pending.length, walk)) {
    if (unread >= pending.length) break;
    distance = Math.max(distance, end * w.y_depth - pending[unread]! * w.x_depth);
  }
  return distance;
}

/**
 * How input and result of a call may share memory, so that nothing is overwritten before it was read; undefined where
 * that is not known. Channel by channel, a result may stand wherever the same channel stood.
 */
export function overlapRule(
  call: KernelCall,
  walk: Exclude<Walk, 'element'>,
  elementBytes: number,
): OverlapRule | undefined {
  const w = 'window' in call.params ? windowOf(call) : rowsOf(call);
  if (w?.batch !== 1) return undefined;
  if (walk !== 'channel') return { behind: distanceOf(w, walk) * elementBytes };
  return w.x_depth === w.y_depth ? { multipleOf: w.x_depth * elementBytes } : undefined;
}
