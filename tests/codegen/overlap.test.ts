import { describe, expect, it } from 'vitest';
import { overlapRule, type Walk } from '../../converter/codegen/overlap.ts';
import type { KernelCall } from '../../converter/ops/integer/kernel-call.ts';
import { Random } from '../kernels/problems.ts';

interface Window {
  readonly batch: number;
  readonly x_height: number;
  readonly x_width: number;
  readonly x_depth: number;
  readonly y_height: number;
  readonly y_width: number;
  readonly y_depth: number;
  readonly kernel_height: number;
  readonly kernel_width: number;
  readonly stride_y: number;
  readonly stride_x: number;
  readonly dilation_y: number;
  readonly dilation_x: number;
  readonly pad_top: number;
  readonly pad_left: number;
}

function randomWindow(random: Random): Window {
  const axis = () => {
    const [kernel, stride, dilation, pad] = [
      random.integer(1, 4),
      random.integer(1, 3),
      random.integer(1, 2),
      random.integer(0, 2),
    ];
    const covered = (kernel - 1) * dilation + 1;
    const size = random.integer(Math.max(1, covered - 2 * pad), covered + 9);
    return {
      kernel,
      stride,
      dilation,
      pad,
      size,
      results: Math.floor((size + 2 * pad - covered) / stride) + 1,
    };
  };
  const [y, x] = [axis(), axis()];
  return {
    batch: 1,
    x_height: y.size,
    x_width: x.size,
    x_depth: random.integer(1, 5),
    y_height: y.results,
    y_width: x.results,
    y_depth: random.integer(1, 5),
    kernel_height: y.kernel,
    kernel_width: x.kernel,
    stride_y: y.stride,
    stride_x: x.stride,
    dilation_y: y.dilation,
    dilation_x: x.dilation,
    pad_top: y.pad,
    pad_left: x.pad,
  };
}

/** Elements of the input that a pixel of the result reads. */
function elementsRead(w: Window, pixel: number): number[] {
  const [row, column] = [Math.floor(pixel / w.y_width), pixel % w.y_width];
  const found: number[] = [];
  for (let i = 0; i < w.kernel_height; i++) {
    for (let j = 0; j < w.kernel_width; j++) {
      const y = row * w.stride_y - w.pad_top + i * w.dilation_y;
      const x = column * w.stride_x - w.pad_left + j * w.dilation_x;
      if (y < 0 || y >= w.x_height || x < 0 || x >= w.x_width) continue;
      for (let c = 0; c < w.x_depth; c++) found.push((y * w.x_width + x) * w.x_depth + c);
    }
  }
  return found;
}

/** Goes through a kernel's reads and writes with the input so many elements behind the result; whether any read comes too late. */
function isSpoilt(w: Window, walk: Walk, behind: number): boolean {
  const pixels = w.y_height * w.y_width;
  const spoilt = new Set<number>();
  const isLate = (pixel: number) => elementsRead(w, pixel).some((element) => spoilt.has(element));
  const write = (index: number) => spoilt.add(index - behind);
  if (walk === 'channel') {
    for (let c = 0; c < w.y_depth; c++) {
      for (let p = 0; p < pixels; p++)
        if (elementsRead(w, p).some((element) => element % w.x_depth === c && spoilt.has(element)))
          return true;
      for (let p = 0; p < pixels; p++) write(p * w.y_depth + c);
    }
    return false;
  }
  const tiled = typeof walk === 'object' ? walk.tiled : 0;
  for (let start = 0; start < pixels; ) {
    const end = start + (start < tiled ? 4 : 1);
    for (let p = start; p < end; p++) if (isLate(p)) return true;
    for (let c = 0; c < w.y_depth; c++) {
      if (walk === 'pixel' && isLate(start)) return true;
      for (let p = start; p < end; p++) write(p * w.y_depth + c);
    }
    start = end;
  }
  return false;
}

const callWith = (window: Window) =>
  ({ kernel: 'any', params: { window }, args: [] }) as unknown as KernelCall;

describe('overlapRule', () => {
  it('lets no read come too late, for 600 windows walked pixel by pixel and by tiles', () => {
    const random = new Random(31);
    let tight = 0;
    for (let round = 0; round < 600; round++) {
      const w = randomWindow(random);
      const tiled = Math.floor((w.y_height * w.y_width) / 4) * 4;
      for (const walk of ['pixel', { tiled }, { tiled: 0 }] as const) {
        const rule = overlapRule(callWith(w), walk, 1) as { behind: number };
        expect(isSpoilt(w, walk, rule.behind)).toBe(false);
        expect(isSpoilt(w, walk, rule.behind + 3)).toBe(false);
        if (rule.behind > 0 && isSpoilt(w, walk, rule.behind - 1)) tight++;
      }
    }
    // Not all are: where strides leave out pixels, or padding reads nothing, less would do.
    expect(tight).toBeGreaterThan(500);
  });

  it('lets a channel stand wherever the same channel stood', () => {
    const random = new Random(32);
    for (let round = 0; round < 200; round++) {
      const any = randomWindow(random);
      const w = { ...any, y_depth: any.x_depth };
      const rule = overlapRule(callWith(w), 'channel', 1) as { multipleOf: number };
      for (const times of [-2, -1, 0, 1, 3])
        expect(isSpoilt(w, 'channel', times * rule.multipleOf)).toBe(false);
    }
    const spread = { ...randomWindow(random), x_depth: 2, y_depth: 4 };
    expect(overlapRule(callWith(spread), 'channel', 1)).toBeUndefined();
  });

  it('counts bytes, and knows the rows of a matrix product', () => {
    const rows = { kernel: 'any', params: { rows: 5, depth: 3, units: 4 }, args: [] } as KernelCall;
    expect(overlapRule(rows, { tiled: 4 }, 1)).toEqual({ behind: 4 });
    expect(overlapRule(rows, 'pixel', 4)).toEqual({ behind: 32 });
    const batches = callWith({ ...randomWindow(new Random(1)), batch: 2 });
    expect(overlapRule(batches, 'pixel', 1)).toBeUndefined();
  });
});
