import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { openTransport, parsePort } from '../../device/transport/open-transport.ts';
import { seededRandom } from '../../device/transport/simulated-link.ts';
import { comPortCommand, escapeData, TelnetDecoder } from '../../device/transport/telnet.ts';
import type { Transport } from '../../device/transport/transport.ts';
import { python, pythonHas } from './oracles.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinyml-transport-'));
const cleanup: (() => unknown)[] = [];
const hasPyserial = await pythonHas('serial');

afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step();
});
afterAll(() => rmSync(folder, { recursive: true }));

async function serve(onSocket: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { server, port: (server.address() as { port: number }).port };
}

async function open(name: string, options: Parameters<typeof openTransport>[1] = {}): Promise<Transport> {
  const transport = await openTransport(name, { lockDirectory: folder, ...options });
  cleanup.push(() => transport.close());
  return transport;
}

async function collect(transport: Transport, count: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let have = 0; have < count; ) {
    const part = await transport.read(2_000);
    if (part.length === 0) break;
    parts.push(part);
    have += part.length;
  }
  return Buffer.concat(parts);
}

const ALL_BYTES = Uint8Array.from({ length: 1024 }, (_, i) => i & 0xff);

describe('port names', () => {
  test.each([
    ['/dev/ttyACM0', { kind: 'serial', path: '/dev/ttyACM0' }],
    ['COM5', { kind: 'serial', path: 'COM5' }],
    [
      '/dev/serial/by-id/usb-1a86:7523-if00',
      { kind: 'serial', path: '/dev/serial/by-id/usb-1a86:7523-if00' },
    ],
    ['303a:1001', { kind: 'usb', ids: { vendorId: '303a', productId: '1001' } }],
    [
      '0x10C4:0xEA60:0001',
      { kind: 'usb', ids: { vendorId: '10c4', productId: 'ea60', serialNumber: '0001' } },
    ],
    [
      '303A:1001:7C:DF:A1:00:00:01',
      { kind: 'usb', ids: { vendorId: '303a', productId: '1001', serialNumber: '7C:DF:A1:00:00:01' } },
    ],
    ['tcp://localhost:4000', { kind: 'tcp', host: 'localhost', port: 4000 }],
    ['socket://10.0.0.1:1/', { kind: 'tcp', host: '10.0.0.1', port: 1 }],
    ['rfc2217://[::1]:65535', { kind: 'rfc2217', host: '::1', port: 65535 }],
  ])('%s', (name, address) => expect(parsePort(name)).toEqual(address));

  test.each([
    '',
    ' ',
    'tcp://',
    'tcp://host',
    'tcp://host:0',
    'tcp://host:65536',
    'tcp://a b:x',
    'http://host:80',
    'rfc2217://u@h:1',
  ])('"%s" is refused', (name) =>
    expect(() => parsePort(name)).toThrow(expect.objectContaining({ code: 'E_PORT_URL', exit: 1 })),
  );
});

describe('a TCP port', () => {
  test('carries every byte both ways', async () => {
    const { port } = await serve((socket) => socket.pipe(socket));
    const transport = await open(`tcp://127.0.0.1:${port}`);
    await transport.write(ALL_BYTES);
    expect(Buffer.compare(await collect(transport, 1024), ALL_BYTES)).toBe(0);
    expect(await transport.read(20)).toHaveLength(0);
  });

  test('that nobody listens on is unreachable', async () => {
    const { server, port } = await serve(() => {});
    await new Promise((resolve) => server.close(resolve));
    await expect(open(`tcp://127.0.0.1:${port}`)).rejects.toMatchObject({ code: 'E_PORT_UNREACHABLE' });
  });

  test('that goes away is a lost device, after the bytes that came before', async () => {
    const { port } = await serve((socket) => socket.end('last'));
    const transport = await open(`tcp://127.0.0.1:${port}`);
    expect(Buffer.from(await transport.read(1_000)).toString()).toBe('last');
    await expect(transport.read(1_000)).rejects.toMatchObject({ code: 'E_DEVICE_LOST' });
    await expect(transport.write(Uint8Array.of(1))).rejects.toMatchObject({ code: 'E_DEVICE_LOST' });
  });

  test('stops reading when the signal says so', async () => {
    const { port } = await serve(() => {});
    const transport = await open(`tcp://127.0.0.1:${port}`);
    const reason = new Error('interrupted');
    const stop = new AbortController();
    setTimeout(() => stop.abort(reason), 20);
    await expect(transport.read(60_000, stop.signal)).rejects.toBe(reason);
  });

  test('that floods us is held back', async () => {
    const { port } = await serve((socket) => {
      const block = Buffer.alloc(1024 * 1024);
      const push = () => {
        while (socket.writable && socket.write(block));
        if (socket.writable) socket.once('drain', push);
      };
      push();
    });
    const before = process.memoryUsage().rss;
    const transport = await open(`tcp://127.0.0.1:${port}`);
    await transport.clock.sleep(300);
    expect((await transport.read(100)).length).toBeLessThan(2 * 1024 * 1024);
    expect(process.memoryUsage().rss - before).toBeLessThan(40 * 1024 * 1024);
  });
});

