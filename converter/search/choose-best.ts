import {
  type Goal,
  isQuality,
  type Measures,
  minimized,
  objectivesOf,
  violationOf,
  wantsMore,
} from './measures.ts';
import { paretoFront } from './pareto.ts';

/** Every measure in which two conversions are compared for the front. */
function allMeasures(goal: Goal) {
  return [goal.quality, 'latency', 'ram', 'flash'] as const;
}

/** Those that keep all limits, or where none does, those that come nearest to it. */
function eligible(trials: readonly Measures[], goal: Goal): number[] {
  const misses = trials.map((measures) => violationOf(measures, goal.limits));
  const least = Math.min(...misses);
  return [...trials.keys()].filter((i) => misses[i] === least);
}

/** Indices of the trials within the limits that no other one beats in every measure, cheapest in time first. */
export function frontOf(trials: readonly Measures[], goal: Goal): number[] {
  if (trials.length === 0) return [];
  const inside = eligible(trials, goal);
  const front = paretoFront(inside.map((i) => minimized(trials[i]!, allMeasures(goal))));
  return front.map((i) => inside[i]!).sort((a, b) => trials[a]!.latency - trials[b]!.latency || a - b);
}

/** Product of the costs that count, as a logarithm: halving one is worth doubling another. */
function costOf(measures: Measures, goal: Goal): number {
  const costs = objectivesOf(goal).filter((name) => !isQuality(name));
  const names = costs.length > 0 ? costs : (['latency', 'ram', 'flash'] as const);
  return minimized(measures, names).reduce((sum, value) => sum + Math.log(Math.max(1e-9, value)), 0);
}

/**
 * The trial to take: within the limits; the best quality if no limit speaks of it; then the least product of the
 * costs no limit speaks of; then the better quality; then the earlier. Undefined without trials.
 */
export function bestOf(trials: readonly Measures[], goal: Goal): number | undefined {
  const sign = wantsMore(goal.quality) ? -1 : 1;
  const quality = (i: number) => sign * trials[i]!.quality;
  const cost = (i: number) => costOf(trials[i]!, goal);
  const qualityFirst = !goal.limits.some(({ measure }) => isQuality(measure));
  const [first, second] = qualityFirst ? [quality, cost] : [cost, quality];
  return frontOf(trials, goal).sort((a, b) => first(a) - first(b) || second(a) - second(b) || a - b)[0];
}
