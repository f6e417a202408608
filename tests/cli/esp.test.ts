import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type EspBoard, loadBoard } from '../../boards/load.ts';
import type { BoardLink } from '../../cli/board/board-link.ts';
import { flashBoard } from '../../cli/board/flash-board.ts';
import type { Context } from '../../cli/context.ts';
import { findTool } from '../../cli/tools/find-tool.ts';
import { SimulatedLink } from '../../device/transport/simulated-link.ts';
import { SimulatedEsp } from '../device/simulated-esp.ts';
import { stackTrace, tinyml } from '../support/cli.ts';

const root = join(import.meta.dirname, '..', '..');
const program = join(root, 'dist', 'cli', 'main.js');
const gcc = findTool('riscv64-unknown-elf-gcc');
const MIB = 1024 * 1024;

let folder = '';
let flash = '';
let board: ChildProcess;
let port = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-esp-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(async () => {
  flash = join(folder, 'flash.bin');
  writeFileSync(flash, Buffer.alloc(4 * MIB, 0x5a));
  await startBoard();
});
afterEach(() => board.kill('SIGINT'));

/** With what the flash file holds. */
async function startBoard(): Promise<void> {
  const args = ['boards', 'run', 'virtual-esp32c3', '--json', '--flash-file', flash];
  board = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  const line = await new Promise<string>((resolve) =>
    board.stdout!.once('data', (chunk) => resolve(`${chunk}`)),
  );
  const started = JSON.parse(line) as { board: string; ports: string[] };
  expect(started.board).toBe('virtual-esp32c3');
  port = started.ports[0]!;
}

async function stopBoard(): Promise<void> {
  const ended = once(board, 'exit');
  board.kill('SIGINT');
  await ended;
}

const untouched = () => readFileSync(flash).every((byte) => byte === 0x5a);

describe('erase and reset on a virtual ESP32-C3', () => {
  test('erase takes whole sectors, and reset restarts the program', async () => {
    const range = ['--address', '0x3000', '--bytes', '8k'];
    const { code, json } = await tinyml([
      'erase',
      port,
      '--board',
      'virtual-esp32c3',
      '--yes',
      ...range,
      '--json',
    ]);
    expect(code).toBe(0);
    expect(json()).toEqual({
      board: 'virtual-esp32c3',
      address: 0x3000,
      bytesErased: 8192,
      sectorsErased: 2,
    });
    expect(readFileSync(flash).filter((byte) => byte === 0xff)).toHaveLength(8192);
    const refused = await tinyml([
      'erase',
      port,
      '--board',
      'virtual-esp32c3',
      '--yes',
      '--address',
      '0x1',
      '--bytes',
      '4k',
      '--json',
    ]);
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.json()).toMatchObject({ error: { code: 'E_ERASE_RANGE' } });
    expect(await tinyml(['reset', port, '--board', 'virtual-esp32c3'])).toMatchObject({ code: 0 });
  });

  test('a board file may say its own reset sequence, and only that', async () => {
    const text = readFileSync(join(root, 'boards', 'virtual-esp32c3.json'), 'utf8');
    const withReset = (reset: string) => {
      const path = join(folder, 'own.json');
      writeFileSync(path, text.replace('"classic"', JSON.stringify(reset)));
      return ['erase', port, '--board', path, '--yes', '--address', '0x0', '--bytes', '4k', '--json'];
    };
    expect(await tinyml(withReset('D0|R1|W0.1|U1,0|W0.05|D0'))).toMatchObject({ code: 0 });
    const refused = await tinyml(withReset('D0|touch P'));
    expect(refused.json()).toMatchObject({ error: { code: 'E_BOARD_FILE' } });
    expect(refused.stdout).toContain('/flash/0/reset');
  });

  test('the whole flash is that of the chip, not of the board file', async () => {
    const text = readFileSync(join(root, 'boards', 'virtual-esp32c3.json'), 'utf8');
    const path = join(folder, 'small.json');
    writeFileSync(path, text.replace('"flashMib": 4', '"flashMib": 2'));
    const { json } = await tinyml(['erase', port, '--board', path, '--yes', '--json']);
    expect(json()).toMatchObject({ address: 0, bytesErased: 4 * MIB });
    expect(readFileSync(flash).every((byte) => byte === 0xff)).toBe(true);
  });

  test('the wrong chip is refused with nothing erased', async () => {
    const { code, stderr, json } = await tinyml([
      'erase',
      port,
      '--board',
      'esp32-devkitc',
      '--yes',
      '--json',
    ]);
    expect(code).toBe(2);
    expect(json()).toMatchObject({
      error: { code: 'E_WRONG_CHIP', message: expect.stringContaining('is an ESP32-C3') },
    });
    expect(stderr).not.toMatch(stackTrace);
    expect(untouched()).toBe(true);
  });
});

