import { divergenceRange } from './divergence-range.ts';
import { type Histogram, histogramBins } from './histogram.ts';
import type { Range } from './range.ts';

/**
 * How a range is taken from observed values. `minmax`: all of them; `percentile`: all but the outermost 0.001 %
 * on each side; `mse`: the interval with the least expected squared error of 8-bit storage; `kl`: the interval whose
 * 8-bit distribution loses the least information against what was seen (entropy calibration).
 */
export type CalibrationMethod = 'minmax' | 'percentile' | 'mse' | 'kl';
export const calibrationMethods: readonly CalibrationMethod[] = ['minmax', 'percentile', 'mse', 'kl'];

const levels = 255;
const tail = 1e-5;
/** Ends tried by `mse`, as shares of the observed end. */
const shrinkSteps = 64;
const leastShare = 0.25;

function percentileRange({ min, max, counts }: Histogram): Range {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const width = (max - min) / histogramBins;
  const allowed = total * tail;
  let low = 0;
  let high = histogramBins - 1;
  for (let dropped = counts[low]!; dropped <= allowed && low < high; dropped += counts[low]!) low++;
  for (let dropped = counts[high]!; dropped <= allowed && low < high; dropped += counts[high]!) high--;
  return { min: min + low * width, max: min + (high + 1) * width };
}

/** Expected squared error of values stored in `range`: clipping outside, uniform rounding inside. */
function squaredError({ min, max, counts }: Histogram, range: Range): number {
  const width = (max - min) / histogramBins;
  const rounding = ((range.max - range.min) / levels) ** 2 / 12;
  let error = 0;
  for (let bin = 0; bin < histogramBins; bin++) {
    const count = counts[bin]!;
    if (count === 0) continue;
    const value = min + (bin + 0.5) * width;
    const outside = value > range.max ? value - range.max : value < range.min ? range.min - value : 0;
    error += count * (outside > 0 ? outside * outside : rounding);
  }
  return error;
}

function bestEnd(histogram: Histogram, range: Range, end: 'min' | 'max'): Range {
  let best = range;
  let least = squaredError(histogram, range);
  for (let step = 1; step < shrinkSteps; step++) {
    const share = 1 - ((1 - leastShare) * step) / shrinkSteps;
    const candidate = { ...range, [end]: range[end] * share };
    const error = squaredError(histogram, candidate);
    if (error < least) {
      least = error;
      best = candidate;
    }
  }
  return best;
}

function observedRange(histogram: Histogram, method: CalibrationMethod): Range {
  if (method === 'percentile') return percentileRange(histogram);
  return method === 'kl' ? divergenceRange(histogram) : histogram;
}

/** The interval for one tensor by `method`; it always holds zero. */
export function chooseRange(histogram: Histogram, method: CalibrationMethod): Range {
  const chosen = observedRange(histogram, method);
  const range = { min: Math.min(0, chosen.min), max: Math.max(0, chosen.max) };
  if (method !== 'mse' || range.min === range.max) return range;
  return bestEnd(histogram, bestEnd(histogram, range, 'max'), 'min');
}
