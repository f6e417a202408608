import type { Memories, Pin } from '../common-facts.ts';

/** Product lines, by what their clock, power and flash controllers have in common. */
export type Stm32Line = 'f0' | 'f1' | 'f2' | 'f3' | 'f4' | 'f7' | 'g0' | 'g4' | 'h7' | 'l0' | 'l4' | 'u5';

export type Stm32Cpu =
  | 'cortex-m0'
  | 'cortex-m0plus'
  | 'cortex-m3'
  | 'cortex-m4f'
  | 'cortex-m7'
  | 'cortex-m33';

export type UartName = 'usart1' | 'usart2' | 'usart3' | 'uart4' | 'uart5' | 'usart6' | 'lpuart1';

export interface Stm32Facts extends Memories {
  readonly family: 'stm32';
  readonly line: Stm32Line;
  readonly cpu: Stm32Cpu;
  readonly clock: Stm32ClockFacts;
  readonly uart: {
    readonly name: UartName;
    readonly tx: Pin;
    readonly rx: Pin;
    /** Number of the alternate function; a GPIO of the F1 has none. */
    readonly txAlternate: number;
    readonly rxAlternate: number;
    /** The bus that clocks it, where the chip differs from its line in that. */
    readonly bus: 1 | 2 | undefined;
    readonly baud: number;
  };
  readonly led: (Pin & { readonly activeLow: boolean }) | undefined;
  /** `cycles` on silicon. An emulator's timer counts `instructions`, its SysTick `ticks` of a clock of its own. */
  readonly counter: 'cycles' | 'instructions' | 'ticks';
  /** Ticks a second of an emulated counter; the real one follows the core clock. */
  readonly tickHz: number | undefined;
}

export interface Stm32ClockFacts {
  /** Frequency at the oscillator pins, 0 when nothing is there. A multiple of 1 MHz. */
  readonly hseHz: number;
  /** A clock is fed in, rather than a crystal excited. */
  readonly hseBypass: boolean;
  /** The core's frequency, with this oscillator. */
  readonly sysclkHz: number;
  /** From core to AHB: 2 in an STM32H7, else 1. */
  readonly ahbDivider: number;
  /** From AHB to the two buses; lines with one bus have the same twice. */
  readonly apb1Divider: number;
  readonly apb2Divider: number;
  readonly flashWaitStates: number;
  /** F2, F4, F7: the PLL's output divider P: 2, 4, 6 or 8. */
  readonly pllDivider: number | undefined;
  /** F4, F7: value of PWR_CR's VOS field. */
  readonly voltageScale: number | undefined;
  /** F4, F7: over-drive. G4, L4+, U5: the regulator's boost. */
  readonly overDrive: boolean;
  /** F1: the crystal can be divided by 1 or 2 only, rather than by up to 16. */
  readonly coarseDivider: boolean;
}
