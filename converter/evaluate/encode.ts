import type { InputSamples } from '../data/samples.ts';
import { sampleAt } from '../data/samples.ts';
import { tensorOf } from '../ir/graph.ts';
import { allocate } from '../ir/tensor.ts';
import type { DType, Graph, Port, Quantization, TensorData, TensorType } from '../ir/types.ts';
import { clamp, roundHalfAway } from '../ops/fixed-point.ts';
import { valueOutOfRange } from './errors.ts';
import { toGraphLayout, toUserLayout } from './ports.ts';

const limits: Readonly<Record<Exclude<DType, 'float32'>, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32_768, 32_767],
  int32: [-2_147_483_648, 2_147_483_647],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  bool: [0, 1],
};

/** All samples of each input as real numbers, one after another. */
export function floatBatch(inputs: readonly InputSamples[]): Float32Array[] {
  return inputs.map(({ array, count, size }) => Float32Array.from(array.data.subarray(0, count * size)));
}

function quantizeInto(
  target: TensorData,
  source: ArrayLike<number>,
  type: TensorType,
  quant: Quantization,
): void {
  const [low, high] = limits[type.dtype as Exclude<DType, 'float32'>];
  const [scale, zeroPoint] = [quant.scale[0]!, quant.zeroPoint[0]!];
  for (let i = 0; i < source.length; i++) {
    const steps = Math.fround(Math.fround(source[i]!) / scale);
    target[i] = clamp(roundHalfAway(steps) + zeroPoint, low, high);
  }
}

/** Whole numbers given for an integer input are taken as they are stored. */
function storeInto(target: TensorData, source: ArrayLike<number>, input: InputSamples, dtype: DType): void {
  const [low, high] = dtype === 'float32' ? [-Infinity, Infinity] : limits[dtype];
  for (let i = 0; i < source.length; i++) {
    const value = source[i]!;
    if (!(value >= low && value <= high)) throw valueOutOfRange(input.name, value, dtype);
    target[i] = (target instanceof BigInt64Array ? BigInt(Math.trunc(value)) : value) as never;
  }
}

/**
 * One sample as the graph's inputs hold it: in the graph's layout and type. Real numbers given for a quantized input
 * are quantized; whole numbers are taken as stored values. Throws E_EVALUATE_RANGE.
 */
export function encodeSample(graph: Graph, inputs: readonly InputSamples[], index: number): TensorData[] {
  return graph.inputs.map((port, i) => {
    const input = inputs[i]!;
    const { type } = tensorOf(graph, port.value);
    const source = sampleAt(input, index);
    const target = allocate(type.dtype, source.length);
    const isReal = input.array.dtype.startsWith('float');
    if (isReal && type.quant && type.dtype !== 'float32') quantizeInto(target, source, type, type.quant);
    else storeInto(target, source, input, type.dtype);
    return toGraphLayout(port, target);
  });
}

/** Real numbers of stored ones. */
export function dequantizeData(data: TensorData, quant: Quantization | undefined): Float32Array {
  if (!quant) return Float32Array.from(data as ArrayLike<number | bigint>, Number);
  const [scale, zeroPoint] = [quant.scale[0]!, quant.zeroPoint[0]!];
  return Float32Array.from(data as ArrayLike<number>, (value) => (value - zeroPoint) * scale);
}

/** Outputs of many samples put together: one array per port, samples one after another, in the user's axis order. */
export function joinOutputs(graph: Graph, samples: readonly (readonly TensorData[])[]): TensorData[] {
  return graph.outputs.map((port: Port, i) => {
    const pieces = samples.map((outputs) => toUserLayout(port, outputs[i]!));
    const size = pieces[0]?.length ?? 0;
    const whole = allocate(tensorOf(graph, port.value).type.dtype, size * pieces.length);
    for (const [n, piece] of pieces.entries()) whole.set(piece as never, n * size);
    return whole;
  });
}
