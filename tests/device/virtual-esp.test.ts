import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { eraseEsp } from '../../device/esp/erase-esp.ts';
import { flashEsp } from '../../device/esp/flash-esp.ts';
import { readEsp } from '../../device/esp/read-esp.ts';
import { type OpenOptions, openTransport } from '../../device/transport/open-transport.ts';
import type { Transport } from '../../device/transport/transport.ts';
import type { VirtualEspChip } from '../../device/virtual/esp/esp-profile.ts';
import { startVirtualEsp, type VirtualEspOptions } from '../../device/virtual/esp/start-virtual-esp.ts';
import type { VirtualBoard } from '../../device/virtual/start-virtual-stm32.ts';
import { FakeMachine } from '../support/fake-machine.ts';
import { python, pythonHas, runProgram, socat } from './oracles.ts';
import { espImage } from './simulated-esp.ts';

/** TINYML_SOAK=50 runs fifty times as many cycles. */
const SOAK = Number(process.env['TINYML_SOAK'] ?? 1);
const MIB = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'tinyml-test-'));
const open: { close(): Promise<void> }[] = [];
const hasEsptool = await pythonHas('esptool');

afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

async function start(more: Partial<VirtualEspOptions> = {}): Promise<VirtualBoard> {
  const board = await startVirtualEsp({ chip: 'esp32c3', flashBytes: 4 * MIB, ...more });
  open.push(board);
  return board;
}

async function connectTo(port: string, options: OpenOptions = {}): Promise<Transport> {
  const transport = await openTransport(port, options);
  open.push(transport);
  return transport;
}

async function hear(transport: Transport, wanted: RegExp, timeoutMs = 5_000): Promise<string> {
  let text = '';
  const until = Date.now() + timeoutMs;
  while (!wanted.test(text) && Date.now() < until)
    text += Buffer.from(await transport.read(200)).toString('latin1');
  return text;
}

/** Half of it compresses. */
function contentFile(name: string, bytes: number): string {
  const path = join(folder, name);
  writeFileSync(path, espImage(bytes, 3).fill(7, bytes >> 1));
  return path;
}

const options = (chip: VirtualEspChip) => ({ chip, flashBytes: 4 * MIB });

