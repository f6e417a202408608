import type { SumRange } from './requantize.ts';

/** One output channel: its weights in the order of the window, and where its sums start. */
export interface ChannelSums {
  readonly weights: Int8Array;
  /** Bias with the input's zero point folded in, so that stored inputs are multiplied. */
  readonly start: number;
  /** Sums over all inputs of 8 bits. */
  readonly range: SumRange;
}

export function channelSums(weights: Int8Array, bias: number, inputZero: number): ChannelSums {
  let total = 0;
  let low = 0;
  let high = 0;
  for (const weight of weights) {
    total += weight;
    low += weight < 0 ? 127 * weight : -128 * weight;
    high += weight < 0 ? -128 * weight : 127 * weight;
  }
  const start = bias - inputZero * total;
  return { weights, start, range: { low: start + low, high: start + high } };
}
