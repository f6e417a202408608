import { TinymlError } from '../../common/tinyml-error.ts';

export function labelOutOfRange(file: string, sample: number, label: number, classes: number): TinymlError {
  return new TinymlError({
    code: 'E_DATA_LABELS',
    exit: 1,
    what: `${file}: label ${sample} is ${label}, but the model has ${classes} outputs`,
    measure: `a class is a whole number from 0 to ${classes - 1}, in the order of the outputs`,
    hint: 'number the classes in that order (from 0, or from 1 throughout), or give as many wanted outputs a sample',
  });
}

export function labelRowsDoNotFit(file: string, given: number, outputs: number): TinymlError {
  return new TinymlError({
    code: 'E_DATA_LABELS',
    exit: 1,
    what: `${file}: y holds ${given} numbers for each sample, but the model has ${outputs} outputs`,
    measure: `y may be a class number, or ${outputs} wanted outputs, for each sample`,
  });
}

export function labelsNotFinite(file: string, sample: number, label: number): TinymlError {
  return new TinymlError({
    code: 'E_DATA_LABELS',
    exit: 1,
    what: `${file}: label ${sample} is ${label}, but labels must be finite`,
  });
}

export function oneClassOnly(metric: string): TinymlError {
  return new TinymlError({
    code: 'E_METRIC',
    exit: 1,
    what: `${metric} compares two groups of samples, but all labels are of one`,
    hint: 'add samples of the other classes, or choose another --metric',
  });
}

export function metricDoesNotFit(metric: string, task: string, fitting: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_METRIC',
    exit: 1,
    what: `--metric ${metric} does not fit model and labels, which are of a ${task}`,
    measure: `metrics for it: ${fitting.join(', ')}`,
  });
}

export function unknownMetric(
  name: string,
  known: readonly string[],
  close: string | undefined,
): TinymlError {
  return new TinymlError({
    code: 'E_USAGE',
    exit: 1,
    what: `--metric: there is no metric ${JSON.stringify(name)}`,
    measure: `valid: ${known.join(', ')}`,
    ...(close ? { hint: `did you mean ${close}?` } : {}),
  });
}