describe.skipIf(!gcc)(`flash on a virtual ESP32-C3${gcc ? '' : ' (needs riscv64-unknown-elf-gcc)'}`, () => {
  test('writes what differs, verifies all, and says what it did', { timeout: 60_000 }, async () => {
    const out = join(folder, 'model');
    const example = join(root, 'examples', 'motor-fault');
    const calib = ['--calib', join(example, 'data.npz')];
    expect((await tinyml(['convert', join(example, 'model.onnx'), '-o', out, ...calib])).code).toBe(0);
    expect((await tinyml(['build', out, '--board', 'virtual-esp32c3'])).code).toBe(0);

    const where = ['--board', 'virtual-esp32c3', '--port', port];
    const first = await tinyml(['flash', out, ...where, '--json']);
    expect(first.code).toBe(0);
    const report = first.json<{ imageBytes: number }>();
    expect(report).toMatchObject({ chip: 'esp32c3', stub: true, bytesKept: 0, started: true, retries: 0 });
    expect(readFileSync(flash)[0]).toBe(0xe9);
    const again = await tinyml(['flash', out, ...where, '--json']);
    expect(again.json()).toMatchObject({ bytesWritten: 0, bytesKept: report.imageBytes });
  });

  test('a program whose hash is wrong starts, and everybody says so', { timeout: 120_000 }, async () => {
    const out = join(folder, 'hash');
    const example = join(root, 'examples', 'motor-fault');
    const where = ['--board', 'virtual-esp32c3', '--port'];
    await tinyml(['convert', join(example, 'model.onnx'), '-o', out, '--calib', join(example, 'data.npz')]);
    await tinyml(['build', out, '--board', 'virtual-esp32c3']);
    expect(await tinyml(['flash', out, ...where, port])).toMatchObject({ code: 0 });
    const sound = await tinyml(['verify', out, ...where, port]);
    expect(sound).toMatchObject({ code: 0, stderr: expect.not.stringContaining('SHA-256') });

    // The size of the flash, as tools write it into the header; the checksum does not cover it.
    await stopBoard();
    const changed = readFileSync(flash);
    changed[3]! ^= 0x10;
    writeFileSync(flash, changed);
    await startBoard();
    const verified = await tinyml(['verify', out, ...where, port]);
    expect(verified).toMatchObject({ code: 0, stderr: expect.stringMatching(/warning: .*SHA-256 is wrong/) });
    const doctor = await tinyml(['doctor', ...where, port, '--json']);
    expect(doctor.stdout).toMatch(/not the one that was built/);
    const repaired = await tinyml(['flash', out, ...where, port, '--json']);
    expect(repaired.json()).toMatchObject({ bytesWritten: 4096 });
    expect((await tinyml(['verify', out, ...where, port])).stderr).not.toContain('SHA-256');
  });

  test('an image that is not as it was built is refused before anything is erased', async () => {
    const board = loadBoard('virtual-esp32c3') as EspBoard;
    const context = { lifetime: { signal: undefined }, output: { warn() {} } } as unknown as Context;
    const write = (image: Uint8Array) => {
      const link = { board, transport: new SimulatedLink(new SimulatedEsp()) } as unknown as BoardLink;
      return flashBoard(context, link, image, () => {});
    };
    const image = readFileSync(join(folder, 'hash', 'firmware', 'virtual-esp32c3', 'firmware.bin'));
    const flipped = (at: number) => image.map((byte, i) => (i === at ? byte ^ 1 : byte));
    await expect(write(image)).resolves.toMatchObject({ bytesVerified: image.length });
    for (const [bytes, words] of [
      [flipped(6), /SHA-256 comparison failed$/],
      [flipped(200), /Checksum failure/],
      [flipped(0), /invalid header/],
      [image.subarray(0, image.length >> 1), /invalid segment|Checksum/],
      [image.subarray(0, 10), /shorter than its header/],
    ] as const) {
      await expect(write(bytes)).rejects.toMatchObject({
        code: 'E_IMAGE',
        message: expect.stringMatching(words),
      });
    }
  });
});
