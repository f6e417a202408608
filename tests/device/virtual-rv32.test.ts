import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findTool } from '../../cli/tools/find-tool.ts';
import { BenchClient } from '../../device/bench/bench-client.ts';
import { openTransport } from '../../device/transport/open-transport.ts';
import { discardInput, type Transport } from '../../device/transport/transport.ts';
import {
  startVirtualRv32,
  type VirtualRv32,
  type VirtualRv32Options,
} from '../../device/virtual/start-virtual-rv32.ts';
import { buildPlan, tinyPlan } from '../firmware/build-firmware.ts';
import { codeOf } from '../support/hostile.ts';

const present = ['riscv64-unknown-elf-gcc', 'qemu-system-riscv32'].every(
  (name) => !spawnSync(name, ['--version']).error,
);

const options: VirtualRv32Options = {
  flashAddress: 0x80000000,
  flashBytes: 1024 * 1024,
  qemuBinary: findTool('qemu-system-riscv32') ?? '/absent/qemu-system-riscv32',
  qemuMachine: 'virt',
};

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

async function start(more: Partial<VirtualRv32Options> = {}): Promise<VirtualRv32> {
  const board = await startVirtualRv32({ ...options, ...more });
  open.push(board);
  return board;
}

async function connectTo(port: string) {
  const transport = await openTransport(port);
  open.push(transport);
  return transport;
}

/**
 * What arrives until it has `text` in it. A limit of time and not of reads: the emulator hands over bytes one by one,
 * and how many of them a read finds together depends on what else this machine does.
 */
async function hear(transport: Transport, text: string): Promise<string> {
  const end = Date.now() + 20_000;
  let heard = '';
  while (!heard.includes(text) && Date.now() < end)
    heard += Buffer.from(await transport.read(100)).toString('latin1');
  return heard;
}

describe.skipIf(!present)('the virtual RV32IMC board (skipped without its compiler or emulator)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tinyml-test-'));
  let image = Buffer.alloc(0);
  let faulty = Buffer.alloc(0);

  beforeAll(() => {
    const built = (name: string, prologue: string) =>
      readFileSync(
        join(buildPlan(tinyPlan('virtual-rv32imc', prologue), join(folder, name)), 'firmware.bin'),
      );
    image = built('good', '');
    faulty = built('faulty', '#define FAULT __asm__ volatile("sw a0, 0(zero)")\n');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each([0, 1])('runs what is loaded, over port %d', async (which) => {
    const board = await start();
    const transport = await connectTo(board.ports[which]!);
    await board.load(image);
    const client = await BenchClient.connect(transport, { expected: { board: 'virtual-rv32imc' } });
    expect(client.hello).toMatchObject({ tickUnit: 'instruction', clockHz: 160_000_000, layers: 4 });
  });

  test('starts with the image in its file, and takes another while a client stays', async () => {
    const flashFile = join(folder, 'kept.bin');
    writeFileSync(flashFile, image);
    const board = await start({ flashFile });
    const transport = await connectTo(board.ports[0]!);
    await BenchClient.connect(transport, {});
    await board.load(faulty);
    expect(readFileSync(flashFile).equals(faulty)).toBe(true);
    const client = await BenchClient.connect(transport, {});
    await client.loadInput(0, new Uint8Array(16));
    await expect(client.run(0, 0)).rejects.toMatchObject({
      code: 'E_BOARD_CRASHED',
      message: expect.stringContaining('write to where no memory may be written, at address 0x00000000'),
      measure: expect.arrayContaining([expect.stringMatching(/^pc 0x8000\w{4} {2}ra 0x8000/)]),
    });
  });

  test('starts again when DTR holds reset', async () => {
    const board = await start();
    await board.load(image);
    const transport = await connectTo(board.ports[0]!);
    for (let i = 0; i < 2; i++) {
      await transport.setSignals({ dtr: true, rts: false });
      await discardInput(transport);
      expect(await transport.read(200)).toEqual(new Uint8Array(0));
      await transport.setSignals({ dtr: false, rts: false });
      // The ready frame tells the board's name.
      expect(await hear(transport, 'virtual-rv32imc')).toContain('virtual-rv32imc');
    }
  });

  test('says that nothing is loaded, and refuses what does not fit', async () => {
    const notes: string[] = [];
    const board = await start({ onNote: (text) => notes.push(text) });
    expect(notes).toEqual(['no image is loaded, so nothing runs']);
    await expect(board.load(new Uint8Array(1024 * 1024 + 1))).rejects.toMatchObject({
      code: 'E_IMAGE_TOO_LARGE',
    });
  });

  test('leaves no emulator behind', async () => {
    const board = await start();
    await board.load(image);
    await board.load(image);
    await board.close();
    const left = spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).stdout;
    expect(left).not.toContain(board.flashFile);
  });
});

test('a virtual RV32IMC board needs QEMU', async () => {
  const attempt = await startVirtualRv32({ ...options, qemuBinary: 'qemu-system-absent' }).catch(
    (error: unknown) => error,
  );
  expect(
    codeOf(() => {
      throw attempt;
    }),
  ).toBe('E_QEMU_MISSING');
});
