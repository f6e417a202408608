import { allocate } from '../../ir/tensor.ts';
import type { DType, Value } from '../../ir/types.ts';
import type { TfliteRead } from './form.ts';

/** Types of weights and bias that TFLite's kernels take, by the input's type. */
const companions: Readonly<Partial<Record<DType, { weights: DType; bias: readonly DType[] }>>> = {
  float32: { weights: 'float32', bias: ['float32'] },
  int8: { weights: 'int8', bias: ['int32'] },
  int16: { weights: 'int8', bias: ['int64', 'int32'] },
};

function checkWeights(call: TfliteRead, x: Value, weights: Value, rank: number, axis: number): void {
  const { dtype, shape, quant } = weights.type;
  if (!weights.data) throw call.refuse('the weights are computed; they must be constant');
  if (shape.length !== rank) throw call.refuse(`the weights have shape [${shape}], not ${rank} axes`);
  if (dtype !== companions[x.type.dtype]?.weights) {
    throw call.refuse(`${x.type.dtype} input with ${dtype} weights is not supported`);
  }
  if (quant?.axis !== undefined && quant.axis !== axis) {
    throw call.refuse(`the weights have one scale for each slice of axis ${quant.axis}; it must be ${axis}`);
  }
  if (quant?.zeroPoint.some((point) => point !== 0)) {
    throw call.refuse('the weights have a zero point other than 0');
  }
}

/** The bias of zeros that an absent one stands for, with the scale of the products. */
function zeroBias(call: TfliteRead, x: Value, weights: Value, units: number): Value {
  const dtype = companions[x.type.dtype]!.bias[0]!;
  const shape = [units];
  const data = allocate(dtype, units);
  const inputScale = x.type.quant?.scale[0];
  if (inputScale === undefined) return call.newConstant('bias', { dtype, shape }, data);
  const scale = weights.type.quant!.scale.map((one) => Math.fround(inputScale * one));
  const axis = scale.length > 1 ? { axis: 0 } : {};
  const quant = { scale, zeroPoint: scale.map(() => 0), ...axis };
  return call.newConstant('bias', { dtype, shape, quant }, data);
}

/**
 * Weights of `rank` axes, outputs along `axis`, and the bias (zeros where the file has none) of an operator that
 * multiplies and adds.
 */
export function readWeights(
  call: TfliteRead,
  rank: number,
  axis: number,
): readonly [weights: Value, bias: Value] {
  const x = call.input(0);
  const weights = call.input(1);
  checkWeights(call, x, weights, rank, axis);
  const bias = call.inputs[2] ?? zeroBias(call, x, weights, weights.type.shape[axis]!);
  if (!bias.data) throw call.refuse('the bias is computed; it must be constant');
  if (!companions[x.type.dtype]!.bias.includes(bias.type.dtype)) {
    throw call.refuse(`${x.type.dtype} input with ${bias.type.dtype} bias is not supported`);
  }
  return [weights, bias];
}

/** The operator version that takes weights of 4 bits. */
export function packedVersion(weights: Value, version: number, packed: number): number {
  return weights.type.bits === 4 ? Math.max(version, packed) : version;
}
