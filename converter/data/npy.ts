import { type ArrayData, type ArrayType, countOf, type DataArray, dataLimit } from './array.ts';
import { badArrayFile, dataTooBig, pickledArray, unsupportedArray } from './errors.ts';

/** Layout of a .npy file: NumPy Enhancement Proposal 1, and "Format Version 2.0" and "3.0" of numpy.lib.format. */
const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const headerLimit = 65_536;

interface ElementReader {
  readonly dtype: ArrayType;
  readonly bytes: number;
  readonly allocate: (count: number) => ArrayData;
  readonly read: (view: DataView, offset: number, little: boolean) => number;
}

const f32 = (count: number) => new Float32Array(count);
const f64 = (count: number) => new Float64Array(count);

/** By kind and width as in NumPy's type strings, without the byte order. */
const readers: ReadonlyMap<string, ElementReader> = new Map([
  ['f2', { dtype: 'float16', bytes: 2, allocate: f32, read: (v, o, l) => halfToNumber(v.getUint16(o, l)) }],
  ['f4', { dtype: 'float32', bytes: 4, allocate: f32, read: (v, o, l) => v.getFloat32(o, l) }],
  ['f8', { dtype: 'float64', bytes: 8, allocate: f64, read: (v, o, l) => v.getFloat64(o, l) }],
  ['i1', { dtype: 'int8', bytes: 1, allocate: (n) => new Int8Array(n), read: (v, o) => v.getInt8(o) }],
  [
    'i2',
    { dtype: 'int16', bytes: 2, allocate: (n) => new Int16Array(n), read: (v, o, l) => v.getInt16(o, l) },
  ],
  [
    'i4',
    { dtype: 'int32', bytes: 4, allocate: (n) => new Int32Array(n), read: (v, o, l) => v.getInt32(o, l) },
  ],
  ['i8', { dtype: 'int64', bytes: 8, allocate: f64, read: (v, o, l) => Number(v.getBigInt64(o, l)) }],
  ['u1', { dtype: 'uint8', bytes: 1, allocate: (n) => new Uint8Array(n), read: (v, o) => v.getUint8(o) }],
  [
    'u2',
    { dtype: 'uint16', bytes: 2, allocate: (n) => new Uint16Array(n), read: (v, o, l) => v.getUint16(o, l) },
  ],
  [
    'u4',
    { dtype: 'uint32', bytes: 4, allocate: (n) => new Uint32Array(n), read: (v, o, l) => v.getUint32(o, l) },
  ],
  ['u8', { dtype: 'uint64', bytes: 8, allocate: f64, read: (v, o, l) => Number(v.getBigUint64(o, l)) }],
  [
    'b1',
    { dtype: 'bool', bytes: 1, allocate: (n) => new Uint8Array(n), read: (v, o) => (v.getUint8(o) ? 1 : 0) },
  ],
] as const);

/** IEEE 754 binary16 as a number. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

interface Header {
  readonly descr: string;
  readonly fortran: boolean;
  readonly shape: readonly number[];
  readonly dataOffset: number;
}

/**
 * Reads a .npy file (versions 1 to 3, either byte order, C or Fortran order). `name` becomes the array's name, `file`
 * is for messages. Throws E_NPY, E_NPY_TYPE, E_NPY_OBJECT or E_DATA_TOO_BIG.
 */
export function readNpy(bytes: Uint8Array, file: string, name: string): DataArray {
  const header = readHeader(bytes, file);
  const order = header.descr[0] ?? '';
  if (header.descr.slice(1, 2) === 'O') throw pickledArray(file);
  const reader = readers.get(header.descr.slice(1));
  if (!reader || !'<>|='.includes(order)) throw unsupportedArray(file, header.descr);
  const count = countOf(header.shape);
  if (count === undefined)
    throw badArrayFile(file, 'npy', `the shape (${header.shape.join(', ')}) is impossible`);
  const available = bytes.length - header.dataOffset;
  if (count * reader.bytes > available) {
    throw badArrayFile(
      file,
      'npy',
      `it is cut short: ${count * reader.bytes} bytes of data promised, ${available} there`,
    );
  }
  if (count * 8 > dataLimit) throw dataTooBig(file, count * 8, dataLimit);
  const data = readElements(bytes, header.dataOffset, count, reader, order !== '>');
  const ordered = header.fortran ? fromFortranOrder(data, header.shape, reader) : data;
  return { name, dtype: reader.dtype, shape: header.shape, data: ordered };
}

