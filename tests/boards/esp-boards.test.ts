import { describe, expect, it } from 'vitest';
import { dataRam, type EspBoard, isEsp, listBoards, readBoard } from '../../boards/load.ts';
import { oraclePython, runOracle } from '../support/oracle.ts';

const boards = listBoards().filter(isEsp);
const KIB = 1024;

describe.each(boards.map((board): [string, EspBoard] => [board.id, board]))('%s', (_id, board) => {
  it('talks on a port that its chip has, and a real board is found by a USB id', () => {
    expect(['uart0', ...board.chip.usb]).toContain(board.serial.peripheral);
    expect(board.usb.length > 0).toBe(board.emulator === undefined);
  });

  it('is reset through its own USB controller where that is the serial port', () => {
    const resets = board.flash.map(({ reset }) => reset);
    if (board.serial.peripheral === 'usb-serial-jtag') expect(resets).toEqual(['usb-jtag-serial']);
    else expect(resets[0]).toBe('classic');
  });

  it('has the flash of its own file on the chip', () => {
    expect(board.chip.flash.bytes).toBe(board.memory.flashMib * KIB * KIB);
    expect(dataRam(board.chip).bytes).toBeGreaterThanOrEqual(192 * KIB);
  });
});

const firstProblem = (change: object) => {
  const { chip, family: _family, ...file } = boards.find(({ id }) => id === 'esp32-devkitc')!;
  const hex = (value: number) => `0x${value.toString(16).padStart(4, '0')}`;
  const usb = file.usb.map(({ vid, pid, what }) => ({ vid: hex(vid), pid: hex(pid), what }));
  return () => readBoard(JSON.stringify({ ...file, usb, chip: chip.id, ...change }), 'mine.json');
};

describe('a board file of one’s own', () => {
  it('is read by the same rules', () => {
    expect(firstProblem({})()).toMatchObject({ family: 'esp32' });
  });

  it('is refused with a serial port that its chip lacks, and with the fields of another family', () => {
    const serial = { peripheral: 'usb-serial-jtag', baud: 115200, reach: 'a cable' };
    expect(firstProblem({ serial })).toThrowError(
      'mine.json: /serial/peripheral: the esp32 has no usb-serial-jtag; ports: uart0',
    );
    expect(firstProblem({ clock: { source: 'internal' } })).toThrowError(
      '/clock: is not a field of board files',
    );
  });
});

const python = oraclePython();
const chipFacts = `
import json
from esptool.targets import CHIP_DEFS
print(json.dumps({n: [c.IMAGE_CHIP_ID, c.BOOTLOADER_FLASH_OFFSET, c.MEMORY_MAP] for n, c in CHIP_DEFS.items()}))
`;

type ChipFacts = Record<string, [id: number, offset: number, map: [number, number, string][]]>;

describe.skipIf(!python)(`esptool${python ? '' : ' (not here: skipped)'}`, () => {
  it('knows every chip by the same id, image offset and memories', () => {
    const known = JSON.parse(runOracle(python!, chipFacts)) as ChipFacts;
    for (const { chip } of boards) {
      const [id, offset, map] = known[chip.id]!;
      expect([chip.bootloader.chipId, chip.bootloader.imageOffset]).toEqual([id, offset]);
      const holds = (name: string, { origin, bytes }: { origin: number; bytes: number }) =>
        map.some(([from, to, what]) => what === name && origin >= from && origin + bytes <= to);
      const inside = [
        holds('DRAM', dataRam(chip)),
        holds('IRAM', chip.iram),
        holds('DROM', chip.mappedFlash),
      ];
      expect([chip.id, ...inside]).toEqual([chip.id, true, true, true]);
    }
  });
});
