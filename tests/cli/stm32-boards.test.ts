import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { canEmulate, type Emulated } from '../firmware/emulator.ts';
import { tinyml } from '../support/cli.ts';

const example = join(import.meta.dirname, '../../examples/motor-fault');
const hasCompiler = !spawnSync('arm-none-eabi-gcc', ['--version']).error;
const runs = (id: Emulated) => hasCompiler && canEmulate(id);

interface Deployed {
  readonly verify: { readonly bitExact: boolean; readonly layersChecked: number };
  readonly bench: {
    readonly instructions: number | null;
    readonly modelled: string | null;
    readonly clockHz: number;
    readonly latencyUs: { readonly median: number };
  };
}

/** Boards whose timer counts instructions, and one with SysTick alone, 8 KiB of RAM and the older erase command. */
const boards = [
  ['virtual-stm32f205', 'one instruction a cycle at 120 MHz'],
  ['virtual-olimex-h405', 'one instruction a cycle at 168 MHz'],
  ['virtual-stm32f100', 'one instruction a cycle at 24 MHz, counted in steps of 42'],
] as const;

for (const [id, modelled] of boards) {
  test.skipIf(!runs(id))(
    `a network goes through the boot loader of ${id} and is measured there (skipped without compiler or machine)`,
    async () => {
      const model = join(example, 'model.onnx');
      const data = ['--calib', join(example, 'data.npz')];
      const result = await tinyml(['deploy', model, '--board', id, '--runs', '2', '--json', ...data]);
      expect(result.stderr).not.toMatch(/error/);
      expect(result.code).toBe(0);
      const { verify, bench } = result.json<Deployed>();
      expect(verify).toMatchObject({ bitExact: true, layersChecked: 9 });
      expect(bench.modelled).toBe(modelled);
      expect(bench.latencyUs.median).toBeGreaterThan(100);
      if (id === 'virtual-stm32f100') expect(bench.instructions).toBeNull();
      else expect(bench.instructions).toBeGreaterThan(10_000);
    },
  );
}
