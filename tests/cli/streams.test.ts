import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { commandTable } from '../../cli/command-table.ts';
import { stackTrace } from '../support/cli.ts';
import { canMount } from '../support/mount.ts';

const program = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');
const example = join(import.meta.dirname, '..', '..', 'examples', 'motor-fault');
const model = join(example, 'model.onnx');
const full = '/dev/full';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-streams-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** Runs the program with a file as one of its streams, and the other read. */
async function into(path: string, args: readonly string[], stream: 'stdout' | 'stderr' = 'stdout') {
  const fd = openSync(path, 'w');
  const child = spawn(process.execPath, [program, ...args], {
    cwd: folder,
    stdio: stream === 'stdout' ? ['ignore', fd, 'pipe'] : ['ignore', 'pipe', fd],
  });
  closeSync(fd);
  let said = '';
  (stream === 'stdout' ? child.stderr : child.stdout)!.on('data', (chunk) => {
    said += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, said };
}

/** A board that says something and stays. */
async function board(text: string): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write(text);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `tcp://127.0.0.1:${(server.address() as { port: number }).port}`;
}

describe.skipIf(!existsSync(full))('what cannot be printed (needs /dev/full)', () => {
  const told = { code: 1, said: expect.stringMatching(/E_OUTPUT: standard output .*no space left/) };

  test.each([
    ...commandTable.map(({ name }) => [name, '--help']),
    ['--help'],
    ['--version'],
    ['help', 'ops'],
    ['ops'],
    ['ops', '--json'],
    ['ops', '--markdown'],
    ['ports'],
    ['boards'],
    ['boards', 'show', 'virtual-stm32f405'],
    ['boards', 'run', 'virtual-esp32c3'],
    ['boards', 'run', 'virtual-esp32c3', '--json'],
    ['doctor', '--udev-rules'],
    ['completion', 'bash'],
    ['inspect', model],
    ['inspect', model, '--json'],
    ['convert', model, '--quantize', 'float', '-o', 'out'],
    ['convert', model, '--quantize', 'float', '-o', 'out', '--dump-after', 'infer-shapes'],
  ])('%s %s %s %s %s %s %s', async (...args) => {
    const words = args.filter((word) => word !== undefined);
    const result = await into(full, words);
    expect(result).toEqual(told);
    expect(result.said).not.toMatch(stackTrace);
  });

  test.each([[[]], [['--json']], [['--raw']], [['--timestamps']]])(
    'monitor %j ends by itself',
    async (more) => {
      expect(await into(full, ['monitor', await board('hello\n'), ...more])).toEqual(told);
    },
  );

  test('an error that is a document keeps its own exit code and words', async () => {
    const { code, said } = await into(full, ['inspect', 'none.onnx', '--json']);
    expect([code, said]).toEqual([1, expect.stringMatching(/E_FILE_MISSING[\s\S]*E_OUTPUT/)]);
  });

  test('notes that cannot be written are a failure as well', async () => {
    const { code, said } = await into(full, ['convert', model, '--quantize', 'float', '-o', 'out'], 'stderr');
    expect([code, said]).toEqual([1, expect.stringContaining('wrote out')]);
  });
});

describe('a reader that goes away', () => {
  test('ends the monitor without a word', async () => {
    const port = await board('one\ntwo\n'.repeat(50_000));
    const line = `"${process.execPath}" "${program}" monitor ${port} --quiet | head -1; echo "\${PIPESTATUS[0]}"`;
    const child = spawn('bash', ['-c', line], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
    await new Promise((resolve) => child.on('close', resolve));
    expect(said).toBe('one\n0\n');
  });
});

test.skipIf(!canMount)('a disk that is full after the first part (needs root and mount)', async () => {
  const small = mkdtempSync(join(folder, 'small-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8k', 'tmpfs', small]);
  try {
    const { code, said } = await into(join(small, 'out.json'), ['ops', '--json']);
    expect([code, said]).toEqual([1, expect.stringContaining('no space left')]);
  } finally {
    execFileSync('umount', [small]);
  }
});
