import type { KernelCall } from '../../ops/integer/kernel-call.ts';

/** Members of the portable kernels' window. */
export interface Window {
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

export function windowOf(call: KernelCall): Window {
  return call.params['window'] as unknown as Window;
}
