import type { KernelCall } from '../../ops/integer/kernel-call.ts';
import { type KernelChoice, portable } from '../choice/kernel.ts';
import { windowOf } from '../choice/window.ts';

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
      walk: 'pixel',
    },
    form: 'four channels at a time',
    declined: [],
  };
}

/** The kernel for a call of average_pool2d_s8. */
export function chooseAveragePool(call: KernelCall): KernelChoice {
  const w = windowOf(call);
  const pixels = w.kernel_height * w.kernel_width;
  return pixels > mostSummed ? portable(`a window of ${pixels} pixels`) : poolKernel(call);
}

/** The kernel for a call of max_pool2d_s8. */
export const chooseMaxPool = poolKernel;
