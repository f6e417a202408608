import type { Outcome } from './pareto.ts';
import type { Random } from './random.ts';
import { type Assignment, randomAssignment, type Space } from './space.ts';

/** A trial that has ended; without an outcome where it failed or was given up early. */
export interface Observation {
  readonly assignment: Assignment;
  readonly outcome: Outcome | undefined;
}

/** Proposes what to try next from what is known: several assignments, the most promising first. */
export type Sampler = (space: Space, history: readonly Observation[], random: Random) => Assignment[];

/** Proposals made at a time by samplers that make each on its own. */
export const proposals = 16;

export const randomSampler: Sampler = (space, _, random) =>
  Array.from({ length: proposals }, () => randomAssignment(space, random));

const givenUp: Outcome = { objectives: [], violation: Infinity };

/** Outcomes for comparison: what was given up is worse than anything that was measured. */
export function outcomesOf(history: readonly Observation[]): Outcome[] {
  return history.map(({ outcome }) => outcome ?? givenUp);
}
