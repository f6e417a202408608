/**
 * The messages of onnx.proto as far as import needs them: field number, kind, and whether the field repeats.
 * Fields that are not here are skipped. Numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
export const schema = {
  ModelProto: {
    irVersion: [1, 'int64'],
    producerName: [2, 'string'],
    producerVersion: [3, 'string'],
    graph: [7, 'GraphProto'],
    opsetImport: [8, 'OperatorSetIdProto', 'repeated'],
    functions: [25, 'FunctionProto', 'repeated'],
  },
  OperatorSetIdProto: { domain: [1, 'string'], version: [2, 'int64'] },
  GraphProto: {
    node: [1, 'NodeProto', 'repeated'],
    name: [2, 'string'],
    initializer: [5, 'TensorProto', 'repeated'],
    input: [11, 'ValueInfoProto', 'repeated'],
    output: [12, 'ValueInfoProto', 'repeated'],
    sparseInitializer: [15, 'SparseTensorProto', 'repeated'],
  },
  NodeProto: {
    input: [1, 'string', 'repeated'],
    output: [2, 'string', 'repeated'],
    name: [3, 'string'],
    opType: [4, 'string'],
    attribute: [5, 'AttributeProto', 'repeated'],
    domain: [7, 'string'],
    overload: [8, 'string'],
  },
  AttributeProto: {
    name: [1, 'string'],
    f: [2, 'float'],
    i: [3, 'int64'],
    s: [4, 'bytes'],
    t: [5, 'TensorProto'],
    g: [6, 'GraphProto'],
    floats: [7, 'float', 'repeated'],
    ints: [8, 'int64', 'repeated'],
    strings: [9, 'bytes', 'repeated'],
    tensors: [10, 'TensorProto', 'repeated'],
    graphs: [11, 'GraphProto', 'repeated'],
    type: [20, 'int64'],
    refAttrName: [21, 'string'],
  },
  TensorProto: {
    dims: [1, 'int64', 'repeated'],
    dataType: [2, 'int64'],
    segment: [3, 'bytes'],
    floatData: [4, 'float', 'repeated'],
    int32Data: [5, 'int64', 'repeated'],
    int64Data: [7, 'bigint', 'repeated'],
    name: [8, 'string'],
    rawData: [9, 'bytes'],
    doubleData: [10, 'double', 'repeated'],
    uint64Data: [11, 'bigint', 'repeated'],
    externalData: [13, 'StringStringEntryProto', 'repeated'],
    dataLocation: [14, 'int64'],
  },
  SparseTensorProto: { values: [1, 'TensorProto'] },
  StringStringEntryProto: { key: [1, 'string'], value: [2, 'string'] },
  ValueInfoProto: { name: [1, 'string'], type: [2, 'TypeProto'] },
  TypeProto: { tensorType: [1, 'TensorTypeProto'] },
  TensorTypeProto: { elemType: [1, 'int64'], shape: [2, 'TensorShapeProto'] },
  TensorShapeProto: { dim: [1, 'DimensionProto', 'repeated'] },
  DimensionProto: { dimValue: [1, 'int64'], dimParam: [2, 'string'] },
  FunctionProto: {
    name: [1, 'string'],
    input: [4, 'string', 'repeated'],
    output: [5, 'string', 'repeated'],
    attribute: [6, 'string', 'repeated'],
    node: [7, 'NodeProto', 'repeated'],
    opsetImport: [9, 'OperatorSetIdProto', 'repeated'],
    domain: [10, 'string'],
    attributeProto: [11, 'AttributeProto', 'repeated'],
    overload: [13, 'string'],
  },
} as const satisfies Schema;

/** `int64` is a number, exact up to 2^53; `bigint` is exact. */
interface Scalars {
  readonly int64: number;
  readonly bigint: bigint;
  readonly float: number;
  readonly double: number;
  readonly string: string;
  readonly bytes: Uint8Array;
}

export type ScalarKind = keyof Scalars;
export type FieldSchema = readonly [number: number, kind: string, repeated?: 'repeated'];
type Schema = Readonly<Record<string, Readonly<Record<string, FieldSchema>>>>;

export type MessageName = keyof typeof schema;

type Kind<K> = K extends ScalarKind ? Scalars[K] : K extends MessageName ? Message<K> : never;
type Field<F> = F extends readonly [number, infer K, 'repeated']
  ? readonly Kind<K>[]
  : F extends readonly [number, infer K]
    ? Kind<K> | undefined
    : never;

/** A decoded message: repeated fields are arrays, a field that was absent is undefined. */
export type Message<M extends MessageName> = {
  readonly [F in keyof (typeof schema)[M]]: Field<(typeof schema)[M][F]>;
};

export type ModelProto = Message<'ModelProto'>;
export type GraphProto = Message<'GraphProto'>;
export type NodeProto = Message<'NodeProto'>;
export type AttributeProto = Message<'AttributeProto'>;
export type TensorProto = Message<'TensorProto'>;
export type ValueInfoProto = Message<'ValueInfoProto'>;
export type FunctionProto = Message<'FunctionProto'>;
export type OperatorSetIdProto = Message<'OperatorSetIdProto'>;
