import type { TensorData, Value } from '../../../ir/types.ts';
import { attributeMalformed, constantMismatch, notConvertible } from '../errors.ts';
import type { AttributeReader } from '../graph/attribute-reader.ts';
import type { NodeBuilder } from './builder.ts';

/** One ONNX node with its inputs known; those with `data` are constants. */
export interface LowerNode {
  readonly op: string;
  readonly opset: number;
  readonly attrs: AttributeReader;
  readonly inputs: readonly (Value | undefined)[];
  /** Which results something reads. */
  readonly wanted: readonly boolean[];
}

/**
 * How one ONNX operator becomes operators of the graph. `lower` gives back one value for each result that is
 * wanted, possibly an input itself; it throws `notConvertible` for uses that have no equivalent.
 */
export interface Lowering {
  readonly op: string;
  /** What is covered and what is not, for docs/ops.md. */
  readonly notes: string;
  lower(node: LowerNode, build: NodeBuilder): readonly Value[];
}

export type Constant = Value & { readonly data: TensorData };
export type FloatConstant = Value & { readonly data: Float32Array };

export function operand(node: LowerNode, position: number): Value {
  const input = node.inputs[position];
  if (!input) throw constantMismatch(node.op, `input ${position} is missing`);
  return input;
}

/** Input that must be known at import, for example weights; `role` names it in the refusal. */
export function constantOperand(node: LowerNode, position: number, role: string): Constant {
  const input = operand(node, position);
  if (!input.data) throw notConvertible(`the network computes its ${role}; only constants are possible`);
  return input as Constant;
}

/** Weights: a constant of type float32. */
export function floatConstant(node: LowerNode, position: number, role: string): FloatConstant {
  const constant = constantOperand(node, position, role);
  if (!(constant.data instanceof Float32Array)) {
    throw constantMismatch(node.op, `its ${role} are ${constant.type.dtype}, not float`);
  }
  return constant as FloatConstant;
}

/** Longest list of axes, sizes or indices that a node is converted for. */
const longestList = 4096;

/** Numbers of an optional constant input, such as axes. */
export function optionalNumbers(
  node: LowerNode,
  position: number,
  role: string,
): readonly number[] | undefined {
  if (!node.inputs[position]) return undefined;
  const { data } = constantOperand(node, position, role);
  if (data.length > longestList) {
    throw notConvertible(`its ${role} are a list of ${data.length}; at most ${longestList} are possible`);
  }
  return Array.from(data as ArrayLike<number | bigint>, Number);
}

/** Axes as attribute (older opsets) or as input. */
export function axesOf(node: LowerNode, position = 1): readonly number[] | undefined {
  return node.attrs.ints('axes') ?? optionalNumbers(node, position, 'axes');
}

export function rankOf(x: Value): number {
  return x.type.shape.length;
}

/** `axis` counted from the front, one of `rank`. */
export function frontAxis(axis: number, rank: number): number {
  const front = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(front) || front < 0 || front >= rank) {
    throw attributeMalformed('axis', `is ${axis}, but the input has ${rank} axes`);
  }
  return front;
}

/** Only the first `count` results may be asked for. */
export function onlyOutputs(node: LowerNode, count: number): void {
  if (node.wanted.slice(count).some(Boolean)) {
    throw notConvertible(`its output number ${count + 1} is used`);
  }
}

/** At most `count` inputs may be given. */
export function onlyInputs(node: LowerNode, count: number): void {
  if (node.inputs.slice(count).some((input) => input !== undefined)) {
    throw constantMismatch(node.op, `it has more than ${count} inputs`);
  }
}
