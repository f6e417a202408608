import type { Outcome } from '../../converter/search/pareto.ts';
import type { Observation } from '../../converter/search/sampler.ts';
import type { Assignment, Knob, Space } from '../../converter/search/space.ts';
import { type SamplerName, suggest } from '../../converter/search/suggest.ts';

export interface Problem {
  readonly name: string;
  readonly space: Space;
  readonly objectives: (assignment: Assignment) => readonly number[];
}

/** A knob with `count` evenly spaced numbers from `low` to `high`. */
export function grid(name: string, low: number, high: number, count: number): Knob {
  const values = Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1));
  return { name, values, ordered: true, fallback: values[0]! };
}

export function choice(name: string, values: readonly string[], when?: Knob['when']): Knob {
  return { name, values, ordered: false, fallback: values[0]!, ...(when ? { when } : {}) };
}

const at = (assignment: Assignment, name: string) => Number(assignment[name]);

/** Branin's function, three minima of 0.397887 (Dixon and Szegö 1978), on a grid of 41 x 41. */
export const branin: Problem = {
  name: 'Branin',
  space: [grid('x', -5, 10, 41), grid('y', 0, 15, 41)],
  objectives: (a) => {
    const [x, y] = [at(a, 'x'), at(a, 'y')];
    const bowl = y - (5.1 / (4 * Math.PI ** 2)) * x ** 2 + (5 / Math.PI) * x - 6;
    return [bowl ** 2 + 10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) + 10];
  },
};

/** Rosenbrock's valley in four dimensions, minimum 0 at (1, 1, 1, 1); the logarithm, as its values span decades. */
export const rosenbrock: Problem = {
  name: 'Rosenbrock, four dimensions',
  space: ['a', 'b', 'c', 'd'].map((name) => grid(name, -2, 2, 17)),
  objectives: (a) => {
    const x = ['a', 'b', 'c', 'd'].map((name) => at(a, name));
    const sum = x.slice(1).reduce((s, next, i) => s + 100 * (next - x[i]! ** 2) ** 2 + (1 - x[i]!) ** 2, 0);
    return [Math.log1p(sum)];
  },
};

/** Kinds without an order, one of which opens knobs of its own: minimum 0 with the third kind and both at their best. */
export const conditional: Problem = {
  name: 'knobs that depend on others',
  space: [
    choice('kind', ['a', 'b', 'c', 'd', 'e', 'f']),
    { ...grid('depth', 0, 10, 21), when: { knob: 'kind', is: ['c', 'd'] } },
    { ...grid('width', 0, 10, 21), when: { knob: 'kind', is: ['c'] } },
    choice('other', ['p', 'q', 'r', 's']),
  ],
  objectives: (a) => {
    const other = a['other'] === 'r' ? 0 : 3;
    if (a['kind'] === 'c') return [Math.abs(at(a, 'depth') - 7) + Math.abs(at(a, 'width') - 3) + other];
    if (a['kind'] === 'd') return [Math.abs(at(a, 'depth') - 2) + 4 + other];
    return [8 + other];
  },
};

/** ZDT1 (Zitzler, Deb and Thiele 2000) with five variables on a grid; its front is g = 1: f2 = 1 - sqrt(f1). */
export const zdt1: Problem = {
  name: 'ZDT1 on a grid',
  space: ['x1', 'x2', 'x3', 'x4', 'x5'].map((name) => grid(name, 0, 1, 21)),
  objectives: (a) => {
    const [first, ...rest] = ['x1', 'x2', 'x3', 'x4', 'x5'].map((name) => at(a, name));
    const g = 1 + (9 * rest.reduce((sum, x) => sum + x, 0)) / rest.length;
    return [first!, g * (1 - Math.sqrt(first! / g))];
  },
};

export interface Run {
  readonly assignments: readonly Assignment[];
  readonly outcomes: readonly Outcome[];
}

/** Runs a sampler for `trials` trials, each proposed when those up to `lag` before it have ended. */
export function search(
  problem: Problem,
  sampler: SamplerName,
  trials: number,
  seed: number,
  lag = 1,
  violation: (assignment: Assignment) => number = () => 0,
): Run {
  const history: Observation[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const assignment = suggest({
      sampler,
      space: problem.space,
      history: history.slice(0, Math.max(0, trial - lag + 1)),
      tried: history.map((one) => one.assignment),
      trial,
      seed,
    });
    if (!assignment) break;
    const outcome = { objectives: problem.objectives(assignment), violation: violation(assignment) };
    history.push({ assignment, outcome });
  }
  return {
    assignments: history.map((one) => one.assignment),
    outcomes: history.map((one) => one.outcome!),
  };
}

export function leastOf({ outcomes }: Run): number {
  return Math.min(...outcomes.map(({ objectives }) => objectives[0]!));
}

/** Area below the reference point that two objectives to be minimized cover. */
export function hypervolume(
  points: readonly (readonly number[])[],
  reference: readonly [number, number],
): number {
  const inside = points.filter(([a, b]) => a! < reference[0] && b! < reference[1]);
  const sorted = [...inside].sort((p, q) => p[0]! - q[0]!);
  let [area, height] = [0, reference[1]];
  for (const [a, b] of sorted) {
    if (b! >= height) continue;
    area += (reference[0] - a!) * (height - b!);
    height = b!;
  }
  return area;
}
