import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { listBoards } from '../../boards/load.ts';
import { readElf } from '../../firmware-templates/elf.ts';
import { elfSizes } from '../../firmware-templates/elf-sizes.ts';
import { arenaRoom, linkOverflow, memoryShortage } from '../../firmware-templates/fit.ts';
import { buildPlan, newFolder, tinyPlan, writePlan } from './build-firmware.ts';
import { randomSource } from './random.ts';

const hasRiscV = !spawnSync('riscv64-unknown-elf-gcc', ['--version']).error;
const hasXtensa = !spawnSync('xtensa-lx106-elf-gcc', ['--version']).error;
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

function freshlyBuilt(boardId: string, prologue = ''): string {
  const folder = newFolder();
  folders.push(folder);
  return buildPlan(tinyPlan(boardId, prologue), folder);
}

const known = new Map<string, string>();

/** The firmware of the hand-made model, built once for each board. */
function built(boardId: string): string {
  const folder = known.get(boardId) ?? freshlyBuilt(boardId);
  known.set(boardId, folder);
  return folder;
}

const fileOf = (folder: string, name: string) => readFileSync(join(folder, name));
const symbol = (elf: Buffer, name: string) =>
  readElf(elf).symbols.find((candidate) => candidate.name === name)!;

/** One board for each port: line, core, counter and generation of serial port decide which code is compiled. */
const ports = new Map(
  listBoards()
    .filter((board) => board.family === 'stm32')
    .map((board) => {
      const { line, cpu } = board.chip;
      return [[line, cpu, board.emulator?.machine, board.serial.peripheral === 'lpuart1'].join(), board];
    }),
);

it('there is a port for every line of STM32 that boards have', () => {
  const lines = [...ports.values()].map(({ chip }) => chip.line);
  expect([...new Set(lines)].sort()).toEqual(
    ['f0', 'f1', 'f2', 'f3', 'f4', 'f7', 'g0', 'g4', 'h7', 'l0', 'l4', 'u5'].sort(),
  );
});

describe.each([...ports.values()])('the firmware of $id', ({ id, chip }) => {
  const folder = built(id);
  const image = fileOf(folder, 'firmware.bin');
  const elf = fileOf(folder, 'firmware.elf');

  it('begins with a stack at the bottom of RAM and a reset vector in flash', () => {
    const ram = chip.ram.find(({ use }) => use === 'data')!;
    expect(image.readUInt32LE(0)).toBe(ram.origin + 4096);
    const reset = image.readUInt32LE(4);
    expect(reset & 1, 'Thumb').toBe(1);
    expect(reset).toBe(symbol(elf, 'tml_reset').address);
    expect(reset - 1).toBeGreaterThanOrEqual(chip.flash.origin);
    expect(reset).toBeLessThan(chip.flash.origin + image.length);
    expect(image.readUInt32LE(12)).toBe(symbol(elf, 'tml_fault_entry').address);
  });

  it('adds little to its model', () => {
    const { image: total, weights } = elfSizes(elf);
    expect(total).toBe(image.length);
    expect(weights).toBe(16);
    // Beside 100 to 350 bytes of vectors, as many as the number of the serial port's interrupt wants.
    expect(total).toBeLessThan(4250);
  });

  it('is the same bytes in Intel HEX', () => {
    const back = join(folder, 'back.bin');
    execFileSync('arm-none-eabi-objcopy', ['-I', 'ihex', '-O', 'binary', join(folder, 'firmware.hex'), back]);
    expect(readFileSync(back)).toEqual(image);
  });
});

describe.skipIf(!hasRiscV)(
  'the firmware of virtual-rv32imc (skipped without riscv64-unknown-elf-gcc)',
  () => {
    it('begins with its reset code, in flash, and adds little to its model', () => {
      const folder = built('virtual-rv32imc');
      const elf = fileOf(folder, 'firmware.elf');
      const image = fileOf(folder, 'firmware.bin');
      expect(symbol(elf, 'tml_reset').address).toBe(0x80000000);
      expect(symbol(elf, 'tml_trap_entry').address % 4).toBe(0);
      expect(elfSizes(elf).image).toBe(image.length);
      expect(image.length).toBeLessThan(4096);
    });

    it('can be built with make alone, to the same bytes', () => {
      const folder = writePlan(tinyPlan('virtual-rv32imc'));
      folders.push(folder);
      execFileSync('make', ['-C', folder], { stdio: 'pipe' });
      expect(fileOf(folder, 'firmware.bin')).toEqual(fileOf(built('virtual-rv32imc'), 'firmware.bin'));
    });

    it('needs nothing of a C library', () => {
      const elf = fileOf(built('virtual-rv32imc'), 'firmware.elf');
      const foreign = readElf(elf).symbols.filter(({ name }) => /malloc|printf|impure|errno/.test(name));
      expect(foreign).toEqual([]);
    });
  },
);

