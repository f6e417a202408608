import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isEsp, loadBoard } from '../../boards/load.ts';
import { readBootImage } from '../../device/virtual/esp-cpu/esp-image-boot.ts';
import { readElf } from '../../firmware-templates/elf.ts';
import { elfSizes } from '../../firmware-templates/elf-sizes.ts';
import { oraclePython } from '../support/oracle.ts';
import { buildPlan, tinyPlan, writePlan } from './build-firmware.ts';
import { flashOf } from './emulator.ts';

const python = oraclePython();
const esptool = python ? join(dirname(python), 'esptool') : undefined;
const hasEsptool = esptool !== undefined && existsSync(esptool);
const why = hasEsptool ? '' : ' (skipped without esptool)';

const compilers = {
  'esp32-c3-devkitm-1': 'riscv64-unknown-elf-gcc',
  'esp32-devkitc': 'xtensa-lx106-elf-gcc',
} as const;
type Id = keyof typeof compilers;
const present = (Object.keys(compilers) as Id[]).filter(
  (id) => !spawnSync(compilers[id], ['--version']).error,
);

/** Places of the constants, by what a model is said to have of them. */
const places = [
  ['RAM', 0],
  ['mapped flash', 400_000],
] as const;

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

function built(id: Id, weightsBytes: number): string {
  const folder = buildPlan(tinyPlan(id, '', 'made for a test', weightsBytes));
  folders.push(folder);
  return folder;
}

const chipOf = (id: Id) => {
  const board = loadBoard(id);
  if (!isEsp(board)) throw new Error(`${id} has another chip`);
  return board.chip;
};

describe.each(present)('the image of %s', (id) => {
  it.skipIf(!hasEsptool).each(places)(
    `with constants in %s is esptool’s own, byte for byte${why}`,
    (place, weights) => {
      const folder = built(id, weights);
      const mine = readFileSync(join(folder, 'firmware.bin'));
      const [mode, frequency] = id === 'esp32-devkitc' ? ['dio', '40m'] : ['dio', '80m'];
      const header = ['--flash-mode', mode, '--flash-freq', frequency, '--flash-size', '4MB'];
      const hidden = place === 'RAM' ? [] : ['--ram-only-header'];
      const files = ['-o', join(folder, 'theirs.bin'), join(folder, 'firmware.elf')];
      execFileSync(esptool!, ['--chip', chipOf(id).family, 'elf2image', ...header, ...hidden, ...files], {
        stdio: 'pipe',
      });
      expect(mine.equals(readFileSync(join(folder, 'theirs.bin')))).toBe(true);
      const info = execFileSync(esptool!, ['image-info', join(folder, 'firmware.bin')], { encoding: 'utf8' });
      expect(info).toContain('(valid)');
      expect(info).not.toContain('invalid');
      expect(info).toContain(`Detected image type: ${chipOf(id).name}`);
    },
  );

  it.skipIf(!hasEsptool)(`can be made with make and esptool alone, to the same bytes${why}`, () => {
    const folder = writePlan(tinyPlan(id));
    folders.push(folder);
    const PATH = `${dirname(esptool!)}:${process.env['PATH']}`;
    execFileSync('make', ['-C', folder], { stdio: 'pipe', env: { ...process.env, PATH } });
    const mine = readFileSync(join(built(id, 0), 'firmware.bin'));
    expect(readFileSync(join(folder, 'firmware.bin')).equals(mine)).toBe(true);
  });

  it('tells what of it takes RAM', () => {
    const inRam = elfSizes(readFileSync(join(built(id, 0), 'firmware.elf')));
    const inFlash = elfSizes(readFileSync(join(built(id, 400_000), 'firmware.elf')));
    expect(inRam.weights).toBe(16);
    expect(inRam.ram.loaded).toBeGreaterThanOrEqual(inFlash.ram.loaded);
    expect(inRam.ram.loaded).toBeLessThan(6000);
  });

  it('has constants in flash at the address of their place there', () => {
    const folder = built(id, 400_000);
    const elf = readElf(readFileSync(join(folder, 'firmware.elf')));
    const { address, content } = elf.sections.find(({ name }) => name === '.mapped')!;
    const flash = flashOf(folder, id);
    const place = address - chipOf(id).mappedFlash.origin;
    expect(flash.subarray(place, place + content.length)).toEqual(new Uint8Array(content));
  });

  it('is refused by the virtual ROM when a byte of it is wrong, and started when only its hash is, as by the real one', () => {
    const { bootloader } = chipOf(id);
    const flash = flashOf(built(id, 0), id);
    const read = () => readBootImage(flash, bootloader.imageOffset, bootloader.chipId);
    expect(read()).toMatchObject({ entry: expect.any(Number), said: '' });
    const flip = (offset: number) => {
      flash[bootloader.imageOffset + offset]! ^= 1;
      const said = read();
      flash[bootloader.imageOffset + offset]! ^= 1;
      return said;
    };
    expect(flip(0)).toMatch(/^invalid header/);
    expect(flip(12)).toMatch(/^invalid chip id/);
    expect(flip(200)).toMatch(
      bootloader.chipId === 0 ? /^csum err:0x..!=0x../ : /^Checksum failure. Calculated 0x.. stored/,
    );
    expect(flip(6)).toMatchObject({
      entry: expect.any(Number),
      said: expect.stringMatching(/^SHA-256 comparison failed:\r\n(.+\r\n){2}Attempting to boot anyway/),
    });
  });
});
