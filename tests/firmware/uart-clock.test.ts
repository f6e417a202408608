import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { listBoards, readBoard, type Stm32Board } from '../../boards/load.ts';
import { tinyPlan } from './build-firmware.ts';
import { type Registers, siliconOf } from './silicon-lines.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'tinyml-uart-clock-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Port = keyof Stm32Board['chip']['uarts'];

/**
 * The default clock of a serial port by ST's names: RCC_USART1CLKSOURCE_PCLK1 or _PCLK2 and the like of the HAL drivers
 * (stm32f3xx_hal_rcc_ex.h and its sisters), in lines without a choice the bus of the memory map.
 */
function busOf(chip: string, port: Port): 1 | 2 {
  if (port === 'usart1') return chip === 'stm32f303k8' ? 1 : 2;
  return port === 'usart6' ? 2 : 1;
}

/** Register and bits that pick the clock (reference manuals, RCC): CFGR3, DCKCFGR2, CCIPR, D2CCIP2R, CCIPR1. */
const choices: Readonly<Record<string, readonly [register: string, bits: Partial<Record<Port, number>>]>> = {
  f0: ['40021030', { usart1: 0x3, usart2: 0x30000 }],
  f3: ['40021030', { usart1: 0x3, usart2: 0x30000, usart3: 0xc0000 }],
  f7: ['40023890', { usart1: 0x3, usart2: 0xc, usart3: 0x30, usart6: 0xc00 }],
  g0: ['40021054', { usart1: 0x3, usart2: 0xc }],
  g4: ['40021088', { usart1: 0x3, usart2: 0xc, usart3: 0x30, lpuart1: 0xc00 }],
  h7: ['58024454', { usart1: 0x38, usart2: 0x7, usart3: 0x7, usart6: 0x38 }],
  l0: ['4002104c', { usart1: 0x3, usart2: 0xc }],
  l4: ['40021088', { usart1: 0x3, usart2: 0xc, usart3: 0x30, lpuart1: 0xc00 }],
  u5: ['46020ce0', { usart1: 0x3, usart2: 0xc, usart3: 0x30 }],
};

const chips = new Map(
  listBoards()
    .filter((board): board is Stm32Board => board.family === 'stm32')
    .map(({ chip }) => [chip.id, chip]),
);

/** A board of one's own on each serial port of a chip. */
function boardOn(chip: string, peripheral: Port, tx: string, rx: string): Stm32Board {
  const file = {
    id: `${chip}-${peripheral}`,
    name: 'Mine',
    vendor: 'me',
    page: 'https://example.org/mine',
    chip,
    usb: [],
    clock: { source: 'internal' },
    serial: { peripheral, tx, rx, baud: 115200, reach: 'a cable' },
    flash: [{ method: 'st-link', how: 'the SWD header' }],
  };
  return readBoard(JSON.stringify(file), 'mine.json') as Stm32Board;
}

const ports = [...chips.values()].flatMap((chip) =>
  Object.entries(chip.uarts).map(([name, { tx, rx }]): [string, Port, Stm32Board] => [
    chip.id,
    name as Port,
    boardOn(chip.id, name as Port, tx[0]!, rx[0]!),
  ]),
);

const configOf = (board: Stm32Board) =>
  tinyPlan(board).files.find(({ path }) => path === 'tml_config.h')!.text;

describe('the baud rate', () => {
  it.each(ports)('of %s, %s, is made of the clock that the port runs from', (id, port, board) => {
    const { clock } = board.chip;
    const core = clock.internalHz ?? clock.sysclkHz;
    const divider = busOf(id, port) === 1 ? clock.apb1Divider : clock.apb2Divider;
    const hz = (core / (clock.ahbDivider ?? 1) / divider) * (port === 'lpuart1' ? 256 : 1);
    const divisor = Number(/TML_BAUD_FULL (\d+)u/.exec(configOf(board))![1]);
    expect(Math.abs(hz / divisor / 115_200 - 1)).toBeLessThan(0.01);
  });
});

/** What start-up leaves in the registers when all bits of one were set before. */
function leftBehind(board: Stm32Board, register: string): Registers {
  const place = join(folder, board.id);
  const silicon = join(root, 'tests/firmware/fixtures/silicon');
  mkdirSync(place);
  writeFileSync(join(place, 'tml_config.h'), configOf(board));
  const includes = [
    silicon,
    place,
    join(root, 'firmware-templates/bench'),
    join(root, 'firmware-templates/kernels'),
  ];
  const sources = [join(root, 'firmware-templates/port/stm32/tml_stm32.c'), join(silicon, 'silicon.c')];
  const flags = includes.flatMap((path) => ['-I', path]);
  const made = spawnSync('gcc', ['-std=c99', ...flags, ...sources, '-o', join(place, 'start')], {
    encoding: 'utf8',
  });
  expect(made.stderr).toBe('');
  const env = { RULES: siliconOf(board.chip.id).rules.join('\n'), BEFORE: `${register} ffffffff` };
  const { status, stdout } = spawnSync(join(place, 'start'), { env, encoding: 'utf8' });
  expect(status).toBe(0);
  return JSON.parse(stdout);
}

/** One chip of each line for each port, where there is a choice. */
const chosen = [
  ...new Map(
    ports
      .filter(([, , { chip }]) => chip.line in choices)
      .map(([, port, board]): [string, [string, Port, Stm32Board]] => [
        `${board.chip.line} ${port}`,
        [board.chip.line, port, board],
      ]),
  ).values(),
];

describe('a clock of the serial port that a boot loader chose', () => {
  it.each(chosen)('is given up in an STM32%s with %s for that of the bus', (line, port, board) => {
    const [register, bits] = choices[line]!;
    expect(leftBehind(board, register)[register]).toBe((0xffffffff & ~bits[port]!) >>> 0);
  });
});
