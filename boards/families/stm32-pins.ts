import type { BoardProblem } from '../errors.ts';
import type { Stm32BoardFile, Stm32Chip, Stm32ChipFile } from './stm32.ts';

type Packaged = Pick<Stm32ChipFile, 'name' | 'package' | 'pins'>;

/** Whether a chip has a pin such as PA9 in the package that it is named with: dies have more than small packages show. */
function hasPin({ pins }: Packaged, name: string): boolean {
  const port = name.charAt(1).toLowerCase() as keyof typeof pins;
  return pins[port]?.includes(Number(name.slice(2))) ?? false;
}

function missingPin(chip: Packaged, pointer: string, pin: string): BoardProblem[] {
  if (hasPin(chip, pin)) return [];
  return [{ pointer, message: `the ${chip.name} (${chip.package}) has no pin ${pin}` }];
}

const directions = ['tx', 'rx'] as const;

/** Pins in a chip file that its package lacks. */
export function stm32ChipProblems(chip: Stm32ChipFile): BoardProblem[] {
  const ports = Object.entries(chip.uarts).flatMap(([name, uart]) =>
    directions.flatMap((line) =>
      uart[line].flatMap((pin, i) => missingPin(chip, `/uarts/${name}/${line}/${i}`, pin)),
    ),
  );
  const loader = chip.bootloader.uarts.flatMap((uart, i) =>
    directions.flatMap((line) => missingPin(chip, `/bootloader/uarts/${i}/${line}`, uart[line])),
  );
  return [...ports, ...loader];
}

function serialProblems({ serial }: Stm32BoardFile, chip: Stm32Chip): BoardProblem[] {
  const uart = chip.uarts[serial.peripheral];
  if (!uart)
    return [{ pointer: '/serial/peripheral', message: `the ${chip.id} has no ${serial.peripheral}` }];
  return directions.flatMap((line) => {
    const pointer = `/serial/${line}`;
    const pin = serial[line];
    if (uart[line].includes(pin)) return [];
    const missing = missingPin(chip, pointer, pin);
    const message = `${pin} is not a ${line} pin of ${serial.peripheral}; pins: ${uart[line].join(', ')}`;
    return missing.length > 0 ? missing : [{ pointer, message }];
  });
}

/** The boot loader listens on few of the chip's serial ports; a board that names another would wait in vain. */
function flashProblems({ flash }: Stm32BoardFile, chip: Stm32Chip): BoardProblem[] {
  const choices = chip.bootloader.uarts;
  return flash.flatMap((way, index) => {
    if (way.method !== 'stm32-uart') return [];
    const known = choices.some(
      ({ peripheral, tx, rx }) => peripheral === way.peripheral && tx === way.tx && rx === way.rx,
    );
    if (known) return [];
    const list = choices.map(({ peripheral, tx, rx }) => `${peripheral} on ${tx} and ${rx}`).join(', ');
    return [
      {
        pointer: `/flash/${index}`,
        message: `the ${chip.id}'s boot loader does not listen there; it does on ${list}`,
      },
    ];
  });
}

/** What a board file says that its chip, in its package, cannot do. */
export function stm32BoardProblems(file: Stm32BoardFile, chip: Stm32Chip): BoardProblem[] {
  const led = file.led ? missingPin(chip, '/led/pin', file.led.pin) : [];
  return [...serialProblems(file, chip), ...flashProblems(file, chip), ...led];
}
