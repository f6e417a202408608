import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findTool } from '../../cli/tools/find-tool.ts';
import { tinyml } from '../support/cli.ts';

interface Report {
  readonly ok: boolean;
  readonly checks: readonly { name: string; ok: boolean; needed: boolean; found: string; fix: string }[];
}

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-doctor-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A PATH in which only the given programs are, real ones by name or scripts by text. */
function pathOf(name: string, programs: Readonly<Record<string, string>>): string {
  const place = join(folder, name);
  mkdirSync(place, { recursive: true });
  for (const [program, script] of Object.entries(programs)) {
    if (script === '') {
      symlinkSync(findTool(program)!, join(place, program));
      continue;
    }
    writeFileSync(join(place, program), `#!/bin/sh\n${script}\n`);
    chmodSync(join(place, program), 0o755);
  }
  return place;
}

const checkOf = (report: Report, name: string) => report.checks.find((check) => check.name === name)!;

describe('doctor', () => {
  test('an empty PATH: each missing tool with what mends it, exit code 3', async () => {
    const { code, json } = await tinyml(['doctor', '--json'], { env: { PATH: pathOf('empty', {}) } });
    const report = json<Report>();
    expect(code).toBe(3);
    expect(report.ok).toBe(false);
    for (const name of ['ARM compiler', 'QEMU for ARM', 'C compiler of this machine']) {
      expect(checkOf(report, name)).toMatchObject({ ok: false, needed: true });
      expect(checkOf(report, name).fix).not.toBe('');
    }
    expect(checkOf(report, 'Node.js').ok).toBe(true);
  });

  test('a compiler without its headers is incomplete', async () => {
    const script = 'case "$1" in --version) echo fake 1.0;; *) exit 1;; esac';
    const env = { PATH: pathOf('headless', { 'arm-none-eabi-gcc': script }) };
    const report = (await tinyml(['doctor', '--json'], { env })).json<Report>();
    expect(checkOf(report, 'ARM compiler').found).toContain('incomplete');
  });

  test('--fix calls apt-get with the packages, without a question', async () => {
    const log = join(folder, 'apt.log');
    const apt = `echo "$DEBIAN_FRONTEND $*" >> ${log}`;
    const programs = { 'apt-get': apt, sudo: 'shift; exec "$@"', env: '', true: '', sh: '' };
    const { code } = await tinyml(['doctor', '--fix', '--json'], { env: { PATH: pathOf('apt', programs) } });
    expect(code).toBe(3);
    const { readFileSync } = await import('node:fs');
    const calls = readFileSync(log, 'utf8');
    expect(calls).toContain('noninteractive apt-get update'.replace('apt-get ', ''));
    expect(calls).toMatch(
      /noninteractive install -y --no-install-recommends gcc-arm-none-eabi .*qemu-system-arm/,
    );
  });

  test('a failing apt-get is named with its last words, exit code 2', async () => {
    const programs = {
      'apt-get': 'echo "E: no network" >&2; exit 100',
      sudo: 'shift; exec "$@"',
      env: '',
      true: '',
    };
    const { code, stderr } = await tinyml(['doctor', '--fix'], { env: { PATH: pathOf('broken', programs) } });
    expect(code).toBe(2);
    expect(stderr).toMatch(/E_TOOL_FAILED[\s\S]*E: no network/);
  });

  test('a relative entry of PATH is never searched', async () => {
    pathOf('trap', { cc: `touch ${join(folder, 'pwned')}` });
    const options = { cwd: join(folder, 'trap'), env: { PATH: `.:${dirname('bin/x')}` } };
    const report = (await tinyml(['doctor', '--json'], options)).json<Report>();
    expect(checkOf(report, 'C compiler of this machine').ok).toBe(false);
    const { existsSync } = await import('node:fs');
    expect(existsSync(join(folder, 'pwned'))).toBe(false);
  });
});
