import { tensorOf } from '../../converter/ir/graph.ts';
import { allocate, elementCount } from '../../converter/ir/tensor.ts';
import type { DType, Graph, TensorData } from '../../converter/ir/types.ts';

/** How a byte of the generator becomes an element; integers keep its bits, so that all values occur. */
function elementOf(byte: number, dtype: DType): number {
  if (dtype === 'float32') return (byte - 128) / 128;
  if (dtype === 'uint8') return byte;
  const signed = (byte << 24) >> 24;
  return dtype === 'int16' ? 256 * signed : signed;
}

/**
 * Inputs that are the same on every machine: a linear congruential generator (multiplier 1664525, increment
 * 1013904223, modulo 2^32) whose highest byte is taken, going on from one input to the next.
 */
export function testVector(graph: Graph, seed: number): TensorData[] {
  let state = seed >>> 0;
  return graph.inputs.map((port) => {
    const { dtype, shape } = tensorOf(graph, port.value).type;
    const data = allocate(dtype, elementCount(shape));
    for (let i = 0; i < data.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const element = elementOf(state >>> 24, dtype);
      data[i] = (data instanceof BigInt64Array ? BigInt(element) : element) as never;
    }
    return data;
  });
}
