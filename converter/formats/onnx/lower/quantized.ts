import { elementCount } from '../../../ir/tensor.ts';
import type { TensorData, Value } from '../../../ir/types.ts';
import { constantMismatch, notConvertible } from '../errors.ts';
import { activations } from './activations.ts';
import { arithmetic } from './arithmetic.ts';
import type { NodeBuilder } from './builder.ts';
import { concat } from './concat.ts';
import { conv } from './conv.ts';
import { gemm } from './gemm.ts';
import { globalAveragePool } from './global-pool.ts';
import {
  type Constant,
  constantOperand,
  type FloatConstant,
  type Lowering,
  type LowerNode,
  operand,
} from './lowering.ts';
import { matMul } from './mat-mul.ts';
import { averagePool } from './pool.ts';
import { softmax } from './softmax.ts';

// Quantized models of ONNX Runtime and PyTorch, in both their forms: QDQ (QuantizeLinear and DequantizeLinear around
// float operators) and QOperator (operators on integers). Values are imported as the real numbers that they stand
// for, and `fakeQuantize` keeps the scale of each.

/** An operator's float counterpart. */
function counterpart(list: readonly Lowering[], op: string): Lowering {
  return list.find((lowering) => lowering.op === op)!;
}

/** Scale and zero point, in the numbers of int8 (or int16): uint8 is int8 moved by 128. */
interface Storage {
  readonly scale: number;
  readonly zeroPoint: number;
  readonly dtype: 'int8' | 'int16';
}

function scalarOf(node: LowerNode, position: number, role: string): number {
  const constant = constantOperand(node, position, role);
  if (constant.data.length !== 1)
    throw notConvertible(`its ${role} has ${constant.data.length} elements; one is possible`);
  return Number(constant.data[0]);
}

function storageOf(node: LowerNode, scale: number, zero: number): Storage {
  const real = scalarOf(node, scale, 'scale');
  const point = node.inputs[zero];
  const stored = point ? scalarOf(node, zero, 'zero point') : 0;
  const dtype = point?.type.dtype ?? 'uint8';
  if (dtype === 'uint8') return { scale: real, zeroPoint: stored - 128, dtype: 'int8' };
  if (dtype === 'int8') return { scale: real, zeroPoint: stored, dtype };
  if (dtype === 'int16' && stored === 0) return { scale: real, zeroPoint: 0, dtype };
  throw notConvertible(`it stores activations as ${dtype} with zero point ${stored}`);
}

function throughStorage(build: NodeBuilder, x: Value, { scale, zeroPoint, dtype }: Storage): Value {
  if (!(scale > 0) || !Number.isFinite(scale)) throw constantMismatch('the node', `a scale is ${scale}`);
  return build.emit('fakeQuantize', [x], { scale, zeroPoint, dtype }, ':stored');
}

/** Real numbers of stored weights or bias; scales along `axis`, or one for all. */
function realConstant(
  stored: Constant,
  scales: ArrayLike<number>,
  zeros: TensorData | undefined,
  axis: number,
): FloatConstant {
  const { shape } = stored.type;
  const inner = elementCount(shape.slice(axis + 1));
  const count = scales.length;
  if (count !== 1 && count !== shape[axis]) {
    throw constantMismatch('the node', `${count} scales for ${shape[axis]} slices of "${stored.name}"`);
  }
  const slice = (i: number) => (count === 1 ? 0 : Math.floor(i / inner) % count);
  const zero = (i: number) => (zeros ? Number(zeros[zeros.length === 1 ? 0 : slice(i)]) : 0);
  const data = Float32Array.from(
    { length: stored.data.length },
    (_, i) => (Number(stored.data[i]) - zero(i)) * scales[slice(i)]!,
  );
  return { name: `${stored.name}:real`, type: { dtype: 'float32', shape }, data };
}

function scalesOf(node: LowerNode, position: number): number[] {
  return Array.from(constantOperand(node, position, 'scale').data as ArrayLike<number>, Number);
}

const quantizeLinear: Lowering = {
  op: 'QuantizeLinear',
  notes: 'one scale; uint8, int8, or int16 with zero point 0; the scale is kept exactly',
  lower(node, build) {
    node.attrs.ignore('axis');
    node.attrs.ignore('saturate');
    node.attrs.ignore('output_dtype');
    node.attrs.ignore('block_size');
    return [throughStorage(build, operand(node, 0), storageOf(node, 1, 2))];
  },
};

const dequantizeLinear: Lowering = {
  op: 'DequantizeLinear',
  notes: 'of computed values with one scale; of constants with any',
  lower(node) {
    node.attrs.ignore('axis');
    node.attrs.ignore('output_dtype');
    node.attrs.ignore('block_size');
    storageOf(node, 1, 2);
    return [operand(node, 0)];
  },
};

