import type { ClockPlan, ClockRequest } from './clock-plan.ts';
import { busField, hseSteps, MHZ, pllStart, pllStop } from './clock-plan.ts';
import {
  field,
  registersAt,
  type Step,
  setBits,
  unlessRevisionA,
  waitFor,
  waitForBits,
  write,
} from './step.ts';
import type { Stm32ClockFacts } from './stm32-facts.ts';

/** RM0033 5.3, RM0090 7.3, RM0385 5.3. */
const rcc = registersAt('RCC', 0x40023800, { CR: 0x00, PLLCFGR: 0x04, CFGR: 0x08, APB1ENR: 0x40 });
const pwr = registersAt('PWR', 0x40007000, { CR: 0x00, CSR: 0x04 });
const flash = registersAt('FLASH', 0x40023c00, { ACR: 0x00 });

const HSI_HZ = 16 * MHZ;
const SWITCH_PLL = 2;
const PREFETCH = 1 << 8;
/** Of instructions and of data; in an F7 the first alone, and called the accelerator. */
const CACHES = { f7: 1 << 9, others: 3 << 9 };

/**
 * RCC_PLLCFGR for a board's oscillator (RM0090 7.3.2): an input of 2 MHz to the PLL when the frequencies
 * allow it, since that jitters least, else 1 MHz. Bits 31 to 28 hold the reset value, which is also a valid R.
 */
function pllConfiguration(clock: Stm32ClockFacts): number {
  const source = clock.hseHz || HSI_HZ;
  const divider = clock.pllDivider ?? 2;
  const vco = clock.sysclkHz * divider;
  const input = source % (2 * MHZ) === 0 && vco % (2 * MHZ) === 0 ? 2 * MHZ : MHZ;
  const m = source / input;
  const n = vco / input;
  const q = Math.min(15, Math.max(2, Math.ceil(vco / (48 * MHZ))));
  const fromCrystal = clock.hseHz > 0 ? 1 : 0;
  return ((2 << 28) | (q << 24) | (fromCrystal << 22) | ((divider / 2 - 1) << 16) | (n << 6) | m) >>> 0;
}

function voltageSteps(clock: Stm32ClockFacts): Step[] {
  if (clock.voltageScale === undefined) return [];
  return [
    setBits(rcc.APB1ENR, 1 << 28, 'power controller on'),
    field(pwr.CR, 3 << 14, clock.voltageScale << 14, 'voltage for this frequency'),
  ];
}

function flashSteps({ line, clock }: ClockRequest): Step[] {
  const caches = line === 'f7' ? CACHES.f7 : CACHES.others;
  const settings = field(flash.ACR, caches | 0xf, caches | clock.flashWaitStates, 'wait states and caches');
  const prefetch = setBits(flash.ACR, PREFETCH, 'prefetch');
  return [settings, line === 'f4' ? unlessRevisionA(prefetch) : prefetch];
}

function overDriveSteps(clock: Stm32ClockFacts): Step[] {
  if (!clock.overDrive) return [];
  return [
    setBits(pwr.CR, 1 << 16, 'over-drive on'),
    waitForBits(pwr.CSR, 1 << 16, 'over-drive ready'),
    setBits(pwr.CR, 1 << 17, 'over-drive takes over'),
    waitForBits(pwr.CSR, 1 << 17, 'over-drive has taken over'),
  ];
}

/** STM32F2, F4 and F7. */
export function f4ClockPlan(request: ClockRequest): ClockPlan {
  const { clock } = request;
  const prescalers = (busField(clock.apb1Divider) << 10) | (busField(clock.apb2Divider) << 13);
  return {
    internalHz: HSI_HZ,
    internal: [
      setBits(rcc.CR, 1 << 0, 'internal oscillator on'),
      waitForBits(rcc.CR, 1 << 1, 'internal oscillator ready'),
      write(rcc.CFGR, 0, 'core on the internal oscillator'),
      waitFor(rcc.CFGR, 3 << 2, 0, 'switched'),
      ...pllStop(rcc.CR),
    ],
    full: [
      ...voltageSteps(clock),
      ...flashSteps(request),
      ...hseSteps(rcc.CR, clock),
      write(rcc.PLLCFGR, pllConfiguration(clock), 'PLL source and factors'),
      ...pllStart(rcc.CR),
      ...overDriveSteps(clock),
      waitFor(flash.ACR, 0xf, clock.flashWaitStates, 'wait states taken'),
      write(rcc.CFGR, prescalers, 'bus dividers'),
      field(rcc.CFGR, 3, SWITCH_PLL, 'core on the PLL'),
      waitFor(rcc.CFGR, 3 << 2, SWITCH_PLL << 2, 'switched'),
    ],
  };
}
