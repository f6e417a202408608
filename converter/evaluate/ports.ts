import { tensorOf } from '../ir/graph.ts';
import { elementCount, invertPermutation, transposeData } from '../ir/tensor.ts';
import type { Graph, Port, TensorData } from '../ir/types.ts';

/** One sample in the user's axis order, as the graph's own input value holds it. */
export function toGraphLayout<T extends TensorData>(port: Port, data: T): T {
  return port.perm ? transposeData(data, port.shape, port.perm) : data;
}

/** A result of the graph in the user's axis order. */
export function toUserLayout<T extends TensorData>(port: Port, data: T): T {
  if (!port.perm) return data;
  const held = port.perm.map((axis) => port.shape[axis]!);
  return transposeData(data, held, invertPermutation(port.perm));
}

/** Elements of one sample of a port. */
export function portElements(port: Port): number {
  return elementCount(port.shape);
}

export function portDtype(graph: Graph, port: Port) {
  return tensorOf(graph, port.value).type.dtype;
}
