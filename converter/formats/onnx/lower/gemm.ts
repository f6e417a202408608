import { elementCount } from '../../../ir/tensor.ts';
import type { Shape, Value } from '../../../ir/types.ts';
import { constantMismatch } from '../errors.ts';
import type { NodeBuilder } from './builder.ts';
import {
  type FloatConstant,
  floatConstant,
  type Lowering,
  type LowerNode,
  onlyInputs,
  operand,
} from './lowering.ts';

/** `source` times a factor; itself for 1. */
export function scaled(build: NodeBuilder, source: FloatConstant, factor: number): FloatConstant {
  if (factor === 1) return source;
  const make = () => Float32Array.from(source.data, (value) => value * factor);
  return build.derive(source, `times ${factor}`, source.type.shape, make) as FloatConstant;
}

/** A bias of [units] when C is one row or one number. */
function rowBias(build: NodeBuilder, c: FloatConstant, units: number): FloatConstant | undefined {
  const { shape } = c.type;
  const count = elementCount(shape);
  if (count === 1) {
    const make = () => new Float32Array(units).fill(c.data[0]!);
    return build.derive(c, `fill ${units}`, [units], make) as FloatConstant;
  }
  return count === units && shape.at(-1) === units ? (build.reshape(c, [units]) as FloatConstant) : undefined;
}

function isMatrix(shape: Shape): boolean {
  return shape.length === 2 && elementCount(shape) > 0;
}

/** x [...,K] times weights [O,K], without bias yet or with one. */
export function fullyConnected(
  build: NodeBuilder,
  x: Value,
  weights: FloatConstant,
  bias?: FloatConstant,
): Value {
  const units = weights.type.shape[0]!;
  const zeros = () => new Float32Array(units);
  const own = bias ?? build.derive(weights, 'zero bias', [units], zeros, ':bias');
  return build.emit('fullyConnected', [x, weights, own], { activation: 'none' });
}

function checkOperands(node: LowerNode): void {
  const [a, b] = [operand(node, 0), operand(node, 1)];
  if (a.type.shape.length !== 2 || !isMatrix(b.type.shape)) {
    throw constantMismatch('Gemm', `inputs of shape [${a.type.shape}] and [${b.type.shape}]`);
  }
}

export const gemm: Lowering = {
  op: 'Gemm',
  notes: 'constant B and C',
  lower(node, build) {
    onlyInputs(node, 3);
    checkOperands(node);
    const a = operand(node, 0);
    const b = floatConstant(node, 1, 'weights');
    const x = node.attrs.flag('transA', false) ? build.transpose(a, [1, 0]) : a;
    const turned = node.attrs.flag('transB', false) ? b : (build.transpose(b, [1, 0]) as FloatConstant);
    const weights = scaled(build, turned, node.attrs.float('alpha', 1));
    const beta = node.attrs.float('beta', 1);
    if (!node.inputs[2]) return [fullyConnected(build, x, weights)];
    const c = scaled(build, floatConstant(node, 2, 'biases'), beta);
    const bias = rowBias(build, c, weights.type.shape[0]!);
    if (bias) return [fullyConnected(build, x, weights, bias)];
    return [build.binary('add', fullyConnected(build, x, weights), c)];
  },
};
