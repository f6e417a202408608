import type * as tfjs from '@tensorflow/tfjs-core';
import type { Attributes, DType, Shape, TensorData, TensorType } from '../ir/types.ts';
import type { KernelCall } from './integer/kernel-call.ts';
import type { TfliteForm } from './tflite/form.ts';

/** The tfjs module with a backend ready; handed in, so that nothing loads it before it is needed. */
export type Tf = typeof tfjs;
export type FloatTensor = tfjs.Tensor;

/** What an attribute may hold; `verify` refuses anything else, and unknown attributes. */
export type AttributeKind =
  | { readonly kind: 'integer'; readonly min?: number; readonly max?: number }
  | { readonly kind: 'number' }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'integers'; readonly length?: number; readonly min?: number }
  | { readonly kind: 'choice'; readonly of: readonly string[] };

export type AttributeSchema<A> = { readonly [K in keyof A]: AttributeKind };

/** Fused activation, TFLite's `ActivationFunctionType` as far as it is used. */
export type Activation = 'none' | 'relu' | 'relu6' | 'reluN1To1';
export const activationKind: AttributeKind = { kind: 'choice', of: ['none', 'relu', 'relu6', 'reluN1To1'] };

/** dtype and shape of a result; quantization is not inferred. */
export interface ResultType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/**
 * How a quantized result gets its scale. `calibrated`: from the observed range; `shared`: likewise, and the inputs
 * must have the same; `same`: that of the only input; `fixed`: prescribed by TFLite's quantization specification.
 */
export type QuantizationRule =
  | { readonly output: 'calibrated'; readonly weights?: WeightRule }
  | { readonly output: 'shared' }
  | { readonly output: 'same' }
  | { readonly output: 'fixed'; readonly scale: number; readonly zeroPoint: number };

/** Which inputs are weights and bias, and along which axis of the weights scales may differ. */
export interface WeightRule {
  readonly weights: number;
  readonly bias: number;
  readonly axis: number;
}

/**
 * op(transpose(x, perm)) = transpose(op'(x), perm'): the attributes of op' and perm'. Only computed inputs are
 * permuted so; the engine permutes constants. Undefined where no such op' exists.
 */
export interface Permuted<A> {
  readonly attrs: A;
  readonly perm: readonly number[];
}

/** One call with everything static known: what integer evaluation and C generation prepare their numbers from. */
export interface OpCall<A> {
  readonly attrs: A;
  readonly inputs: readonly TensorType[];
  readonly outputs: readonly TensorType[];
  /** Constant inputs by position. */
  readonly constants: readonly (TensorData | undefined)[];
  /** The user's layer name, for errors. */
  readonly origin: string;
}

/** The bit-exact reference: reads `inputs`, fills `outputs`. */
export type IntegerKernel = (inputs: readonly TensorData[], outputs: readonly TensorData[]) => void;

/**
 * One operator of the IR, everything about it in one place. Fields that are absent mean that the operator cannot
 * do that, and users get a refusal that says so.
 */
export interface OpDefinition<A extends Attributes = Attributes> {
  readonly name: string;
  /** One line for docs/ops.md. */
  readonly summary: string;
  /** Least and most inputs. */
  readonly arity: readonly [number, number];
  readonly attrs: AttributeSchema<A>;
  /** Result types, or a TinymlError from `errors.ts` where the inputs do not fit together. */
  infer(inputs: readonly TensorType[], attrs: A): readonly ResultType[];
  /** Float evaluation written with differentiable tfjs operations; any batch size. */
  float?(tf: Tf, inputs: readonly FloatTensor[], attrs: A): FloatTensor;
  permute?(attrs: A, perm: readonly number[], inputs: readonly TensorType[]): Permuted<A> | undefined;
  readonly quantize?: QuantizationRule;
  /** Multiply-accumulates of one inference. */
  macs?(inputs: readonly TensorType[], outputs: readonly TensorType[], attrs: A): number;
  /** How the operator stands in a TFLite file. */
  readonly tflite?: TfliteForm<A>;
  /** Prepares the integer evaluation of one call, to TFLite's default kernels' semantics. */
  integer?(call: OpCall<A>): IntegerKernel;
  /** The calls of the C kernel library that compute one call, in order; undefined where its types have none. */
  kernels?(call: OpCall<A>): readonly KernelCall[] | undefined;
}

/** Types a definition and lets it stand in the one list of operators. */
export function defineOp<A extends Attributes>(definition: OpDefinition<A>): OpDefinition {
  return definition as unknown as OpDefinition;
}
