/** What one number says how good a model is on labelled data, and how it was computed. */
export interface Score {
  readonly metric: 'top-1' | 'auc' | 'reconstruction-auc' | 'mse';
  readonly value: number;
  /** Samples that were scored. */
  readonly n: number;
}

/** Labels as they stand in the data file: a class for each sample, or the wanted outputs. */
export interface Labels {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}

function argMax(data: ArrayLike<number>, first: number, count: number): number {
  let best = first;
  for (let i = first + 1; i < first + count; i++) if (data[i]! > data[best]!) best = i;
  return best - first;
}

/** Share of samples whose greatest output is the labelled class; the first one wins a tie. */
export function topOne(outputs: ArrayLike<number>, classes: number, labels: ArrayLike<number>): number {
  let right = 0;
  for (let n = 0; n < labels.length; n++) if (argMax(outputs, n * classes, classes) === labels[n]) right++;
  return right / labels.length;
}

/** Area under the ROC curve of `scores` for positive labels, by rank sum; ties count half. */
export function areaUnderCurve(scores: ArrayLike<number>, positive: readonly boolean[]): number {
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
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

function meanSquaredError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < b.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum / b.length;
}

function reconstructionErrors(
  inputs: ArrayLike<number>,
  outputs: ArrayLike<number>,
  size: number,
): Float64Array {
  const errors = new Float64Array(outputs.length / size);
  for (let i = 0; i < outputs.length; i++)
    errors[Math.floor(i / size)]! += (inputs[i]! - outputs[i]!) ** 2 / size;
  return errors;
}

/**
 * Scores outputs by what the data allow: wanted outputs of the same size by mean squared error; an autoencoder
 * (as many outputs as inputs, more than one label) by how well its reconstruction error tells class 0 from the
 * others; one output by the area under the curve; several by top-1 accuracy.
 */
export function score(inputs: ArrayLike<number>, outputs: ArrayLike<number>, labels: Labels): Score {
  const n = labels.shape[0] ?? 0;
  const size = outputs.length / n;
  const perSample = labels.data.length / n;
  if (perSample > 1) return { metric: 'mse', value: meanSquaredError(outputs, labels.data), n };
  const positive = Array.from(labels.data, (label) => label !== 0);
  if (size > 1 && inputs.length === outputs.length) {
    return {
      metric: 'reconstruction-auc',
      value: areaUnderCurve(reconstructionErrors(inputs, outputs, size), positive),
      n,
    };
  }
  if (size === 1) return { metric: 'auc', value: areaUnderCurve(outputs, positive), n };
  return { metric: 'top-1', value: topOne(outputs, size, labels.data), n };
}