function readHeader(bytes: Uint8Array, file: string): Header {
  if (!magic.every((code, i) => bytes[i] === code))
    throw badArrayFile(file, 'npy', 'the first bytes are not those of NumPy');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6] ?? 0;
  if (version < 1 || version > 3) throw badArrayFile(file, 'npy', `version ${version} is unknown`);
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) throw badArrayFile(file, 'npy', 'it is cut short inside the header');
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > headerLimit || start + length > bytes.length) {
    throw badArrayFile(file, 'npy', `the header of ${length} bytes does not fit`);
  }
  const text = new TextDecoder().decode(bytes.subarray(start, start + length));
  return { ...parseHeader(text, file), dataOffset: start + length };
}

/** The header is a Python dictionary of three known keys; the values are picked out without evaluating anything. */
function parseHeader(text: string, file: string): Omit<Header, 'dataOffset'> {
  const descr = /['"]descr['"]\s*:\s*['"]([^'"]{1,40})['"]/.exec(text)?.[1];
  const fortran = /['"]fortran_order['"]\s*:\s*(True|False)/.exec(text)?.[1];
  const shape = /['"]shape['"]\s*:\s*\(([\d\s,L]{0,400})\)/.exec(text)?.[1];
  if (descr === undefined && /['"]descr['"]\s*:\s*\[/.test(text))
    throw unsupportedArray(file, 'a structure of fields');
  if (descr === undefined || fortran === undefined || shape === undefined) {
    throw badArrayFile(file, 'npy', 'the header does not give descr, fortran_order and shape');
  }
  const sizes = shape
    .replaceAll('L', '')
    .split(',')
    .map((size) => size.trim())
    .filter((size) => size !== '');
  if (sizes.length > 32) throw badArrayFile(file, 'npy', `${sizes.length} dimensions are too many`);
  return { descr, fortran: fortran === 'True', shape: sizes.map(Number) };
}

function readElements(
  bytes: Uint8Array,
  offset: number,
  count: number,
  reader: ElementReader,
  little: boolean,
): ArrayData {
  const data = reader.allocate(count);
  if (
    little &&
    data.BYTES_PER_ELEMENT === reader.bytes &&
    reader.dtype !== 'bool' &&
    !reader.dtype.endsWith('int64')
  ) {
    // The common case as one copy; every platform that Node runs on is little-endian.
    new Uint8Array(data.buffer).set(bytes.subarray(offset, offset + count * reader.bytes));
    return data;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, count * reader.bytes);
  for (let i = 0; i < count; i++) data[i] = reader.read(view, i * reader.bytes, little);
  return data;
}

/** Column-major elements in row-major order. */
function fromFortranOrder(data: ArrayData, shape: readonly number[], reader: ElementReader): ArrayData {
  const result = reader.allocate(data.length);
  const strides: number[] = [];
  shape.reduce((stride, size, axis) => {
    strides[axis] = stride;
    return stride * size;
  }, 1);
  const index = new Array<number>(shape.length).fill(0);
  let source = 0;
  for (let i = 0; i < data.length; i++) {
    result[i] = data[source]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      source += strides[axis]!;
      if (index[axis]! < shape[axis]!) break;
      source -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}

/** Types that `writeNpy` can write, with their type strings. */
const descriptions = {
  float32: '<f4',
  int8: '|i1',
  uint8: '|u1',
  int16: '<i2',
  int32: '<i4',
  int64: '<i8',
  bool: '|b1',
} as const;

export type WritableType = keyof typeof descriptions;

/** A .npy file, version 1.0, of row-major elements given as little-endian bytes. */
export function writeNpy(dtype: WritableType, shape: readonly number[], elements: Uint8Array): Uint8Array {
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${descriptions[dtype]}', 'fortran_order': False, 'shape': (${tuple}), }`;
  // The data begin at a multiple of 64 bytes, and the header ends with a line feed.
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const file = new Uint8Array(10 + length + elements.length);
  file.set([...magic, 1, 0, length & 0xff, length >> 8]);
  file.set(new TextEncoder().encode(`${text.padEnd(length - 1)}\n`), 10);
  file.set(elements, 10 + length);
  return file;
}
