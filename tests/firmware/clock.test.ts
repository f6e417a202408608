import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { listBoards, loadBoard, type Stm32Board } from '../../boards/load.ts';
import { tinyPlan } from './build-firmware.ts';
import { bits, type Clocks, MHZ, pllLimits, type Registers, register, siliconOf } from './silicon-lines.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'tinyml-clock-'));
afterAll(() => rmSync(folder, { recursive: true }));

const programs = new Map<string, string>();

/** The port's start-up as a program on this computer, over registers that answer as working silicon does. */
function compileFor(boardId: string): string {
  const program = programs.get(boardId) ?? compile(boardId);
  programs.set(boardId, program);
  return program;
}

function compile(boardId: string): string {
  const place = join(folder, boardId);
  const config = tinyPlan(boardId).files.find(({ path }) => path === 'tml_config.h')!.text;
  const silicon = join(root, 'tests/firmware/fixtures/silicon');
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, 'tml_config.h'), config);
  const result = spawnSync(
    'gcc',
    // biome-ignore format: flags, folders, sources
    [
      '-std=c99', '-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all',
      '-I', silicon, '-I', place, '-I', join(root, 'firmware-templates/bench'), '-I', join(root, 'firmware-templates/kernels'),
      join(root, 'firmware-templates/port/stm32/tml_stm32.c'), join(silicon, 'silicon.c'),
      '-o', join(place, 'start'),
    ],
    { encoding: 'utf8' },
  );
  expect(result.stderr).toBe('');
  return join(place, 'start');
}

interface Setup {
  readonly clockHz: number;
  readonly registers: Registers;
}

const stm32 = (id: string) => {
  const board = loadBoard(id);
  if (board.family !== 'stm32') throw new Error(`${id} is no STM32`);
  return board;
};

