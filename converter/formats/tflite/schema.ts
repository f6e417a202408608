/**
 * The TFLite file format as tables, after TensorFlow's public `schema.fbs` (version 3): what this program reads
 * or writes of it. Field ids and enumeration values are the format's own; anything else in a file is skipped.
 */
export type ScalarType = 'bool' | 'int8' | 'uint8' | 'int32' | 'uint32' | 'int64' | 'uint64' | 'float32';

const scalar = <T extends ScalarType>(id: number, type: T, absent = 0) =>
  ({ id, kind: 'scalar', type, absent }) as const;
const vector = <T extends ScalarType>(id: number, type: T) => ({ id, kind: 'vector', type }) as const;
const text = (id: number) => ({ id, kind: 'string' }) as const;
const table = <T extends string>(id: number, name: T) => ({ id, kind: 'table', table: name }) as const;
const tableList = <T extends string>(id: number, name: T) => ({ id, kind: 'tables', table: name }) as const;
/** A union takes two fields: which table it is at `id - 1`, the table itself at `id`. */
const options = (id: number) => ({ id, kind: 'union' }) as const;

const poolOptions = {
  padding: scalar(0, 'int8'),
  strideW: scalar(1, 'int32'),
  strideH: scalar(2, 'int32'),
  filterWidth: scalar(3, 'int32'),
  filterHeight: scalar(4, 'int32'),
  fusedActivationFunction: scalar(5, 'int8'),
} as const;

const convolutionOptions = {
  padding: scalar(0, 'int8'),
  strideW: scalar(1, 'int32'),
  strideH: scalar(2, 'int32'),
} as const;

const activationOption = { fusedActivationFunction: scalar(0, 'int8') } as const;

/** Tensor data start at multiples of this in a file that we write: TFLM reads them in place. */
export const dataAlignment = 16;

export const tables = {
  Model: {
    version: scalar(0, 'uint32'),
    operatorCodes: tableList(1, 'OperatorCode'),
    subgraphs: tableList(2, 'SubGraph'),
    description: text(3),
    buffers: tableList(4, 'Buffer'),
  },
  OperatorCode: {
    deprecatedBuiltinCode: scalar(0, 'int8'),
    customCode: text(1),
    version: scalar(2, 'int32', 1),
    builtinCode: scalar(3, 'int32'),
  },
  SubGraph: {
    tensors: tableList(0, 'Tensor'),
    inputs: vector(1, 'int32'),
    outputs: vector(2, 'int32'),
    operators: tableList(3, 'Operator'),
    name: text(4),
  },
  Tensor: {
    shape: vector(0, 'int32'),
    type: scalar(1, 'int8'),
    buffer: scalar(2, 'uint32'),
    name: text(3),
    quantization: table(4, 'QuantizationParameters'),
    isVariable: scalar(5, 'bool'),
    sparsity: table(6, 'SparsityParameters'),
    shapeSignature: vector(7, 'int32'),
    externalBuffer: scalar(10, 'uint32'),
  },
  QuantizationParameters: {
    scale: vector(2, 'float32'),
    zeroPoint: vector(3, 'int64'),
    detailsType: scalar(4, 'uint8'),
    quantizedDimension: scalar(6, 'int32'),
  },
  SparsityParameters: {},
  Operator: {
    opcodeIndex: scalar(0, 'uint32'),
    inputs: vector(1, 'int32'),
    outputs: vector(2, 'int32'),
    builtinOptions: options(4),
  },
  Buffer: {
    data: vector(0, 'uint8'),
    offset: scalar(1, 'uint64'),
    size: scalar(2, 'uint64'),
  },
  Conv2DOptions: {
    ...convolutionOptions,
    fusedActivationFunction: scalar(3, 'int8'),
    dilationWFactor: scalar(4, 'int32', 1),
    dilationHFactor: scalar(5, 'int32', 1),
  },
  DepthwiseConv2DOptions: {
    ...convolutionOptions,
    depthMultiplier: scalar(3, 'int32'),
    fusedActivationFunction: scalar(4, 'int8'),
    dilationWFactor: scalar(5, 'int32', 1),
    dilationHFactor: scalar(6, 'int32', 1),
  },
  Pool2DOptions: poolOptions,
  FullyConnectedOptions: {
    ...activationOption,
    weightsFormat: scalar(1, 'int8'),
    keepNumDims: scalar(2, 'bool'),
  },
  SoftmaxOptions: { beta: scalar(0, 'float32') },
  ConcatenationOptions: { axis: scalar(0, 'int32'), fusedActivationFunction: scalar(1, 'int8') },
  AddOptions: { ...activationOption, potScaleInt16: scalar(1, 'bool', 1) },
  SubOptions: { ...activationOption, potScaleInt16: scalar(1, 'bool', 1) },
  MulOptions: activationOption,
  DivOptions: activationOption,
  MaximumMinimumOptions: {},
  ReshapeOptions: { newShape: vector(0, 'int32') },
  SqueezeOptions: { squeezeDims: vector(0, 'int32') },
  ExpandDimsOptions: {},
  LeakyReluOptions: { alpha: scalar(0, 'float32') },
  ReducerOptions: { keepDims: scalar(0, 'bool') },
  StridedSliceOptions: {
    beginMask: scalar(0, 'int32'),
    endMask: scalar(1, 'int32'),
    ellipsisMask: scalar(2, 'int32'),
    newAxisMask: scalar(3, 'int32'),
    shrinkAxisMask: scalar(4, 'int32'),
    offset: scalar(5, 'bool'),
  },
  SliceOptions: {},
  PadOptions: {},
  PadV2Options: {},
  TransposeOptions: {},
  QuantizeOptions: {},
  DequantizeOptions: {},
  ExpOptions: {},
  AbsOptions: {},
  NegOptions: {},
  HardSwishOptions: {},
} as const;

