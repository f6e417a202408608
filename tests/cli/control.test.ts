import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findTool } from '../../cli/tools/find-tool.ts';
import { stackTrace, tinyml } from '../support/cli.ts';

const program = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');
const qemu = findTool('qemu-system-arm');
const KIB = 1024;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-control-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!qemu)(
  `reset and erase on the virtual board${qemu ? '' : ' (needs qemu-system-arm)'}`,
  () => {
    let board: ChildProcess;
    let ports: readonly string[] = [];
    let flash = '';
    beforeEach(async () => {
      flash = join(folder, 'flash.bin');
      writeFileSync(flash, Buffer.alloc(1024 * KIB, 0x5a));
      const args = ['boards', 'run', 'virtual-stm32f405', '--json', '--flash-file', flash];
      board = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
      const line = await new Promise<string>((resolve) =>
        board.stdout!.once('data', (chunk) => resolve(`${chunk}`)),
      );
      ({ ports } = JSON.parse(line) as { ports: string[] });
    });
    afterEach(() => board.kill('SIGINT'));

    const filled = (from: number, to: number) => {
      const bytes = readFileSync(flash).subarray(from, to);
      return bytes.every((byte) => byte === 0xff)
        ? 'erased'
        : bytes.every((byte) => byte === 0x5a)
          ? 'kept'
          : 'mixed';
    };

    test('erase --yes erases all of it', async () => {
      const { code, json } = await tinyml(['erase', '-p', ports[0]!, '--yes', '--json']);
      expect(code).toBe(0);
      expect(json()).toEqual({
        board: 'virtual-stm32f405',
        address: 0x08000000,
        bytesErased: 1024 * KIB,
        sectorsErased: 12,
      });
      expect(filled(0, 1024 * KIB)).toBe('erased');
    });

    test('a range of whole sectors, and nothing beside it', async () => {
      const range = ['--address', '0x08010000', '--bytes', '64k'];
      const { code, stdout } = await tinyml(['erase', ports[0]!, '--yes', ...range]);
      expect(code).toBe(0);
      expect(stdout).toContain('erased 65,536 bytes at 0x08010000 (1 sector)');
      expect(filled(0, 64 * KIB)).toBe('kept');
      expect(filled(64 * KIB, 128 * KIB)).toBe('erased');
      expect(filled(128 * KIB, 1024 * KIB)).toBe('kept');
    });

    test.each([
      ['half a sector', ['--address', '0x08010000', '--bytes', '32k'], 'E_ERASE_RANGE'],
      ['from within a sector', ['--address', '0x08010400', '--bytes', '63k'], 'E_ERASE_RANGE'],
      ['outside the flash', ['--address', '0x20000000', '--bytes', '16k'], 'E_ERASE_RANGE'],
      ['an address without a size', ['--address', '0x08000000'], 'E_USAGE'],
      ['a size that is none', ['--address', '0x08000000', '--bytes', 'all'], 'E_BAD_VALUE'],
    ])('%s is refused, exit code 1, nothing erased', async (_, range, wanted) => {
      const { code, stderr } = await tinyml(['erase', ports[0]!, '--yes', ...range]);
      expect(stderr).toContain(wanted);
      expect(code).toBe(1);
      expect(filled(0, 1024 * KIB)).toBe('kept');
    });

    test('without --yes and a terminal nothing is erased', async () => {
      const { code, stderr } = await tinyml(['erase', ports[0]!]);
      expect(code).toBe(1);
      expect(stderr).toMatch(/E_NOT_CONFIRMED.*the whole flash.*--yes/s);
      expect(filled(0, 1024 * KIB)).toBe('kept');
    });

    test('the wrong board: nothing is erased', async () => {
      const { code, stderr } = await tinyml(['erase', ports[0]!, '--yes', '--board', 'nucleo-f401re']);
      expect(code).toBe(2);
      expect(stderr).toContain('E_WRONG_CHIP');
      expect(filled(0, 1024 * KIB)).toBe('kept');
    });

    test('reset says what it did; a plain socket has no reset lines and no boot loader that runs', async () => {
      const { json } = await tinyml(['reset', ports[0]!, '--json']);
      expect(json()).toEqual({ port: ports[0], board: null, reset: true });
      const { code, stderr } = await tinyml(['reset', ports[1]!, '--board', 'virtual-stm32f405']);
      expect(code).toBe(2);
      expect(stderr).toMatch(/E_BOARD_SILENT[\s\S]*no reset lines/);
      expect(stderr).not.toMatch(stackTrace);
    });

    test('the only thing missing is the port', async () => {
      expect(await tinyml(['reset'])).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('which port?'),
      });
    });
  },
);
