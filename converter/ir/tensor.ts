import type { DType, Quantization, Shape, TensorData, TensorType } from './types.ts';

const arrays = {
  float32: Float32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
} as const;

/** Bytes of one element. */
export function elementBytes(dtype: DType): number {
  return arrays[dtype].BYTES_PER_ELEMENT;
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function byteCount(type: TensorType): number {
  if (type.bits === 4) return Math.ceil(elementCount(type.shape) / 2);
  return elementCount(type.shape) * elementBytes(type.dtype);
}

/** Zeroed storage for `count` elements. */
export function allocate(dtype: DType, count: number): TensorData {
  return new arrays[dtype](count);
}

/** The bytes of `data` as stored, without a copy. */
export function bytesOf(data: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Elements read from little-endian bytes (copied, so that alignment does not matter). */
export function fromBytes(dtype: DType, bytes: Uint8Array): TensorData {
  const copy = new Uint8Array(bytes);
  return new arrays[dtype](copy.buffer, 0, Math.floor(copy.byteLength / elementBytes(dtype)));
}

/** Row-major distance between neighbours along each axis. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** Numpy's rule for two shapes that meet in an element-wise operation, or undefined when they do not. */
export function broadcastShapes(a: Shape, b: Shape): number[] | undefined {
  const rank = Math.max(a.length, b.length);
  const result: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1) return undefined;
    result.push(left === 1 ? right : left);
  }
  return result;
}

/** `data` of `shape` with its axes reordered: result axis i is source axis perm[i]. */
export function transposeData<T extends TensorData>(data: T, shape: Shape, perm: readonly number[]): T {
  const strides = stridesOf(shape);
  const outShape = perm.map((axis) => shape[axis]!);
  const steps = perm.map((axis) => strides[axis]!);
  const result = data.slice() as T;
  const index = new Array<number>(perm.length).fill(0);
  let source = 0;
  for (let i = 0; i < result.length; i++) {
    result[i] = data[source]!;
    for (let axis = perm.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      source += steps[axis]!;
      if (index[axis]! < outShape[axis]!) break;
      source -= steps[axis]! * outShape[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}

/** The permutation that undoes `perm`. */
export function invertPermutation(perm: readonly number[]): number[] {
  const inverse = new Array<number>(perm.length).fill(0);
  for (const [position, axis] of perm.entries()) inverse[axis] = position;
  return inverse;
}

/** transpose(transpose(x, first), second) = transpose(x, composed). */
export function composePermutations(first: readonly number[], second: readonly number[]): number[] {
  return second.map((axis) => first[axis]!);
}

export function isIdentityPermutation(perm: readonly number[]): boolean {
  return perm.every((axis, position) => axis === position);
}

export function sameQuantization(a: Quantization | undefined, b: Quantization | undefined): boolean {
  if (!a || !b) return a === b;
  const same = (x: readonly number[], y: readonly number[]) =>
    x.length === y.length && x.every((value, i) => value === y[i]);
  return same(a.scale, b.scale) && same(a.zeroPoint, b.zeroPoint) && a.axis === b.axis;
}

/** Numbers of a constant as plain doubles; int64 must be within the safe range to be exact. */
export function toNumbers(data: TensorData): number[] {
  return Array.from(data as ArrayLike<number | bigint>, Number);
}
