import type { ClockPlan, ClockRequest } from './clock-plan.ts';
import { busField, hseSteps, MHZ, pllFactors, pllStart, pllStop } from './clock-plan.ts';
import {
  clearBits,
  field,
  pause,
  registersAt,
  type Step,
  setBits,
  waitFor,
  waitForBits,
  write,
} from './step.ts';
import type { Stm32ClockFacts } from './stm32-facts.ts';

/** RM0351 6.4 and 5.4, RM0432, RM0440 7.4 and 6.4, RM0444 5.4 and 4.4; the flash controller's ACR in all of them. */
const rcc = registersAt('RCC', 0x40021000, {
  CR: 0x00,
  CFGR: 0x08,
  PLLCFGR: 0x0c,
  APBENR1: 0x3c,
  APB1ENR1: 0x58,
});
const pwr = registersAt('PWR', 0x40007000, { CR1: 0x00, CR2: 0x04, SR2: 0x14, CR5: 0x80 });
const flash = registersAt('FLASH', 0x40022000, { ACR: 0x00 });

const HSI_HZ = 16 * MHZ;

type L4Line = 'l4' | 'g4' | 'g0';

interface Variant {
  readonly enable: keyof typeof rcc;
  /** Where the prescalers are in CFGR. */
  readonly ahb: number;
  readonly apb1: number;
  readonly apb2: number | undefined;
  readonly switch: {
    readonly mask: number;
    readonly hsi: number;
    readonly pll: number;
    readonly status: number;
  };
  readonly acr: { readonly latency: number; readonly caches: number };
  readonly pll: {
    readonly dividers: number;
    readonly multipliers: readonly [number, number];
    readonly output: number;
  };
}

const VARIANTS: Readonly<Record<L4Line, Variant>> = {
  l4: {
    enable: 'APB1ENR1',
    ahb: 4,
    apb1: 8,
    apb2: 11,
    switch: { mask: 3, hsi: 1, pll: 3, status: 2 },
    acr: { latency: 0xf, caches: 7 << 8 },
    // R is 2, and on.
    pll: { dividers: 8, multipliers: [8, 86], output: 1 << 24 },
  },
  g4: {
    enable: 'APB1ENR1',
    ahb: 4,
    apb1: 8,
    apb2: 11,
    switch: { mask: 3, hsi: 1, pll: 3, status: 2 },
    acr: { latency: 0xf, caches: 7 << 8 },
    pll: { dividers: 16, multipliers: [8, 127], output: 1 << 24 },
  },
  g0: {
    enable: 'APBENR1',
    ahb: 8,
    apb1: 12,
    apb2: undefined,
    switch: { mask: 7, hsi: 0, pll: 2, status: 3 },
    acr: { latency: 7, caches: 3 << 8 },
    // R is 2, and on; P and Q, which are off, hold values that exist.
    pll: { dividers: 8, multipliers: [8, 86], output: (1 << 29) | (1 << 28) | (1 << 25) | (1 << 17) },
  },
};

function pllConfiguration(clock: Stm32ClockFacts, { pll }: Variant): number {
  const source = clock.hseHz || HSI_HZ;
  const { divider, multiplier } = pllFactors({
    source,
    vco: 2 * clock.sysclkHz,
    dividers: pll.dividers,
    multipliers: pll.multipliers,
    input: [4 * MHZ, 16 * MHZ],
  });
  const from = clock.hseHz > 0 ? 3 : 2;
  return (pll.output | (multiplier << 8) | ((divider - 1) << 4) | from) >>> 0;
}

/** Beyond 80 MHz the regulator is boosted, and the core gets there in two strides (RM0440 6.1.5, RM0432 5.1.7). */
function switchSteps(clock: Stm32ClockFacts, variant: Variant): Step[] {
  const { mask, pll, status } = variant.switch;
  const half = clock.overDrive ? 8 << variant.ahb : 0;
  const buses =
    (busField(clock.apb1Divider) << variant.apb1) |
    (variant.apb2 === undefined ? 0 : busField(clock.apb2Divider) << variant.apb2);
  return [
    field(rcc.CFGR, ~mask, buses | half, half ? 'bus dividers, half speed' : 'bus dividers'),
    field(rcc.CFGR, mask, pll, 'core on the PLL'),
    waitFor(rcc.CFGR, mask << status, pll << status, 'switched'),
    ...(half
      ? [pause(100, 'a microsecond at least'), clearBits(rcc.CFGR, 0xf << variant.ahb, 'full speed')]
      : []),
  ];
}

function powerSteps(clock: Stm32ClockFacts): Step[] {
  return [
    field(pwr.CR1, 3 << 9, 1 << 9, 'voltage range 1'),
    waitFor(pwr.SR2, 1 << 10, 0, 'voltage reached'),
    ...(clock.overDrive ? [clearBits(pwr.CR5, 1 << 8, 'range 1 with boost')] : []),
  ];
}

/** STM32L4, L4+, G4 and G0. */
export function l4ClockPlan({ line, clock }: ClockRequest): ClockPlan {
  const variant = VARIANTS[line as L4Line];
  const { mask, hsi, status } = variant.switch;
  const { latency, caches } = variant.acr;
  return {
    internalHz: HSI_HZ,
    internal: [
      setBits(rcc[variant.enable], 1 << 28, 'power controller on'),
      setBits(rcc.CR, 1 << 8, 'internal oscillator on'),
      waitForBits(rcc.CR, 1 << 10, 'internal oscillator ready'),
      write(rcc.CFGR, hsi, 'core on the internal oscillator'),
      waitFor(rcc.CFGR, mask << status, hsi << status, 'switched'),
      ...pllStop(rcc.CR),
    ],
    full: [
      ...powerSteps(clock),
      field(flash.ACR, latency | caches, caches | clock.flashWaitStates, 'wait states, prefetch, caches'),
      waitFor(flash.ACR, latency, clock.flashWaitStates, 'wait states taken'),
      ...hseSteps(rcc.CR, clock),
      write(rcc.PLLCFGR, pllConfiguration(clock, variant), 'PLL source and factors'),
      ...pllStart(rcc.CR),
      ...switchSteps(clock, variant),
    ],
  };
}

/** The pins of port G have a supply of their own in an STM32L4, which has to be declared good (RM0351 5.4.2). */
export const l4PortGSupply: Step = setBits(pwr.CR2, 1 << 9, 'supply of port G is there');
