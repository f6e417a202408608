import { describe, expect, it } from 'vitest';
import { findTool } from '../../cli/tools/find-tool.ts';
import { decode, Op } from '../../device/virtual/esp-cpu/xtensa-decode.ts';
import { randomSource } from '../firmware/random.ts';
import { buildXtensa, countInQemu, runHere, runInQemu } from './xtensa-program.ts';

const ready = findTool('xtensa-lx106-elf-gcc') && findTool('qemu-system-xtensa');

/** Instructions that the assembler knows: with two sources, and with one and a number. */
const two =
  'add addx2 addx4 addx8 sub subx2 subx4 subx8 and or xor mull mul16s mul16u moveqz movnez movltz movgez';
const one = [
  'neg %0, %1',
  'abs %0, %1',
  'nsau %0, %1',
  'nsa %0, %1',
  'slli %0, %1, 7',
  'srai %0, %1, 3',
  'srai %0, %1, 19',
  'srli %0, %1, 11',
  'extui %0, %1, 5, 9',
  'extui %0, %1, 20, 3',
  'addi %0, %1, -100',
  'addmi %0, %1, 0x1200',
  'addi.n %0, %1, -1',
];
/** The other ones as bytes, on a2 and a3 with the result in a4 (RRR format). */
const bytes = {
  quou: [0x30, 0x42, 0xc2],
  quos: [0x30, 0x42, 0xd2],
  remu: [0x30, 0x42, 0xe2],
  rems: [0x30, 0x42, 0xf2],
  min: [0x30, 0x42, 0x43],
  max: [0x30, 0x42, 0x53],
  minu: [0x30, 0x42, 0x63],
  maxu: [0x30, 0x42, 0x73],
} as const;
const shifts = [
  'ssr %2\\n\\tsrl %0, %1',
  'ssr %2\\n\\tsra %0, %1',
  'ssl %2\\n\\tsll %0, %1',
  'ssl %2\\n\\tsrc %0, %1, %2',
  'ssai 13\\n\\tsrc %0, %1, %2',
  'ssa8l %2\\n\\tsrc %0, %1, %2',
];
const branches = 'beq bne blt bge bltu bgeu bnone bany ball bnall bbc bbs'.split(' ');
const numbered = [
  'beqi %1, 12',
  'bnei %1, -1',
  'blti %1, 64',
  'bgei %1, 8',
  'bltui %1, 256',
  'bgeui %1, 5',
  'bbci %1, 17',
  'bbsi %1, 3',
  'beqz %1',
  'bnez %1',
  'bltz %1',
  'bgez %1',
];

const mix = 'sum = (sum ^ r) * 16777619u;';
const withTwo = two
  .split(' ')
  .map((name) => `r = a + 1u; __asm__ volatile("${name} %0, %1, %2" : "+r"(r) : "r"(a), "r"(b)); ${mix}`);
const withOne = one.map((text) => `__asm__ volatile("${text}" : "=r"(r) : "r"(a)); ${mix}`);
const withBytes = Object.entries(bytes).map(
  ([name, code]) =>
    `if (${/quo|rem/.test(name) ? 'b != 0 && !(a == 0x80000000u && b == 0xFFFFFFFFu)' : '1'}) { register uint32_t p __asm__("a2") = a; register uint32_t q __asm__("a3") = b; register uint32_t o __asm__("a4"); __asm__ volatile(".byte ${code.join(', ')}" : "=r"(o) : "r"(p), "r"(q)); r = o; ${mix} }`,
);
const withShifts = shifts.map((text) => `__asm__ volatile("${text}" : "=r"(r) : "r"(a), "r"(b)); ${mix}`);
const withBranches = [...branches.map((name) => `${name} %1, %2`), ...numbered].map(
  (text) =>
    `__asm__ volatile("movi.n %0, 5\\n\\t${text}, 1f\\n\\tmovi.n %0, 9\\n1:" : "=&r"(r) : "r"(a), "r"(b)); ${mix}`,
);

const operations = [...withTwo, ...withOne, ...withBytes, ...withShifts, ...withBranches];

function program(values: readonly number[]): string {
  return `
#include <stdint.h>
static const uint32_t values[] = { ${values.map((value) => `${value >>> 0}u`).join(', ')} };
#define COUNT (sizeof values / sizeof *values)
uint32_t program(void);
uint32_t program(void)
{
	uint32_t sum = 2166136261u, r;
	for (uint32_t i = 0; i < COUNT; i++)
		for (uint32_t j = 0; j < COUNT; j++) {
			uint32_t a = values[i], b = values[j];
${operations.map((text) => `\t\t\t${text}`).join('\n')}
		}
	return sum;
}
`;
}

const numbers = (values: readonly number[]) =>
  `static const uint32_t values[] = { ${values.map((value) => `${value >>> 0}u`).join(', ')} };`;

