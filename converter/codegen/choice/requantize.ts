import { clamp, multiplyByQuantizedMultiplier, multiplyHalfUp } from '../../ops/fixed-point.ts';

/** Sums that a channel can reach, both ends included. */
export interface SumRange {
  readonly low: number;
  readonly high: number;
}

/** How the sums of one channel become results. */
export interface ChannelScale {
  readonly multiplier: number;
  readonly shift: number;
  /** Rounding of halves in the second step: up, or away from zero. */
  readonly halfUp: boolean;
}

/** Output zero point and the range that a fused activation leaves. */
export interface ResultRange {
  readonly zero: number;
  readonly low: number;
  readonly high: number;
}

/** The reference: what the portable kernels compute for a sum. */
export function requantized(sum: number, scale: ChannelScale, { zero, low, high }: ResultRange): number {
  const multiply = scale.halfUp ? multiplyHalfUp : multiplyByQuantizedMultiplier;
  return clamp(multiply(sum, scale.multiplier, scale.shift) + zero, low, high);
}

const realOf = ({ multiplier, shift }: ChannelScale) => multiplier * 2 ** (shift - 31);

/** Smallest sum in (low, high] whose result is at least `value`; results do not decrease with the sum. */
function bisect(low: number, high: number, reaches: (sum: number) => boolean): number {
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (reaches(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** A result and the smallest reachable sum that gives it or more. */
interface Threshold {
  readonly value: number;
  readonly sum: number;
}

function thresholdsOf(scale: ChannelScale, result: ResultRange, range: SumRange): Threshold[] {
  const first = requantized(range.low, scale, result);
  const last = requantized(range.high, scale, result);
  const thresholds: Threshold[] = [];
  for (let value = first + 1; value <= last; value++) {
    const reaches = (sum: number) => requantized(sum, scale, result) >= value;
    const guess = Math.round((value - result.zero - 0.5) / realOf(scale));
    const near = { low: Math.max(range.low, guess - 4), high: Math.min(range.high, guess + 4) };
    const known = near.low < near.high && !reaches(near.low) && reaches(near.high) ? near : range;
    thresholds.push({ value, sum: bisect(known.low, known.high, reaches) });
  }
  return thresholds;
}

/** Constants of the linear form: result = saturate(((sum + delta) * gain * multiplier >> 32) + offset >> shift). */
export interface LinearForm {
  readonly multiplier: number;
  readonly offset: number;
  /** To be added to the start value of the sums. */
  readonly delta: number;
}

/** floor(a * b / 2^32), what SMMLA adds; exact for |a| <= 2^31 and 0 <= b < 2^31. */
function highProduct(a: number, b: number): number {
  return Math.floor((a * Math.floor(b / 0x10000) + Math.floor((a * (b % 0x10000)) / 0x10000)) / 0x10000);
}

const fitsInt32 = (x: number) => x >= -(2 ** 31) && x < 2 ** 31;

/** One channel's proof obligation: the linear form must give `requantized` on all of `range`. */
export interface LinearProblem {
  readonly scale: ChannelScale;
  readonly result: ResultRange;
  readonly range: SumRange;
  /** The sums are multiplied by this before the form is applied: 1, or 256 as they come out of dual weights. */
  readonly gain: number;
  readonly shift: number;
}

/** Thresholds, and the ends of the range where the result there is not the activation's limit. */
interface Obligations {
  readonly thresholds: readonly Threshold[];
  readonly atLeast: Threshold | undefined;
  readonly below: Threshold | undefined;
}

function obligationsOf({ scale, result, range }: LinearProblem): Obligations {
  const first = requantized(range.low, scale, result);
  const last = requantized(range.high, scale, result);
  return {
    thresholds: thresholdsOf(scale, result, range),
    atLeast: first > result.low ? { value: first, sum: range.low } : undefined,
    below: last < result.high ? { value: last + 1, sum: range.high } : undefined,
  };
}

/**
 * Results do not decrease with the sum in either form, so equality at both sides of every threshold and at the ends
 * of the range is equality everywhere.
 */
function holds(problem: LinearProblem, form: LinearForm, obligations: Obligations): boolean {
  const { gain, shift, range } = problem;
  const before = (sum: number) => highProduct((sum + form.delta) * gain, form.multiplier) + form.offset;
  const value = (sum: number) => Math.floor(before(sum) / 2 ** shift);
  const { thresholds, atLeast, below } = obligations;
  return (
    [range.low, range.high].every((sum) => fitsInt32((sum + form.delta) * gain) && fitsInt32(before(sum))) &&
    thresholds.every(({ value: reached, sum }) => value(sum) >= reached && value(sum - 1) < reached) &&
    (atLeast === undefined || value(atLeast.sum) >= atLeast.value) &&
    (below === undefined || value(below.sum) < below.value)
  );
}

/** The interval (low, high] of b for which slope * value + b lies between each threshold's sum and the one before. */
function intercepts(slope: number, { thresholds, atLeast, below }: Obligations): SumRange {
  let low = below ? below.sum - slope * below.value : Number.NEGATIVE_INFINITY;
  let high = atLeast ? atLeast.sum - slope * atLeast.value : Number.POSITIVE_INFINITY;
  for (const { value, sum } of thresholds) {
    low = Math.max(low, sum - 1 - slope * value);
    high = Math.min(high, sum - slope * value);
  }
  if (low === Number.NEGATIVE_INFINITY) low = high - 1;
  if (high === Number.POSITIVE_INFINITY) high = low + 1;
  return { low, high };
}

/** Multipliers tried around the real one, and offsets for each: enough that hardly a line that exists is missed. */
const multipliersTried = [0, 1, -1, 2, -2];
const offsetsTried = 30_000;

/**
 * Offset and delta that put the line's intercept into the interval. An offset is worth 2^32 / (gain * multiplier)
 * sums, an irrational-looking number, so that its multiples and whole deltas together come close to anything.
 */
function placeLine(
  problem: LinearProblem,
  multiplier: number,
  obligations: Obligations,
): LinearForm | undefined {
  const { gain, shift } = problem;
  const worth = 2 ** 32 / (gain * multiplier);
  const { low, high } = intercepts(worth * 2 ** shift, obligations);
  if (low >= high) return undefined;
  const start = Math.round(-(low + high) / 2 / worth);
  for (let i = 0; i < offsetsTried; i++) {
    const offset = start + (i % 2 === 0 ? i / 2 : -(i + 1) / 2);
    const delta = Math.ceil(-offset * worth - high);
    if (-offset * worth - delta <= low || !fitsInt32(offset)) continue;
    const form = { multiplier, offset, delta };
    if (holds(problem, form, obligations)) return form;
  }
  return undefined;
}

/** The linear form that equals the reference for every sum in the range, proved; undefined where none was found. */
export function fitLinear(problem: LinearProblem): LinearForm | undefined {
  const { scale, gain, shift } = problem;
  const ideal = Math.round((realOf(scale) * 2 ** (shift + 32)) / gain);
  const obligations = obligationsOf(problem);
  for (const step of multipliersTried) {
    const multiplier = ideal + step;
    if (multiplier < 1 || multiplier >= 2 ** 31) continue;
    const form = placeLine(problem, multiplier, obligations);
    if (form) return form;
  }
  return undefined;
}

/** Larger shifts leave no room for a result of 8 bits and its excess. */
const largestShift = 22;

/** The shift that gives the multipliers most bits; undefined where a scale of 1/4 or more leaves nothing to shift. */
export function linearShift(problems: readonly Pick<LinearProblem, 'scale' | 'gain'>[]): number | undefined {
  let shift = largestShift;
  for (const { scale, gain } of problems) {
    while (shift > 0 && (realOf(scale) * 2 ** (shift + 32)) / gain >= 2 ** 31 - 4) shift--;
  }
  return shift > 0 ? shift : undefined;
}

/** Constants of the exact form, in the order of the stream. */
export interface ExactForm {
  readonly multiplier: number;
  readonly offset: number;
  readonly shift: number;
  readonly mask: number;
}

/** The exact form of a channel; undefined where its arithmetic could leave 32 bits or needs a shift left. */
export function exactForm(
  scale: ChannelScale,
  { zero }: ResultRange,
  range: SumRange,
): ExactForm | undefined {
  const shift = -scale.shift;
  const most = Math.max(Math.abs(range.low), Math.abs(range.high));
  if (shift < 0 || shift > 31 || most >= 2 ** 30) return undefined;
  const offset = zero * 2 ** shift + (shift > 0 ? 2 ** (shift - 1) : 0);
  const product = Math.ceil((most * scale.multiplier) / 2 ** 31) + 1;
  if (Math.abs(offset) + product >= 2 ** 31) return undefined;
  return { multiplier: scale.multiplier, offset, shift, mask: scale.halfUp || shift === 0 ? 0 : -1 };
}
