import { describe, expect, it } from 'vitest';
import { boardIds, dataRam, listBoards, loadBoard, readBoard, type Stm32f4Board } from '../../boards/load.ts';

const MHZ = 1_000_000;
const boards = listBoards().filter((board) => board.family === 'stm32f4');

/** Highest frequencies in MHz: core, APB1, APB2 (data sheets, general operating conditions). */
const LIMITS = new Map([
  ['stm32f405rg', [168, 42, 84]],
  ['stm32f407vg', [168, 42, 84]],
  ['stm32f401cc', [84, 42, 84]],
  ['stm32f401re', [84, 42, 84]],
  ['stm32f411ce', [100, 50, 100]],
  ['stm32f446re', [180, 45, 90]],
]);

/** Product identifiers and memories in KiB (AN2606; data sheets). */
const CHIPS = new Map([
  ['stm32f405rg', [0x413, 1024, 128]],
  ['stm32f407vg', [0x413, 1024, 128]],
  ['stm32f401cc', [0x423, 256, 64]],
  ['stm32f401re', [0x433, 512, 96]],
  ['stm32f411ce', [0x431, 512, 128]],
  ['stm32f446re', [0x421, 512, 128]],
]);

describe.each(boards.map((board): [string, Stm32f4Board] => [board.id, board]))('%s', (id, board) => {
  const { chip } = board;

  it('is filed under its own id', () => {
    expect(boardIds()).toContain(id);
    expect(loadBoard(id)).toEqual(board);
  });

  it('keeps its buses within the limits of its chip', () => {
    const [core, apb1, apb2] = LIMITS.get(chip.id)!;
    const { sysclkHz, apb1Divider, apb2Divider } = chip.clock;
    expect(sysclkHz).toBe(core! * MHZ);
    expect(sysclkHz / apb1Divider).toBeLessThanOrEqual(apb1! * MHZ);
    expect(sysclkHz / apb2Divider).toBeLessThanOrEqual(apb2! * MHZ);
  });

  it('reads flash slowly enough at 2.7 to 3.6 V: a wait state for every 30 MHz', () => {
    const { sysclkHz, flashWaitStates } = chip.clock;
    expect(flashWaitStates).toBe(Math.ceil(sysclkHz / (30 * MHZ)) - 1);
  });

  it('has the identifier and the memories of its chip', () => {
    expect([chip.bootloader.chipId, chip.flash.bytes / 1024, dataRam(chip).bytes / 1024]).toEqual(
      CHIPS.get(chip.id),
    );
    const [first, second, third, fourth, fifth, ...rest] = chip.flash.sectors.map((bytes) => bytes / 1024);
    expect([first, second, third, fourth, fifth]).toEqual([16, 16, 16, 16, 64]);
    expect(rest.every((kib) => kib === 128)).toBe(true);
  });

  it('sets a baud rate that every clock it may run at can make within 2 %', () => {
    const bus =
      board.serial.peripheral === 'usart1' || board.serial.peripheral === 'usart6'
        ? 'apb2Divider'
        : 'apb1Divider';
    for (const hz of [chip.clock.sysclkHz / chip.clock[bus], 16 * MHZ]) {
      const real = hz / Math.round(hz / board.serial.baud);
      expect(Math.abs(real / board.serial.baud - 1)).toBeLessThan(0.02);
    }
  });
});

describe('virtual-rv32imc', () => {
  const board = loadBoard('virtual-rv32imc');

  it('has RAM right behind its flash, so that a stack that runs over meets what cannot be written', () => {
    const { flash } = board.chip;
    expect(dataRam(board.chip).origin).toBe(flash.origin + flash.bytes);
  });

  it('is refused with the fields of another family', () => {
    const { chip, family: _family, ...file } = board;
    const page = { ...file, chip: chip.id, clock: { source: 'internal' } };
    expect(() => readBoard(JSON.stringify(page), 'mine.json')).toThrowError(
      'mine.json: /clock: is not a field of board files',
    );
  });
});

describe('the set of boards', () => {
  it('holds the default board and four makers’ boards at least', () => {
    expect(boardIds()).toEqual(
      expect.arrayContaining(['virtual-stm32f405', 'nucleo-f446re', 'stm32f4-discovery', 'blackpill-f411ce']),
    );
  });

  it('refuses an unknown board with the list and the nearest match', () => {
    expect(() => loadBoard('virtual-stm32f450')).toThrowError(
      expect.objectContaining({
        code: 'E_UNKNOWN_BOARD',
        exit: 1,
        message: expect.stringContaining('did you mean virtual-stm32f405?'),
        measure: [expect.stringContaining('nucleo-f446re')],
      }),
    );
  });

  it.each(['', '__proto__', 'constructor', '../chips/stm32f405rg', 'x'.repeat(100_000), 'chips/stm32f405rg'])(
    'refuses the name %.20s',
    (name) => {
      expect(() => loadBoard(name)).toThrowError(expect.objectContaining({ code: 'E_UNKNOWN_BOARD' }));
    },
  );

  it('reads a user’s own board by the same rules', () => {
    const mine = {
      id: 'mine',
      name: 'My board',
      vendor: 'me',
      page: 'https://example.org/board',
      chip: 'stm32f411ce',
      usb: [],
      clock: { source: 'internal' },
      serial: { peripheral: 'usart6', tx: 'PA11', rx: 'PA12', baud: 460800, reach: 'a cable' },
      flash: [{ method: 'st-link', how: 'the SWD header' }],
    };
    expect(readBoard(JSON.stringify(mine), 'mine.json')).toMatchObject({
      id: 'mine',
      chip: { id: 'stm32f411ce' },
    });
    const elsewhere = { ...mine, serial: { ...mine.serial, tx: 'PA9' } };
    expect(() => readBoard(JSON.stringify(elsewhere), 'mine.json')).toThrowError(
      'mine.json: /serial/tx: PA9 is not a tx pin of usart6; pins: PC6, PA11',
    );
  });
});
