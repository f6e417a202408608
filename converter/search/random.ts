/** A source of numbers in [0, 1). */
export type Random = () => number;

/** splitmix32: a counter, mixed; every seed gives a full period of 2^32 (Steele, Lea and Flood 2014, 32-bit constants). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** The numbers of one trial: they do not depend on how many others were drawn before. */
export function randomOfTrial(seed: number, trial: number): Random {
  const random = seededRandom(Math.imul(seed, 0x85ebca6b) ^ Math.imul(trial + 1, 0xc2b2ae35));
  random();
  return random;
}

/** A whole number from 0 to `count` - 1. */
export function indexBelow(random: Random, count: number): number {
  return Math.min(count - 1, Math.floor(random() * count));
}

/** An index drawn in proportion to `weights`, which are not negative and not all zero. */
export function drawIndex(random: Random, weights: readonly number[]): number {
  let left = random() * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [index, weight] of weights.entries()) {
    left -= weight;
    if (left < 0) return index;
  }
  return weights.findLastIndex((weight) => weight > 0);
}

/** The numbers 0 to `count` - 1 in random order (Fisher and Yates). */
export function shuffled(random: Random, count: number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const other = indexBelow(random, i + 1);
    [order[i], order[other]] = [order[other]!, order[i]!];
  }
  return order;
}
