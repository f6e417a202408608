import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constantArray, structInitialiser } from '../../converter/codegen/c-text.ts';
import type { AssemblyFunction, MachineKernel } from '../../converter/codegen/choice/kernel.ts';
import { functionTypes } from '../../converter/codegen/cortex-m/assembly-function.ts';
import { overlapRule } from '../../converter/codegen/overlap.ts';
import { roundUp } from '../../converter/codegen/plan-memory.ts';
import type { KernelCall } from '../../converter/ops/integer/kernel-call.ts';
import { type BoardFacts, compilerFlags } from '../../firmware-templates/render.ts';

const templates = join(import.meta.dirname, '..', '..', 'firmware-templates');

/** One kernel with inputs to run it on. */
export interface KernelRun {
  readonly kernel: MachineKernel;
  readonly inputs: readonly Int8Array[];
  readonly outputLength: number;
  /** Compiles the kernel once for any parameters, as `--optimize size` does, rather than for these. */
  readonly shared?: boolean;
  /** Runs it once more with the first input so many bytes behind the start of the result, in the same memory. */
  readonly behind?: number | undefined;
}

/**
 * Bytes by which an input of a call must begin behind the result to share its memory, in whole words as the planner
 * places them; undefined where it may not.
 */
export function bytesBehind(call: KernelCall, { walk }: MachineKernel): number | undefined {
  if (walk === 'element') return 0;
  const rule = overlapRule(call, walk, 1);
  if (!rule) return undefined;
  return 'behind' in rule ? roundUp(rule.behind, 4) : roundUp(rule.multipleOf, 4 * rule.multipleOf);
}

export interface KernelOutcome {
  /** FNV-1a hash of the result. */
  readonly hash: number;
  /** Of the result that overlapped its input. */
  readonly hashOverlapped: number | undefined;
  readonly instructions: number;
  /** False when bytes around the result or behind the scratch memory changed. */
  readonly keptToItself: boolean;
}

/** An emulated machine that kernels can be run on. */
export interface Machine {
  readonly compiler: string;
  readonly flags: readonly string[];
  /** Added when linking, where the compiler's library needs another name for the processor. */
  readonly linkFlags: readonly string[];
  readonly emulator: string;
  readonly emulatorOptions: readonly string[];
  /** C: start-up, which calls main and ends the emulator; `uint32_t instructions(void)`; `void print(const char *)`. */
  readonly program: string;
  readonly linkerScript: string;
}

export function hasEmulator({ compiler, emulator }: Machine = cortexM): boolean {
  return [compiler, emulator].every((tool) => spawnSync(tool, ['--version']).status === 0);
}

export function fnv1a(bytes: Int8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ (byte & 0xff), 0x01000193) >>> 0;
  return hash;
}

/** Start-up, the counter, output by semihosting. */
const cortexMProgram = `
extern uint32_t data_image[], data_start[], data_end[], bss_end[];
extern uint32_t stack_top[];
void reset(void);

__attribute__((section(".vectors"), used)) static void *const vectors[2] = {stack_top, (void *)reset};

static void semihosting(uint32_t operation, const void *argument)
{
	register uint32_t r0 __asm__("r0") = operation;
	register const void *r1 __asm__("r1") = argument;
	__asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void reset(void)
{
	memcpy(data_start, data_image, (uint32_t)((uintptr_t)data_end - (uintptr_t)data_start));
	memset(data_end, 0, (uint32_t)((uintptr_t)bss_end - (uintptr_t)data_end));
	REGISTER(0xE000ED88u) |= 0xFu << 20;
	__asm__ volatile("dsb\\n\\tisb");
	REGISTER(0x40023840u) |= 1u; /* TIM2, 1 GHz: one tick an instruction */
	REGISTER(0x4000002Cu) = 0xFFFFFFFFu;
	REGISTER(0x40000014u) = 1u;
	REGISTER(0x40000000u) = 1u;
	main();
	semihosting(0x18, (void *)0x20026);
	for (;;) {
	}
}

static void print(const char *text)
{
	semihosting(4, text);
}

static uint32_t instructions(void)
{
	return REGISTER(0x40000024u);
}
`;

