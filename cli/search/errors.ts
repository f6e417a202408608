import { nearest } from '../../common/nearest.ts';
import { type FailureExit, TinymlError } from '../../common/tinyml-error.ts';
import type { TrialFailure } from './trial.ts';

export function studyBusy(path: string): TinymlError {
  return new TinymlError({
    code: 'E_STUDY_BUSY',
    exit: 1,
    what: `${path}: another tinyml search is working on this study`,
    hint: 'wait for it, or name another file with --study',
  });
}

export function studyDamaged(path: string, line: number, what: string): TinymlError {
  return new TinymlError({
    code: 'E_STUDY_DAMAGED',
    exit: 1,
    what: `${path}: is not a study that this version of tinyml can read: line ${line} ${what}`,
    hint: 'name another file with --study to start anew; this one is kept as it is',
  });
}

const subjects: Readonly<Record<string, string>> = {
  model: 'another model',
  data: 'other data (--data)',
  calib: 'other calibration samples (--calib)',
  train: 'other training data (--train)',
  board: 'another board',
  seed: 'another --seed',
  version: 'another version of tinyml',
  space: 'other choices (--only)',
};

export function studyMismatch(path: string, what: string): TinymlError {
  return new TinymlError({
    code: 'E_STUDY_MISMATCH',
    exit: 1,
    what: `${path}: is a study of ${subjects[what] ?? `another ${what}`}, whose figures cannot be compared`,
    hint: 'name another file with --study to start anew; this one is kept as it is',
  });
}

export function unknownKnob(name: string, knobs: readonly string[]): TinymlError {
  const match = nearest(name, knobs);
  return new TinymlError({
    code: 'E_KNOB',
    exit: 1,
    what: `--only: there is nothing to choose called ${JSON.stringify(name.slice(0, 80))}`,
    measure: `choices: ${knobs.join(', ')}`,
    ...(match === undefined ? {} : { hint: `did you mean ${match}?` }),
  });
}

export function unknownKnobValue(knob: string, value: string, values: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_KNOB',
    exit: 1,
    what: `--only: ${knob} cannot be ${JSON.stringify(value.slice(0, 80))}`,
    measure: `values: ${values.join(', ')}`,
  });
}

export function tooFewToSplit(path: string, count: number, least: number): TinymlError {
  return new TinymlError({
    code: 'E_DATA_COUNT',
    exit: 1,
    what: `${path}: has ${count} labelled samples, too few to train pruned models on one half and score on the other`,
    measure: `${least} are needed`,
    hint: 'give training data of their own with --train, or search without pruning: --only pruneTo=1',
  });
}

export function qualityUndefined(path: string): TinymlError {
  return new TinymlError({
    code: 'E_LABELS',
    exit: 1,
    what: `${path}: no quality can be computed from its labels; an area under the curve needs both classes`,
    hint: 'give samples of every class, some hundred at least',
  });
}

export function metricMismatch(limit: string, metric: string): TinymlError {
  return new TinymlError({
    code: 'E_BUDGET',
    exit: 1,
    what: `--budget: limits ${limit}, but this model is judged by ${metric} on this data`,
    hint: `write ${metric} instead; docs/search.md says which data leads to which`,
  });
}

export function notCounted(board: string): TinymlError {
  return new TinymlError({
    code: 'E_BUDGET',
    exit: 1,
    what: `--budget: limits instructions, which ${board} cannot count`,
    hint: 'limit latency instead, or take an emulated board',
  });
}

/** An error of a worker, as it was there. */
export function passedOn({ code, exit, message, measure, hint }: TrialFailure): TinymlError {
  return new TinymlError({
    code,
    exit: (exit === 2 || exit === 3 ? exit : 1) as FailureExit,
    what: message,
    measure,
    ...(hint === null ? {} : { hint }),
  });
}

export function workerCrashed(how: string, words: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_WORKER',
    exit: 2,
    what: `the worker process ended by itself (${how})`,
    measure: words,
    hint: 'if memory is short, take fewer workers with --jobs',
  });
}

export function trialLate(seconds: number): TinymlError {
  return new TinymlError({
    code: 'E_TRIAL_TIMEOUT',
    exit: 2,
    what: `the trial did not end within ${seconds} s`,
    hint: 'allow more with --trial-timeout',
  });
}

export function nothingMeasured(trials: number, last: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_NOTHING_MEASURED',
    exit: 3,
    what: `none of ${trials} trials could be measured on the board`,
    measure: last,
    hint: 'take a smaller model or a larger board: tinyml inspect MODEL lists those it fits',
  });
}
