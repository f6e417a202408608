import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { findTool } from '../../cli/tools/find-tool.ts';
import type { Bus } from '../../device/virtual/esp-cpu/bus.ts';
import { multiplyHigh, multiplyHighUnsigned } from '../../device/virtual/esp-cpu/multiply-high.ts';
import { Rv32Core } from '../../device/virtual/esp-cpu/rv32-core.ts';
import { BenchClient } from '../firmware/bench-client.ts';
import { buildPlan, tinyPlan } from '../firmware/build-firmware.ts';
import { boot } from '../firmware/emulator.ts';
import { randomSource } from '../firmware/random.ts';

const ready = findTool('riscv64-unknown-elf-gcc') && findTool('qemu-system-riscv32');

/** Arithmetic on pairs of values from a table, each result mixed into a sum: what both machines must agree on. */
const program = `
#include <stdint.h>
static const uint32_t values[] = { VALUES };
#define COUNT (sizeof values / sizeof *values)
#define OPERATION(name) __asm__ volatile(#name " %0, %1, %2" : "=r"(r) : "r"(a), "r"(b)); sum = (sum ^ r) * 16777619u;
static uint32_t arithmetic(void)
{
	uint32_t sum = 2166136261u, r;
	for (uint32_t i = 0; i < COUNT; i++)
		for (uint32_t j = 0; j < COUNT; j++) {
			uint32_t a = values[i], b = values[j];
			OPERATION(add) OPERATION(sub) OPERATION(sll) OPERATION(slt) OPERATION(sltu) OPERATION(xor)
			OPERATION(srl) OPERATION(sra) OPERATION(or) OPERATION(and)
			OPERATION(mul) OPERATION(mulh) OPERATION(mulhsu) OPERATION(mulhu)
			OPERATION(div) OPERATION(divu) OPERATION(rem) OPERATION(remu)
			sum ^= (a < b) + 2u * ((int32_t)a < (int32_t)b) + 4u * (a == b);
		}
	return sum;
}
#define FAULT __asm__ volatile("mv a0, %0\\n\\t.half 0" :: "r"(arithmetic()) : "a0")
`;

const edges = [
  0, 1, 2, 3, 31, 32, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff, 0xfffffffe, 0xffff, 0x10000, 0x8000,
];

/** QEMU's `virt` machine as far as our firmware for it goes: 1 MiB as flash, 256 KiB of RAM, a UART. */
function virtMachine(folder: string): { client: BenchClient; stop(): void } {
  const origin = 0x80000000;
  const bytes = new Uint8Array(0x140000);
  bytes.set(readFileSync(join(folder, 'firmware.bin')));
  const waiting: number[] = [];
  const bus: Bus = {
    load(address) {
      if (address === 0x10000005) return 0x60 | (waiting.length > 0 ? 1 : 0);
      return address === 0x10000000 ? (waiting.shift() ?? 0) : 0;
    },
    store(address, _size, value) {
      if (address === 0x10000000) port.push(Uint8Array.of(value));
      return true;
    },
  };
  const core = new Rv32Core({ memory: { bytes, dataAddress: origin, codeAddress: origin }, bus });
  let ended = false;
  const run = () => {
    core.run(1_000_000);
    if (!ended) setTimeout(run, waiting.length > 0 ? 0 : 2);
  };
  const port: Duplex = new Duplex({
    read() {},
    write(chunk: Uint8Array, _encoding, done) {
      waiting.push(...chunk);
      done();
    },
  });
  core.reset(origin);
  setImmediate(run);
  const stop = () => {
    ended = true;
  };
  return { client: new BenchClient(port), stop };
}

/** The ready frame, ticks of three inferences and of the layers, an output and the memory figures. */
async function transcript(client: BenchClient): Promise<string[]> {
  const frames = [(await client.next())!.body];
  const input = Buffer.from(Array.from({ length: 16 }, (_, i) => i * 5));
  for (let run = 1; run <= 3; run++) {
    await client.ask(2, Buffer.concat([Buffer.alloc(5), input]));
    frames.push((await client.ask(3, Buffer.from([run, 0, 0, 0, 0, 0, 0, 0]))).body);
  }
  await client.ask(5, Buffer.from([1, 0, 0, 0]));
  for (const type of [6, 7]) frames.push((await client.ask(type, Buffer.from([0, 0, 4, 0]))).body);
  frames.push((await client.ask(4, Buffer.from([0, 0, 0, 0, 0, 4, 0]))).body);
  frames.push((await client.ask(8)).body);
  return frames.map((body) => body.toString('hex'));
}

describe.skipIf(!ready)('the RV32IMC core beside QEMU’s (skipped without QEMU and compiler)', () => {
  it('gives the same frames for the same firmware, to the last instruction counted', async () => {
    const folder = buildPlan(tinyPlan('virtual-rv32imc'));
    const theirs = await boot(folder, 'virtual-rv32imc');
    const ours = virtMachine(folder);
    try {
      expect(await transcript(ours.client)).toEqual(await transcript(theirs.client));
    } finally {
      ours.stop();
      await theirs.stop();
      rmSync(folder, { recursive: true });
    }
  });

  it('computes as QEMU does, 18 instructions on 2,916 pairs of numbers', async () => {
    const random = randomSource(7);
    const values = [...edges, ...Array.from({ length: 40 }, () => random(2 ** 32))];
    const prologue = program.replace('VALUES', values.map((value) => `${value}u`).join(', '));
    const folder = buildPlan(tinyPlan('virtual-rv32imc', prologue));
    const theirs = await boot(folder, 'virtual-rv32imc');
    const ours = virtMachine(folder);
    try {
      const crash = async (client: BenchClient) => {
        await client.next();
        const { body } = await client.ask(3, Buffer.alloc(8), 0);
        // The last register, t0, still holds what QEMU's boot code left there.
        return body.subarray(0, -4).toString('hex');
      };
      expect(await crash(ours.client)).toEqual(await crash(theirs.client));
    } finally {
      ours.stop();
      await theirs.stop();
      rmSync(folder, { recursive: true });
    }
  });
});

it('multiplies as exact integers do', () => {
  const random = randomSource(11);
  const values = [...edges, ...Array.from({ length: 100 }, () => random(2 ** 32))].map((v) => v | 0);
  for (const a of values)
    for (const b of values) {
      expect(multiplyHigh(a, b)).toBe(Number(BigInt.asIntN(32, (BigInt(a) * BigInt(b)) >> 32n)));
      const product = BigInt(a >>> 0) * BigInt(b >>> 0);
      expect(multiplyHighUnsigned(a, b)).toBe(Number(BigInt.asIntN(32, product >> 32n)));
    }
});
