import { type ChildProcess, spawn } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { listBoards } from '../../boards/load.ts';
import { findTool } from '../../cli/tools/find-tool.ts';
import { writeNpy } from '../../converter/data/npy.ts';
import { readNpz, writeNpz } from '../../converter/data/npz.ts';
import { stackTrace, tinyml } from '../support/cli.ts';
import { FakeMachine } from '../support/fake-machine.ts';
import { allCommands } from '../support/stub-command.ts';

// Some of these search and train; a slow machine takes its time, and none of these tests is about time.
vi.setConfig({ testTimeout: 3_600_000, hookTimeout: 600_000 });

const example = join(import.meta.dirname, '..', '..', 'examples', 'motor-fault');
const program = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');
const tools = ['bash', 'arm-none-eabi-gcc', 'riscv64-unknown-elf-gcc', 'qemu-system-arm', 'socat', 'cc'];
const missing = tools.filter((name) => findTool(name) === undefined);

let folder = '';
let machine: FakeMachine;
const at = (name: string) => join(folder, name);

function script(name: string, text: string): void {
  writeFileSync(at(`bin/${name}`), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}

/** The files that examples name, as their reader would have them. */
async function prepare(): Promise<void> {
  const place = at('prepared');
  mkdirSync(join(place, 'home/.config/fish/completions'), { recursive: true });
  copyFileSync(join(example, 'model.onnx'), join(place, 'model.onnx'));
  const { x, y } = Object.fromEntries(readNpz(readFileSync(join(example, 'data.npz')), 'data.npz'));
  const count = 240;
  const samples = (n: number) =>
    writeNpy('float32', [n, 3, 128], new Uint8Array((x!.data.slice(0, n * 384) as Float32Array).buffer));
  const labels = writeNpy('int32', [count], new Uint8Array(Int32Array.from(y!.data.slice(0, count)).buffer));
  for (const name of ['data', 'train', 'test', 'labelled'])
    writeFileSync(
      join(place, `${name}.npz`),
      writeNpz(
        new Map([
          ['x', samples(count)],
          ['y', labels],
        ]),
      ),
    );
  writeFileSync(join(place, 'x.npy'), samples(2));
  const convert = await tinyml(['convert', 'model.onnx', '--calib', 'data.npz', '-o', 'out'], { cwd: place });
  expect(convert.stderr + convert.code).toMatch(/0$/);
  copyFileSync(join(place, 'out/model.tflite'), join(place, 'model.tflite'));
  const build = await tinyml(['build', 'out', '--board', 'esp32-c3-devkitm-1'], { cwd: place });
  expect(build.stderr + build.code).toMatch(/0$/);
}

beforeAll(async () => {
  if (missing.length > 0) return;
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-examples-'));
  machine = new FakeMachine();
  mkdirSync(at('bin'));
  script('tinyml', `exec "${process.execPath}" "${program}" "$@"`);
  // A test installs nothing.
  for (const name of ['apt-get', 'sudo', 'udevadm']) script(name, 'exit 1');
  await prepare();
});
afterAll(() => {
  machine?.remove();
  rmSync(folder, { recursive: true, force: true });
});

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a line as a shell does, in a copy of the prepared folder. */
async function run(
  line: string,
  onOutput: (child: ChildProcess) => void = () => {},
): Promise<Ran & { place: string }> {
  const place = mkdtempSync(at('run-'));
  cpSync(at('prepared'), place, { recursive: true });
  const child = spawn('bash', ['-c', line], {
    cwd: place,
    env: {
      ...process.env,
      ...machine.env,
      HOME: join(place, 'home'),
      XDG_CONFIG_HOME: '',
      PATH: `${at('bin')}${delimiter}${process.env['PATH']}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    onOutput(child);
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, stdout, stderr, place };
}

const realBoards = new Set(listBoards().flatMap(({ id, emulator }) => (emulator ? [] : [id])));
/** Commands that reach the board that they name. */
const reaching = new Set([
  'deploy',
  'analyze',
  'flash',
  'verify',
  'bench',
  'search',
  'worker',
  'record',
  'reset',
  'erase',
]);

/** Whether a line takes a device, or a server, that no test has. */
function needsHardware(name: string, line: string): boolean {
  const board = /--board ([\w-]+)/.exec(line)?.[1] ?? '';
  return (
    /\/dev\/tty|[0-9a-f]{4}:[0-9a-f]{4} |tcp:\/\/|redis:\/\//.test(line) ||
    (reaching.has(name) && realBoards.has(board))
  );
}

/** Exit codes that the line may end with: 3 is a budget that does not hold, or something that is missing. */
function codesOf(name: string, line: string): readonly number[] {
  // Nobody answers the question whether to erase.
  if (name === 'erase' && !line.includes('--yes')) return [1];
  if (name === 'doctor') return [0, 3];
  if (needsHardware(name, line)) return [2];
  return name === 'search' || name === 'analyze' ? [0, 3] : [0];
}

const lines = allCommands.flatMap(({ row, spec }) => spec.examples.map((line) => [row.name, line] as const));
const untilStopped = lines.filter(([name, line]) => name === 'boards' && line.includes(' run '));
const ending = lines.filter((one) => !untilStopped.includes(one));

describe.skipIf(missing.length > 0)(`examples of help (needs ${tools.join(', ')})`, () => {
  test.each(ending)('%s: %s', async (name, line) => {
    const { code, stdout, stderr, place } = await run(line);
    expect(codesOf(name, line), stderr).toContain(code);
    expect(stderr).not.toMatch(stackTrace);
    if (code === 0) expect(stderr).not.toMatch(/^error/m);
    // Where a script was sourced, the shell itself is silent.
    const written = />\s*(\S+)$/.exec(line)?.[1]?.replace('~', join(place, 'home'));
    if (written !== undefined) expect(existsSync(join(place, written)) || existsSync(written)).toBe(true);
    else if (code === 0 && !line.startsWith('source')) expect(stdout).not.toBe('');
    rmSync(place, { recursive: true, force: true });
  });

  test.each(untilStopped)('%s: %s', async (_, line) => {
    const { code, stdout, stderr } = await run(`exec ${line}`, (child) => child.kill('SIGINT'));
    expect([code, stdout, stderr]).toEqual([
      130,
      expect.stringContaining('rfc2217://'),
      expect.not.stringContaining('error'),
    ]);
  });
});
