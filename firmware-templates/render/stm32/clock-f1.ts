import type { ClockPlan, ClockRequest } from './clock-plan.ts';
import { ahbField, busField, hseSteps, MHZ, pllStart, pllStop } from './clock-plan.ts';
import { field, registersAt, type Step, setBits, waitFor, waitForBits, write } from './step.ts';

/** RM0091 6.4, RM0008 7.3, RM0041 6.3, RM0316 9.4; the flash controller's ACR is at the same place in all. */
const rcc = registersAt('RCC', 0x40021000, { CR: 0x00, CFGR: 0x04, APB2ENR: 0x18, CFGR2: 0x2c });
const flash = registersAt('FLASH', 0x40022000, { ACR: 0x00 });
const syscfg = registersAt('SYSCFG', 0x40010000, { CFGR1: 0x00 });

const HSI_HZ = 8 * MHZ;
const SWITCH_PLL = 2;

/** A Cortex-M0 reads its vectors at 0, where a boot loader that jumped here leaves its own memory. */
const vectorsInFlash: readonly Step[] = [
  setBits(rcc.APB2ENR, 1 << 0, 'SYSCFG on'),
  field(syscfg.CFGR1, 3, 0, 'flash at address 0'),
];

/** The PLL's source, and its factor: of half the internal oscillator, or of the external one through a divider. */
function pll({ clock }: ClockRequest): { source: number; predivider: number; factor: number } {
  const limit = clock.coarseDivider ? 2 : 16;
  const inputs =
    clock.hseHz === 0
      ? [{ source: 0, predivider: 1, hz: HSI_HZ / 2 }]
      : Array.from({ length: limit }, (_, i) => ({
          source: 1,
          predivider: i + 1,
          hz: clock.hseHz / (i + 1),
        }));
  for (const { source, predivider, hz } of inputs) {
    const factor = clock.sysclkHz / hz;
    if (Number.isInteger(factor) && factor >= 2 && factor <= 16) return { source, predivider, factor };
  }
  throw new Error(`no PLL setting makes ${clock.sysclkHz} Hz of ${clock.hseHz} Hz`);
}

function pllConfiguration(request: ClockRequest): Step[] {
  const { clock, line } = request;
  const { source, predivider, factor } = pll(request);
  const halved = clock.coarseDivider && predivider === 2 ? 1 << 17 : 0;
  const prescalers =
    line === 'f0'
      ? busField(clock.apb1Divider) << 8
      : (busField(clock.apb1Divider) << 8) | (busField(clock.apb2Divider) << 11);
  const value = ((factor - 2) << 18) | halved | (source << 16) | prescalers | (ahbField(1) << 4);
  const divider = clock.coarseDivider ? [] : [field(rcc.CFGR2, 0xf, predivider - 1, 'input divider')];
  return [...divider, write(rcc.CFGR, value, 'PLL source and factor, bus dividers')];
}

/** STM32F0, F1 and F3: the PLL multiplies, and is set up in the same register as the buses. */
export function f1ClockPlan(request: ClockRequest): ClockPlan {
  const { clock, line } = request;
  return {
    internalHz: HSI_HZ,
    internal: [
      ...(line === 'f0' ? vectorsInFlash : []),
      setBits(rcc.CR, 1 << 0, 'internal oscillator on'),
      waitForBits(rcc.CR, 1 << 1, 'internal oscillator ready'),
      write(rcc.CFGR, 0, 'core on the internal oscillator'),
      waitFor(rcc.CFGR, 3 << 2, 0, 'switched'),
      ...pllStop(rcc.CR),
    ],
    full: [
      // A flash that keeps up with the core, as in the F100, has no such register.
      ...(clock.flashWaitStates > 0
        ? [
            field(flash.ACR, 0x17, 0x10 | clock.flashWaitStates, 'wait states and prefetch'),
            waitFor(flash.ACR, 7, clock.flashWaitStates, 'wait states taken'),
          ]
        : []),
      ...hseSteps(rcc.CR, clock),
      ...pllConfiguration(request),
      ...pllStart(rcc.CR),
      field(rcc.CFGR, 3, SWITCH_PLL, 'core on the PLL'),
      waitFor(rcc.CFGR, 3 << 2, SWITCH_PLL << 2, 'switched'),
    ],
  };
}
