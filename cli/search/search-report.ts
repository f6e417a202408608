import type { Limit, MeasureName, Measures, QualityName } from '../../converter/search/measures.ts';
import type { Assignment } from '../../converter/search/space.ts';
import type { Trial } from './trial.ts';

/** One conversion on the Pareto front. */
export interface FrontEntry {
  readonly trial: number;
  readonly assignment: Assignment;
  readonly measures: Measures;
  /** Quality on data that the search did not see; null without `--test`. */
  readonly testQuality: number | null;
}

/** The result of `tinyml search`, as `--json` prints it. */
export interface SearchReport {
  readonly model: { readonly path: string; readonly sha256: string; readonly format: string };
  readonly board: string;
  readonly metric: QualityName;
  readonly budget: readonly Limit[];
  readonly objectives: readonly MeasureName[];
  readonly sampler: string;
  readonly seed: number;
  /** Whether any trial keeps the budget; where none does, `best` and `front` are those that come nearest. */
  readonly feasible: boolean;
  readonly best: FrontEntry;
  readonly front: readonly FrontEntry[];
  readonly counts: Readonly<Record<'measured' | 'stopped' | 'failed', number>>;
  readonly trials: readonly Trial[];
  readonly study: string;
  readonly plot: string;
  /** The folder with the best conversion; null where none was wanted or none keeps the budget. */
  readonly output: string | null;
}

export function measuredTrials(trials: readonly Trial[]) {
  return trials.flatMap((trial) => (trial.state === 'measured' ? [trial] : []));
}