describe('telnet', () => {
  test('is decoded alike whatever the chunks are', () => {
    const random = seededRandom(1);
    const stream = Buffer.concat([
      escapeData(ALL_BYTES),
      Uint8Array.of(0xff, 0xfb, 0x2c, 0xff, 0xf1),
      comPortCommand(1, Uint8Array.of(0, 1, 0xff, 0)),
      escapeData(Uint8Array.of(0xff, 0xff, 0xf0)),
    ]);
    const decode = (chunks: Uint8Array[]) => {
      const seen = { data: [] as number[], verbs: [] as number[][], subs: [] as number[][] };
      const decoder = new TelnetDecoder({
        data: (bytes) => seen.data.push(...bytes),
        negotiate: (verb, option) => seen.verbs.push([verb, option]),
        subnegotiation: (bytes) => seen.subs.push([...bytes]),
      });
      for (const chunk of chunks) decoder.decode(chunk);
      return seen;
    };
    const whole = decode([stream]);
    expect(whole).toEqual({
      data: [...ALL_BYTES, 0xff, 0xff, 0xf0],
      verbs: [[0xfb, 0x2c]],
      subs: [[0x2c, 1, 0, 1, 0xff, 0]],
    });
    for (let round = 0; round < 200; round++) {
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < stream.length; ) {
        const next = at + 1 + Math.floor(random() * 20);
        chunks.push(stream.subarray(at, next));
        at = next;
      }
      expect(decode(chunks)).toEqual(whole);
    }
  });

  test('survives noise, and keeps no more than it needs of an endless subnegotiation', () => {
    const random = seededRandom(2);
    let longest = 0;
    const decoder = new TelnetDecoder({
      data: () => {},
      negotiate: () => {},
      subnegotiation: (bytes) => {
        longest = Math.max(longest, bytes.length);
      },
    });
    decoder.decode(
      Uint8Array.from({ length: 100_000 }, () => (random() < 0.3 ? 0xff : Math.floor(random() * 256))),
    );
    decoder.decode(Uint8Array.of(0xff, 0xfa, ...new Uint8Array(5_000), 0xff, 0xf0));
    expect(longest).toBeLessThanOrEqual(256);
  });
});

/** The server that comes with pyserial, over its loop-back port: what goes out comes in, RTS is read as CTS. */
const PYSERIAL_SERVER = `
import socket, serial, serial.rfc2217, threading
loop = serial.serial_for_url('loop://', timeout=0.05)
server = socket.create_server(('127.0.0.1', 0)); print(server.getsockname()[1], flush=True)
client, _ = server.accept()
class Link:
    def write(self, data): client.sendall(data)
manager = serial.rfc2217.PortManager(loop, Link())
def pump():
    while True:
        data = loop.read(1)
        if data: client.sendall(b''.join(manager.escape(data)))
threading.Thread(target=pump, daemon=True).start()
while True:
    data = client.recv(1024)
    if not data: break
    for byte in manager.filter(data): loop.write(byte)
    print(loop.baudrate, loop.parity, loop.dtr, loop.rts, flush=True)
`;

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.once('exit', () => reject(new Error(`ended: ${text}`)));
    child.stdout?.on('data', (bytes) => {
      text += String(bytes);
      if (text.includes('\n')) resolve(text.split('\n')[0]!);
    });
  });
}

describe('an RFC 2217 port', () => {
  test.skipIf(!hasPyserial)("works with pyserial's server (skipped without pyserial)", async () => {
    const child = spawn(python!, ['-c', PYSERIAL_SERVER], { stdio: ['ignore', 'pipe', 'inherit'] });
    cleanup.push(() => child.kill('SIGKILL'));
    const port = await firstLine(child);
    let said = '';
    let state = '';
    child.stdout.on('data', (bytes) => {
      said += String(bytes);
      state = said.trim().split('\n').at(-1)!;
    });
    const transport = await open(`rfc2217://127.0.0.1:${port}`, { baud: 57_600, parity: 'even' });
    await expect.poll(() => state).toMatch(/^57600 E /);
    await transport.setSignals({ dtr: false, rts: true });
    await expect.poll(() => state).toBe('57600 E False True');
    await transport.setSignals({ dtr: true, rts: false });
    await transport.setBaud(9_600, 'none');
    await expect.poll(() => state, { timeout: 20_000 }).toBe('9600 N True False');
    await transport.write(ALL_BYTES);
    expect(Buffer.compare(await collect(transport, 1024), ALL_BYTES)).toBe(0);
  });

  test('whose other side is a plain socket is told apart', async () => {
    const { port } = await serve((socket) => socket.write('hello'));
    await expect(open(`rfc2217://127.0.0.1:${port}`)).rejects.toMatchObject({ code: 'E_NOT_RFC2217' });
  });

  test('that goes away during the handshake is a lost device', async () => {
    const { port } = await serve((socket) => socket.end());
    await expect(open(`rfc2217://127.0.0.1:${port}`)).rejects.toMatchObject({ code: 'E_DEVICE_LOST' });
  });
});
