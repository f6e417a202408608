import { rungsFor } from '../../converter/search/halving.ts';
import { type Goal, outcomeOf } from '../../converter/search/measures.ts';
import type { Observation } from '../../converter/search/sampler.ts';
import type { Assignment, Space } from '../../converter/search/space.ts';
import { type SamplerName, suggest } from '../../converter/search/suggest.ts';
import { passedOn } from './errors.ts';
import type { Executor } from './executor.ts';
import { optimizeOf } from './knobs.ts';
import type { Study } from './study-file.ts';
import type { KnownModel, Trial, TrialJob, TrialResult } from './trial.ts';

/**
 * A trial is proposed from those at least this many before it, so that what is proposed does not depend on how many run at a
 * time, nor on which of them is done first.
 */
const lag = 4;
/** As many failures of devices or tools in a row are no accident of one trial. */
const failuresInRow = 3;

export interface StudyPlan {
  readonly space: Space;
  readonly sampler: SamplerName;
  readonly goal: Goal;
  readonly seed: number;
  readonly trials: number;
  /** Labelled samples there are. */
  readonly samples: number;
}

function observe({ assignment, ...result }: Trial, goal: Goal): Observation {
  return { assignment, outcome: result.state === 'measured' ? outcomeOf(result.measures, goal) : undefined };
}

const knownOf = (trials: readonly Trial[]): KnownModel[] =>
  trials.flatMap((trial) => {
    if (trial.state === 'failed') return [];
    const { hash, optimize, rungs, measures } = trial;
    return [{ hash, optimize, rungs, measures }];
  });

/** Before the board, code for speed and code for size look alike, so each is compared with its own kind. */
function rungsOf(plan: StudyPlan, optimize: string, earlier: readonly Trial[]): TrialJob['rungs'] {
  const reached = earlier.flatMap((trial) =>
    trial.state !== 'failed' && trial.optimize === optimize ? trial.rungs : [],
  );
  return rungsFor(plan.samples).map((samples) => ({
    samples,
    peers: reached.filter((rung) => rung.samples === samples),
  }));
}

/** The trials of a study by number, and what is under way. */
class Ledger {
  readonly done = new Map<number, Trial>();
  readonly assigned = new Map<number, Assignment>();
  private readonly plan: StudyPlan;
  private readonly lag: number;

  constructor(plan: StudyPlan, earlier: readonly Trial[], width: number) {
    this.plan = plan;
    this.lag = Math.max(lag, width);
    for (const trial of earlier) this.done.set(trial.number, trial);
  }

  /** Trials that number `number` may know of; undefined while one of them is still under way. */
  earlierThan(number: number): Trial[] | undefined {
    const earlier: Trial[] = [];
    for (let n = 0; n <= number - this.lag; n++) {
      const trial = this.done.get(n);
      if (!trial) return undefined;
      earlier.push(trial);
    }
    return earlier;
  }

  /** Proposes trial `number` anew, also when it was done before: later ones rely on all before them. */
  propose(number: number, earlier: readonly Trial[]): TrialJob | undefined {
    const { sampler, space, goal, seed } = this.plan;
    const tried = Array.from({ length: number }, (_, n) => this.assigned.get(n)!);
    const history = earlier.map((trial) => observe(trial, goal));
    const held = this.done.get(number)?.assignment;
    const assignment = held ?? suggest({ sampler, space, history, tried, trial: number, seed });
    if (!assignment) return undefined;
    this.assigned.set(number, assignment);
    const rungs = rungsOf(this.plan, optimizeOf(assignment), earlier);
    return { number, assignment, rungs, known: knownOf([...this.done.values()]) };
  }
}

/** Ends a search that cannot succeed: with the reason of the very first trial, or of several failures in a row. */
class Patience {
  private inRow = 0;

  check(number: number, result: TrialResult): void {
    if (result.state !== 'failed') {
      this.inRow = 0;
      return;
    }
    const { failure } = result;
    if (failure.exit === 70) return;
    this.inRow += failure.exit === 2 ? 1 : 0;
    if (number === 0 || this.inRow >= failuresInRow) throw passedOn(failure);
  }
}

export interface StudyEvents {
  onTrial(trial: Trial, trials: readonly Trial[]): void;
  onState(running: number, done: number): void;
}

/**
 * Runs what is missing of a study up to the number of trials wanted. Resolves to all trials in order, fewer than wanted
 * where everything was tried. Rejects when `signal` aborts, and with the first trial's own error where that fails.
 */
export async function runStudy(
  plan: StudyPlan,
  study: Study,
  executor: Executor,
  events: StudyEvents,
  signal: AbortSignal,
): Promise<Trial[]> {
  const ledger = new Ledger(plan, study.trials, executor.width);
  const patience = new Patience();
  const running = new Map<number, Promise<void>>();
  const sorted = () => [...ledger.done.values()].sort((a, b) => a.number - b.number);

  async function perform(job: TrialJob): Promise<void> {
    const result = await executor.run(job);
    signal.throwIfAborted();
    running.delete(job.number);
    patience.check(job.number, result);
    const trial = { number: job.number, assignment: job.assignment, ...result } as Trial;
    study.append(trial);
    ledger.done.set(job.number, trial);
    events.onTrial(trial, sorted());
  }

  let next = 0;
  /** Starts what can be started; false when there is nothing left to start at all. */
  function startNext(): boolean {
    while (next < plan.trials && running.size < executor.width) {
      const earlier = ledger.earlierThan(next);
      if (!earlier) return true;
      const job = ledger.propose(next, earlier);
      if (!job) return false;
      if (!ledger.done.has(next)) {
        const trial = perform(job);
        // Awaited below as one of several; the first failure ends the study, and the others must not go unhandled.
        trial.catch(() => {});
        running.set(next, trial);
      }
      next++;
    }
    return next < plan.trials;
  }

  const aborted = new Promise<never>((_, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
  });
  aborted.catch(() => {});
  while (startNext() || running.size > 0) {
    events.onState(running.size, ledger.done.size);
    if (running.size > 0) await Promise.race([aborted, ...running.values()]);
    signal.throwIfAborted();
  }
  return sorted();
}
