import type { Define } from './config-header.ts';
import type { ClockFacts, Pin, Stm32f4Facts, UartName } from './facts.ts';

/** Base address, interrupt, and where its clock is enabled (RM0090 2.3, 7.3.13 and 7.3.14, 12.2). */
const UARTS: Record<UartName, { base: number; interrupt: number; bus: 1 | 2; bit: number }> = {
  usart1: { base: 0x40011000, interrupt: 37, bus: 2, bit: 4 },
  usart2: { base: 0x40004400, interrupt: 38, bus: 1, bit: 17 },
  usart3: { base: 0x40004800, interrupt: 39, bus: 1, bit: 18 },
  usart6: { base: 0x40011400, interrupt: 71, bus: 2, bit: 5 },
};

const MHZ = 1_000_000;
const HSI_HZ = 16 * MHZ;

const hex = (value: number) => `0x${value.toString(16).toUpperCase().padStart(8, '0')}u`;
const number = (value: number) => `${value}u`;

/**
 * RCC_PLLCFGR for a board's oscillator (RM0090 7.3.2): an input of 2 MHz to the PLL when the frequencies
 * allow it, since that jitters least, else 1 MHz. Bits 31 to 28 hold the reset value, which is also a valid R.
 */
export function pllConfiguration(clock: ClockFacts): number {
  const source = clock.hseHz || HSI_HZ;
  const vco = clock.sysclkHz * clock.pllDivider;
  const input = source % (2 * MHZ) === 0 && vco % (2 * MHZ) === 0 ? 2 * MHZ : MHZ;
  const m = source / input;
  const n = vco / input;
  const q = Math.min(15, Math.max(2, Math.ceil(vco / (48 * MHZ))));
  const fromCrystal = clock.hseHz > 0 ? 1 : 0;
  return (
    ((2 << 28) | (q << 24) | (fromCrystal << 22) | ((clock.pllDivider / 2 - 1) << 16) | (n << 6) | m) >>> 0
  );
}

/** Field of RCC_CFGR for a bus divider of 1, 2, 4, 8 or 16 (RM0090 7.3.3). */
const prescalerField = (divider: number) => (divider === 1 ? 0 : 3 + Math.log2(divider));

function clockDefines(clock: ClockFacts): Define[] {
  const prescalers = (prescalerField(clock.apb1Divider) << 10) | (prescalerField(clock.apb2Divider) << 13);
  return [
    ['TML_HSE_HZ', number(clock.hseHz)],
    ['TML_HSE_BYPASS', clock.hseBypass ? 1 : 0],
    ['TML_SYSCLK_HZ', number(clock.sysclkHz)],
    ['TML_PLLCFGR', hex(pllConfiguration(clock))],
    ['TML_CFGR_PRESCALERS', hex(prescalers)],
    ['TML_VOLTAGE_SCALE', number(clock.voltageScale)],
    ['TML_OVER_DRIVE', clock.overDrive ? 1 : 0],
    ['TML_FLASH_WAIT_STATES', number(clock.flashWaitStates)],
    // The timers of APB1 run at twice the bus clock when that is divided (RM0090 7.2).
    ['TML_COARSE_SHIFT', number(16 + Math.log2(Math.max(1, clock.apb1Divider / 2)))],
  ];
}

function pinDefines(prefix: string, pin: Pin): Define[] {
  return [
    [`${prefix}_PORT`, number(pin.port)],
    [`${prefix}_PIN`, number(pin.pin)],
  ];
}

function uartDefines(board: Stm32f4Facts): Define[] {
  const uart = UARTS[board.uart.name];
  const divider = uart.bus === 1 ? board.clock.apb1Divider : board.clock.apb2Divider;
  return [
    ['TML_UART_BASE', hex(uart.base)],
    ['TML_UART_INTERRUPT', uart.interrupt],
    ['TML_UART_ENABLE_REGISTER', uart.bus === 1 ? '0x40u' : '0x44u'],
    ['TML_UART_ENABLE_BIT', number(uart.bit)],
    ['TML_UART_BUS_HZ', number(board.clock.sysclkHz / divider)],
    ['TML_UART_ALTERNATE', number(board.uart.alternate)],
    ...pinDefines('TML_UART_TX', board.uart.tx),
    ...pinDefines('TML_UART_RX', board.uart.rx),
    ['TML_BAUD', number(board.uart.baud)],
  ];
}

function ledDefines(led: Stm32f4Facts['led']): Define[] {
  if (!led) return [];
  // BSRR sets a pin with its lower half and resets it with its upper one.
  return [
    ...pinDefines('TML_LED', led),
    ['TML_LED_ON', hex((1 << (led.pin + (led.activeLow ? 16 : 0))) >>> 0)],
  ];
}

function counterDefines(board: Stm32f4Facts): Define[] {
  if (board.counter === 'cycles') return [['TML_TICK', 'TML_TICK_CYCLE']];
  return [
    ['TML_TICK', 'TML_TICK_INSTRUCTION'],
    ['TML_TICK_HZ', number(board.tickHz ?? 0)],
  ];
}

/** The lines of tml_config.h that port/stm32f4 reads. */
export function stm32f4Defines(board: Stm32f4Facts): Define[] {
  return [
    ...clockDefines(board.clock),
    ...uartDefines(board),
    ...ledDefines(board.led),
    ...counterDefines(board),
  ];
}
