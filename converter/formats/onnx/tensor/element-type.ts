import type { DType } from '../../../ir/types.ts';

/** How one ONNX element type is stored in a file and what it becomes. */
export interface ElementType {
  readonly name: string;
  /** Type in the graph; halves and doubles become float32, unsigned integers the next wider signed type. */
  readonly dtype: DType;
  /** Bytes of one element in raw data. */
  readonly bytes: number;
  /** The TensorProto field with one entry an element. */
  readonly field: 'floatData' | 'int32Data' | 'int64Data' | 'doubleData' | 'uint64Data';
  /** Reads one element of raw data. */
  read(view: DataView, offset: number): number | bigint;
  /** The value of one entry of `field`, where that is not the value itself. */
  decode?(entry: number): number;
}

/** float32 value of IEEE 754 half-precision bits. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** float32 value of bfloat16 bits, which are the upper half of a float32. */
export function bfloat16ToFloat(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, (bits & 0xffff) * 0x10000);
  return view.getFloat32(0);
}

/** TensorProto.DataType of onnx.proto, as far as it can be read. */
const elementTypes: ReadonlyMap<number, ElementType> = new Map<number, ElementType>([
  [
    1,
    { name: 'float', dtype: 'float32', bytes: 4, field: 'floatData', read: (v, o) => v.getFloat32(o, true) },
  ],
  [2, { name: 'uint8', dtype: 'uint8', bytes: 1, field: 'int32Data', read: (v, o) => v.getUint8(o) }],
  [3, { name: 'int8', dtype: 'int8', bytes: 1, field: 'int32Data', read: (v, o) => v.getInt8(o) }],
  [4, { name: 'uint16', dtype: 'int32', bytes: 2, field: 'int32Data', read: (v, o) => v.getUint16(o, true) }],
  [5, { name: 'int16', dtype: 'int16', bytes: 2, field: 'int32Data', read: (v, o) => v.getInt16(o, true) }],
  [6, { name: 'int32', dtype: 'int32', bytes: 4, field: 'int32Data', read: (v, o) => v.getInt32(o, true) }],
  [
    7,
    { name: 'int64', dtype: 'int64', bytes: 8, field: 'int64Data', read: (v, o) => v.getBigInt64(o, true) },
  ],
  [
    9,
    {
      name: 'bool',
      dtype: 'bool',
      bytes: 1,
      field: 'int32Data',
      read: (v, o) => (v.getUint8(o) === 0 ? 0 : 1),
      decode: (entry) => (entry === 0 ? 0 : 1),
    },
  ],
  [
    10,
    {
      name: 'float16',
      dtype: 'float32',
      bytes: 2,
      field: 'int32Data',
      read: (v, o) => halfToFloat(v.getUint16(o, true)),
      decode: halfToFloat,
    },
  ],
  [
    11,
    {
      name: 'double',
      dtype: 'float32',
      bytes: 8,
      field: 'doubleData',
      read: (v, o) => v.getFloat64(o, true),
    },
  ],
  [
    12,
    {
      name: 'uint32',
      dtype: 'int64',
      bytes: 4,
      field: 'uint64Data',
      read: (v, o) => BigInt(v.getUint32(o, true)),
    },
  ],
  [
    13,
    {
      name: 'uint64',
      dtype: 'int64',
      bytes: 8,
      field: 'uint64Data',
      read: (v, o) => v.getBigUint64(o, true),
    },
  ],
  [
    16,
    {
      name: 'bfloat16',
      dtype: 'float32',
      bytes: 2,
      field: 'int32Data',
      read: (v, o) => bfloat16ToFloat(v.getUint16(o, true)),
      decode: bfloat16ToFloat,
    },
  ],
]);

/** Names of the types that cannot be read, for messages. */
const otherTypes: ReadonlyMap<number, string> = new Map([
  [8, 'string'],
  [14, 'complex64'],
  [15, 'complex128'],
  [17, 'float8e4m3fn'],
  [18, 'float8e4m3fnuz'],
  [19, 'float8e5m2'],
  [20, 'float8e5m2fnuz'],
  [21, 'uint4'],
  [22, 'int4'],
  [23, 'float4e2m1'],
]);

export function elementTypeOf(dataType: number | undefined): ElementType | undefined {
  return elementTypes.get(dataType ?? 0);
}

export function elementTypeName(dataType: number | undefined): string {
  const code = dataType ?? 0;
  return elementTypes.get(code)?.name ?? otherTypes.get(code) ?? `type number ${code}`;
}

/** True for the ONNX types that are the graph's type bit by bit, in little-endian order. */
export function isStoredAsIs(type: ElementType): boolean {
  return ['float', 'uint8', 'int8', 'int16', 'int32', 'int64'].includes(type.name);
}
