import type { ClockPlan, ClockRequest } from './clock-plan.ts';
import type { Register } from './step.ts';
import type { UartName } from './stm32-facts.ts';

export interface Enable {
  readonly register: Register;
  readonly bit: number;
}

/** A serial port of a line: where it is, its interrupt, what switches it on and which bus clocks it. */
export interface Uart {
  readonly base: number;
  readonly interrupt: number;
  readonly enable: Enable;
  /** The bus that clocks it, where the chip does not say otherwise. */
  readonly bus: 1 | 2;
  /** The bits that pick its clock, in lines where there is a choice: all 0 is that of its bus. */
  readonly select?: { readonly register: Register; readonly mask: number };
}

/** What the chips of a line have in common beside their clock. */
export interface LineFacts {
  readonly clockPlan: (request: ClockRequest) => ClockPlan;
  readonly gpio: {
    readonly generation: 1 | 2;
    readonly base: number;
    readonly enable: (port: number) => Enable;
  };
  readonly uartGeneration: 1 | 2;
  readonly uarts: Readonly<Partial<Record<UartName, Uart>>>;
  /** A 32-bit timer on the first bus, which widens DWT's counter; lines without one use SysTick. */
  readonly timer?: { readonly base: number; readonly enable: Enable };
}

/** Registers of a reset and clock controller at `rcc`. */
export const register =
  (rcc: number) =>
  (name: string, offset: number): Register => ({
    name: `RCC_${name}`,
    address: rcc + offset,
  });

export function port(
  base: number,
  interrupt: number,
  bus: 1 | 2,
  enable: Register,
  bit: number,
  select?: Uart['select'],
): Uart {
  return { base, interrupt, bus, enable: { register: enable, bit }, ...(select ? { select } : {}) };
}

/** The field of two bits at `shift` that picks a port's clock. */
export const choice = (register: Register, shift: number) => ({ register, mask: 3 << shift });
