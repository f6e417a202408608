import type { Goal, Measures } from '../../converter/search/measures.ts';
import type { RungMeasure } from '../../converter/search/rung.ts';
import type { Assignment } from '../../converter/search/space.ts';
import type { InputShapes } from '../model/open-model.ts';

/** What all trials of a study share, as a worker has to know it. */
export interface Workload {
  readonly model: string;
  readonly inputShape: InputShapes;
  readonly calib: string;
  readonly data: string;
  /** Samples to train pruned models on; null: half of `data`, which is then not scored on. */
  readonly train: string | null;
  /** Whether any trial prunes. */
  readonly prunes: boolean;
  readonly board: string;
  readonly port: string | null;
  readonly goal: Goal;
  /** Name of the metric that the goal's quality is. */
  readonly metric: string;
  /** Decides the order in which samples are taken. */
  readonly seed: number;
}

/** What is known of a converted model from an earlier trial; another trial may come to the same bytes. */
export interface KnownModel {
  readonly hash: string;
  readonly optimize: string;
  readonly rungs: readonly RungMeasure[];
  readonly measures: Measures | null;
}

/** One trial, complete in itself: wherever it runs, it comes to the same result. */
export interface TrialJob {
  readonly number: number;
  readonly assignment: Assignment;
  /** Samples of each rung, and what earlier trials came to there. */
  readonly rungs: readonly { readonly samples: number; readonly peers: readonly RungMeasure[] }[];
  readonly known: readonly KnownModel[];
}

export interface TrialFailure {
  readonly code: string;
  readonly exit: number;
  readonly message: string;
  readonly measure: readonly string[];
  readonly hint: string | null;
}

/**
 * How a trial ended. `measured`: on the board; `stopped`: not worth the board beside earlier ones, or too big for it;
 * `failed`: it could not be converted, run or built, or took too long.
 */
export type TrialResult =
  | (KnownModel & { readonly state: 'measured'; readonly measures: Measures })
  | (KnownModel & { readonly state: 'stopped'; readonly reason: 'not promising' | 'too big' })
  | { readonly state: 'failed'; readonly failure: TrialFailure };

export type Trial = { readonly number: number; readonly assignment: Assignment } & TrialResult;
