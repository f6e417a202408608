import { bestFirst } from './pareto.ts';
import { indexBelow, type Random } from './random.ts';
import { outcomesOf, proposals, randomSampler, type Sampler } from './sampler.ts';
import { type Assignment, assign, type Knob, type KnobValue } from './space.ts';

/** Parents to choose from; also the number of trials drawn at random first. */
const populationSize = 16;

/** The better one of two drawn; `order` is from best to worst. */
function tournament<T>(order: readonly T[], random: Random): T {
  return order[Math.min(indexBelow(random, order.length), indexBelow(random, order.length))]!;
}

/** Another value: of ordered ones a near one as a rule, otherwise any. */
function mutated(knob: Knob, value: KnobValue, random: Random): KnobValue {
  const { values, ordered } = knob;
  if (!ordered) return values[indexBelow(random, values.length)]!;
  // A power law: steps of one are most frequent, and the far end can be reached.
  const reach = Math.max(1, Math.round((values.length - 1) * random() ** 4));
  const moved = values.indexOf(value) + (random() < 0.5 ? -reach : reach);
  return values[Math.max(0, Math.min(values.length - 1, moved))]!;
}

/**
 * NSGA-II (Deb et al. 2002) without generations: parents come from the best of all trials known, by limits kept,
 * non-dominated rank and crowding; the child takes each knob from either and changes one of them on average.
 */
export const nsga2Sampler: Sampler = (space, history, random) => {
  if (history.length < populationSize) return randomSampler(space, history, random);
  const order = bestFirst(outcomesOf(history)).slice(0, populationSize);
  const parent = (): Assignment => history[tournament(order, random)]!.assignment;
  const rate = 1 / space.length;
  const child = () => {
    const [mother, father] = [parent(), parent()];
    return assign(space, (knob) => {
      const [first, second] = random() < 0.5 ? [mother, father] : [father, mother];
      const inherited = first[knob.name] ?? second[knob.name] ?? knob.fallback;
      return random() < rate ? mutated(knob, inherited, random) : inherited;
    });
  };
  return Array.from({ length: proposals }, child);
};
