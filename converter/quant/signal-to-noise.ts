import { evaluateFloat, type FloatBatch } from '../evaluate/float.ts';
import { prepareInteger } from '../evaluate/integer.ts';
import { toGraphLayout } from '../evaluate/ports.ts';
import { turn } from '../evaluate/turn.ts';
import { tensorOf } from '../ir/graph.ts';
import { elementCount } from '../ir/tensor.ts';
import type { Graph, Quantization, TensorData } from '../ir/types.ts';
import { quantizeActivations } from './scheme.ts';

/** Energy of a layer's float values and of what quantization adds to them, summed over samples. */
interface Energy {
  signal: number;
  noise: number;
}

/** Highest ratio reported; an exact layer has no noise at all. */
const exactDb = 200;

function addEnergy(energy: Energy, real: Float32Array, stored: TensorData, quant: Quantization): void {
  const [scale, zeroPoint] = [quant.scale[0]!, quant.zeroPoint[0]!];
  for (let i = 0; i < real.length; i++) {
    const difference = (Number(stored[i]) - zeroPoint) * scale - real[i]!;
    energy.signal += real[i]! * real[i]!;
    energy.noise += difference * difference;
  }
}

function decibels({ signal, noise }: Energy): number {
  if (noise === 0) return exactDb;
  return signal === 0 ? 0 : Math.min(exactDb, 10 * Math.log10(signal / noise));
}

/** One sample in each port's stored form. */
function storedInputs(float: Graph, integer: Graph, samples: FloatBatch, index: number): TensorData[] {
  return float.inputs.map((port, i) => {
    const size = elementCount(port.shape);
    const sample = samples[i]!.subarray(index * size, (index + 1) * size);
    return quantizeActivations(toGraphLayout(port, sample), tensorOf(integer, port.value).type);
  });
}

/**
 * Signal to quantization-noise ratio in dB of every value that both graphs compute, by value name, over the first
 * `count` samples. The noise is what reaches the layer from all layers before it and its own.
 */
export async function signalToNoise(
  float: Graph,
  integer: Graph,
  samples: FloatBatch,
  count: number,
): Promise<ReadonlyMap<string, number>> {
  const energies = new Map<string, Energy>();
  const model = prepareInteger(integer);
  for (let n = 0; n < count; n++) {
    const real = new Map<string, Float32Array>();
    const sample = float.inputs.map((port, i) => {
      const size = elementCount(port.shape);
      return samples[i]!.subarray(n * size, (n + 1) * size);
    });
    await evaluateFloat(float, sample, 1, (name, data) => real.set(name, data.slice()));
    await turn();
    model.run(storedInputs(float, integer, samples, n), {
      onLayer(node, _index, output) {
        const name = node.outputs[0]!;
        const values = real.get(name);
        const { quant } = tensorOf(integer, name).type;
        if (!values || !quant) return;
        const energy = energies.get(name) ?? { signal: 0, noise: 0 };
        addEnergy(energy, values, output, quant);
        energies.set(name, energy);
      },
    });
  }
  return new Map([...energies].map(([name, energy]) => [name, decibels(energy)]));
}
