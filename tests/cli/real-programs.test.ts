import { describe, expect, test } from 'vitest';
import { listBoards, type Stm32Board } from '../../boards/load.ts';
import { openocdArgs, openocdLook, openocdTarget, openocdWrite } from '../../cli/board/flash/openocd.ts';
import { complaintOf, type RealProgram, realPrograms, sayOf } from '../support/real-programs.ts';

const KIB = 1024;
const boards = [
  ...new Map(
    listBoards()
      .filter((board): board is Stm32Board => board.family === 'stm32')
      .map((board) => [board.chip.id, board]),
  ).values(),
];
const named = boards.map((board): [string, Stm32Board] => [board.chip.id, board]);
const serial = '066CFF303030';
const missing = (name: RealProgram) => (realPrograms[name].path ? '' : ' (not here: skipped)');

describe.skipIf(!realPrograms.openocd.path)(`openocd${missing('openocd')}`, () => {
  test.each(named)('takes all that we say to it of an %s', (_, board) => {
    for (const commands of [openocdLook(board.chip), openocdWrite(board)]) {
      expect(complaintOf('openocd', openocdArgs({ board, serial }, commands))).toBe('');
      expect(complaintOf('openocd', openocdArgs({ board, serial: undefined }, commands))).toBe('');
    }
  });

  test('complains of what it does not know', () => {
    const [board] = boards;
    const wrong = openocdArgs({ board: board!, serial }, ['nonsense']).map((word) =>
      word.replace('target/', 'tarjet/'),
    );
    expect(complaintOf('openocd', wrong)).toContain("Can't find tarjet/");
    expect(complaintOf('openocd', ['-c', 'nonsense'])).toContain('invalid command name');
  });

  /** How many banks of flash its description of a chip has. */
  function banksOf(board: Stm32Board): number {
    const said = sayOf('openocd', openocdArgs({ board, serial: undefined }, ['flash banks', 'shutdown']));
    const origins = [...said.matchAll(/^#\d+ : \S+ \(stm32\w+\) at (0x[0-9a-f]{8})/gm)].map(([, at]) =>
      Number(at),
    );
    // Not the one-time programmable area and aliases; 0 is found out when the bank is probed.
    return origins.filter((at) => at === 0 || (at >= board.chip.flash.origin && at < 0x0b000000)).length;
  }

  /** Drivers that see one bank each, and how much of it (openocd 0.12: stm32h7x.c, stm32lx.c); others see all. */
  const bankBytes = new Map([
    ['h7', 1024 * KIB],
    ['l0', 96 * KIB],
  ]);

  test.each(named)('is shown all of the flash of an %s', (_, board) => {
    const { line, flash } = board.chip;
    const wanted = Math.ceil(flash.bytes / (bankBytes.get(line) ?? flash.bytes));
    expect([openocdTarget(board.chip), banksOf(board)]).toEqual([expect.any(String), wanted]);
  });

  /** An adapter, a chip and a flash that are none, so that commands are taken and do nothing. */
  const nothing = [
    'adapter driver dummy',
    'adapter speed 100',
    'transport select jtag',
    'jtag newtap x tap -irlen 4 -ircapture 1 -irmask 3',
    'target create x.t testee -chain-position x.tap',
    'flash bank x.f faux 0x08000000 0x100000 0 0 x.t',
    'catch init',
    'echo MARK',
  ];

  /** How a command is written, which it prints when it does not understand one; empty when it does. */
  function usageOf(command: string): string {
    const all = [...nothing, `catch {${command}} text; echo $text`, 'shutdown'];
    const said = sayOf(
      'openocd',
      all.flatMap((one) => ['-c', one]),
    );
    const rest = said.slice(said.indexOf('MARK\n'));
    const [word = ''] = command.split(' ');
    const usage = new RegExp(`^(${word}$|${word} [\\[<(]|  ${word} )|wrong # args|invalid command`, 'm');
    return usage.exec(rest)?.[0] ?? '';
  }

  test.each(['reset hold', 'mdw', 'flash prob 0', 'program', 'nonsense'])(
    'explains itself to who says %j',
    (command) => {
      expect(usageOf(command)).not.toBe('');
    },
  );

  const commands = boards.flatMap((board) => [...openocdLook(board.chip), ...openocdWrite(board)]);

  // Ending it is what one of them does by itself, and another at its end.
  test.each([...new Set(commands)].filter((one) => one !== 'shutdown'))('understands %j', (command) => {
    expect(usageOf(command.replace(/ exit$/, ''))).toBe('');
  });
});

describe.each<[RealProgram, readonly string[], readonly string[]]>([
  ['st-info', ['--probe'], ['--serial', serial, '--chipid']],
  [
    'st-flash',
    ['--serial', serial, '--reset', 'write', 'firmware.bin', '0x08000000'],
    ['--write', 'firmware.bin'],
  ],
  ['dfu-util', ['-l', '-d', '0483:df11'], ['--nonsense']],
])('%s', (name, right, wrong) => {
  test.skipIf(!realPrograms[name].path)(
    `takes what we say, and complains of what it does not know${missing(name)}`,
    () => {
      expect(complaintOf(name, right)).toBe('');
      expect(complaintOf(name, wrong)).not.toBe('');
    },
  );
});
