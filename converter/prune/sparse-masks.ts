import { tensorOf } from '../ir/graph.ts';
import { elementCount } from '../ir/tensor.ts';
import type { Graph, Node, Value } from '../ir/types.ts';

/**
 * Which weights become zero. `block`: a share of the blocks of 2 output channels by 8 inputs, which the kernels leave
 * out; `scattered`: a share of single weights; `pattern`: all but `keep` of every `of` neighbours.
 */
export type Sparsity =
  | { readonly kind: 'block' | 'scattered'; readonly share: number }
  | { readonly kind: 'pattern'; readonly keep: number; readonly of: number };

/** What the kernels leave out at once on both kinds of core; see docs/compression-kernels.md. */
const [blockOutputs, blockInputs] = [2, 8];

/** Layers whose weights have an axis of outputs and one of what each output reads. */
const masked: ReadonlySet<string> = new Set(['conv2d', 'fullyConnected']);

/** Layers with fewer weights than this keep them: there is nothing to win, and much to lose. */
const fewWeights = 256;

/** Indices of the weights [outputs, inputs] of each unit that lives or dies as one. */
function unitsOf(outputs: number, inputs: number, height: number, width: number): number[][] {
  const units: number[][] = [];
  for (let o = 0; o < outputs; o += height) {
    for (let k = 0; k < inputs; k += width) {
      const unit: number[] = [];
      for (let y = o; y < Math.min(outputs, o + height); y++)
        for (let x = k; x < Math.min(inputs, k + width); x++) unit.push(y * inputs + x);
      units.push(unit);
    }
  }
  return units;
}

const meanSquare = (data: Float32Array, unit: readonly number[]) =>
  unit.reduce((sum, i) => sum + data[i]! * data[i]!, 0) / unit.length;

function dropSmallest(data: Float32Array, units: readonly number[][], count: number, mask: Uint8Array): void {
  const rated = units.map((unit) => ({ unit, size: meanSquare(data, unit) }));
  rated.sort((a, b) => a.size - b.size);
  for (const { unit } of rated.slice(0, count)) for (const i of unit) mask[i] = 0;
}

/** 1 for weights [outputs, inputs] that stay and 0 for the others, the smallest ones. */
export function maskOf(data: Float32Array, outputs: number, sparsity: Sparsity): Uint8Array {
  const inputs = data.length / outputs;
  const mask = new Uint8Array(data.length).fill(1);
  if (sparsity.kind === 'pattern') {
    const { keep, of } = sparsity;
    for (const unit of unitsOf(outputs, inputs, 1, of)) {
      const single = unit.map((i) => [i]);
      dropSmallest(data, single, Math.max(0, unit.length - keep), mask);
    }
    return mask;
  }
  const [height, width] = sparsity.kind === 'block' ? [blockOutputs, blockInputs] : [1, 1];
  const units = unitsOf(outputs, inputs, height, width);
  dropSmallest(data, units, Math.round(units.length * sparsity.share), mask);
  return mask;
}

/** Nodes whose weights get a mask: the last layer, which makes the outputs, keeps all of them. */
function maskedNodes(graph: Graph): Node[] {
  const last = graph.nodes.findLast((node) => masked.has(node.op));
  return graph.nodes.filter((node) => {
    const weights = node.inputs[1];
    return masked.has(node.op) && node !== last && tensorOf(graph, weights!).data!.length >= fewWeights;
  });
}

/** Masks of a graph's weights, by the name of the value. */
export type Masks = ReadonlyMap<string, Uint8Array>;

export function masksFor(graph: Graph, sparsity: Sparsity): Masks {
  return new Map(
    maskedNodes(graph).map((node) => {
      const { data, type, name } = tensorOf(graph, node.inputs[1]!);
      return [name, maskOf(data as Float32Array, type.shape[0]!, sparsity)];
    }),
  );
}

/** Puts masked weights back to zero, in place. */
export function applyMasks(weights: ReadonlyMap<string, Float32Array>, masks: Masks): void {
  for (const [name, mask] of masks) {
    const data = weights.get(name)!;
    for (let i = 0; i < data.length; i++) data[i]! *= mask[i]!;
  }
}

export function maskedGraph(graph: Graph, masks: Masks): Graph {
  const values = new Map<string, Value>(graph.values);
  for (const [name, mask] of masks) {
    const value = tensorOf(graph, name);
    values.set(name, { ...value, data: (value.data as Float32Array).map((w, i) => w * mask[i]!) });
  }
  return { ...graph, values };
}

/** Share of zeros among the weights of the masked layers. */
export function zeroShare(graph: Graph, masks: Masks): number {
  let [zeros, all] = [0, 0];
  for (const name of masks.keys()) {
    const { data, type } = tensorOf(graph, name);
    all += elementCount(type.shape);
    zeros += (data as Float32Array).reduce((sum, w) => sum + (w === 0 ? 1 : 0), 0);
  }
  return all === 0 ? 0 : zeros / all;
}
