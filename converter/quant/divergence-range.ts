import { type Histogram, histogramBins } from './histogram.ts';
import type { Range } from './range.ts';

/** Levels of 8-bit storage over which the bins of a candidate are merged. */
const levels = 255;
/** Candidates tried between the fewest bins that make sense and all of them. */
const candidates = 128;
/**
 * Largest share of the values that may lie outside. Values that pile up at few points (a bias behind black image
 * borders) look like information that only the narrowest interval keeps, which would clip everything else.
 */
const clippedShare = 0.001;
/** Probability given to a stored level where the data have something and the level nothing. */
const smoothing = 1e-6;

function sumOf(counts: Float64Array, first: number, end: number): number {
  let sum = 0;
  for (let bin = first; bin < end; bin++) sum += counts[bin]!;
  return sum;
}

/**
 * Kullback-Leibler divergence between the observed distribution clipped to bins [low, high) and the same after its
 * bins were merged to `levels` equal steps. Empty bins stay empty when a level is spread again, so that sparse data
 * cost nothing. What chance alone adds for so many filled bins and so few values (half a bin's freedom each, after
 * Miller and Madow) is taken off; without that, small tensors such as logits are clipped to a fraction.
 */
function divergence({ counts }: Histogram, low: number, high: number, total: number): number {
  const [below, above] = [sumOf(counts, 0, low), sumOf(counts, high, histogramBins)];
  if (below + above > clippedShare * total) return Number.POSITIVE_INFINITY;
  const width = (high - low) / levels;
  let result = 0;
  for (let level = 0; level < levels; level++) {
    const first = low + Math.floor(level * width);
    const last = Math.max(first + 1, low + Math.floor((level + 1) * width));
    let sum = 0;
    let filled = 0;
    for (let bin = first; bin < last; bin++) {
      sum += counts[bin]!;
      if (counts[bin]! > 0) filled++;
    }
    result -= Math.max(0, filled - 1) / (2 * total);
    for (let bin = first; bin < last; bin++) {
      const outside = (bin === low ? below : 0) + (bin === high - 1 ? above : 0);
      const observed = (counts[bin]! + outside) / total;
      if (observed === 0) continue;
      const stored = counts[bin]! > 0 ? sum / filled / total : 0;
      result += observed * Math.log(observed / Math.max(stored, smoothing / total));
    }
  }
  return result;
}

/**
 * The bin that holds zero, evened out with its neighbours: zeros (behind a ReLU often most values) are stored exactly
 * whatever the interval, and must not weigh in.
 */
function withoutZeros(histogram: Histogram): Histogram {
  const { min, max, counts } = histogram;
  const zero = Math.min(histogramBins - 1, Math.floor((-min / (max - min)) * histogramBins));
  if (!(zero >= 0)) return histogram;
  const evened = counts.slice();
  evened[zero] = Math.max(counts[zero - 1] ?? 0, counts[zero + 1] ?? 0);
  return { min, max, counts: evened };
}

/**
 * The interval, symmetric about zero as far as values were seen, with the least divergence. Values beyond it count
 * for its outermost bins. Source: S. Migacz, "8-bit Inference with TensorRT", GTC 2017.
 */
export function divergenceRange(observed: Histogram): Range {
  const histogram = withoutZeros(observed);
  const { min, max, counts } = histogram;
  const total = counts.reduce((sum, count) => sum + count, 0);
  const width = (max - min) / histogramBins;
  if (!(width > 0) || total === 0) return { min, max };
  const reach = Math.max(Math.abs(min), Math.abs(max));
  let best: Range = { min, max };
  let least = Number.POSITIVE_INFINITY;
  for (let step = candidates; step > 0; step--) {
    const limit = (reach * step) / candidates;
    const low = Math.max(0, Math.floor((-limit - min) / width));
    const high = Math.min(histogramBins, Math.ceil((limit - min) / width));
    if (high - low < levels) break;
    const found = divergence(histogram, low, high, total);
    if (found >= least) continue;
    least = found;
    best = { min: min + low * width, max: min + high * width };
  }
  return best;
}
