import { tensorOf } from '../../ir/graph.ts';
import type { Graph, Node } from '../../ir/types.ts';
import type { Histogram } from '../histogram.ts';
import { histogramBins } from '../histogram.ts';
import { linearLayer, realWeights } from '../linear-layer.ts';

/** Why a layer suffers, as scripts see it. */
export type CauseKind =
  | 'channel-imbalance'
  | 'weight-imbalance'
  | 'range-outlier'
  | 'saturation'
  | 'vanishing-weights'
  | 'dead';

export interface Cause {
  readonly kind: CauseKind;
  /** The measure behind it, for people. */
  readonly text: string;
}

/** A channel that reaches so many times further than the median one takes most of its levels from the others. */
const imbalance = 16;
/** The outermost thousandth of the values takes all but this share of the range. */
const outlierShare = 0.125;
const tail = 0.001;
const clippedShare = 0.002;
const vanishedShare = 0.6;
const deadShare = 0.5;

const short = (x: number) => Number(x.toPrecision(3));
const percent = (share: number) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

function unevenness(reach: ArrayLike<number>): { channel: number; most: number; median: number } | undefined {
  const all = Array.from(reach);
  const median = medianOf(all.filter((value) => value > 0));
  const most = all.reduce((a, b) => Math.max(a, b), 0);
  return all.length > 1 && most > imbalance * median
    ? { channel: all.indexOf(most), most, median }
    : undefined;
}

function channelImbalance(reach: ArrayLike<number>): Cause[] {
  const found = unevenness(reach);
  if (!found) return [];
  const { channel, most, median } = found;
  const text =
    `channel ${channel} of ${reach.length} reaches ${short(most)}, ${short(most / median)} times the median ` +
    `channel, and all share one scale`;
  return [{ kind: 'channel-imbalance', text }];
}

function weightImbalance(integer: Graph, maker: Node): Cause[] {
  const layer = linearLayer(integer, maker);
  if (!layer || layer.weights.type.quant!.scale.length > 1) return [];
  const reach = new Float64Array(layer.channels);
  for (const [i, weight] of realWeights(layer).entries()) {
    const channel = layer.channelOf(i);
    reach[channel] = Math.max(reach[channel]!, Math.abs(weight));
  }
  const found = unevenness(reach);
  if (!found) return [];
  const text =
    `weights of channel ${found.channel} reach ${short(found.most / found.median)} times those of the median ` +
    'channel, and the layer has one scale';
  return [{ kind: 'weight-imbalance', text }];
}

function vanishingWeights(float: Graph, node: Node, integer: Graph, maker: Node): Cause[] {
  const layer = linearLayer(integer, maker);
  const real = layer && tensorOf(float, node.inputs[1]!).data;
  if (!layer || !real) return [];
  let [nonzero, vanished] = [0, 0];
  for (const [i, weight] of Array.from(real, Number).entries()) {
    if (weight === 0) continue;
    nonzero++;
    if (layer.weights.data![i] === 0) vanished++;
  }
  if (vanished <= vanishedShare * nonzero) return [];
  return [
    { kind: 'vanishing-weights', text: `${percent(vanished / nonzero)} of the weights are stored as 0` },
  ];
}

/** Share of the counted values in the bins from `first` to before `end`. */
function shareOf({ counts }: Histogram, first: number, end: number): number {
  let [sum, total] = [0, 0];
  for (const [bin, count] of counts.entries()) {
    total += count;
    if (bin >= first && bin < end) sum += count;
  }
  return total === 0 ? 0 : sum / total;
}

/** The part of the range that holds all but the outermost thousandth of the values. */
function bulkShare({ counts }: Histogram): number {
  const total = counts.reduce((a, b) => a + b, 0);
  let [low, high, dropped] = [0, histogramBins - 1, 0];
  while (low < high) {
    const [left, right] = [counts[low]!, counts[high]!];
    const next = Math.min(left, right);
    if (dropped + next > tail * total) break;
    dropped += next;
    if (left <= right) low++;
    else high--;
  }
  return (high - low + 1) / histogramBins;
}

function rangeOutlier(seen: Histogram, stored: readonly [number, number]): Cause[] {
  const bulk = bulkShare(seen);
  const width = stored[1] - stored[0];
  const needed = bulk * (seen.max - seen.min);
  if (needed >= outlierShare * width) return [];
  const text = `99.9 % of the values need ${percent(needed / width)} of the range ${short(stored[0])} to ${short(stored[1])}`;
  return [{ kind: 'range-outlier', text }];
}

function saturation(seen: Histogram, [low, high]: readonly [number, number]): Cause[] {
  const width = (seen.max - seen.min) / histogramBins;
  if (width === 0) return [];
  const first = Math.max(0, Math.floor((low - seen.min) / width));
  const end = Math.min(histogramBins, Math.ceil((high - seen.min) / width) + 1);
  const outside = 1 - shareOf(seen, first, end);
  if (outside <= clippedShare) return [];
  return [
    {
      kind: 'saturation',
      text: `${percent(outside)} of the values are clipped to ${short(low)} to ${short(high)}`,
    },
  ];
}

function deadChannels(seen: Histogram, reach: ArrayLike<number>): Cause[] {
  if (seen.min === seen.max) return [{ kind: 'dead', text: `always ${short(seen.min)}` }];
  const dead = Array.from(reach).filter((value) => value === 0).length;
  if (dead <= deadShare * reach.length) return [];
  return [{ kind: 'dead', text: `${dead} of ${reach.length} channels are always 0` }];
}

/** What calibration shows of one layer's result: all values, and the greatest magnitude in each channel. */
export interface LayerValues {
  readonly seen: Histogram;
  readonly reach: ArrayLike<number>;
}

/** Why quantization may hurt a layer, the most telling reason first; `maker` is the layer in the integer graph. */
export function findCauses(
  float: Graph,
  node: Node | undefined,
  integer: Graph,
  name: string,
  { seen, reach }: LayerValues,
): readonly Cause[] {
  const { dtype, quant } = tensorOf(integer, name).type;
  if (!quant || dtype === 'float32') return [];
  const [lowest, highest] = dtype === 'int16' ? [-32_768, 32_767] : [-128, 127];
  const real = (stored: number) => (stored - quant.zeroPoint[0]!) * quant.scale[0]!;
  const stored = [real(lowest), real(highest)] as const;
  const maker = integer.nodes.find((one) => one.outputs[0] === name);
  const uneven = channelImbalance(reach);
  const ofWeights =
    node && maker
      ? [...weightImbalance(integer, maker), ...vanishingWeights(float, node, integer, maker)]
      : [];
  return [
    ...deadChannels(seen, reach),
    ...uneven,
    ...ofWeights,
    ...saturation(seen, stored),
    ...(uneven.length === 0 ? rangeOutlier(seen, stored) : []),
  ];
}
