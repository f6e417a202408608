import { describe, expect, it } from 'vitest';
import {
  multiplyByQuantizedMultiplier,
  multiplyHalfUp,
  quantizeMultiplier,
  roundHalfAway,
} from '../../converter/ops/fixed-point.ts';
import { Random } from '../kernels/problems.ts';

/** The definition in whole numbers of any size. */
function exact(x: number, multiplier: number, shift: number, halves: 'up' | 'away'): number {
  const left = BigInt(Math.max(0, shift));
  const right = BigInt(Math.max(0, -shift));
  const product = BigInt.asIntN(32, BigInt(x) << left) * BigInt(multiplier);
  const high = (product + (1n << 30n)) >> 31n;
  if (right === 0n) return Number(high);
  const half = 1n << (right - 1n);
  if (halves === 'up') return Number((high + half) >> right);
  return Number(high < 0n ? -((-high + half) >> right) : (high + half) >> right);
}

describe('fixed-point multiplication', () => {
  const random = new Random(7);
  const word = () => Math.floor(random.next() * 2 ** 32) | 0;
  const cases = Array.from({ length: 100_000 }, (_, i) => ({
    x: i < 200 ? [-(2 ** 31), 2 ** 31 - 1, -1, 0, 1][i % 5]! : word() >> random.integer(0, 31),
    multiplier: i % 50 === 0 ? 2 ** 31 - 1 : 2 ** 30 + random.integer(0, 2 ** 30 - 1),
    shift: random.integer(-31, 8),
  }));

  it('equals its definition in exact arithmetic', () => {
    const wrong = cases.filter(
      ({ x, multiplier, shift }) =>
        multiplyByQuantizedMultiplier(x, multiplier, shift) !== exact(x, multiplier, shift, 'away') ||
        multiplyHalfUp(x, multiplier, shift) !== exact(x, multiplier, shift, 'up'),
    );
    expect(wrong.slice(0, 3)).toEqual([]);
  });

  it('rounds halves as each form says', () => {
    const half = { multiplier: 2 ** 30, shift: -1 };
    expect(multiplyByQuantizedMultiplier(-6, half.multiplier, half.shift)).toBe(-2);
    expect(multiplyHalfUp(-6, half.multiplier, half.shift)).toBe(-1);
    expect(multiplyByQuantizedMultiplier(6, half.multiplier, half.shift)).toBe(2);
    expect(multiplyHalfUp(6, half.multiplier, half.shift)).toBe(2);
  });
});

describe('quantizeMultiplier', () => {
  it.each([
    [1, 2 ** 30, 1],
    [0.5, 2 ** 30, 0],
    [0.75, 0.75 * 2 ** 31, 0],
    [1 - 2 ** -40, 2 ** 30, 1],
    [2 ** -32, 2 ** 30, -31],
    [2 ** -33, 0, 0],
    [0, 0, 0],
    [5e-324, 0, 0],
  ])('%d is %d with shift %d', (real, multiplier, shift) => {
    expect(quantizeMultiplier(real)).toEqual({ multiplier, shift });
  });

  it('keeps 31 bits of any factor', () => {
    const random = new Random(3);
    for (let i = 0; i < 1000; i++) {
      const real = 2 ** (random.next() * 60 - 30);
      const { multiplier, shift } = quantizeMultiplier(real);
      expect(Math.abs((multiplier * 2 ** (shift - 31)) / real - 1)).toBeLessThan(2 ** -30);
      expect(multiplier).toBeGreaterThanOrEqual(2 ** 30);
    }
  });
});

describe('roundHalfAway', () => {
  it.each([
    [0.5, 1],
    [-0.5, -1],
    [0.49999999999999994, 0],
    [-2.5, -3],
    [2.4, 2],
  ])('%d becomes %d', (x, rounded) => {
    expect(roundHalfAway(x)).toBe(rounded);
  });
});
