import { f1ClockPlan } from './clock-f1.ts';
import { f4ClockPlan } from './clock-f4.ts';
import { h7ClockPlan } from './clock-h7.ts';
import { l0ClockPlan } from './clock-l0.ts';
import { l4ClockPlan } from './clock-l4.ts';
import type { ClockPlan, ClockRequest } from './clock-plan.ts';
import { u5ClockPlan } from './clock-u5.ts';
import type { Register } from './step.ts';
import type { Stm32Line, UartName } from './stm32-facts.ts';

export interface Enable {
  readonly register: Register;
  readonly bit: number;
}

/** A serial port of a line: where it is, its interrupt, what switches it on and which bus clocks it. */
export interface Uart {
  readonly base: number;
  readonly interrupt: number;
  readonly enable: Enable;
  readonly bus: 1 | 2;
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

const TIM2 = 0x40000000;
const TIM5 = 0x40000c00;

const register =
  (rcc: number) =>
  (name: string, offset: number): Register => ({
    name: `RCC_${name}`,
    address: rcc + offset,
  });

function port(base: number, interrupt: number, bus: 1 | 2, enable: Register, bit: number): Uart {
  return { base, interrupt, bus, enable: { register: enable, bit } };
}

/** F0, F1, F3: RM0091 2.2 and table 37, RM0008 3.3 and table 63, RM0316 3.2 and table 82. */
function f1Line(
  gpio: LineFacts['gpio'],
  uartGeneration: 1 | 2,
  irq: readonly [number, number, number],
): LineFacts {
  const rcc = register(0x40021000);
  const [apb1, apb2] = [rcc('APB1ENR', 0x1c), rcc('APB2ENR', 0x18)];
  return {
    clockPlan: f1ClockPlan,
    gpio,
    uartGeneration,
    uarts: {
      usart1: port(0x40013800, irq[0], 2, apb2, 14),
      usart2: port(0x40004400, irq[1], 1, apb1, 17),
      usart3: port(0x40004800, irq[2], 1, apb1, 18),
    },
  };
}

const gpioF0: LineFacts['gpio'] = {
  generation: 2,
  base: 0x48000000,
  enable: (index) => ({ register: register(0x40021000)('AHBENR', 0x14), bit: 17 + index }),
};

const f0 = f1Line(gpioF0, 2, [27, 28, 29]);

const f1 = f1Line(
  {
    generation: 1,
    base: 0x40010800,
    enable: (index) => ({ register: register(0x40021000)('APB2ENR', 0x18), bit: 2 + index }),
  },
  1,
  [37, 38, 39],
);

const f3: LineFacts = {
  ...f1Line(gpioF0, 2, [37, 38, 39]),
  timer: { base: TIM2, enable: { register: register(0x40021000)('APB1ENR', 0x1c), bit: 0 } },
};

/** F2, F4, F7: RM0033 2.3, RM0090 2.3, 7.3.13 and 12.2, RM0385 2.2. */
function f4Line(uartGeneration: 1 | 2): LineFacts {
  const rcc = register(0x40023800);
  const [apb1, apb2] = [rcc('APB1ENR', 0x40), rcc('APB2ENR', 0x44)];
  return {
    clockPlan: f4ClockPlan,
    gpio: {
      generation: 2,
      base: 0x40020000,
      enable: (index) => ({ register: rcc('AHB1ENR', 0x30), bit: index }),
    },
    uartGeneration,
    uarts: {
      usart1: port(0x40011000, 37, 2, apb2, 4),
      usart2: port(0x40004400, 38, 1, apb1, 17),
      usart3: port(0x40004800, 39, 1, apb1, 18),
      uart4: port(0x40004c00, 52, 1, apb1, 19),
      uart5: port(0x40005000, 53, 1, apb1, 20),
      usart6: port(0x40011400, 71, 2, apb2, 5),
    },
    timer: { base: TIM5, enable: { register: apb1, bit: 3 } },
  };
}

/** L0: RM0367 2.2, 7.3 and table 54. */
function l0Line(): LineFacts {
  const rcc = register(0x40021000);
  return {
    clockPlan: l0ClockPlan,
    gpio: {
      generation: 2,
      base: 0x50000000,
      enable: (index) => ({ register: rcc('IOPENR', 0x2c), bit: index }),
    },
    uartGeneration: 2,
    uarts: {
      usart1: port(0x40013800, 27, 2, rcc('APB2ENR', 0x34), 14),
      usart2: port(0x40004400, 28, 1, rcc('APB1ENR', 0x38), 17),
    },
  };
}

/** L4, G4: RM0351 2.2, 6.4 and table 58; RM0440 2.2, 7.4 and table 97, which differ in LPUART1's interrupt. */
function l4Line(lpuartInterrupt: number): LineFacts {
  const rcc = register(0x40021000);
  const [apb1, apb2] = [rcc('APB1ENR1', 0x58), rcc('APB2ENR', 0x60)];
  return {
    clockPlan: l4ClockPlan,
    gpio: {
      generation: 2,
      base: 0x48000000,
      enable: (index) => ({ register: rcc('AHB2ENR', 0x4c), bit: index }),
    },
    uartGeneration: 2,
    uarts: {
      usart1: port(0x40013800, 37, 2, apb2, 14),
      usart2: port(0x40004400, 38, 1, apb1, 17),
      usart3: port(0x40004800, 39, 1, apb1, 18),
      lpuart1: port(0x40008000, lpuartInterrupt, 1, rcc('APB1ENR2', 0x5c), 0),
    },
    timer: { base: TIM2, enable: { register: apb1, bit: 0 } },
  };
}

/** G0: RM0444 2.2, 5.4 and table 61. */
function g0Line(): LineFacts {
  const rcc = register(0x40021000);
  return {
    clockPlan: l4ClockPlan,
    gpio: {
      generation: 2,
      base: 0x50000000,
      enable: (index) => ({ register: rcc('IOPENR', 0x34), bit: index }),
    },
    uartGeneration: 2,
    uarts: {
      usart1: port(0x40013800, 27, 2, rcc('APBENR2', 0x40), 14),
      usart2: port(0x40004400, 28, 1, rcc('APBENR1', 0x3c), 17),
    },
  };
}

/** H7: RM0433 2.3, 8.7 and table 142. */
function h7Line(): LineFacts {
  const rcc = register(0x58024400);
  const [apb1, apb2] = [rcc('APB1LENR', 0xe8), rcc('APB2ENR', 0xf0)];
  return {
    clockPlan: h7ClockPlan,
    gpio: {
      generation: 2,
      base: 0x58020000,
      enable: (index) => ({ register: rcc('AHB4ENR', 0xe0), bit: index }),
    },
    uartGeneration: 2,
    uarts: {
      usart1: port(0x40011000, 37, 2, apb2, 4),
      usart2: port(0x40004400, 38, 1, apb1, 17),
      usart3: port(0x40004800, 39, 1, apb1, 18),
      usart6: port(0x40011400, 71, 2, apb2, 5),
    },
    timer: { base: TIM2, enable: { register: apb1, bit: 0 } },
  };
}

/** U5: RM0456 2.3, 11.8 and table 181. */
function u5Line(): LineFacts {
  const rcc = register(0x46020c00);
  const apb1 = rcc('APB1ENR1', 0x9c);
  return {
    clockPlan: u5ClockPlan,
    gpio: {
      generation: 2,
      base: 0x42020000,
      enable: (index) => ({ register: rcc('AHB2ENR1', 0x8c), bit: index }),
    },
    uartGeneration: 2,
    uarts: {
      usart1: port(0x40013800, 61, 2, rcc('APB2ENR', 0xa4), 14),
      usart2: port(0x40004400, 62, 1, apb1, 17),
      usart3: port(0x40004800, 63, 1, apb1, 18),
    },
    timer: { base: TIM2, enable: { register: apb1, bit: 0 } },
  };
}

/** Every line that there is a port for. */
export const lines: Readonly<Record<Stm32Line, LineFacts>> = {
  f0,
  f1,
  f2: f4Line(1),
  f3,
  f4: f4Line(1),
  f7: f4Line(2),
  g0: g0Line(),
  g4: l4Line(91),
  h7: h7Line(),
  l0: l0Line(),
  l4: l4Line(70),
  u5: u5Line(),
};
