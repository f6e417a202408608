import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { functionAt, readElf } from '../../firmware-templates/elf.ts';
import { buildPlan, tinyPlan } from './build-firmware.ts';
import { boot, type Emulated } from './emulator.ts';

/** Type and registers of each board's crash frame. */
const FORMS = {
  'virtual-stm32f405': [0xf0, 'pc lr psr sp cfsr hfsr mmfar bfar r0 r1 r2 r3 r12'.split(' ')],
  'virtual-rv32imc': [0xf2, 'pc ra mstatus sp mcause mtval a0 a1 a2 a3 a4 a5 t0'.split(' ')],
  'virtual-esp32': [0xf5, 'pc a0 ps sp exccause excvaddr a2 a3 a4 a5 a6 a7 a8'.split(' ')],
  'virtual-esp32c3': [0xf2, 'pc ra mstatus sp mcause mtval a0 a1 a2 a3 a4 a5 t0'.split(' ')],
} as const satisfies Partial<Record<Emulated, unknown>>;

type Faulty = keyof typeof FORMS;

/** Runs an inference that executes `fault`, C text; returns the crash frames' registers and the function at pc. */
async function crash(fault: string, id: Faulty = 'virtual-stm32f405') {
  const [type, names] = FORMS[id];
  const folder = buildPlan(tinyPlan(id, `#define FAULT ${fault}\n`));
  const board = await boot(folder, id);
  try {
    expect((await board.client.next())?.type).toBe(0xf1);
    const frame = await board.client.ask(3, Buffer.alloc(8), 0);
    expect(frame.type).toBe(type);
    board.client.write(Buffer.from([0x55]));
    expect(await board.client.next(), 'the crash is told again to whoever asks').toEqual(frame);
    const registers = Object.fromEntries(
      names.map((name, index) => [name, frame.body.readUInt32LE(index * 4)]),
    );
    const elf = readElf(readFileSync(join(folder, 'firmware.elf')));
    return { registers, at: functionAt(elf, registers['pc']!), elf };
  } finally {
    await board.stop();
    rmSync(folder, { recursive: true });
  }
}

const REGISTERS = `"movw r0, #0x1111\\n\\tmovw r1, #0x2222\\n\\tmov r2, #0x60000000\\n\\tmovw r3, #0x4444\\n\\tmovw r12, #0x5555\\n\\t"`;

const RECURSION =
  'static int deep(int n) { volatile char b[64]; b[n & 63] = 1; return n ? deep(n - 1) + b[n & 31] : 0; }';

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
    const { registers } = await crash(`(void)deep(1000)\n${RECURSION}`);
    expect(registers['sp'], 'below RAM').toBeLessThan(0x20000000);
    expect(registers['cfsr']! & 0x1010, 'stacking error').not.toBe(0);
  });
});

const hasRiscV = ['riscv64-unknown-elf-gcc', 'qemu-system-riscv32'].every(
  (name) => !spawnSync(name, ['--version']).error,
);

describe.skipIf(!hasRiscV)('a trap on the RISC-V board (skipped without compiler or emulator)', () => {
  const trap = (fault: string) => crash(fault, 'virtual-rv32imc');
  const asm = (text: string) =>
    `__asm__ volatile("${text}" ::: "a0", "a1", "a2", "a3", "a4", "a5", "t0", "memory")`;

  it('tells the registers of a read from nowhere', async () => {
    const load = [1, 2, 3, 4, 5].map((n) => `li a${n}, ${0x1111 * n}; `).join('');
    const { registers, at, elf } = await trap(asm(`li t0, 0x7777; ${load}li a0, 0x90000000; lw a0, 4(a0)`));
    expect(registers).toMatchObject({ mcause: 5, mtval: 0x90000004, a0: 0x90000000, t0: 0x7777 });
    expect(registers).toMatchObject({ a1: 0x1111, a2: 0x2222, a3: 0x3333, a4: 0x4444, a5: 0x5555 });
    expect(at).toBe('invoke');
    expect(functionAt(elf, registers['ra']!)).toBe('time_of');
    expect(registers['sp']).toBeGreaterThan(0x80100e00);
    expect(registers['sp']).toBeLessThanOrEqual(0x80101000);
    expect(registers['mstatus']! & 0x1800, 'in machine mode before').toBe(0x1800);
  });

  it.each([
    ['an illegal instruction', asm('.half 0'), { mcause: 2 }],
    ['a write through a null pointer', asm('sw a0, 0(zero)'), { mcause: 7, mtval: 0 }],
    ['a write into flash', asm('la a0, invoke; sw a0, 0(a0)'), { mcause: 7 }],
    ['a read behind RAM', asm('li a0, 0x80140000; lw a0, 0(a0)'), { mcause: 5, mtval: 0x80140000 }],
    ['a jump into RAM', '((void (*)(void))0x80102000)()', { mcause: 1, pc: 0x80102000 }],
  ])('tells %s', async (_, fault, expected) => {
    expect((await trap(fault)).registers).toMatchObject(expected);
  });

  it('notices a stack that runs over, and still answers', async () => {
    const { registers } = await trap(`(void)deep(1000)\n${RECURSION}`);
    expect(registers['mcause']).toBe(7);
    expect(registers['mtval'], 'below RAM').toBeLessThan(0x80100000);
  });
});

