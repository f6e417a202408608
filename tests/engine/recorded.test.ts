import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const inPath = (program: string) => spawnSync(program, ['--version']).status === 0;
const tools = ['arm-none-eabi-gcc', 'qemu-system-arm', 'riscv64-unknown-elf-gcc', 'qemu-system-riscv32'];
const missing = tools.filter((program) => !inPath(program));
const hasNetworks = existsSync(join(root, '..', 'shared', 'models', 'kws_int8.tflite'));
const wanted =
  missing.length > 0 ? ` (needs ${missing.join(', ')})` : hasNetworks ? '' : ' (example network only)';

describe.skipIf(missing.length > 0)(`the engine's recorded figures${wanted}`, () => {
  it('instructions, flash and arena of no network grew by more than 1 %', { timeout: 240_000 }, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/bench-engine.mjs'], {
      cwd: root,
      encoding: 'utf8',
    });
    console.log(stdout);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).not.toContain('not recorded');
  });
});
