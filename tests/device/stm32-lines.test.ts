import { describe, expect, test } from 'vitest';
import { listBoards, type Stm32Board } from '../../boards/load.ts';
import { stm32TargetOf } from '../../cli/board/stm32-target.ts';
import { eraseStm32 } from '../../device/stm32-bootloader/erase-stm32.ts';
import { flashStm32 } from '../../device/stm32-bootloader/flash-stm32.ts';
import type { Stm32Target } from '../../device/stm32-bootloader/image-plan.ts';
import { randomFaults, SimulatedLink, type SimulatedPeer } from '../../device/transport/simulated-link.ts';
import { BootloaderServer } from '../../device/virtual/bootloader-server.ts';
import { EmulatedChip } from '../../device/virtual/emulated-chip.ts';
import { imageOf } from './simulated-stm32.ts';

const KIB = 1024;

const chips = new Map(
  listBoards()
    .filter((board) => board.family === 'stm32')
    .map((board): [string, Stm32Board] => [board.chip.id, board]),
);
const targetOf = (id: string): Stm32Target => stm32TargetOf(chips.get(id)!);

/** A chip of any line with its boot loader running; no reset lines, so that starting is seen as Go. */
class Chip implements SimulatedPeer {
  readonly memory: EmulatedChip;
  started = false;
  private readonly server: BootloaderServer;

  constructor(target: Stm32Target, erase: 'extended' | 'plain' = 'extended') {
    this.memory = new EmulatedChip({
      flashBytes: target.flashBytes,
      sramBytes: 8 * KIB,
      sectors: target.sectors,
      erased: target.erased ?? 0xff,
    });
    this.server = new BootloaderServer(this.memory, {
      chipId: target.chipId,
      erase,
      onGo: () => {
        this.started = true;
      },
    });
  }

  receive(bytes: Uint8Array): Uint8Array {
    if (this.started) return new Uint8Array(0);
    return this.server.receive(bytes);
  }

  holds(image: Uint8Array): boolean {
    return Buffer.compare(this.memory.flash.subarray(0, image.length), image) === 0;
  }
}

const link = (chip: Chip) => new SimulatedLink(chip, { hasSignals: false });

describe.each([...chips.keys()])('%s', (id) => {
  const target = targetOf(id);
  const bytes = Math.min(target.flashBytes, 33 * KIB + 7);
  const image = imageOf(bytes, 1);

  test('is flashed, verified and started, whatever was there', async () => {
    const chip = new Chip(target, id.startsWith('stm32f1') ? 'plain' : 'extended');
    chip.memory.flash.fill(0x5a);
    const report = await flashStm32(link(chip), image, { target });
    expect(chip.holds(image)).toBe(true);
    expect(chip.started).toBe(true);
    expect(report.bytesVerified).toBeGreaterThanOrEqual(bytes);
    // What lies behind the last sector of the image is left alone.
    expect(chip.memory.flash.at(-1)).toBe(bytes === target.flashBytes ? image.at(-1) : 0x5a);
  });

  test('that holds it already is only started', async () => {
    const chip = new Chip(target);
    chip.memory.flash.set(image);
    expect(await flashStm32(link(chip), image, { target })).toMatchObject({
      bytesWritten: 0,
      sectorsErased: 0,
    });
    expect(chip.started).toBe(true);
  });
});

test('the second bank of a G0 with 512 KiB is erased by its own numbers, from 256 on', async () => {
  const target = targetOf('stm32g0b1re');
  const chip = new Chip(target);
  chip.memory.flash.fill(0x5a);
  const image = imageOf(300 * KIB, 2);
  const erased: number[] = [];
  const erase = chip.memory.erase.bind(chip.memory);
  chip.memory.erase = (index) => {
    erased.push(index);
    return erase(index);
  };
  await flashStm32(link(chip), image, { target });
  expect(chip.holds(image)).toBe(true);
  expect(erased.filter((index) => index < 256)).toHaveLength(128);
  expect(erased.filter((index) => index >= 256)).toEqual(Array.from({ length: 22 }, (_, i) => 256 + i));
  expect(chip.memory.flash[300 * KIB]).toBe(0x5a);
});

