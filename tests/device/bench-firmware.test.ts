import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BenchClient } from '../../device/bench/bench-client.ts';
import { flashStm32 } from '../../device/stm32-bootloader/flash-stm32.ts';
import { openTransport } from '../../device/transport/open-transport.ts';
import { type FaultModel, randomFaults } from '../../device/transport/simulated-link.ts';
import type { Transport } from '../../device/transport/transport.ts';
import { startVirtualStm32 } from '../../device/virtual/start-virtual-stm32.ts';
import { buildPlan, tinyPlan } from '../firmware/build-firmware.ts';
import { armGcc, qemu } from './oracles.ts';
import { f405 } from './simulated-stm32.ts';

const INPUT = Uint8Array.from({ length: 16 }, (_, index) => index * 3);
const weight = (index: number) => (index % 2 ? -index - 1 : index + 1);
const scaled = [...INPUT].map((value, index) => value * weight(index));
const OUTPUT = Uint8Array.from(
  { length: 8 },
  (_, index) => (scaled[index]! + scaled[index + 8]! + 42) & 0xff,
);

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

function build(fault = ''): Uint8Array {
  const folder = buildPlan(tinyPlan('virtual-stm32f405', fault));
  try {
    return readFileSync(join(folder, 'firmware.bin'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function boardWith(image: Uint8Array): Promise<Transport> {
  const board = await startVirtualStm32({
    flashBytes: 1024 * 1024,
    sramBytes: 128 * 1024,
    chipId: 0x413,
    qemuBinary: qemu!,
    qemuMachine: 'netduinoplus2',
  });
  open.push(board);
  const transport = await openTransport(board.ports[0]!);
  open.push(transport);
  await flashStm32(transport, image, { target: f405, start: false });
  return transport;
}

/** A transport whose bytes suffer in both directions. */
function damaged(transport: Transport, faults: FaultModel): Transport {
  const pass = (bytes: Uint8Array, direction: 'to board' | 'to host') =>
    Uint8Array.from([...bytes].flatMap((byte) => faults(byte, direction)));
  return new Proxy(transport, {
    get(target, name) {
      if (name === 'read') {
        return async (ms: number, signal?: AbortSignal) => pass(await target.read(ms, signal), 'to host');
      }
      if (name === 'write') {
        return (bytes: Uint8Array, signal?: AbortSignal) => target.write(pass(bytes, 'to board'), signal);
      }
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

describe.skipIf(!qemu || !armGcc)(
  'the benchmark firmware on the virtual board (skipped without qemu-system-arm and arm-none-eabi-gcc)',
  () => {
    let image: Uint8Array = new Uint8Array(0);
    beforeAll(() => {
      image = build();
    });

    test('is flashed, met, and infers, profiles and tells its memory', async () => {
      const transport = await boardWith(image);
      const expected = { modelHash: '1032547698badcfe', board: 'virtual-stm32f405' };
      const client = await BenchClient.connect(transport, { expected });
      expect(client.hello).toMatchObject({
        tickUnit: 'instruction',
        tickHz: 1_000_000_000,
        layers: 4,
        inputBytes: [16],
        outputBytes: [8],
        inputKept: false,
      });
      const { ticks, outputs } = await client.infer([INPUT]);
      expect(outputs).toEqual([OUTPUT]);
      expect(await client.measure([INPUT], { runs: 5 })).toEqual([ticks, ticks, ticks, ticks, ticks]);
      const profile = await client.profile([INPUT]);
      expect(profile.ticks[2]).toBe(2001);
      expect(profile.hashes).toHaveLength(4);
      expect(profile.hashes[1], 'the same bytes, not changed in between').toBe(profile.hashes[2]);
      expect(await client.memory()).toMatchObject({ stackSize: 4096, arena: 64, image: image.length });
    });

    test('is right over a bad link', async () => {
      const transport = await boardWith(image);
      const faults = randomFaults(5, 2e-3, ['flip', 'drop', 'duplicate', 'insert']);
      const client = await BenchClient.connect(damaged(transport, faults), {
        timeouts: { answerMs: 60, runMs: 60 },
      });
      const ticks = await client.measure([INPUT], { runs: 40 });
      expect(new Set(ticks).size).toBe(1);
      expect(await client.readOutput(0)).toEqual(OUTPUT);
      expect(client.repeats).toBeGreaterThan(0);
      console.log(`seed 5 at 2e-3: 40 inferences, ${client.repeats} requests repeated, all alike and right`);
    });

    test('that crashes is understood', async () => {
      const fault = '__asm__ volatile("mov r2, #0x60000000\\n\\tldr r3, [r2, #4]" ::: "r2", "r3")';
      const transport = await boardWith(build(`#define FAULT ${fault}\n`));
      const client = await BenchClient.connect(transport);
      await expect(client.infer([INPUT])).rejects.toMatchObject({
        code: 'E_BOARD_CRASHED',
        message: expect.stringContaining('bus error on a read or write, at address 0x60000004'),
      });
      const again = await BenchClient.connect(transport);
      expect(again.hello.board).toBe('virtual-stm32f405');
      await expect(BenchClient.connect(transport, { expected: { modelHash: '00' } })).rejects.toMatchObject({
        code: 'E_WRONG_MODEL',
      });
    });
  },
);
