import { loadTf } from '../evaluate/tf.ts';
import type { Graph, Node, Value } from '../ir/types.ts';
import type { Tf } from '../ops/define-op.ts';
import { type LinearLayer, linearLayer } from './linear-layer.ts';
import type { RefineLayer } from './walk-layers.ts';

/** Windows taken into account for each layer, spread evenly over samples and positions. */
const windows = 4096;
/** Layers with longer filters than this keep their rounding: the matrix of products would not fit. */
const longestFilter = 2048;
/**
 * Share of an input's mean energy that speaks for the original weight, against learning chance: more where a filter
 * has many taps and few windows were seen.
 */
const damping = (taps: number, rows: number) => Math.max(0.01, (0.25 * taps) / rows);

/** Rows of inputs under the filter, as the layer reads them: [rows, taps], zero outside of the image. */
function windowRows(layer: LinearLayer, x: Float32Array, count: number, channel: number | undefined) {
  const { node, input, weights } = layer;
  if (node.op === 'fullyConnected') {
    const depth = weights.type.shape[1]!;
    return spread(x.length / depth, depth, (row, k) => x[row * depth + k]!);
  }
  const [, height, width, depth] = input.type.shape as [number, number, number, number];
  const [, kernelHeight, kernelWidth] = weights.type.shape as [number, number, number];
  const { strides, dilations, pads } = node.attrs as unknown as Record<
    string,
    [number, number, number, number]
  >;
  const out = (size: number, kernel: number, axis: 0 | 1) =>
    Math.floor(
      (size + pads![axis] + pads![(axis + 2) as 2 | 3] - (kernel - 1) * dilations![axis] - 1) /
        strides![axis],
    ) + 1;
  const [rows, columns] = [out(height, kernelHeight, 0), out(width, kernelWidth, 1)];
  const taken = channel === undefined ? depth : 1;
  return spread(count * rows * columns, kernelHeight * kernelWidth * taken, (row, k) => {
    const image = Math.floor(row / (rows * columns));
    const [top, left] = [Math.floor(row / columns) % rows, row % columns];
    const tap = Math.floor(k / taken);
    const y = top * strides![0] - pads![0] + Math.floor(tap / kernelWidth) * dilations![0];
    const z = left * strides![1] - pads![1] + (tap % kernelWidth) * dilations![1];
    if (y < 0 || z < 0 || y >= height || z >= width) return 0;
    return x[((image * height + y) * width + z) * depth + (channel ?? k % taken)]!;
  });
}

function spread(total: number, taps: number, at: (row: number, tap: number) => number) {
  const rows = Math.min(total, windows);
  const data = new Float32Array(rows * taps);
  for (let i = 0; i < rows; i++) {
    const row = Math.floor((i * total) / rows);
    for (let k = 0; k < taps; k++) data[i * taps + k] = at(row, k);
  }
  return { data, rows, taps };
}

/** What a layer's squared error depends on: products of its stored inputs, and of real with stored ones. */
interface Products {
  readonly taps: number;
  readonly rows: number;
  /** [taps, taps] sums of stored[i] * stored[j]. */
  readonly stored: Float32Array;
  /** [taps, taps] sums of real[i] * stored[j]. */
  readonly mixed: Float32Array;
}

function productsOf(
  tf: Tf,
  layer: LinearLayer,
  real: Float32Array,
  stored: Float32Array,
  count: number,
  channel?: number,
): Products {
  const [a, b] = [windowRows(layer, real, count, channel), windowRows(layer, stored, count, channel)];
  return tf.tidy(() => {
    const x = tf.tensor2d(a.data, [a.rows, a.taps]);
    const y = tf.tensor2d(b.data, [b.rows, b.taps]);
    return {
      taps: a.taps,
      rows: a.rows,
      stored: tf.matMul(y, y, true, false).dataSync() as Float32Array,
      mixed: tf.matMul(x, y, true, false).dataSync() as Float32Array,
    };
  });
}

/** One filter: its real weights in steps of its scale, how they are stored, and the steps below and above each. */
interface Filter {
  readonly real: Float64Array;
  readonly steps: Float64Array;
  readonly below: Float64Array;
  readonly above: Float64Array;
}

/** Half the derivative of the squared error by each stored weight. */
function slopes({ taps, stored, mixed }: Products, { real, steps }: Filter, damp: number): Float64Array {
  const result = new Float64Array(taps);
  for (let i = 0; i < taps; i++) {
    const [step, weight] = [steps[i]!, real[i]!];
    for (let j = 0; j < taps; j++) result[j]! += step * stored[i * taps + j]! - weight * mixed[i * taps + j]!;
  }
  for (let j = 0; j < taps; j++) result[j]! += damp * (steps[j]! - real[j]!);
  return result;
}

/**
 * Flips the rounding of one weight at a time, always the one that lowers the squared error of the layer's result
 * most, until none does. Each weight stays on one of the two steps that it may have next to its real value.
 */
