import type { TensorType } from '../../ir/types.ts';
import type { KernelParams } from './kernel-call.ts';

/** How a window slides; `kernel`, `strides` and `dilations` are rows and columns, `pads` begins with top and left. */
interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
}

/** The `struct tml_window` of a window that slides over x [N,H,W,C] and gives y [N,Ho,Wo,Co]. */
export function windowParams(
  x: TensorType,
  y: TensorType,
  { kernel, strides, dilations, pads }: Window,
): KernelParams {
  const [batch, height, width, depth] = x.shape as [number, number, number, number];
  const [, outHeight, outWidth, outDepth] = y.shape as [number, number, number, number];
  return {
    window: {
      batch,
      x_height: height,
      x_width: width,
      x_depth: depth,
      y_height: outHeight,
      y_width: outWidth,
      y_depth: outDepth,
      kernel_height: kernel[0]!,
      kernel_width: kernel[1]!,
      stride_y: strides[0]!,
      stride_x: strides[1]!,
      dilation_y: dilations[0]!,
      dilation_x: dilations[1]!,
      pad_top: pads[0]!,
      pad_left: pads[1]!,
    },
  };
}