const programHead = `
#include <stdint.h>
#include <string.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define GUARD 0x5A
#define GUARD_BYTES 64

int main(void);
`;

/** Runs the kernels one after the other and prints four numbers for each. */
const program = `
static void print_hex(uint32_t value)
{
	char text[10];
	for (int i = 0; i < 8; i++)
		text[i] = "0123456789abcdef"[(value >> (28 - 4 * i)) & 15u];
	text[8] = ' ';
	text[9] = 0;
	print(text);
}

static uint32_t fnv1a(const int8_t *bytes, uint32_t count)
{
	uint32_t hash = 0x811c9dc5u;
	while (count--)
		hash = (hash ^ (uint8_t)*bytes++) * 0x01000193u;
	return hash;
}

static int guarded(const int8_t *from)
{
	for (int i = 0; i < GUARD_BYTES; i++)
		if (from[i] != GUARD)
			return 0;
	return 1;
}

static void run(const struct run *r)
{
	uint32_t start, ticks;
	int kept;

	memset(y, GUARD, sizeof y);
	memset(scratch, GUARD, sizeof scratch);
	start = instructions();
	r->call(r->inputs[0], r->inputs[1], scratch, y + GUARD_BYTES);
	ticks = instructions() - start;
	kept = guarded(y) && guarded(y + GUARD_BYTES + r->output_bytes) &&
	       guarded((int8_t *)scratch + r->scratch_bytes);
	print_hex(fnv1a(y + GUARD_BYTES, r->output_bytes));
	if (r->behind >= 0) {
		memcpy(y + GUARD_BYTES + r->behind, r->inputs[0], r->input_bytes);
		r->call(y + GUARD_BYTES + r->behind, r->inputs[1], scratch, y + GUARD_BYTES);
	}
	print_hex(fnv1a(y + GUARD_BYTES, r->output_bytes));
	print_hex(ticks);
	print_hex((uint32_t)kept);
}

int main(void)
{
	for (unsigned i = 0; i < sizeof runs / sizeof *runs; i++)
		run(runs[i]);
	return 0;
}
`;

const cortexMLinkerScript = `ENTRY(reset)
MEMORY { FLASH (rx) : ORIGIN = 0x08000000, LENGTH = 1024K  RAM (rw) : ORIGIN = 0x20000000, LENGTH = 128K }
SECTIONS {
  .text : { KEEP(*(.vectors)) *(.text .text.* .rodata .rodata.*) . = ALIGN(4); } > FLASH
  .data : ALIGN(4) { data_start = .; *(.data .data.*) . = ALIGN(4); data_end = .; } > RAM AT > FLASH
  data_image = LOADADDR(.data);
  .bss (NOLOAD) : ALIGN(4) { *(.bss .bss.* COMMON) . = ALIGN(4); bss_end = .; } > RAM
  stack_top = ORIGIN(RAM) + LENGTH(RAM);
  /DISCARD/ : { *(.ARM.exidx* .ARM.extab*) }
}
`;

function argumentsOf(i: number, { kernel, inputs }: KernelRun): { type: string; text: string }[] {
  const types = functionTypes.get(kernel.kernel) ?? [];
  return [
    { type: `struct ${kernel.struct} const`, text: '&p' },
    ...inputs.map((_, input) => ({ type: 'int8_t const', text: `x${input}` })),
    ...(kernel.stream ? [{ type: 'int32_t const', text: `stream_${i}` }] : []),
    ...(kernel.scratchBytes === undefined ? [] : [{ type: 'uint32_t', text: 'scratch' }]),
    ...kernel.functions.map((made, n) => ({ type: types[n]!, text: made?.name ?? '0' })),
    { type: 'int8_t', text: 'y' },
  ];
}

/** A function around the kernel that the compiler cannot specialise. */
function sharedText({ kernel }: KernelRun, args: readonly { type: string }[]): string {
  const parameters = args.map(({ type }, n) => `${type} *a${n}`);
  const names = args.map((_, n) => `a${n}`);
  return `#ifndef SHARED_${kernel.kernel}
#define SHARED_${kernel.kernel}
__attribute__((noipa)) static void shared_${kernel.kernel}(${parameters.join(', ')})
{
	tml_${kernel.kernel}(${names.join(', ')});
}
#endif
`;
}