const everyPair = (body: string) => `
static uint32_t sum = 2166136261u;
static void mix(uint32_t value)
{
	sum = (sum ^ value) * 16777619u;
}
static void mix64(uint64_t value)
{
	mix((uint32_t)value);
	mix((uint32_t)(value >> 32));
}
uint32_t program(void);
uint32_t program(void)
{
	for (uint32_t i = 0; i < sizeof values / sizeof *values; i++)
		for (uint32_t j = 0; j < sizeof values / sizeof *values; j++) {
			uint32_t a = values[i], b = values[j];
			mix64(a);
			${body}
		}
	return sum;
}
`;

/** What the compiler calls functions for on floats, on numbers taken as their bits. All that is not a number is one. */
const floatProgram = (values: readonly number[]) => `
#include <stdint.h>
${numbers(values)}
union number { uint32_t bits; float value; };
static uint32_t bits(float value)
{
	union number n = { .value = value };
	return (n.bits & 0x7FFFFFFFu) > 0x7F800000u ? 0x7FC00000u : n.bits;
}
${everyPair(`
			union number f = { .bits = a }, g = { .bits = b };
			mix(bits(f.value + g.value));
			mix(bits(f.value - g.value));
			mix(bits(f.value * g.value));
			mix(bits((float)(int32_t)a));
			mix(bits((float)b));
			mix(a / (b | 3u));
			mix(a % (b | 5u));`)}
`;

/** The same for 64 bits. */
const wideProgram = (values: readonly number[]) => `
#include <stdint.h>
${numbers(values)}
${everyPair(`
			uint64_t wide = (uint64_t)a << 32 | b;
			mix64(wide * (b | 1u));
			mix64((uint64_t)((int64_t)(int32_t)a * (int32_t)b));
			mix64((uint64_t)a * b);
			mix64(wide / (b | 3u));
			mix64(wide % (a | 7u));
			mix64((uint64_t)((int64_t)wide / (((int32_t)b >> 1) | 1)));`)}
`;

/** What `wideProgram` returns, by integers of any size. */
function exactly(values: readonly number[]): number {
  let sum = 2166136261;
  const mix = (value: bigint) => {
    for (const half of [value, value >> 32n])
      sum = Math.imul(sum ^ Number(BigInt.asIntN(32, half)), 16777619) >>> 0;
  };
  const signed = (value: bigint) => BigInt.asIntN(32, value);
  for (const a of values.map(BigInt))
    for (const b of values.map(BigInt)) {
      const wide = (a << 32n) | b;
      mix(a);
      mix(wide * (b | 1n));
      mix(signed(a) * signed(b));
      mix(a * b);
      mix(wide / (b | 3n));
      mix(wide % (a | 7n));
      mix(BigInt.asIntN(64, wide) / ((signed(b) >> 1n) | 1n));
    }
  return sum;
}

const edges = [
  0, 1, 2, 7, 31, 32, 33, 0x7fffffff, 0x80000000, 0xffffffff, 0xffff, 0x10000, 0x8000, 0x3f800000, 0xbf800000,
  0x00800000, 0x7f7fffff, 0x40490fdb,
];
const random = randomSource(5);
const someValues = (count: number) => [...edges, ...Array.from({ length: count }, () => random(2 ** 32))];

describe.skipIf(!ready)('the Xtensa core beside QEMU’s (skipped without QEMU and compiler)', () => {
  it(`computes as QEMU does, ${operations.length} instructions on 2,304 pairs of numbers`, () => {
    const built = buildXtensa(program(someValues(30)));
    expect(runHere(built).result).toBe(runInQemu(built));
    built.remove();
  });

  it('computes as QEMU does what the compiler calls functions for', () => {
    const built = buildXtensa(floatProgram(someValues(20)));
    expect(runHere(built).result).toBe(runInQemu(built));
    built.remove();
  });

  it('counts the instructions that QEMU executes', () => {
    for (const text of [program([3, 0xfffffff0, 77]), floatProgram([5, 0x40490fdb, 0x80000001])]) {
      const built = buildXtensa(text);
      const { instructions } = runHere(built);
      expect(instructions).toBeGreaterThan(500);
      expect(instructions).toBe(countInQemu(built));
      built.remove();
    }
  });
});

it('refuses what it does not know rather than guess', () => {
  // A MAC16 instruction, a hardware loop, and a call that moves the register window by four.
  for (const word of [0x740004, 0x008076, 0x000015]) expect(decode(word, 0).op).toBe(Op.illegal);
});

it.skipIf(!findTool('xtensa-lx106-elf-gcc'))(
  'multiplies and divides 64 bits as exact integers do (skipped without compiler)',
  () => {
    const values = someValues(20);
    const built = buildXtensa(wideProgram(values));
    expect(runHere(built).result).toBe(exactly(values));
    built.remove();
  },
);
