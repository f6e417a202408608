import type { Pin } from '../common-facts.ts';
import { l4PortGSupply } from './clock-l4.ts';
import type { Enable, LineFacts } from './line-facts.ts';
import { field, type Register, type Step, setBits, write } from './step.ts';

const PORT_BYTES = 0x400;
const L4_PORT_G = 6;

export function enableStep({ register, bit }: Enable, what: string): Step {
  return setBits(register, 1 << bit, `${what} on`);
}

const letter = (port: number) => String.fromCharCode('A'.charCodeAt(0) + port);

function gpioRegister({ gpio }: LineFacts, { port }: Pin, name: string, offset: number): Register {
  return { name: `GPIO${letter(port)}_${name}`, address: gpio.base + PORT_BYTES * port + offset };
}

function portSteps(line: LineFacts, name: string, { port }: Pin): Step[] {
  const supply = name === 'l4' && port === L4_PORT_G ? [l4PortGSupply] : [];
  return [...supply, enableStep(line.gpio.enable(port), `port ${letter(port)}`)];
}

/** Four bits for each pin of an STM32F1: CRL has the lower eight pins, CRH the upper ones (RM0008 9.2). */
function configure(line: LineFacts, pin: Pin, value: number, note: string): Step {
  const register = gpioRegister(line, pin, pin.pin < 8 ? 'CRL' : 'CRH', pin.pin < 8 ? 0x00 : 0x04);
  const shift = 4 * (pin.pin % 8);
  return field(register, 0xf << shift, value << shift, note);
}

const F1 = { inputPulled: 0x8, output: 0x2, alternate: 0xb } as const;
const V2 = { output: 1, alternate: 2 } as const;

function mode(line: LineFacts, pin: Pin, value: number, note: string): Step {
  return field(gpioRegister(line, pin, 'MODER', 0x00), 3 << (2 * pin.pin), value << (2 * pin.pin), note);
}

/** Gives a pin to the serial port, with a pull-up so that an open line is quiet. */
export function serialPinSteps(
  line: LineFacts,
  name: string,
  pin: Pin & { readonly alternate: number },
  direction: 'tx' | 'rx',
): Step[] {
  const clock = portSteps(line, name, pin);
  if (line.gpio.generation === 1) {
    if (direction === 'tx') return [...clock, configure(line, pin, F1.alternate, 'pin of the serial port')];
    const pull = write(gpioRegister(line, pin, 'BSRR', 0x10), 1 << pin.pin, 'pull-up');
    return [...clock, pull, configure(line, pin, F1.inputPulled, 'input of the serial port')];
  }
  const shift = 4 * (pin.pin % 8);
  const functions =
    pin.pin < 8 ? gpioRegister(line, pin, 'AFRL', 0x20) : gpioRegister(line, pin, 'AFRH', 0x24);
  return [
    ...clock,
    field(functions, 0xf << shift, pin.alternate << shift, `function ${pin.alternate}`),
    field(gpioRegister(line, pin, 'PUPDR', 0x0c), 3 << (2 * pin.pin), 1 << (2 * pin.pin), 'pull-up'),
    mode(line, pin, V2.alternate, 'pin of the serial port'),
  ];
}

/** Lights a LED. BSRR sets a pin with its lower half and resets it with its upper one. */
export function ledSteps(line: LineFacts, name: string, led: Pin & { readonly activeLow: boolean }): Step[] {
  const v1 = line.gpio.generation === 1;
  const bsrr = gpioRegister(line, led, 'BSRR', v1 ? 0x10 : 0x18);
  return [
    ...portSteps(line, name, led),
    write(bsrr, 1 << (led.pin + (led.activeLow ? 16 : 0)), 'LED on'),
    v1 ? configure(line, led, F1.output, 'pin of the LED') : mode(line, led, V2.output, 'pin of the LED'),
  ];
}
