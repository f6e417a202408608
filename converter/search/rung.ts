import { metricNamed } from '../metrics/metric.ts';
import { type Goal, type Limit, type Measures, minimized, objectivesOf, violationOf } from './measures.ts';
import type { Outcome } from './pareto.ts';

/** What is known of a conversion before it was on a board. */
export interface RungMeasure {
  /** Samples that the quality was measured on. */
  readonly samples: number;
  readonly quality: number;
  readonly macs: number;
  /** Bytes: the least that flash and RAM can come to. */
  readonly weightsBytes: number;
  readonly arenaBytes: number;
}

/** Standard errors by which a share measured on few samples may be off and still be given the benefit of the doubt. */
const doubt = 2;

/** The best that the quality on all samples may well be (normal approximation of a share's standard error). */
function hopedFor({ quality, samples }: RungMeasure, goal: Goal): number {
  if (!metricNamed(goal.quality).atMostOne) return quality;
  return Math.min(1, quality + doubt * Math.sqrt(Math.max(0, quality * (1 - quality)) / samples));
}

/** Operations stand for time, weights for flash and the arena for RAM. */
function estimates(measure: RungMeasure, quality: number): Measures {
  const { macs, weightsBytes, arenaBytes } = measure;
  return { quality, latency: macs, instructions: null, ram: arenaBytes, flash: weightsBytes };
}

const isTime = ({ measure }: Limit) => measure === 'latency' || measure === 'instructions';

/** An outcome for comparison with others on the same rung; only limits that are surely missed count as missed. */
export function rungOutcome(measure: RungMeasure, goal: Goal): Outcome {
  const limits = goal.limits.filter((limit) => !isTime(limit));
  return {
    objectives: minimized(estimates(measure, measure.quality), objectivesOf(goal)),
    violation: violationOf(estimates(measure, hopedFor(measure, goal)), limits),
  };
}
