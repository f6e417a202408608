import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { elfSizes } from '../../firmware-templates/elf-sizes.ts';
import { frameBytes } from './bench-client.ts';
import { buildPlan, tinyPlan } from './build-firmware.ts';
import { boot, canEmulate, type Emulated, type Running } from './emulator.ts';
import { randomSource } from './random.ts';

const u32 = (bytes: Buffer, index: number) => bytes.readUInt32LE(index * 4);
const INPUT = Buffer.from(Array.from({ length: 16 }, (_, index) => index * 3));

interface Emulation {
  readonly id: Emulated;
  readonly clockHz: number;
  readonly tickHz: number;
  /** Instructions in a tick of its counter. */
  readonly perTick: number;
  readonly compiler: string;
}

const hasCompiler = (name: string) => !spawnSync(name, ['--version']).error;
const instructions = { tickHz: 1_000_000_000, perTick: 1 } as const;
const stm32 = { clockHz: 16_000_000, compiler: 'arm-none-eabi-gcc' } as const;

// The emulator has no RCC: the clock set-up gives up its waits and stays on the internal oscillator.
const EMULATIONS: readonly Emulation[] = [
  { id: 'virtual-stm32f405', ...stm32, ...instructions },
  { id: 'virtual-stm32f205', ...stm32, ...instructions },
  { id: 'virtual-olimex-h405', ...stm32, ...instructions },
  // No timer is modelled; SysTick runs at 24 MHz, the instructions at one a nanosecond.
  { id: 'virtual-stm32f100', ...stm32, clockHz: 8_000_000, tickHz: 24_000_000, perTick: 1000 / 24 },
  {
    id: 'virtual-rv32imc',
    clockHz: 160_000_000,
    compiler: 'riscv64-unknown-elf-gcc',
    ...instructions,
  },
  {
    id: 'virtual-esp32c3',
    clockHz: 160_000_000,
    tickHz: 160_000_000,
    perTick: 1,
    compiler: 'riscv64-unknown-elf-gcc',
  },
  {
    id: 'virtual-esp32',
    clockHz: 240_000_000,
    tickHz: 240_000_000,
    perTick: 1,
    compiler: 'xtensa-lx106-elf-gcc',
  },
];

for (const { id, clockHz, tickHz, perTick, compiler } of EMULATIONS)
  describe.skipIf(!hasCompiler(compiler) || !canEmulate(id))(
    `the benchmark firmware on ${id} (skipped without its compiler, or an emulator with its machine)`,
    () => {
      let folder: string;
      let board: Running;

      beforeAll(async () => {
        folder = buildPlan(tinyPlan(id));
        board = await boot(folder, id);
      });
      afterAll(async () => {
        await board?.stop();
        rmSync(folder, { recursive: true });
      });

      async function infer(run: number): Promise<bigint> {
        await board.client.ask(2, Buffer.concat([Buffer.alloc(5), INPUT]));
        const request = Buffer.alloc(8);
        request.writeUInt32LE(run);
        return (await board.client.ask(3, request)).body.readBigUInt64LE(8);
      }

      async function layerTicks(run: number): Promise<number[]> {
        const number = Buffer.alloc(4);
        number.writeUInt32LE(run);
        await board.client.ask(5, number);
        const { body } = await board.client.ask(6, Buffer.from([0, 0, 4, 0]));
        return [1, 2, 3, 4].map((index) => u32(body, index));
      }

      it('says ready after reset, and hello with the same facts', async () => {
        const ready = await board.client.next();
        expect(ready?.type).toBe(0xf1);
        const hello = await board.client.ask(1);
        expect(hello.type).toBe(0x81);
        expect(hello.body).toEqual(ready?.body);
        // A tick is an instruction, or of a timer.
        expect(hello.body.subarray(0, 4)).toEqual(Buffer.from([1, 0, perTick === 1 ? 1 : 2, 0]));
        expect(u32(hello.body, 1)).toBe(tickHz);
        expect(u32(hello.body, 2)).toBe(clockHz);
        expect(hello.body.subarray(-id.length).toString()).toBe(id);
      });

      it('counts the same instructions in every run', async () => {
        const counts = new Set<bigint>();
        for (let run = 1; run <= 20; run++) counts.add(await infer(run));
        // Where a tick is many instructions it may fall into one run more or less.
        expect(counts.size).toBeLessThanOrEqual(perTick === 1 ? 1 : 2);
      });

      it('counts exactly the instructions of a layer beyond an empty function', async () => {
        // mov, then 1000 times subs and bne, then bx; the empty function has the bx as well.
        const exact = (1 + 2 * 1000) / perTick;
        const ticks = (await layerTicks(1))[2]!;
        // Two stopwatches are read, each to a tick.
        expect(Math.abs(ticks - exact)).toBeLessThanOrEqual(perTick === 1 ? 0 : 2);
      });

      it('profiles layers that sum up to the whole', async () => {
        const layers = await layerTicks(2);
        const sum = layers.reduce((total, ticks) => total + ticks, 0);
        const whole = Number(await infer(99));
        expect(Math.abs(sum - whole)).toBeLessThan(4 * layers.length);
      });

      it('reads the output of the loaded input', async () => {
        await infer(5);
        const { body } = await board.client.ask(4, Buffer.from([0, 0, 0, 0, 0, 8, 0]));
        const weight = (index: number) => (index % 2 ? -index - 1 : index + 1);
        const scaled = [...INPUT].map((value, index) => value * weight(index));
        const expected = Array.from(
          { length: 8 },
          (_, index) => (scaled[index]! + scaled[index + 8]! + 42) & 0xff,
        );
        expect([...body]).toEqual(expected);
      });

      it('tells the memory that the linker gave it, and a plausible stack', async () => {
        const { body } = await board.client.ask(8);
        const sizes = elfSizes(readFileSync(join(folder, 'firmware.elf')));
        expect(u32(body, 0)).toBe(sizes.ram.static);
        expect(u32(body, 1)).toBe(sizes.ram.arena);
        expect(u32(body, 2)).toBe(4096);
        expect(u32(body, 3)).toBeGreaterThan(60);
        expect(u32(body, 3)).toBeLessThan(400);
        // An Espressif image has headers around what it holds.
        if (!id.includes('esp32'))
          expect(u32(body, 4)).toBe(readFileSync(join(folder, 'firmware.bin')).length);
        expect(u32(body, 4)).toBe(sizes.image);
      });

      it('loses no byte of the longest frames, sent back to back', async () => {
        const junk = frameBytes(2, 200, Buffer.alloc(1024, 0x55));
        board.client.write(Buffer.concat([junk, junk, junk, frameBytes(1, 201, Buffer.alloc(0))]));
        const types = [];
        for (let index = 0; index < 4; index++) types.push((await board.client.next())?.type);
        expect(types).toEqual([0xff, 0xff, 0xff, 0x81]);
      });

      it('answers after seeded noise', async () => {
        const random = randomSource(7);
        const noise = Buffer.from(Array.from({ length: 20_000 }, () => random(256)));
        board.client.write(Buffer.concat([noise, Buffer.from([0])]));
        const hello = await board.client.ask(1, Buffer.alloc(0), 250);
        expect(hello.type).toBe(0x81);
      });
    },
  );
