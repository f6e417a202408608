import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openTransport } from '../../device/transport/open-transport.ts';
import { lockHolder } from '../../device/transport/port-lock.ts';
import { openPty, type Pty } from '../../device/virtual/pty.ts';
import { FakeMachine } from '../support/fake-machine.ts';
import { socat } from './oracles.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinyml-follow-'));
afterAll(() => rmSync(folder, { recursive: true }));

const chip = { vendorId: '303a', productId: '1001', serialNumber: '7C:DF:A1:00:00:01' };
let machine: FakeMachine;
const cleanup: (() => unknown)[] = [];
beforeEach(() => {
  machine = new FakeMachine();
});
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step();
  machine.remove();
});

/** A pty that sends back what it gets. */
async function newLine(): Promise<Pty> {
  const line: Pty = await openPty(socat!, (bytes) => line.write(bytes));
  cleanup.push(() => line.close());
  return line;
}

async function plugIn(name: string, ids: Parameters<FakeMachine['usb']>[0] = chip): Promise<Pty> {
  const line = await newLine();
  machine.tty(name, ids, line.path);
  return line;
}

async function open(name: string, followMs: number) {
  const told: string[] = [];
  const port = (path: string) => path.slice(path.lastIndexOf('/') + 1);
  const transport = await openTransport(name, {
    lockDirectory: folder,
    systemRoot: machine.root,
    follow: {
      followMs,
      onLost: (path) => told.push(`lost ${port(path)}`),
      onReturn: (path) => told.push(`back ${port(path)}`),
    },
  });
  cleanup.push(() => transport.close());
  return { transport, told };
}

async function unplug(name: string, line: Pty): Promise<void> {
  machine.unplug(name);
  await line.close();
}

describe.skipIf(!socat)(`a device with USB of its own${socat ? '' : ' (needs socat)'}`, () => {
  test('comes back under another name: what is written next reaches it, and the lock moves with it', async () => {
    const first = await plugIn('ttyACM0');
    const { transport, told } = await open('303a:1001', 10_000);
    await transport.setBaud(230_400);
    // Made first, or the system would give it the old one's number.
    const second = await newLine();
    await unplug('ttyACM0', first);
    machine.tty('ttyACM3', chip, second.path);
    await expect
      .poll(() => transport.write(Buffer.from('x')).then(() => told.length), { timeout: 10_000 })
      .toBe(2);
    expect(told).toEqual(['lost ttyACM0', 'back ttyACM3']);
    await expect.poll(async () => (await transport.read(500)).length, { timeout: 5_000 }).toBeGreaterThan(0);
    expect(lockHolder(second.path, folder)).toBe(process.pid);
    expect(lockHolder(first.path, folder)).toBeUndefined();
    await transport.close();
    expect(lockHolder(second.path, folder)).toBeUndefined();
  });

  test('shows another product id in its boot loader, and is known by its serial number', async () => {
    const first = await plugIn('ttyACM0');
    const { transport, told } = await open(join(machine.root, 'dev/ttyACM0'), 10_000);
    await unplug('ttyACM0', first);
    await plugIn('ttyACM1', { ...chip, productId: '0002' });
    for (let reads = 0; told.length < 2 && reads < 20; reads++) await transport.read(500);
    expect(told[1]).toBe('back ttyACM1');
  });

  test('stays away: device lost, no later than was allowed, though another like it is there', async () => {
    const first = await plugIn('ttyACM0');
    const { transport } = await open('303a:1001', 1_000);
    await unplug('ttyACM0', first);
    await plugIn('ttyACM0', { ...chip, serialNumber: '7C:DF:A1:00:00:02' });
    const began = performance.now();
    const failure = await transport
      .read(20_000)
      .then(() => transport.read(20_000))
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'E_DEVICE_LOST', exit: 2 });
    expect(performance.now() - began).toBeLessThan(15_000);
  });

  test('without a serial number is not guessed among two', async () => {
    const { serialNumber: _none, ...nameless } = chip;
    const first = await plugIn('ttyACM0', nameless);
    const { transport } = await open(join(machine.root, 'dev/ttyACM0'), 1_000);
    await unplug('ttyACM0', first);
    await plugIn('ttyACM1', nameless);
    await plugIn('ttyACM2', nameless);
    await expect(transport.read(20_000)).rejects.toMatchObject({ code: 'E_DEVICE_LOST' });
  });
});

describe('VID:PID[:SERIAL] as a port', () => {
  test('no match and several matches, with what to do', async () => {
    machine.tty('ttyACM0', chip);
    machine.tty('ttyACM1', { ...chip, serialNumber: '7C:DF:A1:00:00:02' });
    const options = { systemRoot: machine.root, lockDirectory: folder };
    await expect(openTransport('1a86:7523', options)).rejects.toMatchObject({
      code: 'E_PORT_NOT_FOUND',
      exit: 2,
    });
    await expect(openTransport('303A:1001', options)).rejects.toMatchObject({
      code: 'E_SEVERAL_PORTS',
      exit: 1,
      measure: [
        expect.stringContaining('/dev/ttyACM0 7C:DF:A1:00:00:01'),
        expect.stringContaining('ttyACM1'),
      ],
    });
    await expect(openTransport('303a:1001:nobody', options)).rejects.toMatchObject({
      code: 'E_PORT_NOT_FOUND',
    });
  });
});
