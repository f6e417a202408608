import { describe, expect, it } from 'vitest';
import { CycleCounter } from '../../device/virtual/cortex-m4/cycle-counter.ts';
import { cyclesOf, type Instruction } from '../../device/virtual/cortex-m4/instruction-cost.ts';

const instruction = (text: string): Instruction => {
  const [mnemonic = '', ...operands] = text.split(' ');
  return { address: 0, bytes: 4, mnemonic, operands: operands.join(' ') };
};
const cycles = (...program: string[]) => {
  const list = program.map(instruction);
  return list.reduce((sum, one, i) => sum + cyclesOf(one, list[i - 1]), 0);
};

describe('the costs of Cortex-M4 instructions', () => {
  it.each([
    ['data processing', 1, ['adds r0, r1, #4']],
    ['a multiplication with accumulation', 1, ['smlad r4, r1, r2, r4']],
    ['a load by itself', 2, ['ldr.w r0, [r1, #4]']],
    ['three loads in a row', 4, ['ldr r0, [r1]', 'ldr.w r2, [r1, #4]', 'ldrb r3, [r5]']],
    ['a load whose address the load before brings', 5, ['ldr r0, [r1]', 'ldr r2, [r0]']],
    ['a load whose address was just computed', 4, ['add.w r1, r2, r3', 'ldr r0, [r1]']],
    ['a load behind a comparison of its address', 3, ['cmp r1, r3', 'ldr r0, [r1]']],
    ['a store', 1, ['str r0, [r1, #8]']],
    ['a store behind a load', 3, ['ldr r0, [r1]', 'strb r3, [r2]']],
    ['a double load', 3, ['ldrd r0, r1, [r2]']],
    ['four registers at once', 5, ['ldm.w r0!, {r4, r5, r6, r7}']],
    ['a range of registers', 6, ['push {r4-r7, lr}']],
    ['a move into the FPU', 1, ['vmov s1, r4']],
    ['a division at its worst', 12, ['udiv r0, r0, r1']],
    ['a branch, without its refill', 1, ['bne #0x8000010']],
  ])('%s', (_name, expected, program) => {
    expect(cycles(...program)).toBe(expected);
  });
});

/** A log as QEMU writes it: blocks are listed when they are first met. */
class Log {
  readonly counter = new CycleCounter([
    { address: 0x100, name: 'whole' },
    { address: 0x200, name: 'part' },
  ]);
  private readonly seen = new Set<number>();

  run(start: number, ...program: string[]): this {
    if (!this.seen.has(start)) {
      this.counter.line('----------------');
      this.counter.line('IN: name');
      for (const [i, text] of program.entries()) {
        const address = (start + 2 * i).toString(16).padStart(8, '0');
        this.counter.line(`0x${address}:  4b0b       ${text.replace(' ', '      ')}`);
      }
      this.seen.add(start);
    }
    const pc = start.toString(16).padStart(8, '0');
    this.counter.line(`Trace 0: 0x7f${start.toString(16)} [00800408/${pc}/00000110/ff020200] `);
    return this;
  }
}

describe('CycleCounter', () => {
  it('counts a function with what it calls, from its call to its return', () => {
    const log = new Log()
      .run(0x10, 'nop', 'bl #0x100')
      .run(0x100, 'push {r4, lr}', 'bl #0x200')
      .run(0x200, 'adds r0, r0, #1', 'bx lr')
      .run(0x104, 'pop {r4, pc}')
      .run(0x14, 'nop', 'bl #0x200')
      .run(0x200, 'adds r0, r0, #1', 'bx lr')
      .run(0x18, 'nop');
    // push 3, bl 1, adds 1, bx 1, pop 3; into the function, into the part, back from the part.
    expect(log.counter.counts.get('whole')).toEqual({ instructions: 5, cycles: 9, refills: 3 });
    expect(log.counter.counts.get('part')).toEqual({ instructions: 2, cycles: 2, refills: 1 });
  });

  it('counts a loop onto itself each time, a block that QEMU logs again without running it once', () => {
    const loop = ['subs r0, #1', 'bne #0x102'];
    const log = new Log()
      .run(0x10, 'bl #0x100')
      .run(0x100, 'movs r0, #3')
      .run(0x100, 'movs r0, #3')
      .run(0x102, ...loop)
      .run(0x102, ...loop)
      .run(0x102, ...loop)
      .run(0x106, 'bx lr')
      .run(0x12, 'nop');
    expect(log.counter.counts.get('whole')).toEqual({ instructions: 8, cycles: 8, refills: 3 });
  });

  it('knows nothing of a function that never returned, and survives lines that are no log', () => {
    const { counter } = new Log().run(0x10, 'bl #0x100').run(0x100, 'nop');
    for (const line of ['', 'OBJD-T: 00bf', 'Trace 0: 0x1 [0/zz/0/0]', `Trace 0: ${'f'.repeat(9999)}`])
      counter.line(line);
    expect(counter.counts.size).toBe(0);
  });
});
