import { allocate, elementCount, fromBytes } from '../../../ir/tensor.ts';
import type { Shape, TensorData, Value } from '../../../ir/types.ts';
import type { TensorProto } from '../container/schema.ts';
import { tensorDamaged, tensorTooLarge, tensorTypeNotSupported } from '../errors.ts';
import { mostAxes, mostElements } from '../limits.ts';
import { type ElementType, elementTypeName, elementTypeOf, isStoredAsIs } from './element-type.ts';
import type { Elements } from './elements.ts';
import { type ReadExternal, readExternalData } from './external-data.ts';

/** TensorProto.DataLocation. */
const externalLocation = 1;

/** `dims` as a shape that is safe to allocate for. */
function shapeOf(name: string, dims: readonly number[]): Shape {
  if (dims.length > mostAxes)
    throw tensorDamaged(name, `it has ${dims.length} dimensions, at most ${mostAxes} are read`);
  if (dims.some((size) => !Number.isInteger(size) || size < 0)) {
    throw tensorDamaged(name, `its shape [${dims.join(',')}] has a negative dimension`);
  }
  const empty = dims.includes(0);
  if (dims.some((size) => size > mostElements) || (!empty && elementCount(dims) > mostElements)) {
    throw tensorTooLarge(name, dims, mostElements);
  }
  return dims;
}

function fromRaw(name: string, type: ElementType, bytes: Uint8Array, count: number): TensorData {
  if (bytes.byteLength !== count * type.bytes) {
    throw tensorDamaged(name, `it has ${bytes.byteLength} bytes, its shape needs ${count * type.bytes}`);
  }
  if (isStoredAsIs(type)) return fromBytes(type.dtype, bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = allocate(type.dtype, count);
  const elements: Elements = data;
  for (let i = 0; i < count; i++) elements[i] = type.read(view, i * type.bytes);
  return data;
}

function fromTyped(name: string, type: ElementType, proto: TensorProto, count: number): TensorData {
  const entries = proto[type.field];
  if (entries.length !== count) {
    throw tensorDamaged(name, `it has ${entries.length} elements, its shape needs ${count}`);
  }
  const data = allocate(type.dtype, count);
  const elements: Elements = data;
  for (const [i, entry] of entries.entries()) {
    elements[i] = type.decode && typeof entry === 'number' ? type.decode(entry) : entry;
  }
  return data;
}

/**
 * A constant from a TensorProto: raw, typed or external data, checked against the shape before anything is
 * allocated. Throws E_ONNX_TENSOR or E_ONNX_EXTERNAL_DATA naming the tensor.
 */
export function readTensor(
  proto: TensorProto,
  name: string,
  readExternal: ReadExternal | undefined,
): Value & { readonly data: TensorData } {
  const type = elementTypeOf(proto.dataType);
  if (!type) throw tensorTypeNotSupported(name, elementTypeName(proto.dataType));
  if (proto.segment) throw tensorDamaged(name, 'it is stored in segments, which nothing writes any more');
  const shape = shapeOf(name, proto.dims);
  const count = elementCount(shape);
  const read = () => {
    if (proto.dataLocation === externalLocation || proto.externalData.length > 0) {
      const entries = new Map(proto.externalData.map(({ key, value }) => [key ?? '', value ?? '']));
      return fromRaw(name, type, readExternalData(name, entries, count * type.bytes, readExternal), count);
    }
    if (proto.rawData && (proto.rawData.byteLength > 0 || count === 0)) {
      return fromRaw(name, type, proto.rawData, count);
    }
    return fromTyped(name, type, proto, count);
  };
  return { name, type: { dtype: type.dtype, shape }, data: read() };
}
