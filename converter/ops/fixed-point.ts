/**
 * The fixed-point arithmetic of TensorFlow Lite's int8 kernels (tensorflow/lite/kernels/internal/common.h and
 * quantization_util.cc, after gemmlowp's fixedpoint.h), on numbers that are exact 32-bit integers. A real multiplier
 * is multiplier * 2^(shift - 31) with a multiplier of 31 bits.
 */
export interface QuantizedMultiplier {
  readonly multiplier: number;
  readonly shift: number;
}

/** Nearest integer, halves away from zero, as C's round(). Exact for |x| < 2^51. */
export function roundHalfAway(x: number): number {
  const magnitude = Math.floor(Math.abs(x));
  const rounded = Math.abs(x) - magnitude >= 0.5 ? magnitude + 1 : magnitude;
  return x < 0 ? -rounded : rounded;
}

export function clamp(x: number, low: number, high: number): number {
  return Math.min(Math.max(x, low), high);
}

/** x = mantissa * 2^exponent with 0.5 <= mantissa < 1, as C's frexp(); positive finite x only. */
function splitExponent(x: number): { mantissa: number; exponent: number } {
  let exponent = Math.max(-1074, Math.floor(Math.log2(x))) + 1;
  // Two steps, since 2^-exponent alone may leave the range of a double.
  const half = Math.trunc(exponent / 2);
  let mantissa = (x / 2 ** half) * 2 ** (half - exponent);
  if (mantissa >= 1) {
    mantissa /= 2;
    exponent++;
  } else if (mantissa < 0.5) {
    mantissa *= 2;
    exponent--;
  }
  return { mantissa, exponent };
}

/** A non-negative real multiplier in 31 bits and an exponent; below 2^-32 it becomes zero. */
export function quantizeMultiplier(real: number): QuantizedMultiplier {
  if (!(real > 0) || !Number.isFinite(real)) return { multiplier: 0, shift: 0 };
  const { mantissa, exponent } = splitExponent(real);
  const rounded = roundHalfAway(mantissa * 2 ** 31);
  const shift = rounded === 2 ** 31 ? exponent + 1 : exponent;
  if (shift < -31) return { multiplier: 0, shift: 0 };
  return { multiplier: rounded === 2 ** 31 ? 2 ** 30 : rounded, shift };
}

/**
 * round(a * b / 2^31) for 32-bit a and b >= 0, halves up. The product has up to 62 bits, so b is split into
 * halves: every intermediate stays below 2^53 and is exact.
 */
export function doublingHighMultiply(a: number, b: number): number {
  const high = b >>> 16;
  const low = b & 0xffff;
  return Math.floor((a * high + Math.floor((a * low + 0x40000000) / 0x10000)) / 0x8000);
}

/** x / 2^exponent to the nearest integer, halves away from zero; 0 <= exponent <= 31. */
function roundingShiftRight(x: number, exponent: number): number {
  if (exponent === 0) return x;
  const mask = exponent === 31 ? 0x7fffffff : (1 << exponent) - 1;
  const remainder = x & mask;
  const threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

/** x / 2^exponent to the nearest integer, halves up; 0 <= exponent <= 31. */
function shiftRightHalfUp(x: number, exponent: number): number {
  return exponent === 0 ? x : (x >> exponent) + ((x >> (exponent - 1)) & 1);
}

/**
 * As multiplyByQuantizedMultiplier, but the second rounding takes halves up: TensorFlow Lite's vector code (ruy's
 * matrix products and MultiplyByQuantizedMultiplier4Rows) and its scalar code differ in that.
 */
export function multiplyHalfUp(x: number, multiplier: number, shift: number): number {
  return shift > 0
    ? doublingHighMultiply(x << shift, multiplier)
    : shiftRightHalfUp(doublingHighMultiply(x, multiplier), -shift);
}

/** |x| up to here times 15 bits stays exact in a double. */
const exactWide = 2 ** 37;

/**
 * x * multiplier * 2^(shift - 31) for a 48-bit x, as the kernels for 16-bit activations have it: the multiplier is
 * cut to 15 bits and the product rounded once, halves up (internal/common.cc, the int64 form of
 * MultiplyByQuantizedMultiplier).
 */
export function multiplyWide(x: number, multiplier: number, shift: number): number {
  const reduced = reducedMultiplier(multiplier);
  const total = 15 - shift;
  if (Math.abs(x) < exactWide) return Math.floor((x * reduced + 2 ** (total - 1)) / 2 ** total);
  const product = BigInt(x) * BigInt(reduced) + (1n << BigInt(total - 1));
  return Number(product >> BigInt(total));
}

/**
 * As `multiplyWide` with all 31 bits of the multiplier: LiteRT's fully connected kernels for 16-bit activations. The
 * multiplier is split, so that every intermediate stays exact.
 */
export function multiplyWideExactly(x: number, multiplier: number, shift: number): number {
  const total = 31 - shift;
  if (Math.abs(x) >= exactWide || total > 52 || total < 16) {
    return Number((BigInt(x) * BigInt(multiplier) + (1n << BigInt(total - 1))) >> BigInt(total));
  }
  const low = Math.floor((x * (multiplier & 0xffff) + 2 ** (total - 1)) / 2 ** 16);
  return Math.floor((x * (multiplier >> 16) + low) / 2 ** (total - 16));
}

export function reducedMultiplier(multiplier: number): number {
  return multiplier < 0x7fff0000 ? (multiplier + 0x8000) >> 16 : 0x7fff;
}

/**
 * x * multiplier * 2^(shift - 31), rounded twice: after the high multiplication and after the shift right. A
 * left shift wraps like 32-bit integers.
 */
export function multiplyByQuantizedMultiplier(x: number, multiplier: number, shift: number): number {
  return shift > 0
    ? doublingHighMultiply(x << shift, multiplier)
    : roundingShiftRight(doublingHighMultiply(x, multiplier), -shift);
}
