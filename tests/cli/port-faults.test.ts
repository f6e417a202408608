import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findTool } from '../../cli/tools/find-tool.ts';
import { openPty } from '../../device/virtual/pty.ts';
import { stackTrace, tinyml } from '../support/cli.ts';
import { FakeMachine } from '../support/fake-machine.ts';

const program = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');
const socat = findTool('socat');
const root = process.getuid?.() === 0;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-faults-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step();
});

/** A server; the number of bytes that clients sent is counted. */
async function server(onConnect: (socket: Socket) => void) {
  let bytes = 0;
  const made = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      bytes += chunk.length;
    });
    onConnect(socket);
  });
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  cleanup.push(() => made.close());
  return { port: (made.address() as { port: number }).port, bytes: () => bytes };
}

/** A monitor that has its port. */
async function holder(port: string, env: Readonly<Record<string, string>> = {}): Promise<ChildProcess> {
  const child = spawn(process.execPath, [program, 'monitor', port], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  });
  cleanup.push(() => child.kill('SIGKILL'));
  await new Promise((resolve) => child.stderr!.once('data', resolve));
  return child;
}

describe('two clients at once', () => {
  test('the second is told who has the port, whatever it calls it, and sends not a byte', async () => {
    const { port, bytes } = await server(() => {});
    const first = await holder(`tcp://127.0.0.1:${port}`);
    for (const name of [`tcp://127.0.0.1:${port}`, `socket://LOCALHOST:${port}`, `rfc2217://[::1]:${port}`]) {
      const { code, stderr } = await tinyml(['monitor', name]);
      expect(stderr).toMatch(new RegExp(`E_PORT_BUSY.*process ${first.pid} holds it`));
      expect(stderr).not.toMatch(stackTrace);
      expect(code).toBe(2);
    }
    expect(bytes()).toBe(0);
  });

  test('the lock of one that was killed is cleared by the next', async () => {
    const { port } = await server(() => {});
    const first = await holder(`tcp://127.0.0.1:${port}`);
    const gone = new Promise((resolve) => first.once('close', resolve));
    first.kill('SIGKILL');
    await gone;
    expect((await tinyml(['monitor', `tcp://127.0.0.1:${port}`, '--seconds', '1'])).code).toBe(0);
  });

  test('of eight that start at the same moment one gets the port', async () => {
    const { port } = await server(() => {});
    const args = ['monitor', `tcp://127.0.0.1:${port}`, '--seconds', '10'];
    const children: ChildProcess[] = [];
    const runs = Array.from({ length: 8 }, () => tinyml(args, { onStart: (child) => children.push(child) }));
    // Seven end by themselves; then the one that has the port is told to go.
    const ended = new Set<number>();
    for (const [i, run] of runs.entries()) void run.then(() => ended.add(i));
    await expect.poll(() => ended.size, { timeout: 30_000 }).toBeGreaterThanOrEqual(7);
    for (const child of children) child.kill('SIGINT');
    const results = await Promise.all(runs);
    expect(results.filter(({ stderr }) => stderr.includes('E_PORT_BUSY'))).toHaveLength(7);
  });

  test.skipIf(!socat)(
    `a link in by-id and the ids are the device too${socat ? '' : ' (needs socat)'}`,
    async () => {
      const machine = new FakeMachine();
      cleanup.push(() => machine.remove());
      const line = await openPty(socat!, () => {});
      cleanup.push(() => line.close());
      const device = machine.tty(
        'ttyACM0',
        { vendorId: '0483', productId: '374b', serialNumber: '066B' },
        line.path,
      );
      const first = await holder(device, machine.env);
      for (const name of [line.path, '0483:374b', '0x0483:0x374B:066b']) {
        const { code, stderr } = await tinyml(['monitor', '-p', name], { env: machine.env });
        expect(stderr).toContain(`process ${first.pid} holds it`);
        expect(code).toBe(2);
      }
      const byVariable = await tinyml(['monitor'], {
        env: { ...machine.env, TINYML_PORT: '0483:374b:066B' },
      });
      expect(byVariable.stderr).toContain('E_PORT_BUSY');
      const { stdout } = await tinyml(['ports'], { env: machine.env });
      expect(stdout).toContain(`held by tinyml (${first.pid})`);
    },
  );

  test.skipIf(!socat || !root)(
    `a port of another user: permission, exit code 2${socat && root ? '' : ' (needs root and socat)'}`,
    async () => {
      const line = await openPty(socat!, () => {});
      cleanup.push(() => line.close());
      chmodSync(line.path, 0o600);
      const own = mkdtempSync(join(tmpdir(), 'tinyml-nobody-'));
      cleanup.push(() => rmSync(own, { recursive: true }));
      chmodSync(own, 0o777);
      const child = spawn(process.execPath, [program, 'monitor', line.path], {
        uid: 65_534,
        gid: 65_534,
        env: { ...process.env, TMPDIR: own },
      });
      let text = '';
      child.stderr.on('data', (chunk) => {
        text += chunk;
      });
      expect(await new Promise((resolve) => child.once('close', resolve))).toBe(2);
      expect(text).toContain('E_PORT_PERMISSION');
    },
  );
});

