import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { flashStm32 } from '../../device/stm32-bootloader/flash-stm32.ts';
import { openTransport } from '../../device/transport/open-transport.ts';
import type { Transport } from '../../device/transport/transport.ts';
import {
  startVirtualStm32,
  type VirtualBoard,
  type VirtualStm32Options,
} from '../../device/virtual/start-virtual-stm32.ts';
import { armGcc, python, pythonHas, qemu, runProgram, socat, stm32flash } from './oracles.ts';
import { f405, imageOf } from './simulated-stm32.ts';
import { buildUartFirmware } from './uart-firmware.ts';

const options: VirtualStm32Options = {
  flashBytes: 1024 * 1024,
  sramBytes: 128 * 1024,
  chipId: 0x413,
  qemuBinary: qemu ?? '/absent/qemu-system-arm',
  qemuMachine: 'netduinoplus2',
};

/** TINYML_SOAK=50 runs fifty times as many cycles. */
const SOAK = Number(process.env['TINYML_SOAK'] ?? 1);
const folder = mkdtempSync(join(tmpdir(), 'tinyml-test-'));
const open: { close(): Promise<void> }[] = [];
const hasStm32loader = await pythonHas('stm32loader');

afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

async function start(more: Partial<VirtualStm32Options> = {}): Promise<VirtualBoard> {
  const board = await startVirtualStm32({ ...options, ...more });
  open.push(board);
  return board;
}

async function connectTo(port: string): Promise<Transport> {
  const transport = await openTransport(port);
  open.push(transport);
  return transport;
}

async function hear(transport: Transport, wanted: string, timeoutMs = 5_000): Promise<string> {
  let text = '';
  const until = Date.now() + timeoutMs;
  while (!text.includes(wanted) && Date.now() < until) {
    text += Buffer.from(await transport.read(200)).toString('latin1');
  }
  return text;
}

/** Node's own collector, which it shows only when asked to. */
function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc');
}

/** Children of this process, and theirs, whose command line has the word. */
function processesWith(word: string): string[] {
  const lines = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => line.includes(word) && !line.includes('ps -eo'));
}

