import { Names } from '../../ir/names.ts';
import { unpackNibbles } from '../../ir/nibbles.ts';
import { elementCount, fromBytes } from '../../ir/tensor.ts';
import type { DType, Quantization, TensorData, TensorType, Value } from '../../ir/types.ts';
import type { Model, SubGraph, Tensor } from './container/verify.ts';
import { damagedTflite, unsupportedTflite } from './errors.ts';
import { float16ToFloat32 } from './float16.ts';
import { tensorTypes } from './schema.ts';

const directTypes: readonly string[] = [
  'float32',
  'int8',
  'uint8',
  'int16',
  'int32',
  'int64',
  'bool',
] satisfies DType[];

/**
 * Constants that share bytes are decoded once for each tensor, and to float they grow: the sum is kept within this
 * multiple of the file's length.
 */
const constantGrowth = 8;
const constantSlack = 1 << 20;

function quantizationOf(tensor: Tensor): Quantization | undefined {
  const quant = tensor.quantization;
  const type = tensorTypes[tensor.type];
  if (!quant || quant.scale.length === 0 || type === 'float32' || type === 'bool') return undefined;
  const scale = Array.from(quant.scale);
  const point = (i: number) => Number(quant.zeroPoint[quant.zeroPoint.length === 1 ? 0 : i] ?? 0n);
  const zeroPoint = scale.map((_, i) => point(i));
  return scale.length === 1 ? { scale, zeroPoint } : { scale, zeroPoint, axis: quant.quantizedDimension };
}

/** Real numbers of quantized elements: (stored - zero point) * scale, in float32 as TFLite does it. */
export function dequantizeData(type: TensorType, data: TensorData): Float32Array {
  const { scale, zeroPoint, axis } = type.quant!;
  const result = new Float32Array(data.length);
  const inner = axis === undefined ? data.length : elementCount(type.shape.slice(axis + 1));
  const slices = scale.length;
  for (let i = 0; i < data.length; i++) {
    const slice = Math.floor(i / inner) % slices;
    result[i] = Math.fround((Number(data[i]) - zeroPoint[slice]!) * scale[slice]!);
  }
  return result;
}

/** The tensors of a file's graph as values of the IR: made when first asked for, with unique names. */
export class TensorTable {
  private readonly values = new Map<string, Value>();
  private readonly names = new Names();
  private budget: number;
  private readonly model: Model;
  private readonly subgraph: SubGraph;
  private readonly file: string;

  constructor(model: Model, subgraph: SubGraph, file: string, fileBytes: number) {
    this.model = model;
    this.subgraph = subgraph;
    this.file = file;
    this.budget = constantGrowth * fileBytes + constantSlack;
  }

  path(index: number): string {
    return `subgraphs[0].tensors[${index}] ${JSON.stringify(this.rawName(index).slice(0, 120))}`;
  }

  rawName(index: number): string {
    return this.subgraph.tensors[index]!.name || `tensor_${index}`;
  }

  /** A name that no value has yet. */
  fresh(base: string): string {
    return this.names.fresh(base);
  }

  isConstant(index: number): boolean {
    return this.bytes(index).length > 0;
  }

  /** The value of a tensor; constants of half precision come as float32. */
  value(index: number): Value {
    return this.cached(`${index}`, () => {
      const type = this.type(index);
      const name = this.fresh(this.rawName(index));
      return this.isConstant(index) ? { name, type, data: this.data(index, type) } : { name, type };
    });
  }

  /** A constant as real numbers, whatever it is stored as. */
  realConstant(index: number): Value {
    const type = this.type(index);
    if (!type.quant) return this.value(index);
    return this.cached(`real ${index}`, () => {
      const { shape } = type;
      this.spend(4 * elementCount(shape), index);
      const data = dequantizeData(type, this.data(index, type));
      return { name: this.fresh(this.rawName(index)), type: { dtype: 'float32', shape }, data };
    });
  }

  type(index: number): TensorType {
    const tensor = this.subgraph.tensors[index]!;
    const shape = Array.from(tensor.shape);
    this.refuseUnusual(tensor, index);
    const quant = quantizationOf(tensor);
    const isPacked = tensorTypes[tensor.type] === 'int4';
    const bits = isPacked ? { bits: 4 as const } : {};
    return { dtype: this.dtype(tensor, index), shape, ...(quant ? { quant } : {}), ...bits };
  }

  private cached(key: string, make: () => Value): Value {
    const found = this.values.get(key);
    if (found) return found;
    const value = make();
    this.values.set(key, value);
    return value;
  }

  private bytes(index: number): Uint8Array {
    return this.model.buffers[this.subgraph.tensors[index]!.buffer]!.data;
  }

  private spend(bytes: number, index: number): void {
    this.budget -= bytes;
    if (this.budget < 0)
      throw damagedTflite(this.file, this.path(index), 'and others share one buffer too often');
  }

  private data(index: number, type: TensorType): TensorData {
    const bytes = this.bytes(index);
    this.spend(bytes.length, index);
    if (type.bits === 4) return this.packedData(bytes, type, index);
    const isHalf = tensorTypes[this.subgraph.tensors[index]!.type] === 'float16';
    return isHalf ? float16ToFloat32(bytes) : fromBytes(type.dtype, bytes);
  }

  /** Two weights in a byte; verification knows only types of whole bytes. */
  private packedData(bytes: Uint8Array, type: TensorType, index: number): TensorData {
    const count = elementCount(type.shape);
    if (bytes.length !== Math.ceil(count / 2)) {
      throw damagedTflite(
        this.file,
        this.path(index),
        `has ${bytes.length} bytes for ${count} elements of 4 bits`,
      );
    }
    this.spend(count, index);
    return unpackNibbles(bytes, count);
  }

  private dtype(tensor: Tensor, index: number): DType {
    const name = tensorTypes[tensor.type]!;
    if (name === 'float16' && this.isConstant(index)) return 'float32';
    if (name === 'int4' && this.isConstant(index)) return 'int8';
    if (directTypes.includes(name)) return name as DType;
    const hint = 'export the model with float32 or int8 tensors';
    throw unsupportedTflite(this.file, this.path(index), `is ${name}, which is not supported`, hint);
  }

  private refuseUnusual(tensor: Tensor, index: number): void {
    const refuse = (what: string, hint: string) => unsupportedTflite(this.file, this.path(index), what, hint);
    const plain = 'export the model again without it';
    if (tensor.isVariable) throw refuse('is a variable that keeps its state between inferences', plain);
    if (tensor.sparsity) throw refuse('is stored as a sparse tensor', plain);
    if (tensor.externalBuffer !== 0) throw refuse('keeps its data in another file', plain);
    if (tensor.quantization && tensor.quantization.detailsType !== 0) {
      throw refuse('has a quantization beside one scale for the tensor or for each channel', plain);
    }
    const type = tensorTypes[tensor.type];
    const isList = tensor.shape.length === 1 && (type === 'int32' || type === 'int64');
    if (!tensor.shape.includes(0) || isList) return;
    throw refuse(`has shape [${tensor.shape}], which holds no elements`, 'export with known, non-zero sizes');
  }
}
