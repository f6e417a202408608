import { elementCount } from '../../ir/tensor.ts';
import type { Activation, OpCall } from '../define-op.ts';
import type { KernelCall, KernelParams } from './kernel-call.ts';

// Calls of the float32 kernels, which need no more than shapes and limits.

export function isReal(call: Pick<OpCall<unknown>, 'inputs'>): boolean {
  return call.inputs[0]!.dtype === 'float32';
}

/** Real limits of a fused activation as members of a parameter struct. */
export function realLimits(activation: Activation): { low: number; high: number } {
  const { NEGATIVE_INFINITY, POSITIVE_INFINITY } = Number;
  if (activation === 'relu') return { low: 0, high: POSITIVE_INFINITY };
  if (activation === 'relu6') return { low: 0, high: 6 };
  if (activation === 'reluN1To1') return { low: -1, high: 1 };
  return { low: NEGATIVE_INFINITY, high: POSITIVE_INFINITY };
}

/** An element-wise function of one tensor. */
export function unaryRealCall(
  call: OpCall<unknown>,
  kernel: string,
  floats: Readonly<Record<string, number>> = {},
): KernelCall[] {
  return [{ kernel, params: { count: elementCount(call.inputs[0]!.shape) }, floats, args: [0] }];
}

/** A layer with constant weights and bias. */
export function weightedRealCall(
  call: OpCall<{ readonly activation: Activation }>,
  kernel: string,
  params: KernelParams,
): KernelCall[] {
  const constant = (name: string, position: number) => ({ name, data: call.constants[position]! });
  return [
    {
      kernel,
      params,
      floats: realLimits(call.attrs.activation),
      args: [0, constant('weights', 1), constant('bias', 2)],
    },
  ];
}
