import { type ChannelScale, type ResultRange, requantized, type SumRange } from './requantize.ts';

/** One output channel of a layer of weighted sums, as a kernel computes it. */
export interface Channel {
  /** In the order of the window. */
  readonly weights: Int8Array;
  /** Where its sums start: bias with the input's zero point folded in, so that stored inputs are multiplied. */
  readonly start: number;
  /** Sums over all inputs of 8 bits. */
  readonly range: SumRange;
  readonly scale: ChannelScale;
  /** The one result of a channel whose sums cannot give another; such a channel has no weights and starts at 0. */
  readonly only: number | undefined;
}

/** Sums of weight * input over all inputs of 8 bits. */
function productRange(weights: Int8Array): SumRange {
  let low = 0;
  let high = 0;
  for (const weight of weights) {
    low += weight < 0 ? 127 * weight : -128 * weight;
    high += weight < 0 ? -128 * weight : 127 * weight;
  }
  return { low, high };
}

/** False where sums can leave 32 bits: there the reference goes on at the other end. */
export const fitsInt32 = ({ low, high }: SumRange): boolean => low >= -(2 ** 31) && high < 2 ** 31;

/** The channel with these constants. */
export function makeChannel(
  weights: Int8Array,
  bias: number,
  inputZero: number,
  scale: ChannelScale,
  result: ResultRange,
): Channel {
  const start = bias - inputZero * weights.reduce((sum, weight) => sum + weight, 0);
  const products = productRange(weights);
  const range = { low: start + products.low, high: start + products.high };
  const only = requantized(range.low, scale, result);
  if (!fitsInt32(range) || only !== requantized(range.high, scale, result)) {
    return { weights, start, range, scale, only: undefined };
  }
  return { weights: new Int8Array(weights.length), start: 0, range: { low: 0, high: 0 }, scale, only };
}
