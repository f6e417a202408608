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

function asReal({ means, type }: InputSamples, data: ArrayLike<number>): Float32Array {
  return means === 'codes' ? realNumbers(data, type.quant) : Float32Array.from(data);
}

/** All samples of each input as real numbers, one after another; codes of a quantized input by its scale. */
export function floatBatch(inputs: readonly InputSamples[]): Float32Array[] {
  return inputs.map((input) => asReal(input, input.array.data.subarray(0, input.count * input.size)));
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

/** Codes as they are stored; throws E_EVALUATE_RANGE for what the type cannot hold. */
function storeInto(target: TensorData, source: ArrayLike<number>, name: string, dtype: DType): void {
  const [low, high] = limits[dtype as Exclude<DType, 'float32'>];
  for (let i = 0; i < source.length; i++) {
    const value = source[i]!;
    if (!(value >= low && value <= high && Number.isInteger(value)))
      throw valueOutOfRange(name, value, dtype);
    target[i] = (target instanceof BigInt64Array ? BigInt(value) : value) as never;
  }
}

/**
 * One sample as the inputs of `graph`, which may be the user's own model or a conversion of it, hold it: in their
 * layout and type. Real numbers are quantized where the graph wants codes. Throws E_EVALUATE_RANGE.
 */
export function encodeSample(graph: Graph, inputs: readonly InputSamples[], index: number): TensorData[] {
  return graph.inputs.map((port, i) => {
    const input = inputs[i]!;
    const { type } = tensorOf(graph, port.value);
    const source = sampleAt(input, index);
    if (type.dtype === 'float32') return toGraphLayout(port, asReal(input, source));
    const target = allocate(type.dtype, source.length);
    if (input.means === 'real' && type.quant) quantizeInto(target, source, type, type.quant);
    else storeInto(target, source, input.name, type.dtype);
    return toGraphLayout(port, target);
  });
}

/** Real numbers of stored ones. */
export function realNumbers(data: ArrayLike<number | bigint>, quant: Quantization | undefined): Float32Array {
  if (!quant) return Float32Array.from(data, Number);
  const [scale, zeroPoint] = [quant.scale[0]!, quant.zeroPoint[0]!];
  return Float32Array.from(data, (value) => (Number(value) - zeroPoint) * scale);
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
