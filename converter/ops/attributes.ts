import type { Activation } from './define-op.ts';

/*
 * Attributes of the operators whose integer arithmetic (`integer/`) or TFLite form (`tflite/`) is in a file of its own.
 * They stand below both, so that the operator can use that file and not the other way round.
 */

/** Of both convolutions. */
export type Conv2dAttributes = {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
  readonly activation: Activation;
};

export type FullyConnectedAttributes = { readonly activation: Activation };

export type SoftmaxAttributes = { readonly beta: number };

/** `pads` is before and after for each axis in turn; `value` is real, not a stored integer. */
export type PadAttributes = { readonly pads: readonly number[]; readonly value: number };

export type TransposeAttributes = { readonly perm: readonly number[] };

export type ConcatenationAttributes = { readonly axis: number };

/** Along each axis `size` elements from `begin`, every `strides`-th one. */
export type SliceAttributes = {
  readonly begin: readonly number[];
  readonly size: readonly number[];
  readonly strides: readonly number[];
};
