/** Element types of arrays that users bring; 64-bit integers are held as doubles, exact to 2^53. */
export type ArrayType =
  | 'float16'
  | 'float32'
  | 'float64'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'bool';

export type ArrayData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array;

/** A named array in row-major order. `dtype` is what the file said; float16 is widened to 32 bits in `data`. */
export interface DataArray {
  readonly name: string;
  readonly dtype: ArrayType;
  readonly shape: readonly number[];
  readonly data: ArrayData;
}

/** Most bytes of numbers that one data set may unpack to. */
export const dataLimit = 1_073_741_824;

/** Product of a shape, or undefined when it is no size a file could hold. */
export function countOf(shape: readonly number[]): number | undefined {
  let count = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) return undefined;
    count *= size;
  }
  return Number.isSafeInteger(count) ? count : undefined;
}

/** Position of a flat index in each axis. */
export function unravel(flat: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  for (const size of [...shape].reverse()) {
    index.unshift(size > 0 ? flat % size : 0);
    flat = size > 0 ? Math.floor(flat / size) : 0;
  }
  return index;
}