describe('the build', () => {
  it('gives the same bytes in any folder, time zone and locale', () => {
    const first = built('virtual-stm32f405');
    process.env['TZ'] = 'Asia/Tokyo';
    const second = freshlyBuilt('virtual-stm32f405');
    delete process.env['TZ'];
    for (const name of ['firmware.elf', 'firmware.bin', 'firmware.hex']) {
      expect(fileOf(second, name).equals(fileOf(first, name)), name).toBe(true);
    }
  });

  it('can be done with make alone, to the same bytes', () => {
    const folder = writePlan(tinyPlan('nucleo-f446re'));
    folders.push(folder);
    execFileSync('make', ['-C', folder], { stdio: 'pipe' });
    expect(fileOf(folder, 'firmware.bin')).toEqual(fileOf(built('nucleo-f446re'), 'firmware.bin'));
  });

  it('is not led astray by the names in its banner', () => {
    const banner = 'x */ #error gotcha\n#error gotcha\nall: ; touch canary\n$(shell touch canary) \\';
    const folder = writePlan(tinyPlan('virtual-stm32f405', '', banner));
    folders.push(folder);
    execFileSync('make', ['-C', folder], { stdio: 'pipe' });
    expect(existsSync(join(folder, 'canary'))).toBe(false);
    expect(fileOf(folder, 'firmware.bin')).toEqual(fileOf(built('virtual-stm32f405'), 'firmware.bin'));
  });

  it.skipIf(spawnSync('cmake', ['--version']).error)(
    'can be done with CMake alone (skipped without it)',
    () => {
      const folder = writePlan(tinyPlan('nucleo-f446re'));
      folders.push(folder);
      const out = join(folder, 'out');
      execFileSync('cmake', ['-S', folder, '-B', out, '-G', 'Unix Makefiles'], { stdio: 'pipe' });
      execFileSync('cmake', ['--build', out], { stdio: 'pipe' });
      expect(elfSizes(fileOf(out, 'firmware.elf'))).toEqual(
        elfSizes(fileOf(built('nucleo-f446re'), 'firmware.elf')),
      );
      expect(fileOf(out, 'firmware.bin').length).toBe(fileOf(built('nucleo-f446re'), 'firmware.bin').length);
    },
  );

  it('says in a linker’s words how much too big a model is', () => {
    const message = (prologue: string) => {
      try {
        freshlyBuilt('blackpill-f401cc', prologue);
      } catch (error) {
        return String((error as { stderr: Buffer }).stderr);
      }
      throw new Error('it was linked');
    };
    const big = (bytes: number, what: string) =>
      `${what} char big[${bytes}];\n#define FAULT __asm__ volatile("" :: "r"(big))\n`;
    const small = elfSizes(fileOf(built('blackpill-f401cc'), 'firmware.elf'));
    const used = small.ram.arena + small.ram.static + small.ram.stack;
    const ram = linkOverflow(message(big(70_000, 'static')));
    expect(ram?.flash).toBe(0);
    expect(ram?.ram).toBeCloseTo(70_000 + used - 65_536, -1.5);
    expect(linkOverflow(message(big(300_000, 'static const')))?.flash).toBeGreaterThan(300_000 - 262_144);
    expect(linkOverflow('undefined reference to `x')).toBeUndefined();
  });

  const emulated = [
    ['virtual-stm32f405', 'stm32'],
    ...(hasRiscV ? ([['virtual-rv32imc', 'rv32-virt']] as const) : []),
    ...(hasRiscV ? ([['virtual-esp32c3', 'esp32c3']] as const) : []),
    ...(hasXtensa ? ([['virtual-esp32', 'esp32']] as const) : []),
  ] as const;

  it.each(emulated)('foresees at least the memory that a real build for %s takes', (id, family) => {
    const sizes = elfSizes(fileOf(built(id), 'firmware.elf'));
    const needs = { weightsBytes: 16, arenaBytes: 64, layers: 4, stackBytes: 4096 };
    const memory = (bytes: number) => ({ origin: 0, bytes });
    const rooms = { family, flash: memory(1 << 20), ram: memory(1 << 17), arenaRam: [] };
    const none = { family, flash: memory(0), ram: memory(0), arenaRam: [] };
    const least = memoryShortage(none, needs);
    const ram = sizes.ram.arena + sizes.ram.static + sizes.ram.stack;
    expect(least.flash).toBeLessThanOrEqual(sizes.image);
    expect(least.flash).toBeGreaterThan(sizes.image - 1024);
    expect(least.ram).toBeLessThanOrEqual(ram);
    expect(least.ram).toBeGreaterThan(ram - 128);
    expect(memoryShortage(rooms, needs)).toEqual({ flash: 0, ram: 0 });
    const further = { ...none, arenaRam: [{ ...memory(least.ram - 100), name: 'ccm' }] };
    expect(memoryShortage(further, needs).ram).toBe(100);
    const room = rooms.ram.bytes - (ram - sizes.ram.arena);
    expect(arenaRoom(rooms, needs)).toBeLessThanOrEqual(room);
    expect(arenaRoom(rooms, needs)).toBeGreaterThan(room - 256);
  });
});

