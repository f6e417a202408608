import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { startLifetime } from '../../cli/lifetime.ts';
import { findTool } from '../../cli/tools/find-tool.ts';
import { runTool } from '../../cli/tools/run-tool.ts';
import { readSources } from '../support/sources.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinyml-path-'));
const lifetime = startLifetime();
const before = process.cwd();

beforeAll(() => {
  mkdirSync(join(folder, 'bin'));
  for (const place of ['snare', 'bin/snare']) {
    writeFileSync(join(folder, place), '#!/bin/sh\necho ran\n');
    chmodSync(join(folder, place), 0o755);
  }
  process.chdir(folder);
});
afterEach(() => vi.unstubAllEnvs());
afterAll(async () => {
  process.chdir(before);
  await lifetime.end();
  rmSync(folder, { recursive: true });
});

const run = (tool: string, args: string[] = []) =>
  runTool({ tool, args, purpose: 'be tried', timeoutSeconds: 60, cwd: folder }, lifetime);

describe('a relative entry of PATH', () => {
  test.each(['.', '', 'bin', './bin', '..', 'bin/', `./../${basename(folder)}`])(
    '%j runs nothing from there, whatever folder is worked in',
    async (entry) => {
      vi.stubEnv('PATH', [entry, dirname(process.execPath)].join(delimiter));
      expect(findTool('snare')).toBeUndefined();
      await expect(run('snare')).rejects.toMatchObject({ code: 'E_TOOL_MISSING' });
    },
  );

  test('is not handed on to programs that start others', async () => {
    vi.stubEnv('PATH', ['.', '', 'bin', '/usr/bin', '/bin'].join(delimiter));
    const { stdout } = await run('sh', ['-c', 'echo "$PATH"; command -v snare']);
    expect(new TextDecoder().decode(stdout)).toMatch(/^\/usr\/bin:\/bin\n$/);
  });
});

test('a program is found by its name in an absolute folder', () => {
  const name = basename(process.execPath);
  vi.stubEnv('PATH', ['.', dirname(process.execPath)].join(delimiter));
  expect(findTool(name)).toBe(process.execPath);
  expect(findTool('no-such-program')).toBeUndefined();
  vi.stubEnv('PATH', '');
  expect(findTool(name)).toBeUndefined();
});

test('nobody else looks for programs, or starts one by its name', () => {
  const starters = readSources([
    'cli',
    'device',
    'firmware-templates',
    'boards',
    'converter',
    'common',
  ]).filter(({ text }) => /\bfrom 'node:child_process'/.test(text));
  for (const { path, text } of starters) {
    // What is started is this very Node, or a path that findTool gave.
    expect(text, path).not.toMatch(
      /\b(?:spawn|spawnSync|execFile|execFileSync|exec|execSync|fork)\(\s*['"`]/,
    );
    expect(text, path).not.toMatch(/shell:\s*true/);
  }
  const searchers = readSources(['cli', 'device']).filter(({ text }) =>
    /env\[?\.?['"]?PATH['"]?\]?/.test(text),
  );
  expect(searchers.map(({ path }) => path)).toEqual(['cli/tools/find-tool.ts']);
});