describe.skipIf(!hasRiscV)('a trap on the ESP32-C3 (skipped without compiler)', () => {
  const trap = (fault: string) => crash(fault, 'virtual-esp32c3');
  const asm = (text: string) => `__asm__ volatile("${text}" ::: "a0", "memory")`;

  it.each([
    ['a read from nowhere', asm('li a0, 0x70000000; lw a0, 4(a0)'), { mcause: 5, mtval: 0x70000004 }],
    ['a write through a null pointer', asm('sw a0, 0(zero)'), { mcause: 7, mtval: 0 }],
    ['an illegal instruction', asm('.half 0'), { mcause: 2 }],
    ['a write over instructions', asm('la a0, tml_reset; sw a0, 0(a0)'), { mcause: 7 }],
    [
      'the same through the other address of that memory',
      asm('li a0, 0x3fc80000; sw a0, 0(a0)'),
      { mcause: 7, mtval: 0x3fc80000 },
    ],
    ['a jump into variables', '((void (*)(void))0x40390000)()', { mcause: 1, pc: 0x40390000 }],
    ['a read of flash that is not mapped', asm('li a0, 0x3c000000; lw a0, 0(a0)'), { mcause: 5 }],
  ])('tells %s', async (_, fault, expected) => {
    expect((await trap(fault)).registers).toMatchObject(expected);
  });

  it('notices a stack that runs over, and still answers', async () => {
    const { registers, at } = await trap(`(void)deep(1000)\n${RECURSION}`);
    expect(registers['mcause']).toBe(7);
    expect(at).toMatch(/^deep/);
  });
});

describe.skipIf(spawnSync('xtensa-lx106-elf-gcc', ['--version']).error)(
  'an exception on the ESP32 (skipped without compiler)',
  () => {
    const exception = (fault: string) => crash(fault, 'virtual-esp32');
    const asm = (text: string) => `__asm__ volatile("${text}" ::: "a2", "a3", "memory")`;

    it.each([
      [
        'a read from nowhere',
        asm('movi a3, 0x70000000; l32i a2, a3, 4'),
        { exccause: 15, excvaddr: 0x70000004 },
      ],
      ['a write through a null pointer', asm('movi a3, 0; s32i a2, a3, 0'), { exccause: 15, excvaddr: 0 }],
      [
        'a misaligned read',
        asm('movi a3, 0x3ffb0002; l32i a2, a3, 0'),
        { exccause: 9, excvaddr: 0x3ffb0002 },
      ],
      ['a read of a byte of instructions', asm('movi a3, invoke; l8ui a2, a3, 0'), { exccause: 3 }],
      ['an illegal instruction', asm('ill'), { exccause: 0 }],
      ['a division by zero', asm('movi a3, 0; .byte 0x30, 0x22, 0xC2'), { exccause: 6 }],
      ['a jump to nowhere', '((void (*)(void))0x60000000)()', { exccause: 14, pc: 0x60000000 }],
      ['a read of flash that is not mapped', asm('movi a3, 0x3f400000; l32i a2, a3, 0'), { exccause: 15 }],
    ])('tells %s', async (_, fault, expected) => {
      expect((await exception(fault)).registers).toMatchObject(expected);
    });

    it('notices a stack that runs far over, and still answers', async () => {
      const { registers, at } = await exception(`(void)deep(1000)\n${RECURSION}`);
      expect(registers['exccause']).toBe(15);
      expect(at).toMatch(/^deep/);
    });
  },
);
