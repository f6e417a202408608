import { field, type Register, type Step, setBits, waitForBits } from './step.ts';
import type { Stm32ClockFacts, Stm32Line } from './stm32-facts.ts';

/** How a chip's clock is started. */
export interface ClockPlan {
  /** What the core runs at after `internal`. */
  readonly internalHz: number;
  /** Leads to the internal oscillator, from whatever a boot loader or a step in vain left behind. */
  readonly internal: readonly Step[];
  /** From there to the full clock. */
  readonly full: readonly Step[];
}

export interface ClockRequest {
  readonly line: Stm32Line;
  readonly clock: Stm32ClockFacts;
}

export const MHZ = 1_000_000;

/** The bits of RCC_CR are where they are in all lines from bit 16 on. */
const CR = { hseOn: 1 << 16, hseReady: 1 << 17, hseBypass: 1 << 18, pllOn: 1 << 24, pllReady: 1 << 25 };

/** Starts the oscillator at the pins, if there is one. */
export function hseSteps(control: Register, clock: Stm32ClockFacts): Step[] {
  if (clock.hseHz === 0) return [];
  return [
    ...(clock.hseBypass ? [setBits(control, CR.hseBypass, 'a clock is fed in')] : []),
    setBits(control, CR.hseOn, 'external oscillator on'),
    waitForBits(control, CR.hseReady, 'external oscillator ready'),
  ];
}

export function pllStart(control: Register): Step[] {
  return [setBits(control, CR.pllOn, 'PLL on'), waitForBits(control, CR.pllReady, 'PLL locked')];
}

export function pllStop(control: Register): Step[] {
  return [
    field(control, CR.pllOn, 0, 'PLL off'),
    { kind: 'wait', register: control, mask: CR.pllReady, value: 0, note: 'PLL off' },
  ];
}

/** Field of a bus prescaler for a divider of 1, 2, 4, 8 or 16 (RM0090 7.3.3; the same in all lines). */
export const busField = (divider: number) => (divider === 1 ? 0 : 3 + Math.log2(divider));

/** Field of the AHB prescaler for a divider of 1, 2, 4, 8 or 16. */
export const ahbField = (divider: number) => (divider === 1 ? 0 : 7 + Math.log2(divider));

export interface PllRange {
  readonly source: number;
  readonly vco: number;
  /** Largest input divider. */
  readonly dividers: number;
  readonly multipliers: readonly [least: number, most: number];
  /** Frequencies that the PLL takes at its input. */
  readonly input: readonly [least: number, most: number];
}

/** Smallest input divider with which the PLL makes `vco`; throws where there is none, which no chip file gets past. */
export function pllFactors({ source, vco, dividers, multipliers, input }: PllRange): {
  divider: number;
  multiplier: number;
} {
  for (let divider = 1; divider <= dividers; divider++) {
    const multiplier = (vco * divider) / source;
    const fits = Number.isInteger(multiplier) && multiplier >= multipliers[0] && multiplier <= multipliers[1];
    if (fits && source / divider >= input[0] && source / divider <= input[1]) return { divider, multiplier };
  }
  throw new Error(`no PLL setting makes ${vco} Hz of ${source} Hz`);
}