function callText(i: number, run: KernelRun): string {
  const { kernel, shared = false } = run;
  const args = argumentsOf(i, run);
  const call = { kernel: kernel.kernel, params: kernel.params, args: [] };
  return `${shared ? sharedText(run, args) : ''}static void call_${i}(const int8_t *x0, const int8_t *x1, uint32_t *scratch, int8_t *y)
{
	static const struct ${kernel.struct} p = ${structInitialiser(call)};
	(void)x1;
	(void)scratch;
	${shared ? 'shared' : 'tml'}_${kernel.kernel}(${args.map(({ text }) => text).join(', ')});
}
`;
}

function runText(i: number, run: KernelRun, defined: Set<string>): string {
  const { kernel, inputs, outputLength, behind = -1 } = run;
  const fresh = kernel.functions.filter(
    (made): made is AssemblyFunction => made?.definition !== undefined && !defined.has(made.name),
  );
  for (const { name } of fresh) defined.add(name);
  const data = [0, 1].map((input) => inputs[input] ?? new Int8Array(1));
  return [
    ...(kernel.stream ? [constantArray(`stream_${i}`, kernel.stream)] : []),
    ...data.map((bytes, input) => constantArray(`input_${i}_${input}`, bytes)),
    ...fresh.map(({ definition }) => definition!),
    callText(i, run),
    `const struct run run_${i} = {call_${i}, {input_${i}_0, input_${i}_1}, ${inputs[0]!.length}, ${outputLength}, ${kernel.scratchBytes ?? 0}, ${behind}};\n`,
  ].join('\n');
}

const runStruct = `struct run {
	void (*call)(const int8_t *x0, const int8_t *x1, uint32_t *scratch, int8_t *y);
	const int8_t *inputs[2];
	uint32_t input_bytes, output_bytes, scratch_bytes;
	int32_t behind; /* -1: apart */
};
`;

function unitText(runs: readonly (readonly [number, KernelRun])[]): string {
  const headers = [...new Set(runs.map(([, { kernel }]) => kernel.header))].sort();
  const defined = new Set<string>();
  return [
    ...headers.map((header) => `#include "${header}"`),
    runStruct,
    ...runs.map(([i, run]) => `extern const struct run run_${i};\n${runText(i, run, defined)}`),
  ].join('\n');
}

function mainText(runs: readonly KernelRun[], machine: Machine): string {
  const longest = (lengths: number[]) => Math.max(4, ...lengths) + 128;
  const result = ({ outputLength, behind, inputs }: KernelRun) =>
    Math.max(outputLength, behind === undefined ? 0 : behind + inputs[0]!.length);
  const output = longest(runs.map(result));
  const scratch = longest(runs.map(({ kernel }) => kernel.scratchBytes ?? 0));
  return [
    programHead,
    runStruct,
    `static int8_t y[${output}] __attribute__((aligned(4)));`,
    `static uint32_t scratch[${Math.ceil(scratch / 4) + 16}];`,
    ...runs.map((_, i) => `extern const struct run run_${i};`),
    `static const struct run *const runs[] = {${runs.map((_, i) => `&run_${i}`).join(', ')}};`,
    machine.program,
    program,
  ].join('\n');
}

/** Flags that firmware is compiled with, and where headers are. */
export const kernelFlags = (cpu: BoardFacts['cpu'], folder: string): readonly string[] => [
  ...compilerFlags({ cpu }, 'speed'),
  `-I${join(templates, 'kernels')}`,
  `-I${join(templates, 'kernels', folder)}`,
];

export const cortexM: Machine = {
  compiler: 'arm-none-eabi-gcc',
  flags: kernelFlags('cortex-m4f', 'cortex-m'),
  linkFlags: [],
  emulator: 'qemu-system-arm',
  emulatorOptions: [
    ...['-M', 'netduinoplus2', '-serial', 'none'],
    ...['-semihosting-config', 'enable=on,target=native'],
  ],
  program: cortexMProgram,
  linkerScript: cortexMLinkerScript,
};