describe('the core-coupled memory of an STM32F407', () => {
  const rest = (bytes: number) =>
    `static char rest[${bytes}] __attribute__((section(".bss.tml_ccm")));\n` +
    '#define FAULT __asm__ volatile("" :: "r"(rest))\n';

  it('holds what asks for it, and nothing else', () => {
    const elf = fileOf(freshlyBuilt('stm32f4-discovery', rest(60_000)), 'firmware.elf');
    const { address } = symbol(elf, 'rest');
    expect(address).toBeGreaterThanOrEqual(0x10000000);
    expect(address).toBeLessThan(0x10000010);
    const { image, ram } = elfSizes(elf);
    expect(ram.elsewhere).toEqual([{ name: 'ccm', bytes: 60_000 }]);
    expect(image).toBeLessThan(4096);
    const plain = elfSizes(fileOf(built('stm32f4-discovery'), 'firmware.elf'));
    expect(plain.ram.elsewhere).toEqual([]);
  });

  it('overflows into a message of its own', () => {
    const build = () => freshlyBuilt('stm32f4-discovery', rest(70_000));
    expect(build).toThrow(/region `RAM_CCM' overflowed/);
    try {
      build();
    } catch (error) {
      const { stderr } = error as { stderr: Buffer };
      expect(linkOverflow(String(stderr))).toEqual({ flash: 0, ram: 70_000 - 65_536 });
    }
  });
});

describe('sizes read from an ELF file', () => {
  const folder = built('virtual-stm32f405');
  const elf = fileOf(folder, 'firmware.elf');

  it('agree with binutils', () => {
    const sizes = elfSizes(elf);
    const listing = execFileSync('arm-none-eabi-size', ['-A', '-d', join(folder, 'firmware.elf')], {
      encoding: 'utf8',
    });
    const section = (name: string) => Number(new RegExp(`^\\${name}\\s+(\\d+)`, 'm').exec(listing)?.[1]);
    expect(sizes.code).toBe(section('.text'));
    expect(sizes.weights + sizes.other).toBe(section('.rodata') + section('.data'));
    expect(sizes.ram.stack).toBe(section('.stack'));
    expect(sizes.ram.arena).toBe(64);
    expect(sizes.ram.arena + sizes.ram.static).toBe(section('.data') + section('.bss'));
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('not an ELF file at all, but as long as the header of one')],
    ['half a file', elf.subarray(0, elf.length / 2)],
    ['a 64-bit file', Buffer.concat([elf.subarray(0, 4), Buffer.from([2]), elf.subarray(5)])],
  ])('refuse %s', (_, bytes) => {
    expect(() => elfSizes(bytes)).toThrowError(expect.objectContaining({ code: 'E_BAD_ELF', exit: 2 }));
  });

  it('are given or refused for damaged files, 3,000 times', () => {
    const random = randomSource(5);
    for (let count = 0; count < 3000; count++) {
      const damaged = Buffer.from(elf);
      for (let edits = 0; edits < 4; edits++) {
        const at = random(3) ? random(52) : elf.length - 1 - random(elf.length - 52);
        damaged[at] = random(2) ? 0xff : random(256);
      }
      try {
        elfSizes(damaged);
      } catch (error) {
        expect(error, `seed 5, case ${count}`).toMatchObject({ code: 'E_BAD_ELF' });
      }
    }
  });
});
