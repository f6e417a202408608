import { damagedTflite, unsupportedTflite } from '../errors.ts';
import { schemaVersion, tensorTypes } from '../schema.ts';
import type { Decoded } from './types.ts';

export type Model = Decoded<'Model'>;
export type SubGraph = Decoded<'SubGraph'>;
export type Tensor = Decoded<'Tensor'>;
export type Quantization = Decoded<'QuantizationParameters'>;

const highestRank = 8;
/** TFLite counts the elements of a tensor in 32 bits. */
const mostElements = 2 ** 31 - 1;

/** Types whose elements have whole bytes; the others are packed or hold references. */
const elementBytes: ReadonlyMap<string, number> = new Map([
  ['float32', 4],
  ['float16', 2],
  ['int32', 4],
  ['uint8', 1],
  ['int64', 8],
  ['bool', 1],
  ['int16', 2],
  ['int8', 1],
  ['float64', 8],
  ['uint64', 8],
  ['uint32', 4],
  ['uint16', 2],
  ['bfloat16', 2],
]);

/** Least and greatest zero point of the integer types that carry one. */
const zeroPointRange: ReadonlyMap<string, readonly [number, number]> = new Map([
  ['int8', [-128, 127]],
  ['uint8', [0, 255]],
  ['int16', [-32768, 32767]],
  ['int32', [0, 0]],
  ['int64', [0, 0]],
]);

/** Bytes that the constant of a tensor must have, or undefined where its type does not say. */
export function constantBytes(tensor: Tensor): number | undefined {
  const bytes = elementBytes.get(tensorTypes[tensor.type] ?? '');
  if (bytes === undefined || tensor.sparsity) return undefined;
  return tensor.shape.reduce((product, size) => product * size, bytes);
}

class Verifier {
  private readonly model: Model;
  private readonly file: string;

  constructor(model: Model, file: string) {
    this.model = model;
    this.file = file;
  }

  run(): void {
    if (this.model.version !== schemaVersion) {
      const hint = 'convert the model again with a converter from 2018 or later';
      throw unsupportedTflite(this.file, 'version', `is ${this.model.version}, not ${schemaVersion}`, hint);
    }
    if (this.model.subgraphs.length === 0) this.fail('subgraphs', 'is empty');
    for (const [i, buffer] of this.model.buffers.entries()) {
      if (buffer.offset === 0n && buffer.size === 0n) continue;
      const hint = 'export the model below 2 GB, with its weights inside the flatbuffer';
      throw unsupportedTflite(this.file, `buffers[${i}]`, 'keeps its data outside the flatbuffer', hint);
    }
    for (const [i, subgraph] of this.model.subgraphs.entries()) this.subgraph(subgraph, `subgraphs[${i}]`);
  }

  private fail(field: string, what: string): never {
    throw damagedTflite(this.file, field, what);
  }

  private subgraph(subgraph: SubGraph, path: string): void {
    if (subgraph.tensors.length === 0) this.fail(`${path}.tensors`, 'is empty');
    if (subgraph.outputs.length === 0) this.fail(`${path}.outputs`, 'is empty');
    for (const [i, tensor] of subgraph.tensors.entries()) this.tensor(tensor, `${path}.tensors[${i}]`);
    const indices = (list: Int32Array, field: string, least: number) => {
      const bad = list.findIndex((index) => index < least || index >= subgraph.tensors.length);
      if (bad >= 0)
        this.fail(`${field}[${bad}]`, `is tensor ${list[bad]}; there are ${subgraph.tensors.length}`);
    };
    indices(subgraph.inputs, `${path}.inputs`, 0);
    indices(subgraph.outputs, `${path}.outputs`, 0);
    for (const [i, operator] of subgraph.operators.entries()) {
      const place = `${path}.operators[${i}]`;
      const codes = this.model.operatorCodes.length;
      if (operator.opcodeIndex >= codes)
        this.fail(`${place}.opcodeIndex`, `is ${operator.opcodeIndex}; there are ${codes}`);
      indices(operator.inputs, `${place}.inputs`, -1);
      indices(operator.outputs, `${place}.outputs`, 0);
    }
  }

  private tensor(tensor: Tensor, path: string): void {
    const { shape, buffer } = tensor;
    if (!tensorTypes[tensor.type]) this.fail(`${path}.type`, `is ${tensor.type}, which is no known type`);
    if (shape.length > highestRank)
      this.fail(`${path}.shape`, `has ${shape.length} axes; ${highestRank} is the most`);
    const negative = shape.findIndex((size) => size < 0);
    if (negative >= 0) this.fail(`${path}.shape[${negative}]`, `is ${shape[negative]}`);
    const elements = shape.reduce((product, size) => product * size, 1);
    if (elements > mostElements)
      this.fail(`${path}.shape`, `[${shape}] has more than ${mostElements} elements`);
    const data = this.model.buffers[buffer]?.data;
    if (!data) this.fail(`${path}.buffer`, `is ${buffer}; there are ${this.model.buffers.length} buffers`);
    const expected = constantBytes(tensor);
    if (data.length > 0 && expected !== undefined && data.length !== expected) {
      this.fail(
        `${path}.buffer`,
        `holds ${data.length} bytes; ${tensorTypes[tensor.type]}[${shape}] takes ${expected}`,
      );
    }
    if (tensor.quantization) this.quantization(tensor, tensor.quantization, `${path}.quantization`);
  }

  private quantization(tensor: Tensor, quant: Quantization, path: string): void {
    const range = zeroPointRange.get(tensorTypes[tensor.type]!);
    const scales = quant.scale.length;
    if (!range || scales === 0) return;
    const axis = quant.quantizedDimension;
    if (axis < 0 || axis >= Math.max(1, tensor.shape.length)) {
      this.fail(`${path}.quantizedDimension`, `is ${axis} for shape [${tensor.shape}]`);
    }
    if (scales !== 1 && scales !== tensor.shape[axis]) {
      this.fail(`${path}.scale`, `has ${scales} numbers for axis ${axis} of shape [${tensor.shape}]`);
    }
    const points = quant.zeroPoint.length;
    if (points > 1 && points !== scales)
      this.fail(`${path}.zeroPoint`, `has ${points} numbers for ${scales} scales`);
    const badScale = quant.scale.findIndex((scale) => !(scale > 0 && Number.isFinite(scale)));
    if (badScale >= 0) this.fail(`${path}.scale[${badScale}]`, `is ${quant.scale[badScale]}`);
    const badPoint = quant.zeroPoint.findIndex((point) => point < range[0] || point > range[1]);
    if (badPoint >= 0) {
      this.fail(
        `${path}.zeroPoint[${badPoint}]`,
        `is ${quant.zeroPoint[badPoint]} for ${tensorTypes[tensor.type]}`,
      );
    }
  }
}

/**
 * Checks that every index of a decoded model is in range, that constants have the bytes of their shapes, and that
 * scales and zero points are possible. Throws E_TFLITE_DAMAGED naming the field, or E_TFLITE_UNSUPPORTED.
 */
export function verifyModel(model: Model, file: string): void {
  new Verifier(model, file).run();
}
