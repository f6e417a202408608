import { nsga2Sampler } from './nsga2.ts';
import { randomOfTrial } from './random.ts';
import { type Observation, randomSampler, type Sampler } from './sampler.ts';
import { type Assignment, defaultAssignment, everyAssignment, keyOf, type Space } from './space.ts';
import { tpeSampler } from './tpe.ts';

export type SamplerName = 'tpe' | 'nsga2' | 'random';

const samplers: Readonly<Record<SamplerName, Sampler>> = {
  tpe: tpeSampler,
  nsga2: nsga2Sampler,
  random: randomSampler,
};

export const samplerNames = Object.keys(samplers) as readonly SamplerName[];

/** Assignments that are gone through in search of a new one. */
const scanLimit = 100_000;

export interface Question {
  readonly sampler: SamplerName;
  readonly space: Space;
  /** Trials that have ended. */
  readonly history: readonly Observation[];
  /** All trials before this one, ended or not: none is proposed again. */
  readonly tried: readonly Assignment[];
  readonly trial: number;
  readonly seed: number;
}

/**
 * What trial number `trial` shall try: the defaults first, then what the sampler proposes, but nothing twice. Undefined
 * when everything was tried. The same question always has the same answer.
 */
export function suggest({ sampler, space, history, tried, trial, seed }: Question): Assignment | undefined {
  if (trial === 0) return defaultAssignment(space);
  const known = new Set(tried.map((assignment) => keyOf(space, assignment)));
  const isNew = (assignment: Assignment) => !known.has(keyOf(space, assignment));
  const random = randomOfTrial(seed, trial);
  for (const propose of [samplers[sampler], randomSampler]) {
    const assignment = propose(space, history, random).find(isNew);
    if (assignment) return assignment;
  }
  return scan(space, isNew) ?? undefined;
}

function scan(space: Space, isNew: (assignment: Assignment) => boolean): Assignment | undefined {
  let seen = 0;
  for (const assignment of everyAssignment(space)) {
    if (isNew(assignment)) return assignment;
    if (++seen >= scanLimit) return undefined;
  }
  return undefined;
}
