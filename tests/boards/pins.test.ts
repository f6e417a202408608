import { describe, expect, it } from 'vitest';
import { listBoards, loadBoard, readBoard, type Stm32Board } from '../../boards/load.ts';
import { parseChip } from '../../boards/parse.ts';

/** Packages and their number of I/O pins, as the first page of each data sheet counts them. */
const PACKAGES: readonly (readonly [chip: string, name: string, pins: number])[] = [
  ['stm32f030r8', 'LQFP64', 55],
  ['stm32f072rb', 'LQFP64', 51],
  ['stm32f100rb', 'LQFP64', 51],
  ['stm32f103c8', 'LQFP48', 37],
  ['stm32f103rb', 'LQFP64', 51],
  ['stm32f205rf', 'LQFP64', 51],
  ['stm32f207zg', 'LQFP144', 114],
  ['stm32f303k8', 'LQFP32', 25],
  ['stm32f303re', 'LQFP64', 51],
  ['stm32f303vc', 'LQFP100', 87],
  ['stm32f401cc', 'UFQFPN48', 36],
  ['stm32f401re', 'LQFP64', 50],
  ['stm32f405rg', 'LQFP64', 51],
  ['stm32f407vg', 'LQFP100', 82],
  ['stm32f411ce', 'UFQFPN48', 36],
  ['stm32f411re', 'LQFP64', 50],
  ['stm32f429zi', 'LQFP144', 114],
  ['stm32f446re', 'LQFP64', 50],
  ['stm32f746ng', 'TFBGA216', 168],
  ['stm32f746zg', 'LQFP144', 114],
  ['stm32f767zi', 'LQFP144', 114],
  ['stm32g071rb', 'LQFP64', 60],
  ['stm32g0b1re', 'LQFP64', 60],
  ['stm32g431kb', 'LQFP32', 26],
  ['stm32g431rb', 'LQFP64', 52],
  ['stm32g474re', 'LQFP64', 52],
  ['stm32h743zi', 'LQFP144', 114],
  ['stm32h753zi', 'LQFP144', 114],
  ['stm32l053r8', 'LQFP64', 51],
  ['stm32l073rz', 'LQFP64', 51],
  ['stm32l432kc', 'UFQFPN32', 26],
  ['stm32l475vg', 'LQFP100', 82],
  ['stm32l476rg', 'LQFP64', 51],
  ['stm32l4r5zi', 'LQFP144', 115],
  ['stm32u575zi', 'LQFP144', 111],
];

const stm32 = listBoards().filter((board): board is Stm32Board => board.family === 'stm32');
const chips = new Map(stm32.map(({ chip }) => [chip.id, chip]));

describe('the pins of an STM32', () => {
  it.each(PACKAGES)('%s is a %s with %i of them', (id, name, pins) => {
    const chip = chips.get(id)!;
    const count = Object.values(chip.pins).reduce((sum, list) => sum + list.length, 0);
    expect([chip.package, count]).toEqual([name, pins]);
  });

  it('are counted for every chip', () => {
    expect([...chips.keys()].sort()).toEqual(PACKAGES.map(([id]) => id));
  });
});

/** A board file of one's own with such a chip. */
function boardFile(chip: string, change: object): string {
  return JSON.stringify({
    id: 'mine',
    name: 'Mine',
    vendor: 'me',
    page: 'https://example.org/mine',
    chip,
    usb: [],
    clock: { source: 'internal' },
    serial: { peripheral: 'usart1', tx: 'PA9', rx: 'PA10', baud: 115200, reach: 'a cable' },
    flash: [{ method: 'st-link', how: 'the SWD header' }],
    ...change,
  });
}

const onPins = (peripheral: string, tx: string, rx: string) => ({
  serial: { peripheral, tx, rx, baud: 115200, reach: 'a cable' },
});

