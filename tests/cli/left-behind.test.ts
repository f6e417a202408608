import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { findTool } from '../../cli/tools/find-tool.ts';
import { isRunning, markOf } from '../../common/process-mark.ts';

const program = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');
const folder = mkdtempSync(join(tmpdir(), 'tinyml-left-'));
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) await end(child);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** A virtual board that runs by itself, once it is ready. */
async function runBoard(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [program, 'boards', 'run', 'virtual-esp32c3', '--json'], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  children.push(child);
  await once(child.stdout!, 'data');
  return child;
}

const boards = () =>
  readdirSync(folder).filter((name) => name.startsWith('tinyml-') && name.includes('-board-'));

test('the folder of a killed board is gone when the next one starts, that of a living one stays', async () => {
  const first = await runBoard();
  expect(boards()).toHaveLength(1);
  expect(boards()[0]).toContain(`tinyml-${first.pid}`);
  const second = await runBoard();
  expect(boards()).toHaveLength(2);
  await end(first);
  await end(second);
  const third = await runBoard();
  expect(boards()).toHaveLength(1);
  expect(boards()[0]).toContain(`tinyml-${third.pid}`);
});

test.skipIf(!existsSync('/proc/self/stat'))(
  'a number that another process has by now keeps no folder (skipped without /proc)',
  async () => {
    const taken = join(folder, `tinyml-${process.pid}.1-board-AbCd12`);
    const old = join(folder, `tinyml-${process.pid}-flash-AbCd12`);
    for (const path of [taken, old]) mkdirSync(path);
    await runBoard();
    // Without the time of its start the name may be that of this very process.
    expect([existsSync(taken), existsSync(old)]).toEqual([false, true]);
  },
);

test.skipIf(!findTool('sh') || !existsSync('/proc/self/stat'))(
  'a process that only waits for its parent to notice its end does not run (skipped without sh and /proc)',
  async () => {
    const parent = spawn('sh', ['-c', 'sleep 1 & echo $!; exec sleep 600'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    children.push(parent);
    const [text] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(String(text).trim());
    const state = () => readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.[0];
    await expect.poll(state, { timeout: 20_000 }).toBe('Z');
    expect(isRunning(markOf(pid))).toBe(false);
    expect(isRunning(markOf(process.pid))).toBe(true);
  },
);