describe('an STM32L0, whose erased flash reads 0', () => {
  const target = targetOf('stm32l053r8');

  test('is written where the image has 0xff, and left where it has 0', async () => {
    const chip = new Chip(target);
    const image = imageOf(8 * KIB, 3);
    image.fill(0xff, 1_000, 3_000);
    image.fill(0, 4_096, 6_144);
    const report = await flashStm32(link(chip), image, { target });
    expect(chip.holds(image)).toBe(true);
    expect(report.bytesWritten).toBeLessThanOrEqual(6 * KIB);
  });

  test('takes its small pages many at a time', async () => {
    const chip = new Chip(target);
    chip.memory.flash.fill(0x5a);
    let commands = 0;
    const counting: SimulatedPeer = {
      receive: (bytes) => {
        if (bytes[0] === 0x44 && bytes.length === 2) commands++;
        return chip.receive(bytes);
      },
    };
    const image = imageOf(32 * KIB, 4);
    const report = await flashStm32(new SimulatedLink(counting, { hasSignals: false }), image, { target });
    expect(report.sectorsErased).toBe(256);
    expect(commands).toBe(8);
  });

  test('is erased to 0 by tinyml erase', async () => {
    const chip = new Chip(target);
    chip.memory.flash.fill(0x5a);
    await eraseStm32(link(chip), { target, range: { address: 0x08000000, bytes: 1_024 } });
    expect(chip.memory.flash.subarray(0, 1_024).every((byte) => byte === 0)).toBe(true);
    expect(chip.memory.flash[1_024]).toBe(0x5a);
  });

  test('is flashed right on a bad line too', async () => {
    for (const kind of ['flip', 'drop', 'duplicate', 'insert'] as const) {
      const chip = new Chip(target);
      chip.memory.flash.fill(0x5a);
      const image = imageOf(4 * KIB, 5);
      const faults = randomFaults(5, 1e-3, [kind]);
      await flashStm32(new SimulatedLink(chip, { faults, hasSignals: false }), image, { target });
      expect(chip.holds(image)).toBe(true);
    }
  });
});

test('images are filled up to what the flash programs at once', async () => {
  for (const [id, unit] of [
    ['stm32h743zi', 32],
    ['stm32u575zi', 16],
    ['stm32g071rb', 8],
    ['stm32f446re', 4],
  ] as const) {
    const target = targetOf(id);
    const chip = new Chip(target);
    const image = imageOf(1_001, 6);
    const report = await flashStm32(link(chip), image, { target });
    expect(report.bytesVerified % unit).toBe(0);
    expect(chip.holds(image)).toBe(true);
  }
});

describe('a boot loader that answers late', () => {
  const target = targetOf('stm32f103c8');
  const image = imageOf(2_000, 7);

  test('after a second of silence at the first sync', async () => {
    const chip = new Chip(target, 'plain');
    let heard = 0;
    const late: SimulatedPeer = {
      // A crystal that starts slowly: the first bytes are lost.
      receive: (bytes) => (heard++ < 6 ? new Uint8Array(0) : chip.receive(bytes)),
    };
    await flashStm32(new SimulatedLink(late, { hasSignals: false }), image, { target });
    expect(chip.holds(image)).toBe(true);
  });

  test('by a fifth of a second each time', async () => {
    const chip = new Chip(target, 'plain');
    await flashStm32(new SimulatedLink(chip, { hasSignals: false, latencyMs: 100 }), image, { target });
    expect(chip.holds(image)).toBe(true);
  });

  test('not at all: E_BOARD_SILENT, exit code 2', async () => {
    const silent: SimulatedPeer = { receive: () => new Uint8Array(0) };
    const job = flashStm32(new SimulatedLink(silent, { hasSignals: false }), image, { target });
    await expect(job).rejects.toMatchObject({ code: 'E_BOARD_SILENT', exit: 2 });
  });
});
