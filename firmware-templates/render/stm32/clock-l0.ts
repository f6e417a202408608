import type { ClockPlan, ClockRequest } from './clock-plan.ts';
import { busField, hseSteps, MHZ, pllStart, pllStop } from './clock-plan.ts';
import { field, registersAt, setBits, waitFor, waitForBits, write } from './step.ts';
import type { Stm32ClockFacts } from './stm32-facts.ts';

/** RM0367 7.3, 6.4, 3.7. */
const rcc = registersAt('RCC', 0x40021000, { CR: 0x00, CFGR: 0x0c, APB1ENR: 0x38 });
const pwr = registersAt('PWR', 0x40007000, { CR: 0x00, CSR: 0x04 });
const flash = registersAt('FLASH', 0x40022000, { ACR: 0x00 });

const HSI_HZ = 16 * MHZ;
const SWITCH = { hsi: 1, pll: 3 };
/** Factors by the number that stands for them, and the fastest that the PLL may run at in voltage range 1. */
const FACTORS = [3, 4, 6, 8, 12, 16, 24, 32, 48];
const MAX_VCO = 96 * MHZ;

function pllFields(clock: Stm32ClockFacts): number {
  const source = clock.hseHz || HSI_HZ;
  for (const divider of [2, 3, 4]) {
    const vco = clock.sysclkHz * divider;
    const factor = FACTORS.indexOf(vco / source);
    if (factor >= 0 && vco <= MAX_VCO)
      return ((divider - 1) << 22) | (factor << 18) | (clock.hseHz > 0 ? 1 << 16 : 0);
  }
  throw new Error(`no PLL setting makes ${clock.sysclkHz} Hz of ${source} Hz`);
}

/** STM32L0. It starts on its multispeed oscillator, in voltage range 2, where the flash is slower. */
export function l0ClockPlan({ clock }: ClockRequest): ClockPlan {
  const buses = (busField(clock.apb1Divider) << 8) | (busField(clock.apb2Divider) << 11);
  return {
    internalHz: HSI_HZ,
    internal: [
      field(flash.ACR, 0x3, 0x3, 'a wait state, and prefetch'),
      waitFor(flash.ACR, 1, 1, 'wait state taken'),
      setBits(rcc.CR, 1 << 0, 'internal oscillator on'),
      waitForBits(rcc.CR, 1 << 2, 'internal oscillator ready'),
      write(rcc.CFGR, SWITCH.hsi, 'core on the internal oscillator'),
      waitFor(rcc.CFGR, 3 << 2, SWITCH.hsi << 2, 'switched'),
      ...pllStop(rcc.CR),
    ],
    full: [
      setBits(rcc.APB1ENR, 1 << 28, 'power controller on'),
      field(pwr.CR, 3 << 11, 1 << 11, 'voltage range 1'),
      waitFor(pwr.CSR, 1 << 4, 0, 'voltage reached'),
      waitFor(flash.ACR, 1, 1, 'wait state taken'),
      ...hseSteps(rcc.CR, clock),
      write(rcc.CFGR, SWITCH.hsi | buses | pllFields(clock), 'PLL source and factors, bus dividers'),
      ...pllStart(rcc.CR),
      field(rcc.CFGR, 3, SWITCH.pll, 'core on the PLL'),
      waitFor(rcc.CFGR, 3 << 2, SWITCH.pll << 2, 'switched'),
    ],
  };
}
