import type { Graph, Node, Value } from '../ir/types.ts';
import { type LinearLayer, linearLayer } from './linear-layer.ts';
import type { Clustering, Recipe } from './recipe.ts';
import type { RefineLayer } from './walk-layers.ts';

/** Smallest stored weight that may occur. */
const lowest = -128;
const storedValues = 256;

/** Layers whose kernels decode weights, and whose weights are used often enough for that: those that all means. */
const decodedOps: ReadonlySet<string> = new Set(['conv2d']);
/** Operators whose weights may be clustered when they are named. */
const clusteredOps: ReadonlySet<string> = new Set(['conv2d', 'depthwiseConv2d', 'fullyConnected']);

/** How many values a layer of the float or integer graph may keep. */
export function clusteringOf(node: Node, { clusterTo, clusterOfLayer }: Recipe): Clustering {
  if (!clusteredOps.has(node.op)) return 'none';
  return clusterOfLayer.get(node.origin) ?? (decodedOps.has(node.op) ? clusterTo : 'none');
}

/** The best split of a run of stored values: its squared error, and where the last piece of it begins. */
interface Split {
  readonly error: Float64Array;
  readonly from: Int16Array;
}

/** Weight, weighted sum and weighted sum of squares of all stored values below each one. */
function momentsOf(importance: Float64Array) {
  const sums = [0, 1, 2].map(() => new Float64Array(storedValues + 1));
  for (let i = 0; i < storedValues; i++)
    for (const [power, sum] of sums.entries()) sum[i + 1] = sum[i]! + importance[i]! * (i + lowest) ** power;
  return sums as [Float64Array, Float64Array, Float64Array];
}

/** The value that stands for a piece of the stored values, and the squared error of that. */
type PieceOf = (from: number, to: number) => { readonly value: number; readonly error: number };

function pieces(importance: Float64Array): PieceOf {
  const [count, sum, squares] = momentsOf(importance);
  return (from, to) => {
    const [n, s, q] = [count, sum, squares].map((each) => each[to]! - each[from]!) as [
      number,
      number,
      number,
    ];
    const holdsZero = from <= -lowest && -lowest < to;
    const value = holdsZero || n === 0 ? 0 : Math.round(s / n);
    return { value, error: q - 2 * value * s + value * value * n };
  };
}

/** One more piece than `before`, for every length. */
function splitFurther(before: Float64Array, pieceOf: PieceOf): Split {
  const error = new Float64Array(storedValues + 1).fill(Number.POSITIVE_INFINITY);
  const from = new Int16Array(storedValues + 1);
  for (let to = 0; to <= storedValues; to++)
    for (let start = 0; start <= to; start++) {
      const whole = before[start]! + (start === to ? 0 : pieceOf(start, to).error);
      if (whole < error[to]!) [error[to], from[to]] = [whole, start];
    }
  return { error, from };
}

/**
 * The at most `count` int8 values that stand for stored weights with the least squared error, ascending. Zero is always
 * one of them, so that pruned weights and padding stay zero. `importance` is what an error of 1 weighs at each stored
 * value from -128 on.
 *
 * This is k-means in one dimension solved exactly, by dynamic programming over the sorted values. Source: H. Wang,
 * M. Song, "Ckmeans.1d.dp: Optimal k-means Clustering in One Dimension by Dynamic Programming", R Journal 3(2), 2011.
 */
export function clusterValues(importance: Float64Array, count: number): number[] {
  const pieceOf = pieces(importance);
  const none = new Float64Array(storedValues + 1).fill(Number.POSITIVE_INFINITY);
  none[0] = 0;
  const splits: Split[] = [];
  for (let k = 0; k < count; k++) splits.push(splitFurther(splits.at(-1)?.error ?? none, pieceOf));
  const values = new Set<number>([0]);
  let to = storedValues;
  for (const { from } of splits.reverse()) {
    if (from[to]! < to && hasWeight(importance, from[to]!, to)) values.add(pieceOf(from[to]!, to).value);
    to = from[to]!;
  }
  return [...values].sort((a, b) => a - b);
}

const hasWeight = (importance: Float64Array, from: number, to: number) =>
  importance.subarray(from, to).some((weight) => weight > 0);

/** Mean square of each input channel's real values. */
function energies(x: Float32Array, depth: number): Float64Array {
  const result = new Float64Array(depth);
  for (const [i, value] of x.entries()) result[i % depth]! += (value * value * depth) / x.length;
  return result;
}

/** Input channel of the weight at a flat index; for fully connected layers the input itself. */
function inputOf(
  { node, channels, weights, channelOf }: LinearLayer,
  depth: number,
): (index: number) => number {
  if (node.op === 'depthwiseConv2d') return (index) => Math.floor((channelOf(index) * depth) / channels);
  const each = weights.type.shape.at(-1)!;
  const groups = Math.max(1, depth / each);
  return (index) => Math.floor((channelOf(index) * groups) / channels) * each + (index % each);
}

/** What an error of one step weighs at each stored value: squared scale times the energy of what it multiplies. */
function importanceOf(layer: LinearLayer, x: Float32Array): Float64Array {
  const { node, input, weights, channelOf, scaleOf } = layer;
  const depth = node.op === 'fullyConnected' ? weights.type.shape.at(-1)! : input.type.shape.at(-1)!;
  const [energy, source] = [energies(x, depth), inputOf(layer, depth)];
  const result = new Float64Array(storedValues);
  for (const [i, stored] of (weights.data as Int8Array).entries())
    result[stored - lowest]! += scaleOf(channelOf(i)) ** 2 * (energy[source(i)]! + Number.EPSILON);
  return result;
}

/** For every stored value, the nearest of `values`; the one nearer to zero of two that are as near. */
function nearestOf(values: readonly number[]): Int8Array {
  const nearer = (stored: number) => (best: number, value: number) => {
    const closer = Math.abs(value - stored) - Math.abs(best - stored);
    return closer < 0 || (closer === 0 && Math.abs(value) < Math.abs(best)) ? value : best;
  };
  return Int8Array.from({ length: storedValues }, (_, i) => values.reduce(nearer(i + lowest)));
}

/**
 * Weight clustering: each layer that the recipe says keeps 16 or 32 different int8 weights, those with the least squared error
 * of its result on the calibration samples. What is left is an ordinary integer graph.
 */
export function weightClustering(recipe: Recipe): RefineLayer {
  return async ({ graph, node, stored }) => {
    const count = clusteringOf(node, recipe);
    const layer = count === 'none' ? undefined : linearLayer(graph, node);
    if (count === 'none' || !layer || !(layer.weights.data instanceof Int8Array)) return [];
    if (new Set(layer.weights.data).size <= count) return [];
    const values = clusterValues(importanceOf(layer, stored(node.inputs[0]!)), count);
    const nearest = nearestOf(values);
    const data = layer.weights.data.map((weight) => nearest[weight - lowest]!);
    return [{ ...layer.weights, data } satisfies Value];
  };
}

/** Layers that are to be clustered by name and have no weights. */
export function notClustered(graph: Graph, { clusterOfLayer }: Recipe): Node | undefined {
  const named = (node: Node) => (clusterOfLayer.get(node.origin) ?? 'none') !== 'none';
  const able = new Set(graph.nodes.filter(({ op }) => clusteredOps.has(op)).map(({ origin }) => origin));
  return graph.nodes.find((node) => named(node) && !able.has(node.origin));
}
