import { describe, expect, it } from 'vitest';
import {
  type ChannelScale,
  exactForm,
  fitLinear,
  linearShift,
  type ResultRange,
  requantized,
  type SumRange,
} from '../../converter/codegen/choice/requantize.ts';
import { quantizeMultiplier } from '../../converter/ops/fixed-point.ts';
import { Random } from '../kernels/problems.ts';

const clampTo8 = (x: number) => Math.min(127, Math.max(-128, x));
const clampTo = ({ low, high }: ResultRange, x: number) => Math.min(high, Math.max(low, clampTo8(x)));

/** SMMLA and SMMULR, of which BigInt makes no mistakes. */
const highAccumulate = (a: number, b: number, c: number) => Number((BigInt(a) * BigInt(b)) >> 32n) + c;
const highRound = (a: number, b: number) => Number((BigInt(a) * BigInt(b) + 0x80000000n) >> 32n);

interface Case {
  readonly scale: ChannelScale;
  readonly result: ResultRange;
  readonly range: SumRange;
}

function anyCase(random: Random): Case {
  const reach = random.integer(500, 12_000);
  const real = (random.pick([0.3, 1, 3]) * 128) / reach;
  const activation = random.pick(['all', 'all', 'relu', 'some'] as const);
  const zero = activation === 'relu' ? -128 : random.pick([-128, 127, random.integer(-100, 100)]);
  return {
    scale: { ...quantizeMultiplier(real), halfUp: random.next() < 0.7 },
    result: { zero, low: activation === 'some' ? -90 : -128, high: activation === 'some' ? 101 : 127 },
    range: { low: -reach, high: reach + random.integer(0, 500) },
  };
}

/** Sums in the range for which `result` differs from the reference. */
function wrongSums({ scale, result, range }: Case, form: (sum: number) => number): number[] {
  const wrong: number[] = [];
  for (let sum = range.low; sum <= range.high; sum++) {
    if (form(sum) !== requantized(sum, scale, result)) wrong.push(sum);
  }
  return wrong;
}

describe('linear requantization', () => {
  it.each([1, 256])('equals the reference for every sum where it is found (gain %i)', (gain) => {
    const random = new Random(gain);
    let found = 0;
    for (let i = 0; i < 150; i++) {
      const problem = anyCase(random);
      const shift = linearShift([{ scale: problem.scale, gain }]);
      const form = shift === undefined ? undefined : fitLinear({ ...problem, gain, shift });
      if (!form || shift === undefined) continue;
      found++;
      const value = (sum: number) =>
        highAccumulate((sum + form.delta) * gain, form.multiplier, form.offset) >> shift;
      expect(wrongSums(problem, (sum) => clampTo(problem.result, value(sum)))).toEqual([]);
    }
    expect(found).toBeGreaterThan(90);
  });

  it('is found for the usual layer: rounding up, all of int8 or from the zero point up', () => {
    const random = new Random(7);
    for (let i = 0; i < 100; i++) {
      const { scale, range } = anyCase(random);
      const result = { zero: random.pick([-128, 5]), low: -128, high: 127 };
      const shift = linearShift([{ scale, gain: 256 }]);
      expect(
        fitLinear({ scale: { ...scale, halfUp: true }, result, range, gain: 256, shift: shift! }),
      ).toBeDefined();
    }
  });

  it('is refused where halves go away from zero on both sides of it', () => {
    const scale = { ...quantizeMultiplier(1 / 64), halfUp: false };
    const problem = { scale, result: { zero: 0, low: -128, high: 127 }, range: { low: -9000, high: 9000 } };
    const shift = linearShift([{ scale, gain: 256 }])!;
    expect(fitLinear({ ...problem, gain: 256, shift })).toBeUndefined();
  });
});

describe('exact requantization', () => {
  it('equals the reference for every sum', () => {
    const random = new Random(3);
    for (let i = 0; i < 150; i++) {
      const problem = anyCase(random);
      const { multiplier, offset, shift, mask } = exactForm(problem.scale, problem.result, problem.range)!;
      const value = (sum: number) => {
        const product = highRound(2 * sum, multiplier);
        return (product + ((product >> 31) & mask) + offset) >> shift;
      };
      expect(wrongSums(problem, (sum) => clampTo(problem.result, value(sum)))).toEqual([]);
    }
  });

  it('is refused where its arithmetic could leave 32 bits', () => {
    const result = { zero: 0, low: -128, high: 127 };
    const scale = { ...quantizeMultiplier(2 ** -20), halfUp: true };
    expect(exactForm(scale, result, { low: -(2 ** 30), high: 0 })).toBeUndefined();
    expect(exactForm({ ...scale, shift: 1 }, result, { low: -5, high: 5 })).toBeUndefined();
    expect(exactForm(scale, result, { low: -(2 ** 30) + 1, high: 0 })).toBeDefined();
  });
});
