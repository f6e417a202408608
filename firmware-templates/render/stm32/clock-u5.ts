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

/** RM0456 11.8, 10.10, 7.9, 8.6. */
const rcc = registersAt('RCC', 0x46020c00, {
  CR: 0x00,
  CFGR1: 0x1c,
  CFGR2: 0x20,
  PLL1CFGR: 0x28,
  PLL1DIVR: 0x34,
  AHB3ENR: 0x94,
});
const pwr = registersAt('PWR', 0x46020800, { VOSR: 0x0c });
const flash = registersAt('FLASH', 0x40022000, { ACR: 0x00 });
const icache = registersAt('ICACHE', 0x40030400, { CR: 0x00 });

const HSI_HZ = 16 * MHZ;
const SWITCH = { hsi: 1, pll: 3 };
const PREFETCH = 1 << 8;

function pllSteps(clock: Stm32ClockFacts): Step[] {
  const source = clock.hseHz || HSI_HZ;
  // Inputs of 4 to 8 MHz are range 0. The booster wants 4 to 16 MHz, which the source itself has; R divides by 2.
  const { divider, multiplier } = pllFactors({
    source,
    vco: 2 * clock.sysclkHz,
    dividers: 16,
    multipliers: [4, 512],
    input: [4 * MHZ, 8 * MHZ - 1],
  });
  const from = clock.hseHz > 0 ? 3 : 2;
  return [
    write(rcc.PLL1CFGR, (1 << 18) | ((divider - 1) << 8) | from, 'PLL source, input divider, output R on'),
    write(rcc.PLL1DIVR, (1 << 24) | (1 << 16) | (1 << 9) | (multiplier - 1), 'PLL factors'),
  ];
}

/** STM32U575 and U585. They start on their multispeed oscillator, in voltage range 4, where the flash is slow. */
export function u5ClockPlan({ clock }: ClockRequest): ClockPlan {
  const buses = (busField(clock.apb1Divider) << 4) | (busField(clock.apb2Divider) << 8);
  const HALF = 8;
  return {
    internalHz: HSI_HZ,
    internal: [
      field(flash.ACR, 0xf | PREFETCH, clock.flashWaitStates | PREFETCH, 'wait states and prefetch'),
      waitFor(flash.ACR, 0xf, clock.flashWaitStates, 'wait states taken'),
      setBits(rcc.CR, 1 << 8, 'internal oscillator on'),
      waitForBits(rcc.CR, 1 << 10, 'internal oscillator ready'),
      field(rcc.CFGR1, 3, SWITCH.hsi, 'core on the internal oscillator'),
      waitFor(rcc.CFGR1, 3 << 2, SWITCH.hsi << 2, 'switched'),
      ...pllStop(rcc.CR),
      write(rcc.CFGR2, 0, 'undivided'),
      setBits(icache.CR, 1 << 0, 'instruction cache on'),
    ],
    full: [
      setBits(rcc.AHB3ENR, 1 << 2, 'power controller on'),
      field(pwr.VOSR, 3 << 16, 3 << 16, 'voltage range 1'),
      waitForBits(pwr.VOSR, 1 << 15, 'voltage reached'),
      waitFor(flash.ACR, 0xf, clock.flashWaitStates, 'wait states taken'),
      ...hseSteps(rcc.CR, clock),
      ...pllSteps(clock),
      setBits(pwr.VOSR, 1 << 18, 'booster on'),
      waitForBits(pwr.VOSR, 1 << 14, 'booster ready'),
      ...pllStart(rcc.CR),
      write(rcc.CFGR2, buses | HALF, 'bus dividers, half speed'),
      field(rcc.CFGR1, 3, SWITCH.pll, 'core on the PLL'),
      waitFor(rcc.CFGR1, 3 << 2, SWITCH.pll << 2, 'switched'),
      pause(100, 'a microsecond at least'),
      clearBits(rcc.CFGR2, 0xf, 'full speed'),
    ],
  };
}
