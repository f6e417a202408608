import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { findTool } from '../../cli/tools/find-tool.ts';

// Dozens of runs under strace, and emulated boards.
vi.setConfig({ testTimeout: 1_800_000, hookTimeout: 600_000 });

const example = join(import.meta.dirname, '..', '..', 'examples', 'motor-fault');
const program = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');
const canTrace = spawnSync('strace', ['-V']).status === 0;
const canBuild = findTool('arm-none-eabi-gcc') !== undefined && findTool('qemu-system-arm') !== undefined;

let folder = '';
const at = (name: string) => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-kill-'));
  for (const name of ['model.onnx', 'data.npz']) copyFileSync(join(example, name), at(name));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const convert = (engine: string, output: string) => [
  ...['convert', at('model.onnx'), '--calib', at('data.npz'), '--engine', engine, '--quiet', '-o', output],
];
const tinyml = (words: readonly string[], cwd = folder) =>
  spawnSync(process.execPath, [program, ...words], { cwd, encoding: 'utf8' });

/** All files of a folder by content. */
function contents(path: string): string {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const hashes = files.map((file) => {
    const bytes = readFileSync(join(file.parentPath, file.name));
    return `${join(file.parentPath, file.name)} ${createHash('sha256').update(bytes).digest('hex')}`;
  });
  return hashes
    .map((line) => line.slice(path.length))
    .filter((line) => !line.startsWith('/firmware/'))
    .sort()
    .join('\n');
}

/** Runs words under strace, which kills them at the n-th call of a kind; whether it came to that. */
function killedAt(call: string, n: number, words: readonly string[], cwd = folder): boolean {
  const inject = `inject=${call}:signal=KILL:when=${n}`;
  const args = ['-f', '-qq', '-o', '/dev/null', '-e', inject, process.execPath, program, ...words];
  const { status, signal } = spawnSync('strace', args, { cwd });
  return signal === 'SIGKILL' || status === 137;
}

const leftovers = (path: string) => readdirSync(path).filter((name) => name.includes('.tinyml-'));

describe.skipIf(!canTrace)('killed while it writes a folder (needs strace)', () => {
  /** What the folder holds before and after, made once for each test. */
  function states(): { old: string; whole: string } {
    tinyml(convert('tflm', 'new'));
    tinyml(convert('aot', 'out'));
    const states = { old: contents(at('out')), whole: contents(at('new')) };
    // The command stands in no file but the report's path; both were given in the same way.
    expect(states.old).not.toBe(states.whole);
    cpSync(at('out'), at('kept'), { recursive: true });
    return states;
  }

  const restore = () => {
    rmSync(at('out'), { recursive: true, force: true });
    cpSync(at('kept'), at('out'), { recursive: true });
  };

  test.each([
    ['rename', 1],
    ['mkdir', 1],
    ['fsync', 5],
    ['unlink', 5],
  ])('at %ss, every n-th of them (n = %i): all old or all new', (call, step) => {
    const { old, whole } = states();
    let killed = 0;
    for (let n = 1; n < 60; n += step) {
      if (!killedAt(call, n, convert('tflm', 'out'))) break;
      killed++;
      if (existsSync(at('out'))) expect([old, whole], `${call} ${n}`).toContain(contents(at('out')));
      const { status, stderr } = tinyml(['inspect', 'out/model.tflite']);
      expect(status, `${call} ${n}: ${stderr}`).toBe(0);
      expect([old, whole]).toContain(contents(at('out')));
      expect(tinyml(convert('tflm', 'out')).status).toBe(0);
      expect([contents(at('out')), leftovers(folder)]).toEqual([whole, []]);
      restore();
    }
    expect(killed).toBeGreaterThan(0);
  });

  test.each([
    ['rename', 3],
    ['unlink', 5],
  ])('at %ss in the folder that it stands in (n = %i): the next one ends it', (call, step) => {
    const { old, whole } = states();
    for (let n = 1; n < 40; n += step) {
      if (!killedAt(call, n, convert('tflm', '.'), at('out'))) break;
      expect(tinyml(['inspect', 'out/model.tflite']).status).toBe(0);
      expect([old, whole], `${call} ${n}`).toContain(
        contents(at('out')).replaceAll(/^\/\.incoming.*\n?/gm, ''),
      );
      expect(tinyml(convert('tflm', '.'), at('out')).status).toBe(0);
      expect([contents(at('out')), leftovers(at('out'))]).toEqual([whole, []]);
      restore();
    }
  });

  test.skipIf(!canBuild).each([
    ['build', ['out']],
    ['flash', ['out']],
    ['verify', ['out', '--vectors', '1']],
    ['bench', ['out', '--runs', '1']],
    ['eval', ['out/model.tflite', '--data', 'x.npz']],
    ['run', ['out/model.tflite', '--input', 'x.npz', '--engine', 'c']],
  ])('between the two renames: %s finds it (needs arm-none-eabi-gcc and qemu-system-arm)', (name, words) => {
    tinyml(convert('aot', 'out'));
    expect(killedAt('rename', 2, convert('aot', 'out'))).toBe(true);
    rmSync(at('out'), { recursive: true, force: true });
    const { stderr } = tinyml([name, ...words]);
    expect(existsSync(at('out/report.json'))).toBe(true);
    expect(stderr).not.toMatch(/E_FILE_MISSING: out|E_NOT_CONVERTED/);
  });
});
