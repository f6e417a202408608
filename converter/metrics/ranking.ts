import { oneClassOnly } from './errors.ts';
import type { ScoredSet } from './labels.ts';

/**
 * Area under the ROC curve of `scores` for positive labels, by rank sum; ties count half. Throws E_METRIC where all
 * labels are alike.
 */
export function areaUnderCurve(
  scores: ArrayLike<number>,
  positive: readonly boolean[],
  metric = 'auc',
): number {
  const order = Array.from(positive.keys()).sort((a, b) => scores[a]! - scores[b]!);
  let rankSum = 0;
  for (let first = 0; first < order.length; ) {
    let last = first;
    while (last + 1 < order.length && scores[order[last + 1]!] === scores[order[first]!]) last++;
    const rank = (first + last) / 2 + 1;
    for (let i = first; i <= last; i++) if (positive[order[i]!]) rankSum += rank;
    first = last + 1;
  }
  const positives = positive.filter(Boolean).length;
  const negatives = positive.length - positives;
  if (positives === 0 || negatives === 0) throw oneClassOnly(metric);
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/** One output: its area; several: the mean over the classes that occur of each against the rest. */
export function classArea({ outputs, labels, size }: ScoredSet): number {
  const data = Array.from(labels.data);
  if (size === 1)
    return areaUnderCurve(
      outputs,
      data.map((label) => label !== 0),
    );
  const areas = [...new Set(data)].map((name) => {
    const scores = Float64Array.from(data, (_, n) => outputs[n * size + name]!);
    return areaUnderCurve(
      scores,
      data.map((label) => label === name),
    );
  });
  return areas.reduce((sum, area) => sum + area, 0) / areas.length;
}

/** How well the mean squared distance of outputs from inputs tells class 0 from the others. */
export function reconstructionArea({ inputs, outputs, labels, size }: ScoredSet): number {
  const errors = new Float64Array(outputs.length / size);
  for (let i = 0; i < outputs.length; i++)
    errors[Math.floor(i / size)]! += (inputs[i]! - outputs[i]!) ** 2 / size;
  const abnormal = Array.from(labels.data, (label) => label !== 0);
  return areaUnderCurve(errors, abnormal, 'reconstruction-auc');
}
