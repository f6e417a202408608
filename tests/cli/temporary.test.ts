import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { findTool } from '../../cli/tools/find-tool.ts';
import { markText, ownMark } from '../../common/process-mark.ts';
import { stackTrace, tinyml } from '../support/cli.ts';
import { canMount } from '../support/mount.ts';

// Some of these compile and emulate, and a busy machine takes its time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const example = join(import.meta.dirname, '..', '..', 'examples', 'motor-fault');
const model = join(example, 'model.onnx');
const data = join(example, 'data.npz');
const canBuild = ['arm-none-eabi-gcc', 'qemu-system-arm', 'cc'].every((name) => findTool(name));

let folder = '';
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-temporary-'));
  expect((await tinyml(['convert', model, '--calib', data, '-o', at('out')])).code).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Every command that works with temporary files, and locks. */
const users: readonly (readonly string[])[] = [
  ['build', 'out'],
  ['bench', 'out', '--runs', '1'],
  ['verify', 'out'],
  ['flash', 'out'],
  ['deploy', model, '--calib', data],
  ['run', model, '--input', data, '--calib', data, '--engine', 'c'],
  ['eval', model, '--data', data, '--calib', data, '--engine', 'c'],
  ['inspect', model],
  ['search', model, '--data', data, '--trials', '1', '--jobs', '1'],
  ['boards', 'run', 'virtual-esp32c3'],
  ['monitor', 'tcp://127.0.0.1:9'],
  ['record', 'set.csv', '--source', 'counter', '--samples', '1', '--port', 'tcp://127.0.0.1:9'],
];

describe.skipIf(!canBuild)(
  'the folder for temporary files (needs arm-none-eabi-gcc, qemu-system-arm and cc)',
  () => {
    const clean = /^error E_TEMPORARY: [\s\S]*^ {2}hint: .*TMPDIR/m;

    test.each(users.map((words) => [words[0], words] as const))(
      '%s: that is not there',
      async (name, words) => {
        const { code, stderr } = await tinyml(words, { cwd: folder, env: { TMPDIR: at('none') } });
        expect(stderr).not.toMatch(stackTrace);
        if (name === 'inspect') expect(code).toBe(0);
        else expect([code, stderr]).toEqual([1, expect.stringMatching(clean)]);
      },
    );

    test.skipIf(!canMount).each([16, 100, 300, 700])(
      'that is full after %i KiB (needs root and mount)',
      async (size) => {
        mkdirSync(at('small'), { recursive: true });
        execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}k`, 'tmpfs', at('small')]);
        try {
          for (const words of users.slice(0, 7)) {
            const { code, stderr } = await tinyml(words, { cwd: folder, env: { TMPDIR: at('small') } });
            expect(stderr).not.toMatch(stackTrace);
            expect([0, 1], stderr).toContain(code);
            if (code === 1)
              expect(stderr).toMatch(/^error E_(TEMPORARY|FLASH_FILE): .*\n {2}hint: .*TMPDIR/m);
            expect(readdirSync(at('small'))).toEqual([]);
          }
        } finally {
          execFileSync('umount', [at('small')]);
        }
      },
    );

    test('what killed runs left there goes with the next one, what others use stays', async () => {
      const place = at('tmp');
      mkdirSync(place);
      const { pid, started, world } = ownMark();
      const left = [
        `tinyml-4194999.5-build-AbCd12`,
        // Numbers that others have by now, with and without the container they were of.
        `tinyml-${pid}.1-flash-AbCd12`,
        `tinyml-${markText({ pid, started: '1', world: world! })}-host-AbCd12`,
      ];
      const kept = [
        `tinyml-${markText({ pid, started, world: world! })}-build-AbCd12`,
        `tinyml-${pid}.1.00000000-build-AbCd12`,
        'tinyml-notes',
        'tinyml-1-mine',
      ];
      for (const name of [...left, ...kept]) mkdirSync(join(place, name));
      writeFileSync(join(place, left[0]!, 'model.c'), '');
      expect((await tinyml(['build', 'out'], { cwd: folder, env: { TMPDIR: place } })).code).toBe(0);
      expect(readdirSync(place).sort()).toEqual([...kept].sort());
      expect(existsSync(at('out/firmware'))).toBe(true);
    });
  },
);
