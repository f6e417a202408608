import type { Define } from './config-header.ts';
import type { EspFacts } from './facts.ts';

const hex = (value: number) => `0x${(value >>> 0).toString(16).toUpperCase().padStart(8, '0')}u`;

/** Registers of a chip that the port reads by name (reference manuals: UART, USB serial/JTAG, GPIO and IO MUX). */
interface ChipRegisters {
  readonly uart: Define[];
  readonly usb?: number;
  /** Ticks of the core in one of the slow timer, at the planned clock. */
  readonly ticksEachCoarse: number;
  readonly gpio: {
    readonly base: number;
    readonly outputSelect: number;
    readonly enable: number;
    readonly plain: number;
  };
  readonly ioMux: (pin: number) => number;
  /** Value of an IO MUX register for a pin that the GPIO matrix drives. */
  readonly ioMuxGpio: number;
}

/** Offsets of the ESP32's IO MUX registers by pin, which are in no order (ESP32 manual, table of IO MUX registers). */
const ESP32_IO_MUX: Readonly<Record<number, number>> = {
  0: 0x44,
  2: 0x40,
  4: 0x48,
  5: 0x6c,
  12: 0x34,
  13: 0x38,
  14: 0x30,
  15: 0x3c,
  16: 0x4c,
  17: 0x50,
  18: 0x70,
  19: 0x74,
  21: 0x7c,
  22: 0x80,
  23: 0x8c,
  25: 0x24,
  26: 0x28,
  27: 0x2c,
  32: 0x1c,
  33: 0x20,
};

const registers: Readonly<Partial<Record<EspFacts['family'], ChipRegisters>>> = {
  esp32: {
    uart: [
      ['TML_UART_BASE', '0x3FF40000u'],
      ['TML_UART_COUNT_MASK', '0xFFu'],
      ['TML_UART_CLOCK_HZ', '80000000u'],
    ],
    ticksEachCoarse: 6,
    gpio: { base: 0x3ff44000, outputSelect: 0x530, enable: 0x24, plain: 256 },
    ioMux: (pin) => 0x3ff49000 + (ESP32_IO_MUX[pin] ?? 0),
    ioMuxGpio: (2 << 12) | (2 << 10),
  },
  esp32c3: {
    uart: [
      ['TML_UART_BASE', '0x60000000u'],
      ['TML_UART_COUNT_MASK', '0x3FFu'],
      ['TML_UART_CLOCK_HZ', '40000000u'],
      // The crystal, undivided, for transmitter and receiver.
      ['TML_UART_CLOCK_CONF', hex((3 << 20) | (1 << 22) | (1 << 24) | (1 << 25))],
    ],
    usb: 0x60043000,
    ticksEachCoarse: 10,
    gpio: { base: 0x60004000, outputSelect: 0x554, enable: 0x24, plain: 128 },
    ioMux: (pin) => 0x60009004 + 4 * pin,
    ioMuxGpio: (1 << 12) | (2 << 10),
  },
};

/** Registers that set, clear and enable outputs 0 to 31 follow each other; those for later pins lie 12 bytes behind. */
function ledDefines({ led }: EspFacts, { gpio, ioMux, ioMuxGpio }: ChipRegisters): Define[] {
  if (!led) return [];
  const bank = led.pin < 32 ? 0 : 0x0c;
  const on = led.activeLow ? 0x0c : 0x08;
  return [
    ['TML_LED_PIN', `${led.pin}u`],
    ['TML_LED_BIT', hex(1 << (led.pin % 32))],
    ['TML_IO_MUX(pin)', hex(ioMux(led.pin))],
    ['TML_IO_MUX_GPIO', hex(ioMuxGpio)],
    ['TML_GPIO_OUTPUT(pin)', `(${hex(gpio.base + gpio.outputSelect)} + 4u * (pin))`],
    // Driven by the output register alone, by no peripheral.
    ['TML_GPIO_PLAIN', `${gpio.plain}u`],
    ['TML_LED_ON_REGISTER', hex(gpio.base + on + bank)],
    ['TML_LED_ENABLE_REGISTER', hex(gpio.base + gpio.enable + bank)],
  ];
}

/** The lines of tml_config.h that port/esp and the chip's own port read. */
export function espDefines(board: EspFacts): Define[] {
  const chip = registers[board.family]!;
  const { serial, ram, mappedFlash, counter } = board;
  const overUsb = serial.peripheral === 'usb-serial-jtag' && chip.usb !== undefined;
  return [
    ['TML_CLOCK_HZ', `${board.clockHz}u`],
    ['TML_TICK', counter === 'instructions' ? 'TML_TICK_INSTRUCTION' : 'TML_TICK_CYCLE'],
    // ESP-RISC-V: events that its performance counter can count.
    ['TML_COUNTED_EVENT', counter === 'instructions' ? 2 : 1],
    ['TML_TICKS_EACH_COARSE', `${chip.ticksEachCoarse}u`],
    ['TML_TRAP_ALIGNMENT', 256],
    ['TML_RAM_END', hex(ram.origin + ram.bytes)],
    ['TML_MAPPED_FLASH', hex(mappedFlash.origin)],
    ['TML_MAPPED_FLASH_BYTES', hex(mappedFlash.bytes)],
    ['TML_FLASH_PAGE', `${mappedFlash.pageBytes}u`],
    ['TML_BAUD', `${serial.baud}u`],
    ...(overUsb ? ([['TML_USB_BASE', hex(chip.usb)]] as Define[]) : chip.uart),
    ...ledDefines(board, chip),
  ];
}