describe('the virtual ESP boards with our client', () => {
  test.each(['esp32', 'esp32s3', 'esp32c3'] as const)('%s is flashed through RFC 2217', async (chip) => {
    const notes: string[] = [];
    const board = await start({ chip, onNote: (text) => notes.push(text) });
    const transport = await connectTo(board.ports[0]!);
    const image = espImage(120_000, 1, chip);
    const address = chip === 'esp32' ? 0x1000 : 0;
    const report = await flashEsp(transport, [{ address, data: image }], options(chip));
    expect(report).toMatchObject({ chip, stub: true, baud: 460_800, flashBytes: 4 * MIB, retries: 0 });
    expect(readFileSync(board.flashFile).subarray(address, address + image.length)).toEqual(
      Buffer.from(image),
    );
    // The ROM's own words, at its own rate, and those of a board that runs no programs.
    expect(await hear(transport, /header/)).toMatch(/SPI_FAST_FLASH_BOOT\)\r\n(.|\n)*invalid header: 0x/);
    expect(notes.at(-1)).toMatch(/no image that this board can run/);
  });

  test('through a plain socket, without lines, and starts the program all the same', async () => {
    const notes: string[] = [];
    const board = await start({ boot: 'bootloader', onNote: (text) => notes.push(text) });
    const transport = await connectTo(board.ports[1]!);
    const image = espImage(30_000, 2);
    const report = await flashEsp(transport, [{ address: 0, data: image }], options('esp32c3'));
    expect(report).toMatchObject({ started: true, bytesVerified: 30_000 });
    expect(notes).toEqual(['the flash holds no image that this board can run']);
  });

  test.skipIf(!socat)('through a pty (skipped without socat)', async () => {
    const board = await start({ boot: 'bootloader', pty: socat! });
    const transport = await connectTo(board.ports[2]!);
    const image = espImage(30_000, 3);
    await flashEsp(transport, [{ address: 0, data: image }], options('esp32c3'));
    expect(readFileSync(board.flashFile).subarray(0, image.length)).toEqual(Buffer.from(image));
  });

  test('reads and erases', async () => {
    const flashFile = join(folder, 'read.bin');
    writeFileSync(flashFile, espImage(200_000, 4));
    const board = await start({ flashFile });
    const transport = await connectTo(board.ports[0]!);
    const read = await readEsp(transport, { range: { address: 100, bytes: 150_000 } });
    expect(Buffer.compare(read, espImage(200_000, 4).subarray(100, 150_100))).toBe(0);
    await eraseEsp(transport, { ...options('esp32c3'), range: { address: 0, bytes: 0x1000 } });
    expect(
      readFileSync(flashFile)
        .subarray(0, 0x1000)
        .every((byte) => byte === 0xff),
    ).toBe(true);
    expect(
      readFileSync(flashFile)
        .subarray(0x1000, 0x2000)
        .every((byte) => byte === 0xff),
    ).toBe(false);
  });

  test('has one user at a time: a second client is turned away and disturbs nothing', async () => {
    const board = await start();
    const transport = await connectTo(board.ports[0]!);
    const image = espImage(100_000, 5);
    const flashing = flashEsp(transport, [{ address: 0, data: image }], options('esp32c3'));
    await expect(openTransport(board.ports[0]!)).rejects.toMatchObject({ code: 'E_PORT_BUSY', exit: 2 });
    for (const url of board.ports.slice(0, 2)) {
      const second = connect(Number(url.split(':').at(-1)), '127.0.0.1');
      second.on('error', () => {});
      second.write('\xc0\x00\x08');
      await new Promise((resolve) => second.once('close', resolve));
    }
    expect(await flashing).toMatchObject({ retries: 0, bytesVerified: 100_000 });
  });

  test.skipIf(!socat)(
    'goes on when the device vanishes and comes back under another name (skipped without socat)',
    async () => {
      const machine = new FakeMachine();
      const flashFile = join(folder, 'native.bin');
      const device = { vendorId: '303a', productId: '1001', serialNumber: 'A1:B2' };
      const first = await start({ boot: 'bootloader', pty: socat!, flashFile });
      const port = machine.tty('ttyACM0', device, first.ports[2]!);
      const returned: string[] = [];
      const transport = await connectTo(port, {
        systemRoot: machine.root,
        follow: { followMs: 4_000, onReturn: (name) => returned.push(name) },
      });
      const image = espImage(400_000, 6);
      let moved: Promise<void> | undefined;
      const move = async () => {
        machine.unplug('ttyACM0');
        await first.close();
        const second = await start({ boot: 'bootloader', pty: socat!, flashFile });
        machine.tty('ttyACM1', device, second.ports[2]!);
      };
      const report = await flashEsp(transport, [{ address: 0, data: image }], {
        ...options('esp32c3'),
        reset: 'manual',
        onProgress: ({ phase, done }) => {
          if (phase === 'write' && done > 100_000) moved ??= move();
        },
      });
      await moved;
      expect(returned).toEqual([expect.stringContaining('ttyACM1')]);
      expect(report.restarts).toBeGreaterThan(0);
      expect(readFileSync(flashFile).subarray(0, image.length)).toEqual(Buffer.from(image));
      machine.remove();
    },
  );

  test('can be opened, flashed and closed again and again', { timeout: 60_000 * SOAK }, async () => {
    const board = await start();
    const descriptors = () => readdirSync('/proc/self/fd').length;
    const cycle = async (seed: number) => {
      const transport = await openTransport(board.ports[0]!);
      const parts = [{ address: 0, data: espImage(5_000, seed) }];
      await flashEsp(transport, parts, { ...options('esp32c3'), timeouts: { resetHoldMs: 5, bootPinMs: 5 } });
      await transport.close();
    };
    await cycle(0);
    const before = descriptors();
    for (let i = 1; i <= 5 * SOAK; i++) await cycle(i);
    await expect.poll(descriptors, { timeout: 5_000 }).toBeLessThanOrEqual(before);
  });
});

test('a virtual ESP board refuses what it cannot be', async () => {
  const large = join(folder, 'large.bin');
  writeFileSync(large, new Uint8Array(4 * MIB + 1));
  await expect(start({ flashFile: large })).rejects.toMatchObject({ code: 'E_FLASH_FILE' });
  const board = await start();
  const port = Number(board.ports[0]!.split(':').at(-1));
  await expect(start({ port })).rejects.toMatchObject({ code: 'E_LISTEN' });
});