function start(program: string, chipId: string, broken?: string, idcode = '10016413'): Setup {
  const env: Record<string, string> = {
    RULES: siliconOf(chipId).rules.join('\n'),
    IDCODE: idcode,
    ...(broken === undefined ? {} : { BROKEN: broken }),
  };
  const { stdout, stderr, status } = spawnSync(program, { env, encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  return { clockHz: Number(stderr), registers: JSON.parse(stdout) };
}

/** Base address, bus, interrupt, and the offset of the baud rate register (memory maps, vector tables). */
function portOf({ chip, serial }: Stm32Board): { brr: number; bus: keyof Clocks; interrupt: number } {
  const newer = /^stm32(f0|f3|f7|g|h7|l|u5)/.test(chip.id);
  const brr = newer ? 0x0c : 0x08;
  const far = /^stm32(f[247]|h7)/.test(chip.id);
  const m0 = chip.cpu === 'cortex-m0' || chip.cpu === 'cortex-m0plus';
  const u5 = chip.id.startsWith('stm32u5');
  const places = {
    usart1: [far ? 0x40011000 : 0x40013800, 'apb2', m0 ? 27 : u5 ? 61 : 37],
    usart2: [0x40004400, 'apb1', m0 ? 28 : u5 ? 62 : 38],
    usart3: [0x40004800, 'apb1', u5 ? 63 : 39],
    uart4: [0x40004c00, 'apb1', 52],
    uart5: [0x40005000, 'apb1', 53],
    usart6: [0x40011400, 'apb2', 71],
    lpuart1: [0x40008000, 'apb1', chip.id.startsWith('stm32g4') ? 91 : 70],
  } as const;
  const [base, bus, interrupt] = places[serial.peripheral];
  return { brr: base + brr, bus, interrupt };
}

/** The baud rate that a divisor makes; an LPUART counts in 256ths. */
function baudOf(board: Stm32Board, busHz: number, divisor: number): number {
  return (busHz * (board.serial.peripheral === 'lpuart1' ? 256 : 1)) / divisor;
}

const boards = listBoards()
  .filter((board) => board.family === 'stm32')
  .filter((board) => !board.emulator);

/** One board for each way of start-up; the others differ in pins only. */
const wayOf = ({ chip, clock, serial }: Stm32Board) =>
  [chip.id, clock.source, clock.source === 'internal' ? '' : clock.hz, serial.peripheral].join();
const distinct = [...new Map(boards.map((board) => [wayOf(board), board])).values()];

const stepsOf = ({ chip, clock }: Stm32Board) =>
  siliconOf(chip.id)
    .rules.map((rule) => rule.split(' ')[0]!)
    .filter((step) => step !== 'hsi' && (step !== 'hse' || clock.source !== 'internal'))
    .filter((step) => step !== 'over-drive' || chip.clock.overDrive === true)
    .filter((step) => step !== 'flash' || chip.clock.flashWaitStates > 0);

describe.each(distinct.map((board): [string, Stm32Board] => [board.id, board]))(
  'start-up of %s',
  (id, board) => {
    const { chip } = board;
    const line = siliconOf(chip.id);
    const program = compileFor(id);
    const sound = start(program, chip.id);
    const hseHz = board.clock.source === 'internal' ? 0 : board.clock.hz;

    it('reaches its full clock, by frequencies that its PLL allows', () => {
      const { clockHz, registers } = sound;
      const clocks = line.meaning(registers, hseHz);
      const wanted = hseHz === 0 ? (chip.clock.internalHz ?? chip.clock.sysclkHz) : chip.clock.sysclkHz;
      expect(clockHz).toBe(wanted);
      expect(clocks.core).toBe(wanted);
      expect(line.onPll(registers)).toBe(true);
      const { input, vco } = pllLimits(chip.id);
      expect(clocks.pllInput).toBeGreaterThanOrEqual(input[0]);
      expect(clocks.pllInput).toBeLessThanOrEqual(input[1]);
      if (clocks.vco !== undefined) {
        expect(clocks.vco).toBeGreaterThanOrEqual(vco[0]);
        expect(clocks.vco).toBeLessThanOrEqual(vco[1]);
      }
      expect(clocks.ahb).toBe(wanted / (chip.clock.ahbDivider ?? 1));
    });

    it('sets the wait states of the flash, and the oscillator as the board has it', () => {
      const { registers } = sound;
      expect(bits(register(registers, line.flashAcr), 0, 4) & 0xf).toBe(
        // Bit 1 of an STM32L0's is its prefetch.
        chip.line === 'l0' ? 3 : chip.clock.flashWaitStates,
      );
      const cr = Object.entries(registers).find(([address]) =>
        ['40021000', '40023800', '58024400', '46020c00'].includes(address),
      )![1];
      expect(bits(cr, 18, 1), 'oscillator bypass').toBe(board.clock.source === 'bypass' ? 1 : 0);
      expect(bits(cr, 16, 1), 'external oscillator').toBe(board.clock.source === 'internal' ? 0 : 1);
    });

    it('derives the baud rate from the bus that the port hangs on', () => {
      const { registers } = sound;
      const { brr, bus, interrupt } = portOf(board);
      const clocks = line.meaning(registers, hseHz);
      const baud = baudOf(board, clocks[bus]!, register(registers, brr));
      expect(Math.abs(baud / board.serial.baud - 1)).toBeLessThan(0.01);
      expect(registers['interrupt']).toBe(interrupt);
    });

    it('gives both pins to the port', () => {
      const { registers } = sound;
      for (const name of [board.serial.tx, board.serial.rx]) {
        const gpio = line.gpioBase + 0x400 * (name.charCodeAt(1) - 65);
        const pin = Number(name.slice(2));
        if (chip.line === 'f1') {
          const mode = bits(register(registers, gpio + (pin < 8 ? 0 : 4)), 4 * (pin % 8), 4);
          expect(mode, name).toBe(name === board.serial.tx ? 0xb : 0x8);
          continue;
        }
        const uart = chip.uarts[board.serial.peripheral]!;
        const alternate = uart.alternateOf?.[name] ?? uart.alternate;
        expect(bits(register(registers, gpio), 2 * pin, 2), name).toBe(2);
        expect(bits(register(registers, gpio + 0x20 + (pin < 8 ? 0 : 4)), 4 * (pin % 8), 4)).toBe(alternate);
      }
    });

    it.each(stepsOf(board))(
      'falls back to its internal oscillator without %s, baud rate and all',
      (broken) => {
        const { clockHz, registers } = start(program, chip.id, broken);
        expect(clockHz).toBe(line.internalHz);
        expect(line.onPll(registers)).toBe(false);
        const baud = baudOf(board, line.internalHz, register(registers, portOf(board).brr));
        expect(Math.abs(baud / board.serial.baud - 1)).toBeLessThan(0.01);
      },
    );
  },
);

it('the F446 turns its over-drive on', () => {
  const { chip } = stm32('nucleo-f446re');
  expect(chip).toMatchObject({ clock: { overDrive: true } });
  expect(bits(register(start(compileFor('nucleo-f446re'), chip.id).registers, 0x40007000), 16, 2)).toBe(3);
});

it('PLLR of the F446 is 2 at least, and USB would get 48 MHz at most', () => {
  const { registers } = start(compileFor('nucleo-f446re'), 'stm32f446re');
  const pll = register(registers, 0x40023804);
  expect(bits(pll, 28, 3)).toBe(2);
  expect((2 * 180 * MHZ) / bits(pll, 24, 4)).toBeLessThanOrEqual(48 * MHZ);
});

it('a G474 and an L4R5 end at full speed, boosted', () => {
  for (const id of ['nucleo-g474re', 'nucleo-l4r5zi']) {
    const { registers } = start(compileFor(id), stm32(id).chip.id);
    expect(bits(register(registers, 0x40021008), 4, 4), 'AHB prescaler').toBe(0);
    expect(bits(register(registers, 0x40007080), 8, 1), 'R1MODE').toBe(0);
  }
});

it.each([
  ['10016413', 7],
  // Revision A of the F407 runs without its broken prefetch.
  ['10000413', 6],
  ['10006411', 6],
])('an F407 that names itself %s gets the flash settings %i', (idcode, settings) => {
  const { registers, clockHz } = start(compileFor('stm32f4-discovery'), 'stm32f407vg', undefined, idcode);
  expect(bits(register(registers, 0x40023c00), 8, 3)).toBe(settings);
  expect(clockHz).toBe(168 * MHZ);
});

describe('the stopwatch', () => {
  const cases: [string, number][] = [
    ['nucleo-f401re', 65_536],
    ['nucleo-f446re', 131_072],
    ['nucleo-f303re', 65_536],
    ['nucleo-h743zi', 131_072],
    // Widened by SysTick, which counts the same cycles, some of them a little later.
    ['nucleo-f103rb', 1],
    ['nucleo-g071rb', 1],
  ];
  it.each(cases)('of %s counts on where its 32-bit counter wraps', (id, step) => {
    const program = compileFor(id);
    for (const began of [0n, 12_345n, 0xffff_fff0n]) {
      for (const ticks of [0n, 1n, 65_535n, 0xffff_ffffn, 0x1_0000_0000n, 0x1_0000_0005n, 0x12_3456_789an]) {
        const end = began + ticks;
        const coarse = (at: bigint) => at / BigInt(step);
        const values = [began % 2n ** 32n, coarse(began), end % 2n ** 32n, coarse(end)];
        const { stdout } = spawnSync(program, {
          env: { STOPWATCH: values.join(' '), RULES: siliconOf(stm32(id).chip.id).rules.join('\n') },
          encoding: 'utf8',
        });
        expect(BigInt(stdout), `from ${began}`).toBe(ticks);
      }
    }
  });
});
