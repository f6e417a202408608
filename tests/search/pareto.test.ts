import { describe, expect, test } from 'vitest';
import { isPromising, rungsFor } from '../../converter/search/halving.ts';
import {
  beats,
  bestFirst,
  crowdingDistances,
  type Outcome,
  paretoFront,
  ranksOf,
} from '../../converter/search/pareto.ts';
import { indexBelow, seededRandom } from '../../converter/search/random.ts';
import { rungOutcome } from '../../converter/search/rung.ts';

const outcome = (objectives: number[], violation = 0): Outcome => ({ objectives, violation });

function randomOutcomes(seed: number, count: number): Outcome[] {
  const random = seededRandom(seed);
  const axis = () => indexBelow(random, 6);
  return Array.from({ length: count }, () => outcome([axis(), axis(), axis()], random() < 0.3 ? axis() : 0));
}

/** Ranks by their definition: peel off what none of the rest beats. */
function peeled(outcomes: readonly Outcome[]): number[] {
  const ranks = outcomes.map(() => -1);
  for (let rank = 0; ranks.includes(-1); rank++) {
    const left = [...ranks.keys()].filter((i) => ranks[i] === -1);
    const front = left.filter((i) => !left.some((j) => beats(outcomes[j]!, outcomes[i]!)));
    for (const i of front) ranks[i] = rank;
  }
  return ranks;
}

describe('non-dominated sorting', () => {
  test('equals peeling off front after front', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const outcomes = randomOutcomes(seed, 25);
      expect(ranksOf(outcomes)).toEqual(peeled(outcomes));
    }
  });

  test('what keeps limits comes before what misses them, and what misses them by less before more', () => {
    const order = bestFirst([outcome([0], 2), outcome([9]), outcome([0], 1), outcome([8])]);
    expect(order).toEqual([3, 1, 2, 0]);
  });

  test('the front holds one of several equal points, and no dominated one', () => {
    const points = [
      [1, 5],
      [2, 2],
      [2, 2],
      [2, 3],
      [5, 1],
    ];
    expect(paretoFront(points)).toEqual([0, 1, 4]);
  });

  test('ends of a front are the loneliest, and crowded points the least wanted', () => {
    const line = [outcome([0, 10]), outcome([1, 9]), outcome([2, 8]), outcome([9, 1]), outcome([10, 0])];
    const distances = crowdingDistances(line, ranksOf(line));
    expect(distances[0]).toBe(Infinity);
    expect(distances[4]).toBe(Infinity);
    expect(distances[1]).toBeCloseTo(0.4);
    expect(distances[3]).toBeCloseTo(1.6);
  });
});

describe('successive halving', () => {
  test('rungs grow by a factor of three up to all samples, none of them tiny', () => {
    expect(rungsFor(1000)).toEqual([111, 333, 1000]);
    expect(rungsFor(200)).toEqual([66, 200]);
    expect(rungsFor(100)).toEqual([100]);
    expect(rungsFor(9000)).toEqual([1000, 3000, 9000]);
  });

  test('the best third goes on, and so does whatever nothing beats', () => {
    const peers = [1, 2, 3, 4, 5, 6, 7, 8].map((value) => outcome([value, value]));
    expect(isPromising(outcome([2.5, 2.5]), peers)).toBe(true);
    expect(isPromising(outcome([4.5, 4.5]), peers)).toBe(false);
    expect(isPromising(outcome([0.5, 99]), peers)).toBe(true);
    expect(isPromising(outcome([4.5, 4.5]), peers.slice(0, 5))).toBe(true);
  });

  test('what several came to already is not measured for the hundredth time', () => {
    const same = outcome([1, 1]);
    const field = [...Array.from({ length: 6 }, () => outcome([5, 5])), same, same];
    expect(isPromising(same, field)).toBe(true);
    expect(isPromising(same, [...field.slice(0, 4), same, same, same, same])).toBe(false);
  });

  test('a limit on accuracy counts as missed only beyond what chance explains on so few samples', () => {
    const measure = { samples: 100, quality: 0.93, macs: 1, weightsBytes: 100, arenaBytes: 100 };
    const goal = (value: number) =>
      ({ quality: 'accuracy', limits: [{ measure: 'accuracy', value }] }) as const;
    expect(rungOutcome(measure, goal(0.97)).violation).toBe(0);
    expect(rungOutcome({ ...measure, samples: 1000 }, goal(0.97)).violation).toBeGreaterThan(0);
    expect(rungOutcome({ ...measure, quality: 0.8 }, goal(0.97)).violation).toBeGreaterThan(0);
  });

  test('memory that the weights and the arena alone exceed counts as missed', () => {
    const measure = { samples: 100, quality: 0.93, macs: 1, weightsBytes: 900, arenaBytes: 300 };
    const limits = [
      { measure: 'flash', value: 800 },
      { measure: 'ram', value: 400 },
    ] as const;
    expect(rungOutcome(measure, { quality: 'accuracy', limits }).violation).toBeCloseTo(100 / 800);
  });
});
