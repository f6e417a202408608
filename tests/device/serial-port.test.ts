import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { findTool } from '../../cli/tools/find-tool.ts';
import { listPorts } from '../../device/transport/list-ports.ts';
import { openTransport } from '../../device/transport/open-transport.ts';
import type { Transport } from '../../device/transport/transport.ts';
import { openPty, type Pty } from '../../device/virtual/pty.ts';
import { socat } from './oracles.ts';

const flock = findTool('flock');
const folder = mkdtempSync(join(tmpdir(), 'tinyml-serial-'));
const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step();
});
afterAll(() => rmSync(folder, { recursive: true }));

async function pty(onData: (bytes: Uint8Array) => void = () => {}): Promise<Pty> {
  const made = await openPty(socat!, onData);
  cleanup.push(() => made.close());
  return made;
}

async function open(path: string, options: Parameters<typeof openTransport>[1] = {}): Promise<Transport> {
  const transport = await openTransport(path, { lockDirectory: folder, ...options });
  cleanup.push(() => transport.close());
  return transport;
}

test('a port that does not exist', async () => {
  await expect(open('/dev/ttyNOPE7')).rejects.toMatchObject({ code: 'E_PORT_NOT_FOUND', exit: 2 });
});

test('a file that is no port', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  await expect(open(file)).rejects.toMatchObject({ code: expect.stringMatching(/^E_PORT/) });
});

test('the ports of this machine are listed without an error', async () => {
  for (const port of await listPorts()) expect(port.path).not.toBe('');
});

describe.skipIf(!socat)('a serial port, in the form of a pty (skipped without socat)', () => {
  test('carries every byte both ways and only warns that it has no modem lines', async () => {
    const line = await pty((bytes) => line.write(bytes));
    const warnings: string[] = [];
    const transport = await open(line.path, { parity: 'even', onWarning: (text) => warnings.push(text) });
    await transport.setSignals({ dtr: true, rts: false });
    await transport.setSignals({ dtr: false, rts: true });
    expect(warnings).toHaveLength(1);
    expect(transport.hasSignals).toBe(false);
    for (const [baud, parity] of [
      [115_200, 'none'],
      [57_600, 'none'],
      [230_400, 'even'],
    ] as const) {
      await transport.setBaud(baud, parity);
      const sent = Uint8Array.from({ length: 1024 }, (_, i) => i & 0xff);
      await transport.write(sent);
      const parts: Uint8Array[] = [];
      for (let have = 0; have < 1024; have += parts.at(-1)!.length) parts.push(await transport.read(2_000));
      expect(Buffer.compare(Buffer.concat(parts), sent)).toBe(0);
    }
    expect(await transport.read(10)).toHaveLength(0);
  });

  test('that vanishes is a lost device within two seconds', async () => {
    const line = await pty();
    const transport = await open(line.path);
    const began = performance.now();
    setTimeout(() => line.close(), 50);
    await expect(transport.read(10_000)).rejects.toMatchObject({ code: 'E_DEVICE_LOST' });
    await expect(transport.write(Uint8Array.of(1))).rejects.toMatchObject({ code: 'E_DEVICE_LOST' });
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  test('that this program holds already is busy', async () => {
    const line = await pty();
    await open(line.path);
    await expect(open(line.path)).rejects.toMatchObject({ code: 'E_PORT_BUSY' });
  });

  test.skipIf(!flock)('that another program has locked is busy (skipped without flock)', async () => {
    const line = await pty();
    const holder = spawn(flock!, [line.path, 'sh', '-c', 'echo locked; sleep 30'], { detached: true });
    cleanup.push(() => process.kill(-holder.pid!, 'SIGKILL'));
    await once(holder.stdout, 'data');
    await expect(open(line.path)).rejects.toMatchObject({ code: 'E_PORT_BUSY' });
  });

  test('that comes back under another name can be opened there', async () => {
    const link = join(folder, 'board');
    const first = await pty();
    symlinkSync(first.path, link);
    const transport = await open(link);
    await first.close();
    await expect(transport.read(2_000)).rejects.toMatchObject({ code: 'E_DEVICE_LOST' });
    await transport.close();
    unlinkSync(link);
    const second = await pty((bytes) => second.write(bytes));
    symlinkSync(second.path, link);
    const again = await open(link);
    await again.write(Buffer.from('x'));
    expect(Buffer.from(await again.read(2_000)).toString()).toBe('x');
  });

  test('leaves no file descriptor behind, opened and closed fifty times', async () => {
    const line = await pty();
    const count = () =>
      execFileSync('ls', [`/proc/${process.pid}/fd`], { encoding: 'utf8' }).split('\n').length;
    const cycle = async () => (await openTransport(line.path, { lockDirectory: folder })).close();
    await cycle();
    const before = count();
    for (let i = 0; i < 50; i++) await cycle();
    await expect.poll(count).toBeLessThanOrEqual(before);
  });
});
