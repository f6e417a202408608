import type { Define } from '../config-header.ts';
import type { LineFacts, Uart } from './line-facts.ts';
import { lines } from './lines.ts';
import { enableStep, ledSteps, serialPinSteps } from './pins.ts';
import { clearBits, merged, type Register, type Step, stepsText, write } from './step.ts';
import type { Stm32ClockFacts, Stm32Facts } from './stm32-facts.ts';

const hex = (value: number) => `0x${value.toString(16).toUpperCase().padStart(8, '0')}u`;
const number = (value: number) => `${value}u`;

const TIMERS_OF_EMULATOR = { fine: 0x40000000, coarse: 0x40000c00 } as const;
const LPUART_FACTOR = 256;
const DBGMCU_IDCODE = 0xe0042000;

/** Clock of the first or second peripheral bus. */
function busHz({ sysclkHz, ahbDivider, apb1Divider, apb2Divider }: Stm32ClockFacts, bus: 1 | 2): number {
  return sysclkHz / ahbDivider / (bus === 1 ? apb1Divider : apb2Divider);
}

/** The timers of APB1 run at twice the bus clock when that is divided (RM0090 7.2). */
function timerHz(clock: Stm32ClockFacts): number {
  return busHz(clock, 1) * (clock.apb1Divider > 1 ? 2 : 1);
}

function uartOf(board: Stm32Facts): Uart {
  const uart = lines[board.line].uarts[board.uart.name];
  if (!uart) throw new Error(`an STM32 ${board.line} has no ${board.uart.name}`);
  return uart;
}

/** Value of the baud rate register; an LPUART counts in 256ths of its clock's periods. */
function baudValue({ uart }: Stm32Facts, hz: number): number {
  const factor = uart.name === 'lpuart1' ? LPUART_FACTOR : 1;
  return Math.round((factor * hz) / uart.baud);
}

function uartDefines(board: Stm32Facts, internalHz: number): Define[] {
  const uart = uartOf(board);
  return [
    ['TML_UART_GENERATION', lines[board.line].uartGeneration],
    ['TML_UART_BASE', hex(uart.base)],
    ['TML_UART_INTERRUPT', uart.interrupt],
    ['TML_BAUD_INTERNAL', number(baudValue(board, internalHz))],
    ['TML_BAUD_FULL', number(baudValue(board, busHz(board.clock, board.uart.bus ?? uart.bus)))],
  ];
}

/** What a boot loader or a program before chose instead of the bus clock is undone. */
function uartSteps(board: Stm32Facts): Step[] {
  const { enable, select } = uartOf(board);
  const { name } = board.uart;
  const pick = select ? [clearBits(select.register, select.mask, `${name} runs from its bus`)] : [];
  return [...pick, enableStep(enable, name)];
}

/** A timer of 32 bits that counts by itself, its clock divided by `prescaler` + 1 (RM0090 18.4). */
function timerSteps(base: number, prescaler: number): Step[] {
  const register = (name: string, offset: number): Register => ({
    name: `TIM_${name}`,
    address: base + offset,
  });
  return [
    write(register('PSC', 0x28), prescaler, 'prescaler'),
    write(register('ARR', 0x2c), 0xffffffff, 'up to its last bit'),
    write(register('EGR', 0x14), 1, 'takes the prescaler over'),
    write(register('CR1', 0x00), 1, 'counts'),
  ];
}

interface Counter {
  readonly defines: readonly Define[];
  readonly steps: readonly Step[];
}

const sysTick: Define = ['TML_SYSTICK', 1];

function coarseTimer(timer: NonNullable<LineFacts['timer']>, clock: Stm32ClockFacts): Counter {
  return {
    defines: [
      ['TML_COARSE_TIMER', hex(timer.base)],
      ['TML_COARSE_SHIFT', number(16 + Math.log2(clock.sysclkHz / timerHz(clock)))],
    ],
    steps: [enableStep(timer.enable, 'timer'), ...timerSteps(timer.base, 0xffff)],
  };
}

