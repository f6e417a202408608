import { bytesOf } from '../../../ir/tensor.ts';
import type { AttributeValue, DType, Shape, TensorData } from '../../../ir/types.ts';
import type { DraftOf } from '../container/write-message.ts';

/** TensorProto.DataType of onnx.proto. */
const elementTypes: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
};

/** AttributeProto.AttributeType of onnx.proto. */
const attributeTypes = { float: 1, int: 2, string: 3, ints: 7 } as const;

/** An attribute of an ONNX node; a number is written as an integer unless it is marked as `float`. */
export type OnnxAttribute = AttributeValue | { readonly float: number };

export type OnnxAttributes = Readonly<Record<string, OnnxAttribute>>;

/** The elements of `data` in the byte order of the format, little endian. */
export function tensorProto(
  name: string,
  dtype: DType,
  shape: Shape,
  data: TensorData,
): DraftOf<'TensorProto'> {
  return { name, dims: [...shape], dataType: elementTypes[dtype], rawData: bytesOf(data) };
}

/** An input or output of the graph, or a typed value inside it. */
export function valueInfo(name: string, dtype: DType, shape: Shape) {
  const dim = shape.map((dimValue) => ({ dimValue, dimParam: undefined }));
  return { name, type: { tensorType: { elemType: elementTypes[dtype], shape: { dim } } } };
}

function attributeProto(name: string, value: OnnxAttribute): DraftOf<'AttributeProto'> {
  if (typeof value === 'number') return { name, i: value, type: attributeTypes.int };
  if (typeof value === 'boolean') return { name, i: value ? 1 : 0, type: attributeTypes.int };
  if (typeof value === 'string')
    return { name, s: new TextEncoder().encode(value), type: attributeTypes.string };
  if ('float' in value) return { name, f: value.float, type: attributeTypes.float };
  return { name, ints: [...value], type: attributeTypes.ints };
}

export function nodeProto(
  opType: string,
  name: string,
  input: readonly string[],
  output: readonly string[],
  attributes: OnnxAttributes,
): DraftOf<'NodeProto'> {
  const attribute = Object.entries(attributes).map(([key, value]) => attributeProto(key, value));
  return { opType, name, input, output, attribute: attribute as never };
}
