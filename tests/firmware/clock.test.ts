import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { listBoards, loadBoard, type Stm32f4Board } from '../../boards/load.ts';
import { tinyPlan } from './build-firmware.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'tinyml-clock-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The port's start-up as a program on this computer, over registers that answer as working silicon does. */
function compileFor(boardId: string): string {
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
      join(root, 'firmware-templates/port/stm32f4/tml_stm32f4.c'), join(silicon, 'silicon.c'),
      '-o', join(place, 'start'),
    ],
    { encoding: 'utf8' },
  );
  expect(result.stderr).toBe('');
  return join(place, 'start');
}

interface Setup {
  readonly clockHz: number;
  readonly pllcfgr: number;
  readonly cfgr: number;
  readonly acr: number;
  readonly pwr: number;
  readonly cr: number;
  readonly brr: number;
  readonly interrupt: number;
}

function start(program: string, broken?: string, idcode = '10016413'): Setup {
  const env: Record<string, string> = { IDCODE: idcode, ...(broken === undefined ? {} : { BROKEN: broken }) };
  const { stdout, stderr, status } = spawnSync(program, { env, encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  return { clockHz: Number(stderr), ...(JSON.parse(stdout) as Omit<Setup, 'clockHz'>) };
}

const MHZ = 1_000_000;
const field = (value: number, low: number, bits: number) => (value >>> low) & ((1 << bits) - 1);
const busDivider = (code: number) => (code < 4 ? 1 : 2 ** (code - 3));

/** Frequencies that the registers' contents mean (RM0090 7.3.2 and 7.3.3). */
function meaning({ pllcfgr, cfgr }: Setup, hseHz: number) {
  const source = field(pllcfgr, 22, 1) ? hseHz : 16 * MHZ;
  const input = source / field(pllcfgr, 0, 6);
  const vco = input * field(pllcfgr, 6, 9);
  const core = vco / (2 * field(pllcfgr, 16, 2) + 2);
  const apb1 = core / busDivider(field(cfgr, 10, 3));
  const apb2 = core / busDivider(field(cfgr, 13, 3));
  return { input, vco, core, apb1, apb2, usb: vco / field(pllcfgr, 24, 4) };
}

const boards = listBoards()
  .filter((board) => board.family === 'stm32f4')
  .filter((board) => !board.emulator);

describe.each(boards.map((board): [string, Stm32f4Board] => [board.id, board]))(
  'start-up of %s',
  (id, board) => {
    const program = compileFor(id);
    const hseHz = board.clock.source === 'internal' ? 0 : board.clock.hz;

    it('reaches the clock that the chip is made for, by frequencies that its PLL allows', () => {
      const setup = start(program);
      const { input, vco, core, usb } = meaning(setup, hseHz);
      expect(setup.clockHz).toBe(board.chip.clock.sysclkHz);
      expect(core).toBe(setup.clockHz);
      expect(field(setup.cfgr, 0, 2), 'runs from the PLL').toBe(2);
      expect([1 * MHZ, 2 * MHZ]).toContain(input);
      expect(vco).toBeGreaterThanOrEqual(100 * MHZ);
      expect(vco).toBeLessThanOrEqual(432 * MHZ);
      expect(usb).toBeLessThanOrEqual(48 * MHZ);
      expect(field(setup.pllcfgr, 28, 3), 'PLLR of the F446 must be 2 at least').toBe(2);
      expect(field(setup.acr, 0, 4)).toBe(board.chip.clock.flashWaitStates);
      expect(field(setup.acr, 8, 3), 'prefetch and caches').toBe(7);
      expect(field(setup.cr, 18, 1), 'oscillator bypass').toBe(board.clock.source === 'bypass' ? 1 : 0);
    });

    it('derives the baud rate from the bus that the port hangs on', () => {
      const setup = start(program);
      const { apb1, apb2 } = meaning(setup, hseHz);
      const port = {
        usart1: [apb2, 37],
        usart2: [apb1, 38],
        usart3: [apb1, 39],
        usart6: [apb2, 71],
      } as const;
      const [bus, interrupt] = port[board.serial.peripheral];
      expect(Math.abs(bus / setup.brr / board.serial.baud - 1)).toBeLessThan(0.01);
      expect(setup.interrupt).toBe(interrupt);
    });

    it.each(['hse', 'pll', 'flash', 'switch'])(
      'falls back to 16 MHz without %s, baud rate and all',
      (broken) => {
        const setup = start(program, broken);
        expect(setup.clockHz).toBe(16 * MHZ);
        expect(field(setup.cfgr, 0, 2), 'runs from the internal oscillator').toBe(0);
        expect(Math.abs((16 * MHZ) / setup.brr / board.serial.baud - 1)).toBeLessThan(0.01);
      },
    );
  },
);

it('the F446 falls back when its over-drive does not come on', () => {
  const program = compileFor('nucleo-f446re');
  expect(loadBoard('nucleo-f446re').chip).toMatchObject({ clock: { overDrive: true } });
  expect(field(start(program).pwr, 16, 2)).toBe(3);
  expect(start(program, 'over-drive').clockHz).toBe(16 * MHZ);
});

it.each(['10000413', '10006411'])(
  'revision A of the F407 (%s) runs without its broken prefetch',
  (idcode) => {
    const { acr, clockHz } = start(compileFor('stm32f4-discovery'), undefined, idcode);
    expect(field(acr, 8, 3)).toBe(6);
    expect(clockHz).toBe(168 * MHZ);
  },
);

describe('the stopwatch', () => {
  const cases: [string, number][] = [
    ['nucleo-f401re', 1],
    ['nucleo-f446re', 2],
  ];
  it.each(cases)('of %s counts on where its 32-bit counter wraps', (id, coreOfTimer) => {
    const program = compileFor(id);
    const step = 65536n * BigInt(coreOfTimer);
    for (const began of [0n, 12_345n, 0xffff_fff0n]) {
      for (const ticks of [0n, 1n, 65_535n, 0xffff_ffffn, 0x1_0000_0000n, 0x1_0000_0005n, 0x12_3456_789an]) {
        const end = began + ticks;
        const values = [began % 2n ** 32n, began / step, end % 2n ** 32n, end / step];
        const { stdout } = spawnSync(program, { env: { STOPWATCH: values.join(' ') }, encoding: 'utf8' });
        expect(BigInt(stdout), `from ${began}`).toBe(ticks);
      }
    }
  });
});
