import { elementCount } from '../../../ir/tensor.ts';
import type { DType } from '../../../ir/types.ts';
import { constantMismatch, notConvertible } from '../errors.ts';
import { elementTypeName, elementTypeOf } from '../tensor/element-type.ts';
import type { Elements } from '../tensor/elements.ts';
import type { FoldBudget } from './budget.ts';
import {
  type Constant,
  canonicalAxis,
  type Folded,
  type Folder,
  folded,
  numbers,
  required,
} from './folder.ts';

const int64Range = [-(2n ** 63n), 2n ** 63n - 1n] as const;

function toInt64(value: number | bigint): bigint {
  if (typeof value === 'bigint') return value;
  if (Number.isNaN(value)) return 0n;
  if (Math.abs(value) >= 2 ** 63) return int64Range[value < 0 ? 0 : 1];
  return BigInt(Math.trunc(value));
}

function convert(value: number | bigint, dtype: DType): number | bigint {
  if (dtype === 'int64') return toInt64(value);
  const number = Number(value);
  if (dtype === 'bool') return number === 0 ? 0 : 1;
  return dtype === 'float32' ? number : Math.trunc(number);
}

function converted(x: Constant, dtype: DType, budget: FoldBudget): Folded {
  if (dtype === x.type.dtype) return folded(dtype, x.type.shape, x.data);
  const data = budget.allocate(dtype, x.type.shape);
  const elements: Elements = data;
  for (let i = 0; i < elements.length; i++) elements[i] = convert(x.data[i]!, dtype);
  return folded(dtype, x.type.shape, data);
}

export const foldCast: Folder = (node, budget) => {
  const x = required(node, 0);
  const code = node.attrs.int('to', 0);
  node.attrs.ignore('saturate');
  const type = elementTypeOf(code);
  if (!type) throw notConvertible(`it casts to ${elementTypeName(code)}`);
  return [converted(x, type.dtype, budget)];
};

/** Cast to the type of another constant. */
export const foldCastLike: Folder = (node, budget) => {
  node.attrs.ignore('saturate');
  return [converted(required(node, 0), required(node, 1).type.dtype, budget)];
};

/** Index into per-tensor (one entry) or per-axis parameters for element `i`. */
function parameterIndex(x: Constant, parameters: number, axis: number): (i: number) => number {
  if (parameters === 1) return () => 0;
  const extent = x.type.shape[axis];
  if (extent !== parameters) {
    throw constantMismatch('DequantizeLinear', `${parameters} scales for ${extent ?? 1} slices`);
  }
  const inner = elementCount(x.type.shape.slice(axis + 1));
  return (i) => Math.floor(i / inner) % parameters;
}

/** (x - zero point) * scale, per tensor or along one axis. */
export const foldDequantizeLinear: Folder = (node, budget) => {
  const x = required(node, 0);
  const scale = numbers(required(node, 1));
  const zeroPoint = node.inputs[2] ? numbers(node.inputs[2]) : [0];
  const axis = canonicalAxis('DequantizeLinear', node.attrs.int('axis', 1), x.type.shape.length + 1);
  if (node.attrs.int('block_size', 0) !== 0) throw notConvertible('it dequantizes in blocks');
  node.attrs.ignore('output_dtype');
  if (zeroPoint.length !== 1 && zeroPoint.length !== scale.length) {
    throw constantMismatch('DequantizeLinear', 'scale and zero point differ in length');
  }
  const at = parameterIndex(x, scale.length, axis);
  const data = budget.allocate('float32', x.type.shape);
  const elements: Elements = data;
  for (let i = 0; i < elements.length; i++) {
    const slice = at(i);
    const zero = zeroPoint.length === 1 ? zeroPoint[0]! : zeroPoint[slice]!;
    elements[i] = (Number(x.data[i]) - zero) * scale[slice]!;
  }
  return [folded('float32', x.type.shape, data)];
};

const storedRanges: Readonly<Record<string, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32_768, 32_767],
};

/** To the nearest integer, halves to even, as QuantizeLinear is defined. */
function roundHalfEven(x: number): number {
  const rounded = Math.round(x);
  return Math.abs(x - Math.trunc(x)) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** saturate(round(x / scale) + zero point) of constant weights, per tensor or along one axis. */
export const foldQuantizeLinear: Folder = (node, budget) => {
  const x = required(node, 0);
  const scale = numbers(required(node, 1));
  const zeros = node.inputs[2] ? numbers(node.inputs[2]) : [0];
  const dtype = node.inputs[2]?.type.dtype ?? 'uint8';
  const range = storedRanges[dtype];
  const axis = canonicalAxis('QuantizeLinear', node.attrs.int('axis', 1), x.type.shape.length + 1);
  if (node.attrs.int('block_size', 0) !== 0) throw notConvertible('it quantizes in blocks');
  if (!range) throw notConvertible(`it stores ${dtype}`);
  for (const name of ['output_dtype', 'saturate', 'precision']) node.attrs.ignore(name);
  const at = parameterIndex(x, scale.length, axis);
  const data = budget.allocate(dtype, x.type.shape);
  const elements: Elements = data;
  for (let i = 0; i < elements.length; i++) {
    const slice = at(i);
    const zero = zeros[zeros.length === 1 ? 0 : slice] ?? 0;
    const steps = roundHalfEven(Math.fround(Number(x.data[i]) / scale[slice]!)) + zero;
    elements[i] = Math.max(range[0], Math.min(range[1], steps));
  }
  return [folded(dtype, x.type.shape, data)];
};