/** Compiled side by side. */
const units = 2;

function build(folder: string, runs: readonly KernelRun[], machine: Machine): void {
  const { compiler, flags } = machine;
  const indexed = [...runs.entries()];
  for (let unit = 0; unit < units; unit++) {
    writeFileSync(join(folder, `unit${unit}.c`), unitText(indexed.filter(([i]) => i % units === unit)));
  }
  writeFileSync(join(folder, 'main.c'), mainText(runs, machine));
  writeFileSync(join(folder, 'image.ld'), machine.linkerScript);
  const sources = ['unit0.c', 'unit1.c'].map((name) => `"${name}"`);
  const compile = sources.map(
    (name) => `${compiler} ${flags.join(' ')} -Werror -c ${name} & pids="$pids $!";`,
  );
  const script = `pids=""; ${compile.join(' ')} for pid in $pids; do wait $pid || exit 1; done`;
  execFileSync('sh', ['-c', script], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  const cpu = flags.filter((flag) => /^-[mfI]/.test(flag));
  const library = join(templates, 'port', 'common', 'tml_libc.c');
  const link = ['-nostdlib', '-O2', '-Wl,--no-warn-rwx-segments', '-T', 'image.ld', '-o', 'image.elf'];
  const own = ['main.c', library].map((source, i) => {
    const object = `own${i}.o`;
    execFileSync(compiler, [...cpu, '-O2', '-c', source, '-o', object], { cwd: folder, stdio: 'inherit' });
    return object;
  });
  execFileSync(compiler, [...cpu, ...machine.linkFlags, ...link, 'unit0.o', 'unit1.o', ...own, '-lgcc'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** Bytes of constants and code that one image holds at most; a run's code is estimated. */
const imageBytes = 900_000;
const codeBytes = 4_000;

/** Runs in images that fit into flash, in order. */
function images(runs: readonly KernelRun[]): KernelRun[][] {
  const list: KernelRun[][] = [[]];
  let bytes = 0;
  for (const run of runs) {
    const constants = [run.kernel.stream, ...run.inputs].reduce(
      (sum, data) => sum + (data?.byteLength ?? 0),
      0,
    );
    bytes += constants + codeBytes;
    if (bytes > imageBytes) {
      list.push([]);
      bytes = constants + codeBytes;
    }
    list.at(-1)!.push(run);
  }
  return list;
}

/** Runs all kernels on an emulated machine. Throws when one cannot be compiled or the program stops early. */
export function runEmulated(runs: readonly KernelRun[], machine: Machine = cortexM): KernelOutcome[] {
  return images(runs).flatMap((part) => runImage(part, machine));
}

function runImage(runs: readonly KernelRun[], machine: Machine): KernelOutcome[] {
  const folder = mkdtempSync(join(tmpdir(), 'tinyml-kernels-'));
  try {
    build(folder, runs, machine);
    const options = ['-icount', 'shift=0', '-display', 'none', '-monitor', 'none'];
    const { stdout, stderr } = spawnSync(
      machine.emulator,
      [...machine.emulatorOptions, ...options, '-kernel', join(folder, 'image.elf')],
      { encoding: 'utf8', timeout: 60_000, maxBuffer: 1 << 26 },
    );
    const numbers = `${stdout}${stderr}`.match(/[0-9a-f]{8}(?= )/g)?.map((text) => Number.parseInt(text, 16));
    if (numbers?.length !== 4 * runs.length) {
      throw new Error(
        `the emulated kernels stopped after ${numbers?.length ?? 0} numbers: ${stderr.slice(-500)}`,
      );
    }
    return runs.map(({ behind }, i) => {
      const [hash, again, instructions, kept] = numbers.slice(4 * i, 4 * i + 4) as [
        number,
        number,
        number,
        number,
      ];
      return {
        hash,
        hashOverlapped: behind === undefined ? undefined : again,
        instructions,
        keptToItself: kept === 1,
      };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
