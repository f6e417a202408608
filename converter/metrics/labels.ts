/** Labels as they stand in a data file: a number for each sample, or a row of `shape[1...]` numbers. */
export interface Labels {
  readonly data: ArrayLike<number>;
  /** The first axis counts the samples. */
  readonly shape: readonly number[];
}

/**
 * What a model is asked for. `classification`: several outputs, a class number a sample; `binary`: one output that
 * tells two classes apart; `anomaly`: the inputs again, badly where a sample is not of class 0; `regression`: wanted
 * outputs.
 */
export type Task = 'classification' | 'binary' | 'anomaly' | 'regression';

/** Labels in the form that metrics and training take: classes are numbered from 0. */
export interface TaskLabels extends Labels {
  readonly task: Task;
}

/** Results of a model beside what they should be; real numbers, one sample after another. */
export interface ScoredSet {
  readonly inputs: ArrayLike<number>;
  readonly outputs: ArrayLike<number>;
  readonly labels: TaskLabels;
  /** Outputs of one sample. */
  readonly size: number;
}

export function labelsPerSample({ data, shape }: Labels): number {
  return data.length / (shape[0] ?? 1);
}

/** The labels of some samples, in the order of `indices`. */
export function labelsAt<L extends Labels>(labels: L, indices: ArrayLike<number>): L {
  const each = labelsPerSample(labels);
  const data = new Float64Array(indices.length * each);
  for (let i = 0; i < indices.length; i++)
    for (let k = 0; k < each; k++) data[i * each + k] = labels.data[indices[i]! * each + k]!;
  return { ...labels, data, shape: [indices.length, ...labels.shape.slice(1)] };
}