/** DWT's cycle counter where the core has one, widened by a timer or by SysTick; SysTick alone in a Cortex-M0. */
function siliconCounter({ line, cpu, clock }: Stm32Facts): Counter {
  const cycle: Define = ['TML_TICK', 'TML_TICK_CYCLE'];
  if (cpu === 'cortex-m0' || cpu === 'cortex-m0plus')
    return { defines: [cycle, ['TML_COUNTER', 'TML_COUNTER_SYSTICK'], sysTick], steps: [] };
  const { timer } = lines[line];
  const wide = timer ? coarseTimer(timer, clock) : { defines: [sysTick], steps: [] };
  return { defines: [cycle, ['TML_COUNTER', 'TML_COUNTER_CYCLES'], ...wide.defines], steps: wide.steps };
}

/** An emulated chip has no DWT. Its timers, where it has any, count instructions. */
function emulatedCounter({ line, counter, tickHz }: Stm32Facts): Counter {
  const emulated: Define[] = [
    ['TML_EMULATED', 1],
    ['TML_TICK_HZ', number(tickHz ?? 0)],
  ];
  if (counter === 'ticks') {
    const defines: Define[] = [
      ['TML_TICK', 'TML_TICK_TIMER'],
      ['TML_COUNTER', 'TML_COUNTER_SYSTICK'],
    ];
    return { defines: [...emulated, ...defines, sysTick], steps: [] };
  }
  const { timer } = lines[line];
  const defines: Define[] = [
    ['TML_TICK', 'TML_TICK_INSTRUCTION'],
    ['TML_COUNTER', 'TML_COUNTER_TIMERS'],
    ['TML_FINE_TIMER', hex(TIMERS_OF_EMULATOR.fine)],
    ['TML_COARSE_TIMER', hex(TIMERS_OF_EMULATOR.coarse)],
    ['TML_COARSE_SHIFT', '16u'],
  ];
  const enable = timer
    ? [enableStep({ ...timer.enable, bit: 0 }, 'timer'), enableStep(timer.enable, 'timer')]
    : [];
  return {
    defines: [...emulated, ...defines],
    steps: [
      ...enable,
      ...timerSteps(TIMERS_OF_EMULATOR.coarse, 0xffff),
      ...timerSteps(TIMERS_OF_EMULATOR.fine, 0),
    ],
  };
}

function coreDefines({ line, cpu, counter }: Stm32Facts): Define[] {
  return [
    // The Cortex-M0 alone cannot move its vectors.
    ...(cpu === 'cortex-m0' ? [] : ([['TML_VECTOR_REGISTER', 1]] as const)),
    ...(cpu === 'cortex-m7' ? ([['TML_CACHES', 1]] as const) : []),
    ...(line === 'f4' && counter === 'cycles'
      ? ([['TML_REVISION_REGISTER', hex(DBGMCU_IDCODE)]] as const)
      : []),
  ];
}

/** For the ADC of the STM32F4: that it is there, and which pins are the host's. */
function adcDefines({ line, uart }: Stm32Facts): Define[] {
  if (line !== 'f4') return [];
  return [
    ['TML_ADC_F4', 1],
    ['TML_UART_TX_PORT', number(uart.tx.port)],
    ['TML_UART_TX_PIN', number(uart.tx.pin)],
    ['TML_UART_RX_PORT', number(uart.rx.port)],
    ['TML_UART_RX_PIN', number(uart.rx.pin)],
  ];
}

/** The lines of tml_config.h that port/stm32 and port/cortex-m read. */
export function stm32Defines(board: Stm32Facts): Define[] {
  const line = lines[board.line];
  const { internalHz, internal, full } = line.clockPlan(board);
  const { uart, led, clock } = board;
  const counter = board.counter === 'cycles' ? siliconCounter(board) : emulatedCounter(board);
  const peripherals = [
    ...serialPinSteps(line, board.line, { ...uart.tx, alternate: uart.txAlternate }, 'tx'),
    ...serialPinSteps(line, board.line, { ...uart.rx, alternate: uart.rxAlternate }, 'rx'),
    ...uartSteps(board),
    ...(led ? ledSteps(line, board.line, led) : []),
    ...counter.steps,
  ];
  return [
    ['TML_INTERNAL_HZ', number(internalHz)],
    ['TML_FULL_HZ', number(clock.sysclkHz)],
    ...uartDefines(board, internalHz),
    ...coreDefines(board),
    ...adcDefines(board),
    ...counter.defines,
    ['TML_INTERNAL_CLOCK_STEPS', stepsText(internal)],
    ['TML_FULL_CLOCK_STEPS', stepsText(full)],
    ['TML_PERIPHERAL_STEPS', stepsText(merged(peripherals))],
  ];
}
