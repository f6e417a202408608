import type { DType, Shape, TensorData, Value } from '../../../ir/types.ts';
import { constantMismatch } from '../errors.ts';
import type { AttributeReader } from '../graph/attribute-reader.ts';
import type { FoldBudget } from './budget.ts';

export type Constant = Value & { readonly data: TensorData };

/** A node all of whose inputs are constants. */
export interface FoldNode {
  readonly op: string;
  readonly opset: number;
  readonly attrs: AttributeReader;
  readonly inputs: readonly (Constant | undefined)[];
  readonly outputCount: number;
}

/** A result without a name; the importer names it. */
export interface Folded {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TensorData;
}

/** Evaluates a node. Undefined when it cannot, so that a lowering is tried. */
export type Folder = (node: FoldNode, budget: FoldBudget) => readonly Folded[] | undefined;

export function folded(dtype: DType, shape: Shape, data: TensorData): Folded {
  return { dtype, shape, data };
}

export function required(node: FoldNode, position: number): Constant {
  const input = node.inputs[position];
  if (!input) throw constantMismatch(node.op, `input ${position} is missing`);
  return input;
}

/** Elements as plain numbers; int64 beyond 2^53 loses its last digits, which no size or index has. */
export function numbers(constant: Constant): number[] {
  return Array.from(constant.data as ArrayLike<number | bigint>, Number);
}

/** `axis` counted from the front. */
export function canonicalAxis(op: string, axis: number, rank: number): number {
  const front = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(front) || front < 0 || front >= Math.max(rank, 1)) {
    throw constantMismatch(op, `axis ${axis} is not one of ${rank}`);
  }
  return front;
}
