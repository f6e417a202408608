import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findTool } from '../../cli/tools/find-tool.ts';
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
  const args = ['boards', 'run', 'virtual-esp32c3', '--json', '--flash-file', flash];
  board = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  const line = await new Promise<string>((resolve) =>
    board.stdout!.once('data', (chunk) => resolve(`${chunk}`)),
  );
  const started = JSON.parse(line) as { board: string; ports: string[] };
  expect(started.board).toBe('virtual-esp32c3');
  port = started.ports[0]!;
});
afterEach(() => board.kill('SIGINT'));

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
});
