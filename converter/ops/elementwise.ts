import { broadcastShapes } from '../ir/tensor.ts';
import type { Attributes, TensorType } from '../ir/types.ts';
import {
  type Activation,
  type AttributeSchema,
  activationKind,
  defineOp,
  type FloatTensor,
  type OpDefinition,
  type QuantizationRule,
  type Tf,
} from './define-op.ts';
import { shapesDoNotFit } from './errors.ts';
import { applyActivation } from './window.ts';

/** Any permutation passes through an operation that looks at one position at a time. */
export function permuteElementwise<A>(
  attrs: A,
  perm: readonly number[],
): { attrs: A; perm: readonly number[] } {
  return { attrs, perm };
}

type UnaryParts<A extends Attributes> = Pick<
  OpDefinition<A>,
  'name' | 'summary' | 'integer' | 'tflite' | 'kernels'
> & {
  readonly attrs: AttributeSchema<A>;
  readonly quantize: QuantizationRule;
  float(tf: Tf, x: FloatTensor, attrs: A): FloatTensor;
};

/** One input, one result of the same shape. */
export function defineUnary<A extends Attributes>(parts: UnaryParts<A>): OpDefinition {
  return defineOp<A>({
    ...parts,
    arity: [1, 1],
    infer: ([x]) => [{ dtype: x!.dtype, shape: x!.shape }],
    float: (tf, [x], attrs) => parts.float(tf, x!, attrs),
    permute: permuteElementwise,
  });
}

export type BinaryAttributes = { readonly activation: Activation };

type BinaryParts = Pick<
  OpDefinition<BinaryAttributes>,
  'name' | 'summary' | 'integer' | 'tflite' | 'kernels'
> & {
  readonly quantize?: QuantizationRule;
  float(tf: Tf, a: FloatTensor, b: FloatTensor): FloatTensor;
};

function inferBinary(name: string, inputs: readonly TensorType[]) {
  const [a, b] = inputs as [TensorType, TensorType];
  const shape = broadcastShapes(a.shape, b.shape);
  if (!shape) throw shapesDoNotFit(name, 'the two inputs do not broadcast', [a.shape, b.shape]);
  return [{ dtype: a.dtype, shape }];
}

/** Two inputs that broadcast by numpy's rule, and a fused activation. */
export function defineBinary(parts: BinaryParts): OpDefinition {
  return defineOp<BinaryAttributes>({
    ...parts,
    arity: [2, 2],
    attrs: { activation: activationKind },
    infer: (inputs) => inferBinary(parts.name, inputs),
    float: (tf, [a, b], attrs) => applyActivation(tf, parts.float(tf, a!, b!), attrs.activation),
    permute: permuteElementwise,
  });
}
