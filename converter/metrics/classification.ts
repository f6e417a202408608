import type { ScoredSet } from './labels.ts';

/** Classes that a sample's outputs rank before class `label`; the first of equal outputs comes first. */
function rankOf(outputs: ArrayLike<number>, first: number, size: number, label: number): number {
  const own = outputs[first + label]!;
  let rank = 0;
  for (let i = 0; i < size; i++) {
    const other = outputs[first + i]!;
    if (other > own || (other === own && i < label)) rank++;
  }
  return rank;
}

/** Share of samples whose labelled class is among the `k` greatest outputs. */
export function topK({ outputs, labels, size }: ScoredSet, k: number): number {
  let right = 0;
  for (let n = 0; n < labels.data.length; n++)
    if (rankOf(outputs, n * size, size, labels.data[n]!) < k) right++;
  return right / labels.data.length;
}

/** A single output tells class 1 above this: the middle of a probability, or the sign of a logit. */
function thresholdOf(outputs: ArrayLike<number>): number {
  for (let i = 0; i < outputs.length; i++) if (outputs[i]! < 0 || outputs[i]! > 1) return 0;
  return 0.5;
}

/** The class that each sample's outputs say: the greatest one, or for a single output whether it is above the threshold. */
export function predictedClasses({ outputs, labels, size }: ScoredSet): Int32Array {
  const classes = new Int32Array(labels.data.length);
  const threshold = size === 1 ? thresholdOf(outputs) : 0;
  for (let n = 0; n < classes.length; n++) {
    if (size === 1) {
      classes[n] = outputs[n]! > threshold ? 1 : 0;
      continue;
    }
    for (let i = 1; i < size; i++)
      if (outputs[n * size + i]! > outputs[n * size + classes[n]!]!) classes[n] = i;
  }
  return classes;
}

/** Samples of one class: labelled so, predicted so, and both. */
export interface ClassCounts {
  readonly labelled: number;
  readonly predicted: number;
  readonly right: number;
}

/** Counts of every class that is labelled or predicted at least once, by its number. */
export function countClasses(set: ScoredSet): Map<number, ClassCounts> {
  const counts = new Map<number, { labelled: number; predicted: number; right: number }>();
  const of = (name: number) => {
    const known = counts.get(name) ?? { labelled: 0, predicted: 0, right: 0 };
    counts.set(name, known);
    return known;
  };
  const predicted = predictedClasses(set);
  for (let n = 0; n < predicted.length; n++) {
    const label = set.labels.data[n]!;
    of(label).labelled++;
    of(predicted[n]!).predicted++;
    if (label === predicted[n]) of(label).right++;
  }
  return counts;
}

export const recallOf = ({ right, labelled }: ClassCounts) => (labelled === 0 ? 0 : right / labelled);
export const precisionOf = ({ right, predicted }: ClassCounts) => (predicted === 0 ? 0 : right / predicted);
export const f1Of = ({ right, labelled, predicted }: ClassCounts) => (2 * right) / (labelled + predicted);

/** The mean over classes; of a single output the value of class 1 (scikit-learn's `macro` and `binary` averages). */
export function overClasses(set: ScoredSet, value: (counts: ClassCounts) => number): number {
  const counts = countClasses(set);
  if (set.size === 1) return value(counts.get(1) ?? { labelled: 0, predicted: 1, right: 0 });
  const values = [...counts.values()].map(value);
  return values.reduce((sum, one) => sum + one, 0) / values.length;
}

/** Mean recall of the classes that have labels. */
export function balancedAccuracy(set: ScoredSet): number {
  const labelled = [...countClasses(set).values()].filter((counts) => counts.labelled > 0);
  return labelled.reduce((sum, counts) => sum + recallOf(counts), 0) / labelled.length;
}

/** Share of samples whose predicted class is the labelled one. */
export function accuracy(set: ScoredSet): number {
  const right = [...countClasses(set).values()].reduce((sum, counts) => sum + counts.right, 0);
  return right / set.labels.data.length;
}
