import { type Metric, metricNamed, metricNames } from '../metrics/metric.ts';
import type { Outcome } from './pareto.ts';

/** What a trial was measured to need and to be worth. */
export interface Measures {
  /** The metric that the goal names. */
  readonly quality: number;
  /** Microseconds of one inference. */
  readonly latency: number;
  /** Null on a board that cannot count them. */
  readonly instructions: number | null;
  /** Bytes. */
  readonly ram: number;
  readonly flash: number;
}

/** The metric that a search goes by, as budgets name it; see `qualityOf`. */
export type QualityName = string;
export type CostName = 'latency' | 'instructions' | 'ram' | 'flash';
export type MeasureName = QualityName | CostName;

/** A bound on one measure: at least where more is better, at most for everything else. */
export interface Limit {
  readonly measure: MeasureName;
  readonly value: number;
}

const costNames: readonly CostName[] = ['latency', 'instructions', 'ram', 'flash'];

/** Budgets say accuracy for top-1, and auc whether a score or a reconstruction error is ranked. */
const budgetNames: ReadonlyMap<string, QualityName> = new Map([
  ['top-1', 'accuracy'],
  ['reconstruction-auc', 'auc'],
]);

export const qualityOf = ({ name }: Metric): QualityName => budgetNames.get(name) ?? name;

const qualityNames: readonly QualityName[] = [
  ...new Set(metricNames.map((name) => qualityOf(metricNamed(name)))),
];
export const measureNames: readonly MeasureName[] = [...qualityNames, ...costNames];

export const isQuality = (measure: MeasureName): boolean =>
  !(costNames as readonly string[]).includes(measure);

/** The metric that limits ask for, where their word for it has one meaning only. */
export function metricOf(limits: readonly Limit[]): string | undefined {
  const plain = [...budgetNames.values()];
  return limits.find(({ measure }) => isQuality(measure) && !plain.includes(measure))?.measure;
}

/** Whether more of it is better. */
export const wantsMore = (measure: MeasureName): boolean =>
  isQuality(measure) && metricNamed(measure).better === 'more';

export function measuredOf(measures: Measures, measure: MeasureName): number | null {
  return isQuality(measure) ? measures.quality : measures[measure as CostName];
}

/** By how much a limit is missed, relative to it; 0 where it is kept, or where the board cannot measure it. */
export function missOf(measures: Measures, { measure, value }: Limit): number {
  const measured = measuredOf(measures, measure);
  if (measured === null) return 0;
  const over = wantsMore(measure) ? value - measured : measured - value;
  return Math.max(0, over) / (Math.abs(value) || 1);
}

/** What a search is about: the limits to be kept, and what is to be made better within them. */
export interface Goal {
  readonly quality: QualityName;
  readonly limits: readonly Limit[];
}

/** Latency and instructions are two names of one measurement. */
const timeNames: readonly MeasureName[] = ['instructions', 'latency'];

/** What no limit speaks of is made as good as possible; where limits speak of everything, everything is. */
export function objectivesOf({ quality, limits }: Goal): MeasureName[] {
  const all: MeasureName[] = [quality, 'latency', 'ram', 'flash'];
  const limited = (name: MeasureName) =>
    limits.some(
      ({ measure }) => measure === name || (timeNames.includes(name) && timeNames.includes(measure)),
    );
  const free = all.filter((name) => !limited(name));
  return free.length > 0 ? free : all;
}

/** Measures as numbers to be minimized. */
export function minimized(measures: Measures, names: readonly MeasureName[]): number[] {
  return names.map((name) => (wantsMore(name) ? -1 : 1) * (measuredOf(measures, name) ?? 0));
}

export function violationOf(measures: Measures, limits: readonly Limit[]): number {
  return limits.reduce((sum, limit) => sum + missOf(measures, limit), 0);
}

export function outcomeOf(measures: Measures, goal: Goal): Outcome {
  return {
    objectives: minimized(measures, objectivesOf(goal)),
    violation: violationOf(measures, goal.limits),
  };
}
