import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { findTool } from '../../cli/tools/find-tool.ts';
import { stackTrace, tinyml } from '../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinyml-words-'));
const example = join(import.meta.dirname, '..', '..', 'examples', 'motor-fault');
const model = [join(example, 'model.onnx'), '--calib', join(example, 'data.npz')];
afterAll(() => rmSync(folder, { recursive: true }));

/** PATH with an emulator in front that says something and ends. */
function pathWith(program: string, script: string): string {
  const bin = join(folder, `bin-${program}`);
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, program), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, program), 0o755);
  return [bin, process.env['PATH']].join(delimiter);
}

describe.each([
  ['virtual-stm32f405', 'qemu-system-arm', 'arm-none-eabi-gcc'],
  ['virtual-rv32imc', 'qemu-system-riscv32', 'riscv64-unknown-elf-gcc'],
])('the last words of the emulator of %s', (board, program, compiler) => {
  const can = findTool(compiler) !== undefined;

  test.skipIf(!can)(
    `are shown when it dies, and nobody is sent to check the power${can ? '' : ` (needs ${compiler})`}`,
    async () => {
      const words = `${program}: cannot set up guest memory 'ram': Cannot allocate memory`;
      const PATH = pathWith(program, `echo "${words}" >&2; exit 1`);
      const { code, stderr } = await tinyml(['deploy', ...model, '--board', board], { env: { PATH } });
      expect(code).toBe(2);
      expect(stderr).toContain(`error E_EMULATOR_STOPPED: ${board}: `);
      expect(stderr).toContain(words);
      expect(stderr).not.toMatch(/check power|cable/);
      expect(stderr).not.toMatch(stackTrace);
    },
  );
});