describe.skipIf(!qemu)('the virtual STM32F405 (skipped without qemu-system-arm)', () => {
  let firmware: Uint8Array = new Uint8Array(0);
  beforeAll(async () => {
    if (armGcc) firmware = await buildUartFirmware();
  });

  test.skipIf(!armGcc)(
    'is flashed by our client and runs the image, from start to first word under a second',
    async () => {
      const began = performance.now();
      const board = await start();
      const transport = await connectTo(board.ports[0]!);
      const report = await flashStm32(transport, firmware, { target: f405 });
      expect(report).toMatchObject({ chipId: 0x413, retries: 0 });
      expect(await hear(transport, 'ready\n')).toBe('ready\n');
      console.log(
        `start, flash ${firmware.length} bytes and first word: ${(performance.now() - began).toFixed(0)} ms`,
      );
      await transport.write(Buffer.from('HAL\xfe', 'latin1'));
      expect(await hear(transport, '\xff')).toBe('IBM\xff');
      expect(readFileSync(board.flashFile).subarray(0, firmware.length)).toEqual(Buffer.from(firmware));
    },
  );

  test.skipIf(!armGcc)('is the same board through its plain socket', async () => {
    const flashFile = join(folder, 'plain.bin');
    writeFileSync(flashFile, firmware);
    const board = await start({ flashFile });
    const transport = await connectTo(board.ports[1]!);
    // Bytes that arrive before the firmware has started its UART are lost, as on a real board.
    const ask = async () => {
      await transport.write(Buffer.from('a'));
      return hear(transport, 'b', 300);
    };
    await expect.poll(ask, { timeout: 10_000 }).toMatch(/b$/);
  });

  test.skipIf(!armGcc)(
    'restarts when reset is pulled and enters its boot loader with BOOT0 high',
    async () => {
      const flashFile = join(folder, 'reset.bin');
      writeFileSync(flashFile, firmware);
      const board = await start({ flashFile });
      const transport = await connectTo(board.ports[0]!);
      for (let i = 0; i < 3; i++) {
        await transport.setSignals({ dtr: true, rts: true });
        await transport.setSignals({ dtr: false, rts: true });
        expect(await hear(transport, 'ready\n')).toContain('ready\n');
      }
      await transport.setSignals({ dtr: true, rts: false });
      await transport.setSignals({ dtr: false, rts: false });
      await transport.setBaud(115_200, 'none');
      await transport.write(Uint8Array.of(0x7f));
      expect(await transport.read(100), 'no answer without even parity').toHaveLength(0);
      await transport.setBaud(115_200, 'even');
      await transport.write(Uint8Array.of(0x7f));
      expect([...(await transport.read(1_000))]).toEqual([0x79]);
    },
  );

  test('says so when the flash is erased or the image locks up, and takes a new image', async () => {
    const notes: string[] = [];
    const board = await start({ onNote: (text) => notes.push(text) });
    const transport = await connectTo(board.ports[0]!);
    await flashStm32(transport, imageOf(30_000, 1), { target: f405 });
    await expect.poll(() => notes, { timeout: 5_000 }).toHaveLength(2);
    expect(notes[0]).toMatch(/erased/);
    expect(notes[1]).toMatch(/stopped/);
    expect(await flashStm32(transport, imageOf(512, 2), { target: f405 })).toMatchObject({ imageBytes: 512 });
  });

  test('has one user at a time', async () => {
    const board = await start();
    const [host, port] = board.ports[1]!.slice('tcp://'.length).split(':');
    await connectTo(board.ports[0]!);
    const second = connect(Number(port), host);
    await expect(new Promise((resolve) => second.once('close', resolve))).resolves.toBe(false);
  });

  test('keeps its flash in the file it is given', async () => {
    const flashFile = join(folder, 'kept.bin');
    const image = imageOf(5_000, 3);
    const first = await start({ flashFile });
    const transport = await connectTo(first.ports[0]!);
    await flashStm32(transport, image, { target: f405, start: false });
    await transport.close();
    await first.close();
    expect(readFileSync(flashFile)).toHaveLength(options.flashBytes);
    const second = await start({ flashFile });
    const again = await flashStm32(await connectTo(second.ports[0]!), image, { target: f405, start: false });
    expect(again).toMatchObject({ bytesWritten: 0, bytesKept: 5_000 });
  });

  test('can be opened, flashed and closed again and again', { timeout: 60_000 * SOAK }, async () => {
    const board = await start();
    const image = imageOf(2_000, 6);
    const cycle = async () => {
      const transport = await openTransport(board.ports[0]!);
      await flashStm32(transport, image, { target: f405, timeouts: { bootMs: 0, resetHoldMs: 0 } });
      await transport.close();
    };
    const descriptors = () => readdirSync('/proc/self/fd').length;
    const collectGarbage = garbageCollector();
    const heap = () => {
      collectGarbage();
      return process.memoryUsage().heapUsed / 1024;
    };
    for (let i = 0; i < 5; i++) await cycle();
    const before = { descriptors: descriptors(), heap: heap() };
    const cycles = 20 * SOAK;
    for (let i = 0; i < cycles; i++) await cycle();
    // QEMU of the last cycle is still starting or stopping: its four pipes may come and go.
    await expect.poll(descriptors, { timeout: 5_000 }).toBeLessThanOrEqual(before.descriptors);
    const growth = heap() - before.heap;
    console.log(
      `${cycles} cycles: no file descriptor more, heap grown by ${(growth / cycles).toFixed(1)} KiB a cycle`,
    );
    expect(growth).toBeLessThan(1_024 + 5 * cycles);
  });

  test('refuses what it cannot be', async () => {
    await expect(start({ qemuBinary: 'no-such-qemu' })).rejects.toMatchObject({ code: 'E_QEMU_MISSING' });
    await expect(start({ flashFile: join(folder, 'no', 'such', 'folder') })).rejects.toMatchObject({
      code: 'E_FLASH_FILE',
    });
    const large = join(folder, 'large.bin');
    writeFileSync(large, new Uint8Array(options.flashBytes + 1));
    await expect(start({ flashFile: large })).rejects.toMatchObject({ code: 'E_FLASH_FILE' });
    const board = await start();
    const port = Number(board.ports[0]!.split(':').at(-1));
    await expect(start({ port })).rejects.toMatchObject({ code: 'E_LISTEN' });
  });

  test.skipIf(!armGcc)('leaves nothing behind when it is closed, or its owner killed', async () => {
    const flashFile = join(folder, 'left-behind.bin');
    writeFileSync(flashFile, firmware);
    const board = await start({ flashFile });
    await expect.poll(() => processesWith('left-behind.bin').length).toBeGreaterThan(0);
    await board.close();
    expect(processesWith('left-behind.bin')).toEqual([]);

    // An owner that dies without a word: the descriptor to the guard closes with it.
    const { qemuCommand } = await import('../../device/virtual/qemu-process.ts');
    const { program, args } = qemuCommand({
      binary: qemu!,
      machine: options.qemuMachine,
      flashFile,
      flashAddress: 0x08000000,
    });
    const owner = spawn(
      process.execPath,
      [
        '-e',
        "require('node:child_process').spawn(process.argv[1], process.argv.slice(2), { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] }); setInterval(() => {}, 1000)",
        program,
        ...args,
      ],
      { stdio: 'ignore' },
    );
    const guarded = () =>
      processesWith('left-behind.bin').filter((line) => line.includes('qemu-system-arm -M'));
    await expect.poll(() => guarded().length, { timeout: 5_000 }).toBeGreaterThan(0);
    owner.kill('SIGKILL');
    await expect.poll(() => processesWith('left-behind.bin'), { timeout: 5_000 }).toEqual([]);
  });

  test.skipIf(!hasStm32loader)(
    'is written and verified by stm32loader through RFC 2217 (skipped without it)',
    async () => {
      const board = await start();
      const file = join(folder, 'loader.bin');
      writeFileSync(file, imageOf(30_000, 4));
      const script = [
        'import sys, serial',
        'serial.Serial = lambda port=None, **k: serial.serial_for_url(port,' +
          ' **{a: (bool(v) if a in ("xonxoff", "rtscts") else v) for a, v in k.items()})',
        'from stm32loader.main import main',
        'main(*sys.argv[1:])',
      ].join('\n');
      const args = [
        '-c',
        script,
        '--port',
        board.ports[0]!,
        '--family',
        'F4',
        '--erase',
        '--write',
        '--verify',
        file,
      ];
      const { code, text } = await runProgram(python!, args);
      expect(text).toContain('Verification OK');
      expect(text).toContain('Chip id: 0x413');
      expect(text).toContain('Flash size: 1024 KiB');
      expect(code).toBe(0);
      expect(readFileSync(board.flashFile).subarray(0, 30_000)).toEqual(readFileSync(file));
    },
  );

  test.skipIf(!socat || !stm32flash)(
    'is written and verified by stm32flash through a pty (skipped without socat and stm32flash)',
    async () => {
      const board = await start({ pty: socat!, boot: 'bootloader' });
      const pty = board.ports[2]!;
      const file = join(folder, 'flash.bin');
      const back = join(folder, 'back.bin');
      writeFileSync(file, imageOf(70_001, 5));
      // A pty of Linux has no parity, so stm32flash must not insist on it.
      const written = await runProgram(stm32flash!, ['-m', '8n1', '-v', '-w', file, pty]);
      expect(written.text).toContain('Wrote and verified address 0x08011171 (100.00%)');
      expect(written.code).toBe(0);
      const read = await runProgram(stm32flash!, ['-m', '8n1', '-r', back, '-S', '0x08000000:70001', pty]);
      expect(read.code).toBe(0);
      expect(readFileSync(back)).toEqual(readFileSync(file));
      expect(readFileSync(board.flashFile).subarray(0, 70_001)).toEqual(readFileSync(file));
      // Read protection, and its removal, which erases all.
      expect((await runProgram(stm32flash!, ['-m', '8n1', '-j', pty])).code).toBe(0);
      expect((await runProgram(stm32flash!, ['-m', '8n1', '-r', back, pty])).code).not.toBe(0);
      expect((await runProgram(stm32flash!, ['-m', '8n1', '-k', pty])).code).toBe(0);
      expect(readFileSync(board.flashFile).every((byte) => byte === 0xff)).toBe(true);
    },
  );

  test.skipIf(!socat || !stm32flash)(
    'is an STM32F100 with the older erase command to stm32flash (skipped without socat and stm32flash)',
    async () => {
      const f100 = { flashBytes: 128 * 1024, sramBytes: 8 * 1024, chipId: 0x420, erase: 'plain' } as const;
      const sectors = [{ count: 128, bytes: 1024 }];
      const board = await start({ ...f100, sectors, pty: socat!, boot: 'bootloader' });
      const file = join(folder, 'f100.bin');
      writeFileSync(file, imageOf(10_001, 6));
      const written = await runProgram(stm32flash!, ['-m', '8n1', '-v', '-w', file, board.ports[2]!]);
      expect(written.text).toContain('Device ID    : 0x0420 (STM32F10xxx Medium-density VL)');
      expect(written.text).toContain('(100.00%) Done.');
      expect(readFileSync(board.flashFile).subarray(0, 10_001)).toEqual(readFileSync(file));
    },
  );

  test.skipIf(!socat || !armGcc)(
    'is flashed and run by our client through its pty (skipped without socat)',
    async () => {
      const board = await start({ pty: socat!, boot: 'bootloader' });
      const warnings: string[] = [];
      const transport = await openTransport(board.ports[2]!, {
        parity: 'even',
        onWarning: (text) => warnings.push(text),
      });
      open.push(transport);
      await flashStm32(transport, firmware, { target: f405 });
      expect(await hear(transport, 'ready\n')).toContain('ready\n');
      expect(warnings).toEqual([expect.stringContaining('no modem lines')]);
    },
  );
});

test('a folder for the tests is removed', () => rmSync(folder, { recursive: true }));
