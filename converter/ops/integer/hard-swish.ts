import { quantizationNotSupported } from '../errors.ts';
import { clamp, quantizeMultiplier } from '../fixed-point.ts';
import { lookup } from './lookup.ts';
import { unaryRealCall } from './real-calls.ts';

const saturate16 = (x: number) => clamp(x, -32768, 32767);

/** round(a * b / 2^15) of 16-bit numbers, halves up. */
function doublingHighMultiply16(a: number, b: number): number {
  return saturate16((a * b + 0x4000) >> 15);
}

/** x / 2^exponent to the nearest integer, halves away from zero. */
function roundingShiftRight16(x: number, exponent: number): number {
  if (exponent > 30) return 0;
  const mask = (1 << exponent) - 1;
  const remainder = x & mask;
  return (x >> exponent) + (remainder > (mask >> 1) + (x < 0 ? 1 : 0) ? 1 : 0);
}

const saturatingShiftLeft16 = (x: number, amount: number) => saturate16(x * 2 ** amount);

interface Multiplier16 {
  readonly multiplier: number;
  readonly exponent: number;
}

/** A real multiplier in 15 bits and an exponent (DownScaleInt32ToInt16Multiplier of internal/common.h). */
function quantizeMultiplier16(real: number): Multiplier16 {
  const { multiplier, shift } = quantizeMultiplier(real);
  return { multiplier: multiplier >= 0x7fff7fff ? 32767 : (multiplier + 0x8000) >> 16, exponent: shift };
}

/** clamp(x, -3, 3) in units of 3/32768, as 16 bits. */
function clampToThree(x: number, { multiplier, exponent }: Multiplier16): number {
  const raised = exponent > 0 ? saturatingShiftLeft16(x, exponent - 1) : x;
  const scaled = doublingHighMultiply16(raised, multiplier);
  if (exponent > 0) return saturatingShiftLeft16(scaled, 1);
  return exponent < 0 ? roundingShiftRight16(scaled, -exponent) : scaled;
}

/**
 * x * relu6(x + 3) / 6 in 16-bit fixed point: the input is raised by 7 bits, brought once to the output's scale
 * and once to units of 3/32768, and the two are multiplied (activations.cc, HardSwishPrepare; reference/hard_swish.h).
 */
export const hardSwishLookup = lookup<Record<never, never>>(
  'hardSwish',
  (_, input, output) => {
    const raisedScale = Math.fround(input.scale / 128);
    const toOutput = quantizeMultiplier16(Math.fround(raisedScale / output.scale));
    const toThree = quantizeMultiplier16(Math.fround(raisedScale / Math.fround(3 / 32768)));
    if (toOutput.exponent > 0) {
      throw quantizationNotSupported('hardSwish', 'the output scale is too small for the input scale');
    }
    return (q) => {
      const raised = (q - input.zeroPoint) * 128;
      const value = doublingHighMultiply16(raised, toOutput.multiplier);
      const share = (clampToThree(raised, toThree) + 0x8000) >> 1;
      const product = saturate16(Math.trunc((share * value) / 0x8000));
      return roundingShiftRight16(product, -toOutput.exponent) + output.zeroPoint;
    };
  },
  (call) => unaryRealCall(call, 'hard_swish_f32'),
);
