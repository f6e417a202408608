import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { functionAt, readElf } from '../../firmware-templates/elf.ts';
import { buildPlan, tinyPlan } from './build-firmware.ts';
import { boot } from './emulator.ts';

const NAMES = 'pc lr psr sp cfsr hfsr mmfar bfar r0 r1 r2 r3 r12'.split(' ');

/** Runs an inference that executes `fault`, C text; returns the crash frames' registers and the function at pc. */
async function crash(fault: string) {
  const folder = buildPlan(tinyPlan('virtual-stm32f405', `#define FAULT ${fault}\n`));
  const board = await boot(folder);
  try {
    expect((await board.client.next())?.type).toBe(0xf1);
    const frame = await board.client.ask(3, Buffer.alloc(8), 0);
    expect(frame.type).toBe(0xf0);
    board.client.write(Buffer.from([0x55]));
    expect(await board.client.next(), 'the crash is told again to whoever asks').toEqual(frame);
    const registers = Object.fromEntries(
      NAMES.map((name, index) => [name, frame.body.readUInt32LE(index * 4)]),
    );
    const elf = readElf(readFileSync(join(folder, 'firmware.elf')));
    return { registers, at: functionAt(elf, registers['pc']!), elf };
  } finally {
    await board.stop();
    rmSync(folder, { recursive: true });
  }
}

const REGISTERS = `"movw r0, #0x1111\\n\\tmovw r1, #0x2222\\n\\tmov r2, #0x60000000\\n\\tmovw r3, #0x4444\\n\\tmovw r12, #0x5555\\n\\t"`;

describe('a fault on the board', () => {
  it('tells the registers of a read from nowhere', async () => {
    const { registers, at } = await crash(
      `__asm__ volatile(${REGISTERS} "ldr r3, [r2, #4]" ::: "r0", "r1", "r2", "r3", "r12")`,
    );
    // CFSR: precise data bus error with a valid BFAR; HFSR: forced (ARMv7-M B3.2.15, B3.2.16).
    expect(registers).toMatchObject({ cfsr: 0x8200, hfsr: 0x40000000, bfar: 0x60000004 });
    expect(registers).toMatchObject({ r0: 0x1111, r1: 0x2222, r2: 0x60000000, r3: 0x4444, r12: 0x5555 });
    expect(at).toBe('invoke');
    expect(registers['psr']! & 0x01000000).not.toBe(0);
    expect(registers['sp']).toBeGreaterThan(0x20000e00);
    expect(registers['sp']).toBeLessThanOrEqual(0x20001000);
  });

  it.each([
    ['', ''],
    [' after floating point, whose registers are stacked too', 'vmov.f32 s0, #1.0\\n\\t'],
  ])('tells an undefined instruction%s', async (_, before) => {
    const { registers, at } = await crash(
      `__asm__ volatile("${before}mov r3, sp\\n\\tudf #1" ::: "r3", "s0")`,
    );
    expect(registers).toMatchObject({ cfsr: 0x00010000, hfsr: 0x40000000 });
    expect(registers['sp'], 'as it was before the fault').toBe(registers['r3']);
    expect(at).toBe('invoke');
  });

  it('tells a jump to nowhere, and from where', async () => {
    const { registers, at, elf } = await crash('((void (*)(void))0x60000001)()');
    expect(registers['pc']).toBe(0x60000000);
    expect(registers['cfsr']! & 0x0101, 'an instruction access error').not.toBe(0);
    expect(at).toBeUndefined();
    expect(functionAt(elf, registers['lr']!)).toBe('invoke');
  });

  it('notices a stack that runs over, and still answers', async () => {
    const recursion =
      'static int deep(int n) { volatile char b[64]; b[n & 63] = 1; return n ? deep(n - 1) + b[n & 31] : 0; }';
    const { registers } = await crash(`(void)deep(1000)\n${recursion}`);
    expect(registers['sp'], 'below RAM').toBeLessThan(0x20000000);
    expect(registers['cfsr']! & 0x1010, 'stacking error').not.toBe(0);
  });
});
