import type { KernelCall } from '../../ops/integer/kernel-call.ts';
import { windowOf } from './convolution.ts';
import { type KernelChoice, portable } from './kernel.ts';

/** Values of 8 bits whose sum fits 16 bits. */
const mostSummed = 255;

function poolKernel(call: KernelCall): KernelChoice {
  return {
    kernel: {
      kernel: `cm_${call.kernel}`,
      header: 'tml_cm_pool2d.h',
      struct: 'tml_cm_pool2d_s8',
      params: call.params,
      functions: [],
      inPlace: false,
    },
    form: 'four channels at a time',
    declined: [],
  };
}

const notGroups = (depth: number) => `${depth} channels are not a multiple of 4`;

/** The kernel for a call of average_pool2d_s8. */
export function chooseAveragePool(call: KernelCall): KernelChoice {
  const w = windowOf(call);
  if (w.x_depth % 4 !== 0) return portable(notGroups(w.x_depth));
  const pixels = w.kernel_height * w.kernel_width;
  return pixels > mostSummed ? portable(`a window of ${pixels} pixels`) : poolKernel(call);
}

/** The kernel for a call of max_pool2d_s8. */
export function chooseMaxPool(call: KernelCall): KernelChoice {
  const { x_depth: depth } = windowOf(call);
  return depth % 4 === 0 ? poolKernel(call) : portable(notGroups(depth));
}
