import { describe, expect, test } from 'vitest';
import { dominates } from '../../converter/search/pareto.ts';
import { defaultAssignment, everyAssignment, keyOf, type Space } from '../../converter/search/space.ts';
import {
  branin,
  choice,
  conditional,
  grid,
  hypervolume,
  leastOf,
  rosenbrock,
  search,
  zdt1,
} from './problems.ts';

const seeds = Array.from({ length: 12 }, (_, i) => i + 1);
const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

describe('tree-structured Parzen estimator', () => {
  test.each([branin, rosenbrock, conditional])('beats chance over many seeds: $name', (problem) => {
    const found = seeds.map((seed) => leastOf(search(problem, 'tpe', 60, seed, 4)));
    const byChance = seeds.map((seed) => leastOf(search(problem, 'random', 60, seed, 4)));
    const wins = seeds.filter((_, i) => found[i]! < byChance[i]!).length;
    expect(wins).toBeGreaterThanOrEqual(9);
    expect(median(found)).toBeLessThan(0.8 * median(byChance));
  });

  test('finds the optimum where knobs exist only under others', () => {
    const found = seeds.map((seed) => leastOf(search(conditional, 'tpe', 120, seed, 4)));
    expect(median(found)).toBe(0);
  });

  test('comes nearer to the front of two objectives than chance', () => {
    const area = (sampler: 'tpe' | 'random', seed: number) =>
      hypervolume(
        search(zdt1, sampler, 80, seed, 4).outcomes.map((one) => one.objectives),
        [1.1, 7],
      );
    const few = seeds.slice(0, 4);
    expect(median(few.map((seed) => area('tpe', seed)))).toBeGreaterThan(
      median(few.map((seed) => area('random', seed))),
    );
  });
});

describe('NSGA-II', () => {
  const front = zdt1.space[0]!.values.map((x) => [Number(x), 1 - Math.sqrt(Number(x))]);
  const full = hypervolume(front, [1.1, 7]);

  test('covers 98 % of what the front of ZDT1 covers, and chance less', () => {
    for (const seed of [1, 2, 3]) {
      const area = (sampler: 'nsga2' | 'random') =>
        hypervolume(
          search(zdt1, sampler, 150, seed, 4).outcomes.map((one) => one.objectives),
          [1.1, 7],
        );
      expect(area('nsga2') / full).toBeGreaterThan(0.98);
      expect(area('random') / full).toBeLessThan(0.95);
    }
  });

  test('beats chance where knobs depend on others', () => {
    const found = seeds.map((seed) => leastOf(search(conditional, 'nsga2', 80, seed, 4)));
    const byChance = seeds.map((seed) => leastOf(search(conditional, 'random', 80, seed, 4)));
    expect(median(found)).toBeLessThan(median(byChance));
  });
});

describe('every sampler', () => {
  const samplers = ['tpe', 'nsga2', 'random'] as const;

  test.each(samplers)('%s keeps within limits once it has seen some that do', (sampler) => {
    // Only a tenth of the space keeps the limit; the objective pulls away from it.
    const violation = (a: Readonly<Record<string, unknown>>) => Math.max(0, Number(a['x1']) - 0.1);
    const runs = seeds.slice(0, 4).map((seed) => search(zdt1, sampler, 60, seed, 1, violation));
    const kept = runs.map(({ outcomes }) => outcomes.slice(30).filter((one) => one.violation === 0).length);
    if (sampler === 'random') expect(median(kept)).toBeLessThan(10);
    else expect(median(kept)).toBeGreaterThan(15);
  });

  test.each(samplers)(
    '%s starts with the defaults, repeats nothing and ends when all was tried',
    (sampler) => {
      const space: Space = [
        { ...choice('kind', ['a', 'b']), fallback: 'b' },
        { ...grid('depth', 0, 1, 3), when: { knob: 'kind', is: ['b'] } },
        choice('other', ['p', 'q']),
      ];
      const problem = { name: 'small', space, objectives: () => [0] };
      const { assignments } = search(problem, sampler, 100, 1);
      expect(assignments[0]).toEqual(defaultAssignment(space));
      const keys = assignments.map((assignment) => keyOf(space, assignment));
      const all = [...everyAssignment(space)].map((assignment) => keyOf(space, assignment));
      expect(all.length).toBe(2 + 3 * 2);
      expect(keys.toSorted()).toEqual(all.toSorted());
    },
  );

  test.each(samplers)(
    '%s proposes the same for the same seed, and a knob only where it exists',
    (sampler) => {
      const first = search(conditional, sampler, 40, 7, 4);
      expect(search(conditional, sampler, 40, 7, 4).assignments).toEqual(first.assignments);
      expect(search(conditional, sampler, 40, 8, 4).assignments).not.toEqual(first.assignments);
      for (const a of first.assignments) {
        expect('depth' in a).toBe(a['kind'] === 'c' || a['kind'] === 'd');
        expect('width' in a).toBe(a['kind'] === 'c');
      }
    },
  );
});

test('the test problem has the front it is said to have', () => {
  const points = [...everyAssignment(zdt1.space.slice(0, 2))].map((a) => ({ ...a, x3: 0, x4: 0, x5: 0 }));
  const on = points.filter((a) => Number(a['x2' as keyof typeof a]) === 0).map((a) => zdt1.objectives(a));
  const off = points.filter((a) => Number(a['x2' as keyof typeof a]) > 0).map((a) => zdt1.objectives(a));
  for (const point of on) expect(off.some((other) => dominates(other, point))).toBe(false);
});
