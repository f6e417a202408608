/** Where the values of one tensor lie: exact least and greatest, and counts over equal bins between them. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly counts: Float64Array;
}

export const histogramBins = 2048;

function extremes(data: Float32Array): { min: number; max: number } {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}

/** Old counts in the bins of a wider range; each bin goes where its centre lies. */
function rebin(old: Histogram, min: number, max: number): Float64Array {
  const counts = new Float64Array(histogramBins);
  const width = (old.max - old.min) / histogramBins;
  const factor = max > min ? histogramBins / (max - min) : 0;
  for (let bin = 0; bin < histogramBins; bin++) {
    if (old.counts[bin] === 0) continue;
    const centre = old.min + (bin + 0.5) * width;
    counts[Math.min(histogramBins - 1, Math.floor((centre - min) * factor))]! += old.counts[bin]!;
  }
  return counts;
}

/** The histogram after more values, which are left as they are. Values must be finite. */
export function addToHistogram(old: Histogram | undefined, data: Float32Array): Histogram {
  const seen = extremes(data);
  const min = old ? Math.min(old.min, seen.min) : seen.min;
  const max = old ? Math.max(old.max, seen.max) : seen.max;
  const unchanged = old && min === old.min && max === old.max;
  const counts = old ? (unchanged ? old.counts : rebin(old, min, max)) : new Float64Array(histogramBins);
  const factor = max > min ? histogramBins / (max - min) : 0;
  const last = histogramBins - 1;
  for (let i = 0; i < data.length; i++) {
    const bin = ((data[i]! - min) * factor) | 0;
    counts[Math.min(bin, last)]!++;
  }
  return { min, max, counts };
}