describe('a board file', () => {
  it.each([
    ['stm32f411ce', 'usart2', 'PD5', 'PD6', 'UFQFPN48'],
    ['stm32f411ce', 'usart6', 'PC6', 'PC7', 'UFQFPN48'],
    ['stm32f401cc', 'usart2', 'PD5', 'PD6', 'UFQFPN48'],
    ['stm32f401re', 'usart2', 'PD5', 'PD6', 'LQFP64'],
    ['stm32f405rg', 'usart3', 'PD8', 'PD9', 'LQFP64'],
    ['stm32f205rf', 'usart2', 'PD5', 'PD6', 'LQFP64'],
    ['stm32f446re', 'usart3', 'PD8', 'PB11', 'LQFP64'],
  ])(
    'that puts the serial port of an %s on %s, %s and %s, is refused: its %s has no such pins',
    (chip, peripheral, tx, rx, name) => {
      const read = () => readBoard(boardFile(chip, onPins(peripheral, tx, rx)), 'mine.json');
      expect(read).toThrowError(
        `mine.json: /serial/tx: the ${chips.get(chip)!.name} (${name}) has no pin ${tx}`,
      );
      expect(read).toThrowError(
        expect.objectContaining({ measure: [expect.stringContaining(`/serial/rx: the `)] }),
      );
    },
  );

  it('that puts the boot loader or the LED on pins that the package lacks is refused', () => {
    const flash = [{ method: 'stm32-uart', peripheral: 'usart2', tx: 'PD5', rx: 'PD6', how: 'a cable' }];
    expect(() => readBoard(boardFile('stm32f411re', { flash }), 'mine.json')).toThrowError(
      "mine.json: /flash/0: the stm32f411re's boot loader does not listen there; it does on usart1 on PA9 and PA10",
    );
    const led = { pin: 'PE9', activeLow: false };
    expect(() => readBoard(boardFile('stm32f446re', { led }), 'mine.json')).toThrowError(
      'mine.json: /led/pin: the STM32F446RET6 (LQFP64) has no pin PE9',
    );
  });

  it('may use every pin that its package has, up to port K', () => {
    const led = { pin: 'PK7', activeLow: false };
    expect(readBoard(boardFile('stm32f746ng', { led }), 'mine.json')).toMatchObject({ led });
  });
});

describe('a chip file', () => {
  it('that names pins which its package lacks is refused', () => {
    const { id, ...chip } = chips.get('stm32f411ce')!;
    expect(id).toBe('stm32f411ce');
    const sectors = chip.flash.runs.map(({ count, bytes }) => ({ count, kib: bytes / 1024 }));
    const hex = (value: number, digits: number) => `0x${value.toString(16).padStart(digits, '0')}`;
    const file = {
      ...chip,
      id,
      flash: { origin: hex(chip.flash.origin, 8), sectors },
      ram: chip.ram.map(({ bytes, origin, ...rest }) => ({
        ...rest,
        origin: hex(origin, 8),
        kib: bytes / 1024,
      })),
      bootloader: { ...chip.bootloader, chipId: hex(chip.bootloader.chipId, 3) },
      pins: { a: '0-15', b: '0-10,12-15' },
      uarts: { ...chip.uarts, usart6: { tx: ['PC6'], rx: ['PC7'], alternate: 8 } },
    };
    expect(() => parseChip(JSON.stringify(file), 'chip.json')).toThrowError(
      'chip.json: /uarts/usart6/tx/0: the STM32F411CEU6 (UFQFPN48) has no pin PC6',
    );
  });
});

describe('the pins of an ESP32', () => {
  const withLed = (id: string, pin: string) => {
    const { chip, family: _family, ...file } = loadBoard(id);
    const led = { pin, kind: 'plain', activeLow: false };
    return () => readBoard(JSON.stringify({ ...file, usb: [], chip: chip.id, led }), 'mine.json');
  };

  it.each([
    ['esp32-devkitc', 'GPIO24', 'the ESP32 has no pin GPIO24'],
    ['esp32-devkitc', 'GPIO34', 'GPIO34 of the esp32 is an input only'],
    ['esp32-s2-saola-1', 'GPIO46', 'GPIO46 of the esp32s2 is an input only'],
    ['esp32-s3-devkitc-1', 'GPIO25', 'the ESP32-S3 has no pin GPIO25'],
    ['esp32-c3-devkitm-1', 'GPIO22', 'the ESP32-C3 has no pin GPIO22'],
    ['esp32-c6-devkitc-1', 'GPIO31', 'the ESP32-C6 has no pin GPIO31'],
  ])('%s: an LED on %s is refused', (id, pin, message) => {
    expect(withLed(id, pin)).toThrowError(`mine.json: /led/pin: ${message}`);
  });

  it('are taken where there are such', () => {
    expect(withLed('esp32-devkitc', 'GPIO33')()).toMatchObject({ led: { pin: 'GPIO33' } });
  });
});