/** What a port may say instead of an answer. */
const tarpits: readonly (readonly [string, (socket: Socket) => void])[] = [
  ['says nothing', () => {}],
  ['says a byte just before each time-out', (socket) => every(socket, 240, Buffer.from('x'))],
  [
    'says noise without end',
    (socket) => every(socket, 5, Buffer.from(Array.from({ length: 512 }, (_, i) => (i * 37) & 0xff))),
  ],
  ['acknowledges everything, without end', (socket) => every(socket, 5, Buffer.alloc(512, 0x79))],
];

function every(socket: Socket, ms: number, bytes: Uint8Array): void {
  const timer = setInterval(() => {
    if (socket.writableLength < 65_536) socket.write(bytes);
  }, ms);
  socket.on('close', () => clearInterval(timer));
}

describe('a port that would hold up for ever', () => {
  const commands = [
    ['erase', '--yes', '-p'],
    ['reset', '--board', 'virtual-stm32f405', '-p'],
    ['record', 'no.csv', '--source', 'sine', '--samples', '1', '-p'],
    ['record', 'no.csv', '--source', 'adc', '--samples', '1', '--via', 'firmata', '-p'],
    ['monitor', '--no-reconnect', '-p'],
  ];
  const messages =
    /error E_(BOARD_SILENT|BOARD_TIMEOUT|WRONG_FIRMWARE|FIRMATA_SILENT|NOT_RFC2217|FLASH_LINK|DEVICE_LOST|WRONG_CHIP|PORT)\b/;

  test('holds up none: every command ends with a message and exit code 2', { timeout: 180_000 }, async () => {
    const all = tarpits.flatMap(([pitName, pit]) => commands.map((command) => ({ pitName, pit, command })));
    const runs = all.map(async ({ pitName, pit, command }) => {
      let began = performance.now();
      const { port } = await server((socket) => {
        began = performance.now();
        pit(socket);
      });
      // The monitor would show anything, but for the handshake of RFC 2217.
      const scheme = command[0] === 'monitor' ? 'rfc2217' : 'tcp';
      const result = await tinyml([...command, `${scheme}://127.0.0.1:${port}`], { cwd: folder });
      return { ...result, what: `${command[0]}, port ${pitName}`, ms: performance.now() - began };
    });
    const results = await Promise.all(runs);
    console.log(
      results
        .map(({ what, ms }) => `${what}: ended ${(ms / 1000).toFixed(0)} s after it had the port`)
        .join('\n'),
    );
    for (const { what, code, stderr } of results) {
      expect(stderr, what).toMatch(messages);
      expect(stderr, what).not.toMatch(stackTrace);
      expect(code, what).toBe(2);
    }
  });
});

describe('a flood', () => {
  test('of 100 MB goes through the monitor in little memory', async () => {
    const chunk = Buffer.alloc(65_536, `${'All work and no play makes Jack a dull boy. '.repeat(5)}\n`);
    const total = 1600;
    const { port } = await server((socket) => {
      let sent = 0;
      const more = () => {
        while (sent < total) {
          sent++;
          if (!socket.write(chunk)) return void socket.once('drain', more);
        }
        socket.end();
      };
      more();
    });
    const child = spawn(process.execPath, [program, 'monitor', `tcp://127.0.0.1:${port}`, '--no-reconnect'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let received = 0;
    let first = 0;
    let peak = 0;
    const resident = () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0);
    child.stdout.on('data', (bytes) => {
      received += bytes.length;
      if (first === 0) first = resident();
      if (received % 8 === 0) peak = Math.max(peak, resident());
    });
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(2);
    expect(received).toBe(total * chunk.length);
    console.log(`memory grew by ${((peak - first) / 1024).toFixed(0)} MB`);
    expect((peak - first) / 1024).toBeLessThan(60);
  });
});
