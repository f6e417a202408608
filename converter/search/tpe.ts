import { bestFirst } from './pareto.ts';
import { drawIndex, indexBelow, type Random } from './random.ts';
import { type Observation, outcomesOf, randomSampler, type Sampler } from './sampler.ts';
import { type Assignment, assign, type Knob, type KnobValue, type Space } from './space.ts';

/** Trials drawn at random before densities say anything. */
const startupTrials = 8;
/** Draws from the density of the good trials, the best by the ratio of densities first. */
const candidateCount = 32;
/** Share of the trials that count as good. */
const goodShare = 0.2;

/**
 * A density over assignments: a mixture with one component for each observation, which is a product over knobs, and
 * one component that is uniform.
 */
interface Density {
  readonly centres: readonly Assignment[];
  /** How far from its centre a component reaches, as a share of a knob's values. */
  readonly width: number;
}

/** Narrower with more observations, as Scott's rule for one dimension. */
function densityOf(observations: readonly Observation[]): Density {
  const centres = observations.map(({ assignment }) => assignment);
  return { centres, width: Math.max(1, centres.length) ** -0.2 };
}

/** Probability of each value of a knob under a component; uniform where the centre has no such knob. */
function weightsAround(knob: Knob, centre: Assignment | undefined, width: number): number[] {
  const { values, ordered, name } = knob;
  const held = centre?.[name];
  const at = held === undefined ? -1 : values.indexOf(held);
  if (at < 0) return values.map(() => 1 / values.length);
  if (!ordered) {
    // Aitchison and Aitken's kernel: the centre's value, or with a small probability any.
    const spread = Math.min(0.5, 0.6 * width);
    return values.map((_, i) => (i === at ? 1 - spread : 0) + spread / values.length);
  }
  const sigma = Math.max(0.5, (width * values.length) / 6);
  const bells = values.map((_, i) => Math.exp(-0.5 * ((i - at) / sigma) ** 2) + 1e-3 / values.length);
  const total = bells.reduce((sum, bell) => sum + bell, 0);
  return bells.map((bell) => bell / total);
}

function draw(space: Space, density: Density, random: Random): Assignment {
  // The component after the last centre is the uniform one.
  const centre = density.centres[indexBelow(random, density.centres.length + 1)];
  return assign(space, (knob) => knob.values[drawIndex(random, weightsAround(knob, centre, density.width))]!);
}

/** The weights of every component for every knob, computed once for all candidates. */
function evaluator(space: Space, { centres, width }: Density): (assignment: Assignment) => number {
  const components = [...centres, undefined].map((centre) =>
    space.map((knob) => weightsAround(knob, centre, width)),
  );
  const indices = space.map((knob) => new Map(knob.values.map((value, i) => [value, i])));
  return (assignment) => {
    const held = space.map((knob, k) => indices[k]!.get(assignment[knob.name] as KnobValue) ?? -1);
    let sum = 0;
    for (const weights of components) {
      let product = 1;
      for (const [k, index] of held.entries()) if (index >= 0) product *= weights[k]![index]!;
      sum += product;
    }
    return sum / components.length;
  };
}

/** The good trials and the others: by limits kept, then by rank, then by loneliness on the front. */
function split(history: readonly Observation[]): [good: Observation[], others: Observation[]] {
  const order = bestFirst(outcomesOf(history)).map((i) => history[i]!);
  const good = Math.max(2, Math.ceil(goodShare * history.length));
  return [order.slice(0, good), order.slice(good)];
}

/**
 * Tree-structured Parzen estimator: models where good and other trials lie, and prefers of some draws from the former
 * those where the ratio of both densities is greatest (Bergstra et al. 2011). Components are products over all knobs, so that
 * knobs that matter together are drawn together (Falkner et al. 2018); several objectives are split by non-dominated
 * rank (Ozaki et al. 2020).
 */
export const tpeSampler: Sampler = (space, history, random) => {
  if (history.length < startupTrials) return randomSampler(space, history, random);
  const [good, others] = split(history).map(densityOf) as [Density, Density];
  const [inGood, inOthers] = [evaluator(space, good), evaluator(space, others)];
  const draws = Array.from({ length: candidateCount }, () => draw(space, good, random));
  const rated = draws.map((assignment) => ({ assignment, ratio: inGood(assignment) / inOthers(assignment) }));
  return rated.sort((a, b) => b.ratio - a.ratio).map(({ assignment }) => assignment);
};
