import type { KernelCall } from '../../ops/integer/kernel-call.ts';
import { type KernelChoice, portable } from '../choice/kernel.ts';
import { chooseAddition } from './addition.ts';
import { chooseConvolution, chooseFullyConnected } from './convolution.ts';
import { chooseDepthwise } from './depthwise.ts';
import { chooseAveragePool, chooseMaxPool } from './pooling.ts';

/** Choosers by the name of the portable kernel. */
const choosers = new Map<string, (call: KernelCall) => KernelChoice>([
  ['conv2d_s8', chooseConvolution],
  ['depthwise_conv2d_s8', chooseDepthwise],
  ['fully_connected_s8', chooseFullyConnected],
  ['add_s8', chooseAddition],
  ['average_pool2d_s8', chooseAveragePool],
  ['max_pool2d_s8', chooseMaxPool],
]);

/** The fastest kernel for a Cortex-M with DSP extension (M4, M7, M33) that is proved to equal the call's portable kernel. */
export function chooseKernel(call: KernelCall): KernelChoice {
  const choose = choosers.get(call.kernel);
  return choose ? choose(call) : portable('no faster form is known');
}
