import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { openTransport } from '../../device/transport/open-transport.ts';
import { lockPort } from '../../device/transport/port-lock.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinyml-lock-'));
const children: { kill(signal: 'SIGKILL'): boolean }[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A process that lives until the test ends, or until it is killed. */
function otherProcess() {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  children.push(child);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const kill = () => {
    child.kill('SIGKILL');
    return ended;
  };
  return { pid: child.pid!, kill };
}

/** The lock file of a port, as another process would have left it: its number and when it started. */
function leaveLock(port: string, pid: number, started: string): string {
  const lock = lockPort(port, folder);
  lock.release();
  writeFileSync(lock.file, `${pid}\n${started}\n`);
  return lock.file;
}

const startedAt = (pid: number) =>
  readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')[19]!;

test('a port is locked once in a process, and again after its release', () => {
  const first = lockPort('/dev/nowhere', folder);
  expect(() => lockPort('/dev/nowhere', folder)).toThrow(
    expect.objectContaining({ code: 'E_PORT_BUSY', message: expect.stringContaining('this process') }),
  );
  expect(lockPort('/dev/elsewhere', folder).file).not.toBe(first.file);
  first.release();
  first.release();
  lockPort('/dev/nowhere', folder).release();
  expect(existsSync(first.file)).toBe(false);
});

test('the holder is named when it is another live process', () => {
  const other = otherProcess();
  const began = performance.now();
  leaveLock('tcp://host:1', other.pid, startedAt(other.pid));
  expect(() => lockPort('tcp://host:1', folder)).toThrow(
    expect.objectContaining({
      code: 'E_PORT_BUSY',
      message: expect.stringContaining(`process ${other.pid}`),
    }),
  );
  expect(performance.now() - began).toBeLessThan(1_000);
});

test('the lock of a killed process is cleared', async () => {
  const other = otherProcess();
  leaveLock('tcp://host:2', other.pid, startedAt(other.pid));
  await other.kill();
  lockPort('tcp://host:2', folder).release();
});

test('a number that another process has by now does not hold the port', () => {
  const other = otherProcess();
  leaveLock('tcp://host:3', other.pid, '1');
  lockPort('tcp://host:3', folder).release();
});

test.each(['', 'garbage', '-1\n', '0\n1\n', '\0\0\0\0'])('a damaged lock file (%j) is cleared', (content) => {
  const file = leaveLock('tcp://host:4', 1, '');
  writeFileSync(file, content);
  lockPort('tcp://host:4', folder).release();
});

test('two hundred stale locks in a row are cleared, and nothing is left over', async () => {
  const other = otherProcess();
  await other.kill();
  for (let i = 0; i < 200; i++) {
    leaveLock('tcp://host:5', other.pid, '');
    lockPort('tcp://host:5', folder).release();
  }
  expect(readdirSync(folder)).toEqual([]);
});

test('two names of one device are one port', () => {
  const device = join(folder, 'ttyX');
  writeFileSync(device, '');
  symlinkSync(device, join(folder, 'by-id'));
  lockPort(device, folder);
  expect(() => lockPort(join(folder, 'by-id'), folder)).toThrow(
    expect.objectContaining({ code: 'E_PORT_BUSY' }),
  );
});

test('releasing does not take the lock from who holds it now', () => {
  const lock = lockPort('tcp://host:6', folder);
  const other = otherProcess();
  writeFileSync(lock.file, `${other.pid}\n${startedAt(other.pid)}\n`);
  lock.release();
  expect(existsSync(lock.file)).toBe(true);
});

test('the loser sends not a byte', async () => {
  let bytes = 0;
  const server = createServer((socket) => socket.on('data', (chunk) => (bytes += chunk.length)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const name = `tcp://127.0.0.1:${(server.address() as { port: number }).port}`;
  const winner = await openTransport(name, { lockDirectory: folder });
  await expect(openTransport(name, { lockDirectory: folder })).rejects.toMatchObject({ code: 'E_PORT_BUSY' });
  await winner.close();
  server.close();
  expect(bytes).toBe(0);
  await expect(openTransport(name, { lockDirectory: folder })).rejects.toMatchObject({
    code: 'E_PORT_UNREACHABLE',
  });
  expect(readdirSync(folder)).toEqual([]);
});

test('what killed processes left of locks of other ports is swept, and nothing else', async () => {
  const dead = otherProcess();
  const live = otherProcess();
  const left = leaveLock('tcp://host:7', dead.pid, startedAt(dead.pid));
  const draft = `${left}.00000000-0000-4000-8000-000000000000`;
  writeFileSync(draft, `${dead.pid}\n\n`);
  await dead.kill();
  const held = leaveLock('tcp://host:8', live.pid, startedAt(live.pid));
  writeFileSync(join(folder, 'tinyml-port-mine.lock'), `${dead.pid}\n\n`);
  lockPort('tcp://host:9', folder).release();
  expect([left, draft, held].map((path) => existsSync(path))).toEqual([false, false, true]);
  expect(existsSync(join(folder, 'tinyml-port-mine.lock'))).toBe(true);
});
