import { tensorOf } from '../../../converter/ir/graph.ts';
import { elementCount } from '../../../converter/ir/tensor.ts';
import type { Graph, Quantization, TensorData, TensorType, Value } from '../../../converter/ir/types.ts';
import { opOf } from '../../../converter/ops/index.ts';
import { calibrate, type Ranges } from '../../../converter/quant/calibrate.ts';
import { quantizeGraph } from '../../../converter/quant/quantize-graph.ts';
import { randomFloats } from '../../support/graphs.ts';

async function rangesOf(graph: Graph): Promise<Ranges> {
  const samples = 16;
  const inputs = graph.inputs.map((port, i) => randomFloats(samples * elementCount(port.shape), 31 + i));
  return calibrate(graph, inputs, samples, 'minmax');
}

/** A float graph as int8, by the converter's own quantizer. */
export async function quantizedInt8(graph: Graph): Promise<Graph> {
  return quantizeGraph(graph, await rangesOf(graph), { perChannelFullyConnected: true });
}

const symmetric = (largest: number, steps: number): Quantization => ({
  scale: [Math.fround(Math.max(largest, 1e-3) / steps)],
  zeroPoint: [0],
});

const largestOf = (data: Float32Array) => data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

/** A float graph as TFLite's 16x8 scheme: int16 activations, int8 weights, int64 bias, all symmetric. */
export async function quantizedInt16(graph: Graph): Promise<Graph> {
  const ranges = await rangesOf(graph);
  const values = new Map<string, Value>();
  const scaleOf = (name: string) => values.get(name)!.type.quant!.scale[0]!;
  const put = (name: string, dtype: 'int8' | 'int16' | 'int64', quant: Quantization) => {
    const { type, data } = tensorOf(graph, name);
    const real = (data ?? new Float32Array(0)) as Float32Array;
    const stored = Array.from(real, (x) => Math.round(x / quant.scale[0]!));
    const made: TensorData =
      dtype === 'int64'
        ? BigInt64Array.from(stored, BigInt)
        : dtype === 'int8'
          ? Int8Array.from(stored)
          : Int16Array.from(stored);
    values.set(name, { name, type: { dtype, shape: type.shape, quant }, ...(data ? { data: made } : {}) });
  };
  const activation = (name: string) => {
    const range = ranges.get(name);
    const { data } = tensorOf(graph, name);
    const largest = data
      ? largestOf(data as Float32Array)
      : Math.max(Math.abs(range!.min), Math.abs(range!.max));
    put(name, 'int16', symmetric(largest, 32767));
  };
  for (const port of graph.inputs) activation(port.value);
  for (const { op, inputs, outputs } of graph.nodes) {
    const rule = opOf(op).quantize!;
    const [output] = outputs as [string];
    if (rule.output === 'calibrated' && rule.weights) {
      const weights = inputs[rule.weights.weights]!;
      put(weights, 'int8', symmetric(largestOf(tensorOf(graph, weights).data as Float32Array), 127));
      const scale = Math.fround(scaleOf(inputs[0]!) * scaleOf(weights));
      put(inputs[rule.weights.bias]!, 'int64', { scale: [scale], zeroPoint: [0] });
    }
    for (const name of inputs) if (!values.has(name)) activation(name);
    if (rule.output === 'shared') {
      const widest = Math.max(...inputs.map(scaleOf));
      for (const name of [...inputs, output]) put(name, 'int16', { scale: [widest], zeroPoint: [0] });
    } else if (rule.output === 'same') put(output, 'int16', values.get(inputs[0]!)!.type.quant!);
    else if (rule.output === 'fixed') put(output, 'int16', { scale: [1 / 32768], zeroPoint: [0] });
    else activation(output);
  }
  return { ...graph, values };
}

/** The real numbers that stored integers stand for, per tensor. */
export function realNumbers(type: TensorType, data: TensorData): Float32Array {
  const { scale, zeroPoint } = type.quant!;
  return Float32Array.from(data as Int8Array, (x) => (x - zeroPoint[0]!) * scale[0]!);
}