export type TableName = keyof typeof tables;

/** Numbers of the `BuiltinOptions` union. */
export const optionTables: ReadonlyMap<number, TableName> = new Map<number, TableName>([
  [1, 'Conv2DOptions'],
  [2, 'DepthwiseConv2DOptions'],
  [5, 'Pool2DOptions'],
  [8, 'FullyConnectedOptions'],
  [9, 'SoftmaxOptions'],
  [10, 'ConcatenationOptions'],
  [11, 'AddOptions'],
  [17, 'ReshapeOptions'],
  [21, 'MulOptions'],
  [22, 'PadOptions'],
  [26, 'TransposeOptions'],
  [27, 'ReducerOptions'],
  [28, 'SubOptions'],
  [29, 'DivOptions'],
  [30, 'SqueezeOptions'],
  [32, 'StridedSliceOptions'],
  [33, 'ExpOptions'],
  [38, 'DequantizeOptions'],
  [39, 'MaximumMinimumOptions'],
  [42, 'NegOptions'],
  [43, 'PadV2Options'],
  [48, 'SliceOptions'],
  [52, 'ExpandDimsOptions'],
  [75, 'LeakyReluOptions'],
  [78, 'AbsOptions'],
  [89, 'QuantizeOptions'],
  [91, 'HardSwishOptions'],
]);

/** `TensorType`, as far as files meet it; the position is the number. */
export const tensorTypes = [
  'float32',
  'float16',
  'int32',
  'uint8',
  'int64',
  'string',
  'bool',
  'int16',
  'complex64',
  'int8',
  'float64',
  'complex128',
  'uint64',
  'resource',
  'variant',
  'uint32',
  'uint16',
  'int4',
  'bfloat16',
  'int2',
] as const;
export type TensorTypeName = (typeof tensorTypes)[number];

export const schemaVersion = 3;
export const fileIdentifier = 'TFL3';