describe.skipIf(!hasEsptool)('the virtual ESP boards with esptool (skipped without it)', () => {
  const esptool = async (port: string, ...args: string[]) => {
    const { code, text } = await runProgram(python!, ['-m', 'esptool', '--port', port, ...args], 120_000);
    if (code !== 0) throw new Error(text);
    return text;
  };
  const inRom = ['--before', 'no-reset', '--after', 'no-reset', '--no-stub'];
  const inStub = ['--before', 'no-reset', '--after', 'no-reset-stub'];

  test.skipIf(!socat).each(['esp32', 'esp32s3', 'esp32c3'] as const)(
    '%s: identified, written, verified, read and erased, by ROM and stub (skipped without socat)',
    { timeout: 120_000 },
    async (chip) => {
      const board = await start({ chip, boot: 'bootloader', pty: socat! });
      const pty = board.ports[2]!;
      const file = contentFile(`${chip}.bin`, 100_001);
      const back = join(folder, `${chip}.back`);
      const content = readFileSync(file);
      const flashed = (address: number) =>
        readFileSync(board.flashFile).subarray(address, address + content.length);

      const id = await esptool(pty, ...inRom, 'flash-id');
      expect(id).toContain('Manufacturer: ef');
      expect(id).toContain('Detected flash size: 4MB');
      expect(id).toContain('00:00:5e:00:53:c3');
      await esptool(pty, ...inRom, '--chip', chip, 'write-flash', '0x10000', file);
      expect(flashed(0x10000)).toEqual(content);
      await esptool(pty, ...inRom, 'write-flash', '-u', '0x40000', file);
      expect(flashed(0x40000)).toEqual(content);
      await esptool(pty, ...inRom, 'read-flash', '0x10010', '1000', back);
      expect(readFileSync(back)).toEqual(content.subarray(0x10, 0x10 + 1000));

      expect(await esptool(pty, ...inStub, 'flash-id')).toContain('Detected flash size: 4MB');
      expect(await esptool(pty, ...inStub, 'write-flash', '0x80000', file)).toContain(
        'Hash of data verified',
      );
      expect(flashed(0x80000)).toEqual(content);
      await esptool(pty, ...inStub, 'write-flash', '-u', '0xc0000', file);
      expect(flashed(0xc0000)).toEqual(content);
      expect(await esptool(pty, ...inStub, 'verify-flash', '0x80000', file)).toMatch(/verif.*success/i);
      await esptool(pty, ...inStub, 'read-flash', '0x80000', String(content.length), back);
      expect(readFileSync(back)).toEqual(content);
      await esptool(pty, ...inStub, 'erase-region', '0x80000', '0x1000');
      await expect(esptool(pty, ...inStub, 'verify-flash', '0x80000', file)).rejects.toThrow();
      await esptool(pty, ...inStub, 'erase-flash');
      expect(readFileSync(board.flashFile).every((byte) => byte === 0xff)).toBe(true);
    },
  );

  test('starts the loader by its reset lines through RFC 2217, and the program after', {
    timeout: 120_000,
  }, async () => {
    const board = await start({ chip: 'esp32' });
    const text = await esptool(board.ports[0]!, '--no-stub', 'read-mac');
    expect(text).toMatch(/ESP32-D0WD-V3 \(revision v3\.0\)/);
    expect(text).toContain('Hard resetting');
    const transport = await connectTo(board.ports[1]!);
    // It is in its program again, so nothing answers a sync.
    await transport.write(
      Uint8Array.of(0xc0, 0, 8, 36, 0, 0, 0, 0, 0, 7, 7, 0x12, 0x20, ...Array(32).fill(0x55), 0xc0),
    );
    expect(await transport.read(300)).toHaveLength(0);
  });

  test.skipIf(!socat)(
    'writes what our client takes for right, and the other way round (skipped without socat)',
    async () => {
      const board = await start({ boot: 'bootloader', pty: socat! });
      const file = contentFile('both.bin', 60_000);
      await esptool(board.ports[2]!, ...inStub, 'write-flash', '0x10000', file);
      const transport = await connectTo(board.ports[2]!);
      const parts = [{ address: 0x10000, data: readFileSync(file) }];
      const report = await flashEsp(transport, parts, { ...options('esp32c3'), start: false });
      expect(report).toMatchObject({ bytesWritten: 0, bytesKept: 60_000 });
      const more = [{ address: 0x20000, data: espImage(50_000, 9) }];
      await flashEsp(transport, more, { ...options('esp32c3'), start: false, baud: 115_200 });
      await transport.close();
      writeFileSync(join(folder, 'ours.bin'), espImage(50_000, 9));
      const verified = await esptool(
        board.ports[2]!,
        ...inStub,
        'verify-flash',
        '0x20000',
        join(folder, 'ours.bin'),
      );
      expect(verified).toMatch(/verif.*success/i);
    },
  );
});

test('a folder for the tests is removed', () => {
  rmSync(folder, { recursive: true });
  expect(existsSync(folder)).toBe(false);
});
