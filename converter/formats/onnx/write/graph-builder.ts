import { Names } from '../../../ir/names.ts';
import {
  composePermutations,
  elementCount,
  invertPermutation,
  isIdentityPermutation,
  sameShape,
  transposeData,
} from '../../../ir/tensor.ts';
import type { DType, Shape, TensorData } from '../../../ir/types.ts';
import { opOf } from '../../../ops/index.ts';
import type { DraftOf } from '../container/write-message.ts';
import { nodeProto, type OnnxAttributes, tensorProto } from './protos.ts';

/**
 * A value of the IR as an ONNX tensor: stored = transpose(value, axes). With `order`, the stored tensor is the value
 * flattened to [1, N] with its columns in another order: column j is column order[j] of the value.
 */
export interface Stored {
  readonly name: string;
  readonly shape: Shape;
  readonly axes: readonly number[];
  readonly order?: Int32Array;
}

export const identityAxes = (rank: number): number[] => Array.from({ length: rank }, (_, axis) => axis);

/** Whether reordering to `axes` leaves the elements where they are, because only axes of size 1 pass each other. */
function keepsOrder(shape: Shape, axes: readonly number[]): boolean {
  const solid = axes.filter((axis) => shape[axis] !== 1);
  return solid.every((axis, i) => i === 0 || axis > solid[i - 1]!);
}

/** Collects the nodes and initializers of an ONNX graph. */
export class OnnxGraphBuilder {
  readonly nodes: DraftOf<'NodeProto'>[] = [];
  readonly initializers: DraftOf<'TensorProto'>[] = [];
  private readonly names: Names;
  private readonly nodeNames = new Names();
  private readonly moved = new Map<string, Stored>();
  private readonly shapes = new Map<string, string>();

  constructor(reserved: Iterable<string>) {
    this.names = new Names(reserved);
  }

  /** One node with one result; gives the result's name. */
  node(
    op: string,
    origin: string,
    inputs: readonly string[],
    attributes: OnnxAttributes = {},
    result = origin,
  ): string {
    const output = this.names.fresh(result);
    this.nodes.push(nodeProto(op, this.nodeNames.fresh(origin), inputs, [output], attributes));
    return output;
  }

  constant(name: string, dtype: DType, shape: Shape, data: TensorData): string {
    const own = this.names.fresh(name);
    this.initializers.push(tensorProto(own, dtype, shape, data));
    return own;
  }

  /** A list of whole numbers as an input, such as a shape; equal lists are written once. */
  integers(name: string, list: readonly number[]): string {
    const key = list.join();
    const known = this.shapes.get(key);
    if (known !== undefined) return known;
    const made = this.constant(name, 'int64', [list.length], BigInt64Array.from(list, BigInt));
    this.shapes.set(key, made);
    return made;
  }

  /** The same elements under another shape. */
  reshape(name: string, from: Shape, to: Shape, origin: string): string {
    if (sameShape(from, to)) return name;
    return this.node('Reshape', `${origin}/reshape`, [name, this.integers(`${origin}/shape`, to)]);
  }

  /** The value with its stored axes in another order; each order of a value is made once. */
  reorder(stored: Stored, axes: readonly number[], origin: string): Stored {
    if (sameShape(stored.axes, axes)) return stored;
    const key = `${stored.name}:${axes.join()}`;
    const known = this.moved.get(key);
    if (known) return known;
    const perm = composePermutations(invertPermutation(stored.axes), axes);
    const shape = perm.map((axis) => stored.shape[axis]!);
    const name = keepsOrder(stored.shape, perm)
      ? this.reshape(stored.name, stored.shape, shape, origin)
      : this.node('Transpose', `${origin}/transpose`, [stored.name], { perm });
    const made = { name, shape, axes };
    this.moved.set(key, made);
    return made;
  }

  /** reshape(value, to), moving no elements where the order of the stored axes allows it. */
  reshaped(stored: Stored, valueShape: Shape, to: Shape, origin: string): Stored {
    const perm = invertPermutation(stored.axes);
    const attrs = { shape: to };
    const type = { dtype: 'float32' as const, shape: valueShape };
    const permuted = isIdentityPermutation(perm) ? { attrs, perm: identityAxes(to.length) } : undefined;
    const found = permuted ?? opOf('reshape').permute!(attrs, perm, [type]);
    if (!found) {
      const plain = this.reorder(stored, identityAxes(stored.axes.length), origin);
      return this.reshaped(plain, valueShape, to, origin);
    }
    const shape = found.attrs['shape'] as readonly number[];
    const name = this.reshape(stored.name, stored.shape, shape, origin);
    return { name, shape, axes: invertPermutation(found.perm) };
  }

  /** [1, N] of all elements as they are stored, with the order that this gives the columns. */
  flattened(stored: Stored, valueShape: Shape, origin: string): Stored {
    const count = elementCount(valueShape);
    const natural = Int32Array.from({ length: count }, (_, i) => i);
    const order = transposeData(natural, valueShape, stored.axes);
    const name = this.reshape(stored.name, stored.shape, [1, count], origin);
    const flat = { name, shape: [1, count], axes: [0, 1] };
    return order.every((index, i) => index === i) ? flat : { ...flat, order };
  }

  /** transpose(value, perm) without a node. */
  transposed(stored: Stored, perm: readonly number[]): Stored {
    return { ...stored, axes: composePermutations(invertPermutation(perm), stored.axes) };
  }
}
