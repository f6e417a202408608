import { nearest } from '../../common/nearest.ts';
import {
  accuracy,
  balancedAccuracy,
  f1Of,
  overClasses,
  precisionOf,
  recallOf,
  topK,
} from './classification.ts';
import { metricDoesNotFit, unknownMetric } from './errors.ts';
import { labelsPerSample, type ScoredSet, type Task, type TaskLabels } from './labels.ts';
import { classArea, reconstructionArea } from './ranking.ts';
import { determination, meanAbsoluteError, meanSquaredError, rootMeanSquaredError } from './regression.ts';

/** One way to say in a number how good a model is. */
export interface Metric {
  /** As results name it; on the command line dashes may be left out. */
  readonly name: string;
  readonly tasks: readonly Task[];
  /** Which way is better. */
  readonly better: 'more' | 'less';
  /** Shown in percent. */
  readonly percent: boolean;
  /** Never above 1. */
  readonly atMostOne: boolean;
  value(set: ScoredSet): number;
}

/** What one number says how good a model is on labelled data, and how it was computed. */
export interface Score {
  readonly metric: string;
  readonly value: number;
  /** Samples that were scored. */
  readonly n: number;
}

/** A float model and its conversion, scored on the same samples. */
export interface Accuracy {
  readonly metric: string;
  readonly n: number;
  /** Null where the model came quantized, so that there is no float to compare with. */
  readonly float: number | null;
  readonly int8: number;
}

const classTasks: readonly Task[] = ['classification', 'binary'];

function more(name: string, tasks: readonly Task[], value: Metric['value'], percent = false): Metric {
  return { name, tasks, better: 'more', percent, atMostOne: true, value };
}

function less(name: string, value: Metric['value']): Metric {
  return { name, tasks: ['regression'], better: 'less', percent: false, atMostOne: false, value };
}

function topMetric(k: number): Metric {
  return more(`top-${k}`, ['classification'], (set) => topK(set, k), true);
}

/** The first of a task is its default. */
const metrics: readonly Metric[] = [
  topMetric(1),
  topMetric(5),
  more('auc', ['binary', 'classification'], classArea),
  more('accuracy', classTasks, accuracy, true),
  more('balanced-accuracy', classTasks, balancedAccuracy, true),
  more('precision', classTasks, (set) => overClasses(set, precisionOf)),
  more('recall', classTasks, (set) => overClasses(set, recallOf)),
  more('f1', classTasks, (set) => overClasses(set, f1Of)),
  more('reconstruction-auc', ['anomaly'], reconstructionArea),
  less('mse', meanSquaredError),
  less('mae', meanAbsoluteError),
  less('rmse', rootMeanSquaredError),
  more('r2', ['regression'], determination),
];

/** Names for help and messages. */
export const metricNames: readonly string[] = metrics.map(({ name }) => name);

const plain = (name: string) => name.toLowerCase().replaceAll(/[-_]/g, '');

/** The metric that a user names: `top1`, `top-3` and `topk` (the first five) too. Throws E_USAGE. */
export function metricNamed(name: string): Metric {
  const top = /^top[-_]?([1-9]\d{0,3}|k)$/i.exec(name)?.[1];
  if (top !== undefined) return topMetric(top.toLowerCase() === 'k' ? 5 : Number(top));
  const found = metrics.find((metric) => plain(metric.name) === plain(name));
  if (!found) throw unknownMetric(name, metricNames, nearest(name, metricNames));
  return found;
}

/** The metric for a task: the one asked for, or the task's own default. Throws E_METRIC where it does not fit. */
export function metricFor(task: Task, wanted: string | undefined): Metric {
  if (wanted === undefined) return metrics.find(({ tasks }) => tasks[0] === task)!;
  const metric = metricNamed(wanted);
  if (!metric.tasks.includes(task)) {
    const fitting = metrics.filter(({ tasks }) => tasks.includes(task)).map(({ name }) => name);
    throw metricDoesNotFit(metric.name, task, fitting);
  }
  return metric;
}

/** Scores results, real numbers one sample after another. */
export function scoreBy(
  metric: Metric,
  inputs: ArrayLike<number>,
  outputs: ArrayLike<number>,
  labels: TaskLabels,
): Score {
  const n = labels.data.length / labelsPerSample(labels);
  return {
    metric: metric.name,
    value: metric.value({ inputs, outputs, labels, size: outputs.length / n }),
    n,
  };
}

/**
 * Points that `value` is worse than `reference`: hundredths, percent of a share; of an error what it grew by, in
 * percent. Negative where it is better.
 */
export function pointsLost(metric: Metric, reference: number, value: number): number {
  if (metric.better === 'more') return 100 * (reference - value);
  return reference === 0 ? 100 * value : 100 * (value / reference - 1);
}

/** Points below which a conversion is not what a user expects of it, and for errors, which grow faster. */
const [notable, notableGrowth] = [2, 10];

/** Whether a conversion scores so far below its original that it is no chance of `n` samples (two standard errors). */
export function isFarBelow(metric: Metric, reference: number, value: number, n: number): boolean {
  const lost = pointsLost(metric, reference, value);
  if (metric.better === 'less') return lost > notableGrowth;
  const share = Math.min(1, Math.max(0, reference));
  const chance = metric.atMostOne ? 200 * Math.sqrt((share * (1 - share)) / n) : 0;
  return lost > Math.max(notable, chance);
}