function settleFilter(products: Products, filter: Filter): void {
  const { taps, stored } = products;
  let energy = 0;
  for (let i = 0; i < taps; i++) energy += stored[i * taps + i]!;
  const damp = (damping(taps, products.rows) * energy) / taps;
  const slope = slopes(products, filter, damp);
  const { steps, below, above } = filter;
  for (let flips = 0; flips < 4 * taps; flips++) {
    let [best, change, least] = [-1, 0, 0];
    for (let i = 0; i < taps; i++) {
      const by = (steps[i] === below[i] ? above[i]! : below[i]!) - steps[i]!;
      if (by === 0) continue;
      const gain = 2 * by * slope[i]! + by * by * (stored[i * taps + i]! + damp);
      if (gain < least) [best, change, least] = [i, by, gain];
    }
    if (best < 0) return;
    steps[best]! += change;
    for (let j = 0; j < taps; j++) slope[j]! += change * stored[best * taps + j]!;
    slope[best]! += damp * change;
  }
}

/** Flat indices of one channel's weights, in the order of the taps. */
function tapIndices({ node, weights, channels }: LinearLayer, channel: number): (tap: number) => number {
  const each = weights.data!.length / channels;
  return node.op === 'depthwiseConv2d' ? (tap) => tap * channels + channel : (tap) => channel * each + tap;
}

/** The two of `values`, ascending, that are next to a real number of steps; the same twice beyond the ends. */
function neighbours(values: readonly number[], real: number): readonly [number, number] {
  const [first, last] = [values[0]!, values.at(-1)!];
  if (real < first) return [first, first];
  if (real >= last) return [last, last];
  const above = values.findIndex((value) => value > real);
  return [values[above - 1]!, values[above]!];
}

function settleChannel(
  layer: LinearLayer,
  products: Products,
  real: Float32Array,
  data: Int8Array,
  channel: number,
  values: readonly number[],
): void {
  const index = tapIndices(layer, channel);
  const scale = layer.scaleOf(channel);
  const tapsOf = (at: (index: number) => number) =>
    Float64Array.from({ length: products.taps }, (_, tap) => at(index(tap)));
  const exact = tapsOf((i) => real[i]! / scale);
  const around = Array.from(exact, (step) => neighbours(values, step));
  const filter = {
    real: exact,
    steps: tapsOf((i) => data[i]!),
    below: Float64Array.from(around, ([below]) => below),
    above: Float64Array.from(around, ([, above]) => above),
  };
  settleFilter(products, filter);
  for (let tap = 0; tap < products.taps; tap++) data[index(tap)] = filter.steps[tap]!;
}

/** Steps that a layer's weights may have: all, or where it was clustered those that it has. */
function stepsOf({ weights }: LinearLayer, clustered: boolean): number[] {
  if (clustered) return [...new Set(weights.data as Int8Array)].sort((a, b) => a - b);
  const limit = weights.type.bits === 4 ? 7 : 127;
  return Array.from({ length: 2 * limit + 1 }, (_, i) => i - limit);
}

/**
 * Rounding learned per layer: weights go up or down so that the layer's result, made from what the integer graph
 * really feeds it, comes nearest to the float layer's. This is the quadratic problem of AdaRound (M. Nagel et al., "Up or Down?
 * Adaptive Rounding for Post-Training Quantization", ICML 2020, equation 13 with asymmetric reconstruction), solved by
 * coordinate descent instead of its continuous relaxation, which needs no step size and ends by itself.
 */
export async function roundingLearner(
  float: Graph,
  isClustered: (node: Node) => boolean,
): Promise<RefineLayer> {
  const tf = await loadTf();
  const makers = new Map<string, Node>(float.nodes.map((node) => [node.outputs[0]!, node]));
  return async ({ graph, node, count, real, stored }) => {
    const layer = linearLayer(graph, node);
    const maker = makers.get(node.outputs[0]!);
    const floats = maker && real(maker.inputs[0]!);
    if (!layer || !floats || !(layer.weights.data instanceof Int8Array)) return [];
    const byChannel = node.op === 'depthwiseConv2d';
    const taps = layer.weights.data.length / layer.channels;
    if (taps > longestFilter || (!byChannel && node.op !== 'conv2d' && node.op !== 'fullyConnected'))
      return [];
    const weights = Float32Array.from(float.values.get(maker.inputs[1]!)!.data!, Number);
    const fed = stored(node.inputs[0]!);
    const data = layer.weights.data.slice();
    const depth = layer.input.type.shape.at(-1)!;
    const values = stepsOf(layer, isClustered(node));
    const shared = byChannel ? undefined : productsOf(tf, layer, floats, fed, count);
    for (let channel = 0; channel < layer.channels; channel++) {
      const source = Math.floor((channel * depth) / layer.channels);
      const products = shared ?? productsOf(tf, layer, floats, fed, count, source);
      settleChannel(layer, products, weights, data, channel, values);
    }
    const changed: Value = { ...layer.weights, data };
    return [changed];
  };
}
