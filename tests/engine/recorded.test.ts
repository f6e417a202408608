import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
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

  it('an instruction count that grew by more than 1 % ends with 3 and its name', { timeout: 60_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'tinyml-record-'));
    try {
      const recorded = JSON.parse(readFileSync(join(root, 'scripts', 'engine-recorded.json'), 'utf8'));
      recorded.figures['virtual-stm32f405 size motor-fault'].instructions *= 0.985;
      recorded.figures['virtual-rv32imc speed motor-fault'].instructions *= 0.995;
      const record = join(folder, 'recorded.json');
      writeFileSync(record, JSON.stringify(recorded));
      const args = ['scripts/bench-engine.mjs', '--only', 'motor-fault', '--record', record];
      const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
      expect(stderr).toMatch(/virtual-stm32f405 size motor-fault: instructions WORSE by 1\.5 %\n$/);
      expect(stderr).not.toContain('rv32imc');
      expect(status).toBe(3);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
