import { f1ClockPlan } from './clock-f1.ts';
import { f4ClockPlan } from './clock-f4.ts';
import { h7ClockPlan } from './clock-h7.ts';
import { l0ClockPlan } from './clock-l0.ts';
import { l4ClockPlan } from './clock-l4.ts';
import { u5ClockPlan } from './clock-u5.ts';
import { choice, type LineFacts, port, register } from './line-facts.ts';
import type { Stm32Line } from './stm32-facts.ts';

const TIM2 = 0x40000000;
const TIM5 = 0x40000c00;

/** F0, F1, F3: RM0091 2.2 and table 37, RM0008 3.3 and table 63, RM0316 3.2 and table 82. */
function f1Line(
  gpio: LineFacts['gpio'],
  uartGeneration: 1 | 2,
  irq: readonly [number, number, number],
): LineFacts {
  const rcc = register(0x40021000);
  const pick = (shift: number) => (gpio.generation === 2 ? choice(rcc('CFGR3', 0x30), shift) : undefined);
  const [apb1, apb2] = [rcc('APB1ENR', 0x1c), rcc('APB2ENR', 0x18)];
  return {
    clockPlan: f1ClockPlan,
    gpio,
    uartGeneration,
    uarts: {
      usart1: port(0x40013800, irq[0], 2, apb2, 14, pick(0)),
      usart2: port(0x40004400, irq[1], 1, apb1, 17, pick(16)),
      usart3: port(0x40004800, irq[2], 1, apb1, 18, pick(18)),
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

/** F2, F4, F7: RM0033 2.3, RM0090 2.3, 7.3.13 and 12.2, RM0385 2.2 and 5.3.26. */
function f4Line(uartGeneration: 1 | 2): LineFacts {
  const rcc = register(0x40023800);
  const [apb1, apb2] = [rcc('APB1ENR', 0x40), rcc('APB2ENR', 0x44)];
  const pick = (shift: number) => (uartGeneration === 2 ? choice(rcc('DCKCFGR2', 0x90), shift) : undefined);
  return {
    clockPlan: f4ClockPlan,
    gpio: {
      generation: 2,
      base: 0x40020000,
      enable: (index) => ({ register: rcc('AHB1ENR', 0x30), bit: index }),
    },
    uartGeneration,
    uarts: {
      usart1: port(0x40011000, 37, 2, apb2, 4, pick(0)),
      usart2: port(0x40004400, 38, 1, apb1, 17, pick(2)),
      usart3: port(0x40004800, 39, 1, apb1, 18, pick(4)),
      uart4: port(0x40004c00, 52, 1, apb1, 19, pick(6)),
      uart5: port(0x40005000, 53, 1, apb1, 20, pick(8)),
      usart6: port(0x40011400, 71, 2, apb2, 5, pick(10)),
    },
    timer: { base: TIM5, enable: { register: apb1, bit: 3 } },
  };
}

/** L0: RM0367 2.2, 7.3 and table 54. */
function l0Line(): LineFacts {
  const rcc = register(0x40021000);
  const ccipr = rcc('CCIPR', 0x4c);
  return {
    clockPlan: l0ClockPlan,
    gpio: {
      generation: 2,
      base: 0x50000000,
      enable: (index) => ({ register: rcc('IOPENR', 0x2c), bit: index }),
    },
    uartGeneration: 2,
    uarts: {
      usart1: port(0x40013800, 27, 2, rcc('APB2ENR', 0x34), 14, choice(ccipr, 0)),
      usart2: port(0x40004400, 28, 1, rcc('APB1ENR', 0x38), 17, choice(ccipr, 2)),
    },
  };
}

/** L4, G4: RM0351 2.2, 6.4 and table 58; RM0440 2.2, 7.4 and table 97, which differ in LPUART1's interrupt. */
function l4Line(lpuartInterrupt: number): LineFacts {
  const rcc = register(0x40021000);
  const ccipr = rcc('CCIPR', 0x88);
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
      usart1: port(0x40013800, 37, 2, apb2, 14, choice(ccipr, 0)),
      usart2: port(0x40004400, 38, 1, apb1, 17, choice(ccipr, 2)),
      usart3: port(0x40004800, 39, 1, apb1, 18, choice(ccipr, 4)),
      lpuart1: port(0x40008000, lpuartInterrupt, 1, rcc('APB1ENR2', 0x5c), 0, choice(ccipr, 10)),
    },
    timer: { base: TIM2, enable: { register: apb1, bit: 0 } },
  };
}

/** G0: RM0444 2.2, 5.4 and table 61. */
function g0Line(): LineFacts {
  const rcc = register(0x40021000);
  const ccipr = rcc('CCIPR', 0x54);
  return {
    clockPlan: l4ClockPlan,
    gpio: {
      generation: 2,
      base: 0x50000000,
      enable: (index) => ({ register: rcc('IOPENR', 0x34), bit: index }),
    },
    uartGeneration: 2,
    uarts: {
      usart1: port(0x40013800, 27, 2, rcc('APBENR2', 0x40), 14, choice(ccipr, 0)),
      usart2: port(0x40004400, 28, 1, rcc('APBENR1', 0x3c), 17, choice(ccipr, 2)),
    },
  };
}

/** H7: RM0433 2.3, 8.7 and table 142. */
function h7Line(): LineFacts {
  const rcc = register(0x58024400);
  const d2ccip2r = rcc('D2CCIP2R', 0x54);
  const [far, near] = [7, 7 << 3].map((mask) => ({ register: d2ccip2r, mask }));
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
      usart1: port(0x40011000, 37, 2, apb2, 4, near),
      usart2: port(0x40004400, 38, 1, apb1, 17, far),
      usart3: port(0x40004800, 39, 1, apb1, 18, far),
      usart6: port(0x40011400, 71, 2, apb2, 5, near),
    },
    timer: { base: TIM2, enable: { register: apb1, bit: 0 } },
  };
}

/** U5: RM0456 2.3, 11.8 and table 181. */
function u5Line(): LineFacts {
  const rcc = register(0x46020c00);
  const ccipr = rcc('CCIPR1', 0xe0);
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
      usart1: port(0x40013800, 61, 2, rcc('APB2ENR', 0xa4), 14, choice(ccipr, 0)),
      usart2: port(0x40004400, 62, 1, apb1, 17, choice(ccipr, 2)),
      usart3: port(0x40004800, 63, 1, apb1, 18, choice(ccipr, 4)),
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
