import type { TensorData } from '../../ir/types.ts';

/** A constant array of the generated program; its C type follows from the kind of array. */
export interface KernelConstant {
  readonly name: string;
  readonly data: TensorData;
}

/** Members of a parameter struct: numbers, arrays of them, or structs of their own. */
export interface KernelParams {
  readonly [member: string]: number | readonly number[] | KernelParams;
}

/**
 * One call of a kernel of the C library: `tml_<kernel>(&params, args..., output)`. A number among the arguments is
 * the node's input of that position. Later forms of a kernel (packed weights, vector instructions) are made from
 * the same description.
 */
export interface KernelCall {
  readonly kernel: string;
  /** Whole numbers, as the members of the kernel's parameter struct. */
  readonly params: KernelParams;
  /** Members of type float. */
  readonly floats?: Readonly<Record<string, number>>;
  readonly args: readonly (number | KernelConstant)[];
}
