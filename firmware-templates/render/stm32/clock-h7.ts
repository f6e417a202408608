import type { ClockPlan, ClockRequest } from './clock-plan.ts';
import { ahbField, busField, hseSteps, MHZ, pllFactors, pllStart, pllStop } from './clock-plan.ts';
import { field, registersAt, type Step, waitFor, waitForBits, write } from './step.ts';
import type { Stm32ClockFacts } from './stm32-facts.ts';

/** RM0433 8.7, 6.8, 4.9. */
const rcc = registersAt('RCC', 0x58024400, {
  CR: 0x00,
  CFGR: 0x10,
  D1CFGR: 0x18,
  D2CFGR: 0x1c,
  D3CFGR: 0x20,
  PLLCKSELR: 0x28,
  PLLCFGR: 0x2c,
  PLL1DIVR: 0x30,
});
const pwr = registersAt('PWR', 0x58024800, { CSR1: 0x04, CR3: 0x0c, D3CR: 0x18 });
const flash = registersAt('FLASH', 0x52002000, { ACR: 0x00 });

const HSI_HZ = 64 * MHZ;
const SWITCH_PLL = 3;
/** Signal delay for an AXI bus of up to 210 MHz in voltage scale 1 (RM0433 table 17). */
const WRITE_DELAY = 2;

function pllSteps(clock: Stm32ClockFacts): Step[] {
  const source = clock.hseHz || HSI_HZ;
  // Inputs of 2 to 4 MHz are range 1; R and Q hold what exists, P divides by 2.
  const { divider, multiplier } = pllFactors({
    source,
    vco: 2 * clock.sysclkHz,
    dividers: 63,
    multipliers: [4, 512],
    input: [2 * MHZ, 4 * MHZ - 1],
  });
  return [
    write(rcc.PLLCKSELR, (divider << 4) | (clock.hseHz > 0 ? 2 : 0), 'PLL source and input divider'),
    write(rcc.PLLCFGR, (1 << 16) | (1 << 2), 'input of 2 to 4 MHz, output P on'),
    write(rcc.PLL1DIVR, (1 << 24) | (1 << 16) | (1 << 9) | (multiplier - 1), 'PLL factors'),
  ];
}

/**
 * STM32H743 and H753: 400 MHz, which every revision reaches in voltage scale 1; later ones could do 480 MHz with a
 * higher voltage.
 */
export function h7ClockPlan({ clock }: ClockRequest): ClockPlan {
  const [apb1, apb2] = [busField(clock.apb1Divider), busField(clock.apb2Divider)];
  return {
    internalHz: HSI_HZ,
    internal: [
      field(rcc.CR, 0x19, 1, 'internal oscillator on, undivided'),
      waitForBits(rcc.CR, 1 << 2, 'internal oscillator ready'),
      write(rcc.CFGR, 0, 'core on the internal oscillator'),
      waitFor(rcc.CFGR, 7 << 3, 0, 'switched'),
      ...pllStop(rcc.CR),
      write(rcc.D1CFGR, 0, 'undivided'),
      write(rcc.D2CFGR, 0, 'undivided'),
      write(rcc.D3CFGR, 0, 'undivided'),
    ],
    full: [
      field(pwr.CR3, 7, 6, 'supplied by the internal regulator'),
      waitForBits(pwr.CSR1, 1 << 13, 'regulator ready'),
      field(pwr.D3CR, 3 << 14, 3 << 14, 'voltage scale 1'),
      waitForBits(pwr.D3CR, 1 << 13, 'voltage reached'),
      ...hseSteps(rcc.CR, clock),
      ...pllSteps(clock),
      ...pllStart(rcc.CR),
      write(rcc.D1CFGR, (apb1 << 4) | ahbField(clock.ahbDivider), 'AXI and APB3 dividers'),
      write(rcc.D2CFGR, (apb1 << 4) | (apb2 << 8), 'APB1 and APB2 dividers'),
      write(rcc.D3CFGR, apb1 << 4, 'APB4 divider'),
      write(flash.ACR, (WRITE_DELAY << 4) | clock.flashWaitStates, 'wait states'),
      waitFor(flash.ACR, 0xf, clock.flashWaitStates, 'wait states taken'),
      field(rcc.CFGR, 7, SWITCH_PLL, 'core on the PLL'),
      waitFor(rcc.CFGR, 7 << 3, SWITCH_PLL << 3, 'switched'),
    ],
  };
}