/** QLinearConv: x, its scale and zero point, weights with theirs, those of the result, bias. */
const qLinearConv: Lowering = {
  op: 'QLinearConv',
  notes: 'as Conv; the scales are kept exactly',
  lower(node, build) {
    const [stored, scales] = [constantOperand(node, 3, 'weights'), scalesOf(node, 4)];
    const weights = realConstant(stored, scales, node.inputs[5]?.data, 0);
    build.noteScales(scales);
    const input = scalarOf(node, 1, 'scale');
    const bias = node.inputs[8] && constantOperand(node, 8, 'biases');
    const real =
      bias &&
      realConstant(
        bias,
        scales.map((scale) => Math.fround(input * scale)),
        undefined,
        0,
      );
    const inputs = [operand(node, 0), weights, ...(real ? [real] : [])];
    const [sum] = conv.lower({ ...node, inputs }, build);
    return [throughStorage(build, sum!, storageOf(node, 6, 7))];
  },
};

/** A matrix of weights, scales by column. */
function realMatrix(node: LowerNode, build: NodeBuilder, position: number, axis: number): FloatConstant {
  const scales = scalesOf(node, position + 1);
  build.noteScales(scales);
  return realConstant(
    constantOperand(node, position, 'weights'),
    scales,
    node.inputs[position + 2]?.data,
    axis,
  );
}

const qLinearMatMul: Lowering = {
  op: 'QLinearMatMul',
  notes: 'as MatMul with constant weights; the scales are kept exactly',
  lower(node, build) {
    const weights = realMatrix(node, build, 3, 1);
    const [product] = matMul.lower({ ...node, inputs: [operand(node, 0), weights] }, build);
    return [throughStorage(build, product!, storageOf(node, 6, 7))];
  },
};

/** ONNX Runtime's own QGemm: as Gemm, with the bias in steps of input scale times weight scale. */
const qGemm: Lowering = {
  op: 'QGemm',
  notes: 'com.microsoft; as Gemm',
  lower(node, build) {
    const scales = scalesOf(node, 4);
    const weights = realMatrix(node, build, 3, node.attrs.flag('transB', false) ? 0 : 1);
    const input = scalarOf(node, 1, 'scale');
    const bias = node.inputs[6] && constantOperand(node, 6, 'biases');
    const real =
      bias &&
      realConstant(
        bias,
        scales.map((scale) => Math.fround(input * scale)),
        undefined,
        0,
      );
    const inputs = [operand(node, 0), weights, ...(real ? [real] : [])];
    const [sum] = gemm.lower({ ...node, inputs }, build);
    return [node.inputs[7] ? throughStorage(build, sum!, storageOf(node, 7, 8)) : sum!];
  },
};

/** An operand of an operator on two quantized values. */
function realOperand(node: LowerNode, position: number): Value {
  const given = operand(node, position);
  if (!given.data) return given;
  return realConstant(given as Constant, scalesOf(node, position + 1), node.inputs[position + 2]?.data, 0);
}

function qBinary(op: string, float: string): Lowering {
  const plain = counterpart(arithmetic, float);
  return {
    op,
    notes: `com.microsoft; as ${float}`,
    lower(node, build) {
      const inputs = [realOperand(node, 0), realOperand(node, 3)];
      const [result] = plain.lower({ ...node, op: float, inputs }, build);
      return [throughStorage(build, result!, storageOf(node, 6, 7))];
    },
  };
}

function qUnary(op: string, plain: Lowering): Lowering {
  return {
    op,
    notes: `com.microsoft; as ${plain.op}`,
    lower(node, build) {
      if (node.attrs.int('channels_last', 0) !== 0) throw notConvertible('its channels come last');
      node.attrs.ignore('opset');
      const [result] = plain.lower({ ...node, op: plain.op, inputs: [operand(node, 0)] }, build);
      return [throughStorage(build, result!, storageOf(node, 3, 4))];
    },
  };
}

/** QLinearConcat: scale and zero point of the result, then each input with its own. */
const qLinearConcat: Lowering = {
  op: 'QLinearConcat',
  notes: 'com.microsoft; as Concat',
  lower(node, build) {
    const inputs = node.inputs.filter((_, i) => i >= 2 && i % 3 === 2);
    const [result] = concat.lower({ ...node, inputs }, build);
    return [throughStorage(build, result!, storageOf(node, 0, 1))];
  },
};

export const quantized: readonly Lowering[] = [
  dequantizeLinear,
  qBinary('QLinearAdd', 'Add'),
  qBinary('QLinearMul', 'Mul'),
  qGemm,
  qLinearConcat,
  qLinearConv,
  qLinearMatMul,
  qUnary('QLinearAveragePool', averagePool),
  qUnary('QLinearGlobalAveragePool', globalAveragePool),
  qUnary('QLinearLeakyRelu', counterpart(activations, 'LeakyRelu')),
  qUnary('QLinearSigmoid', counterpart(activations, 'Sigmoid')),
  qUnary('QLinearSoftmax', softmax),
  quantizeLinear,
];

/** Operators of ONNX Runtime's own domain that are known. */
export const runtimeOperators: ReadonlySet<string> = new Set(
  quantized.filter(({ notes }) => notes.startsWith('com.microsoft')).map(({ op }) => op),
);
