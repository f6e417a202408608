import type { ScoredSet } from './labels.ts';

function meanOver({ outputs, labels }: ScoredSet, distance: (error: number) => number): number {
  let sum = 0;
  for (let i = 0; i < outputs.length; i++) sum += distance(outputs[i]! - labels.data[i]!);
  return sum / outputs.length;
}

export const meanSquaredError = (set: ScoredSet) => meanOver(set, (error) => error * error);
export const meanAbsoluteError = (set: ScoredSet) => meanOver(set, Math.abs);
export const rootMeanSquaredError = (set: ScoredSet) => Math.sqrt(meanSquaredError(set));

/** Share of one output's variance that is explained; 0 where a constant target is missed, 1 where it is met. */
function explainedShare({ outputs, labels, size }: ScoredSet, output: number): number {
  const n = outputs.length / size;
  let mean = 0;
  for (let i = output; i < outputs.length; i += size) mean += labels.data[i]! / n;
  let [residual, variance] = [0, 0];
  for (let i = output; i < outputs.length; i += size) {
    residual += (labels.data[i]! - outputs[i]!) ** 2;
    variance += (labels.data[i]! - mean) ** 2;
  }
  if (variance === 0) return residual === 0 ? 1 : 0;
  return 1 - residual / variance;
}

/** Coefficient of determination, the mean over outputs (scikit-learn's `uniform_average`). */
export function determination(set: ScoredSet): number {
  let sum = 0;
  for (let output = 0; output < set.size; output++) sum += explainedShare(set, output);
  return sum / set.size;
}
