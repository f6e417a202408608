import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { XtensaCore } from '../../device/virtual/esp-cpu/xtensa-core.ts';
import { readElf } from '../../firmware-templates/elf.ts';
import { compilerFlags } from '../../firmware-templates/render.ts';

const helpers = join(import.meta.dirname, '../../firmware-templates/port/xtensa/tml_xtensa_helpers.c');

/** QEMU's core with division, high multiplication and floating point, which the LX6 has and the compiler's own lacks. */
const QEMU_CORE = 'de233_fpu';
const CODE = 0x00100000;
const DATA = 0x00200000;
const BYTES = 0x40000;

/** From where the core begins: calls `program`, keeps what it returns and writes it as four bytes to standard output (simcall 4), then ends (1). */
const start = `
	.section .reset, "ax"
	j 1f
	.balign 4
0:	.word _start
1:	l32r a0, 0b
	jx a0
	.section .text.start, "ax"
	.global _start
	.literal_position
_start:
	movi a1, ${DATA + BYTES}
	movi.n a0, 0x2F
	wsr.ps a0
	movi.n a0, 1
	.byte 0x00, 0xE0, 0x13
	rsync
	call0 program
	movi a4, result
	s32i.n a2, a4, 0
	.global finished
finished:
	movi.n a2, 4
	movi.n a3, 1
	movi.n a5, 4
	.byte 0x00, 0x51, 0x00
	movi.n a2, 1
	movi.n a3, 0
	.byte 0x00, 0x51, 0x00
	.data
	.balign 4
result:
	.word 0
`;

const script = `
MEMORY { RESET : ORIGIN = 0xfe000000, LENGTH = 64 CODE : ORIGIN = ${CODE}, LENGTH = ${BYTES} DATA : ORIGIN = ${DATA}, LENGTH = ${BYTES} }
SECTIONS {
  .reset : { *(.reset) } > RESET
  .text : { *(.text.start) *(.literal .text .text.*) } > CODE
  .data : { *(.rodata .rodata.*) *(.data .data.*) *(.bss .bss.* COMMON) } > DATA
}
`;

export interface XtensaProgram {
  readonly elf: string;
  remove(): void;
}

/** Compiles C text with a function `uint32_t program(void)` as firmware for the ESP32 is compiled. */
export function buildXtensa(c: string): XtensaProgram {
  const folder = mkdtempSync(join(tmpdir(), 'tinyml-xtensa-'));
  const at = (name: string) => join(folder, name);
  writeFileSync(at('start.S'), start);
  writeFileSync(at('program.c'), c);
  writeFileSync(at('link.ld'), script);
  const flags = [...compilerFlags({ cpu: 'xtensa-lx6' }, 'speed'), '-nostdlib', '-T', at('link.ld')];
  const sources = [at('start.S'), at('program.c'), helpers];
  execFileSync('xtensa-lx106-elf-gcc', [...flags, ...sources, '-lgcc', '-o', at('program.elf')], {
    stdio: 'pipe',
  });
  return { elf: at('program.elf'), remove: () => rmSync(folder, { recursive: true }) };
}

/** What the program returns under QEMU. */
export function runInQemu({ elf }: XtensaProgram): number {
  const options = [
    '-M',
    'sim',
    '-cpu',
    QEMU_CORE,
    '-semihosting',
    '-display',
    'none',
    '-monitor',
    'none',
    '-serial',
    'none',
  ];
  const { stdout } = spawnSync('qemu-system-xtensa', [...options, '-kernel', elf], { timeout: 20_000 });
  return stdout.readUInt32LE(0);
}

/** How many instructions QEMU executes from the program's first one up to where it is finished. */
export function countInQemu(program: XtensaProgram): number {
  const log = `${program.elf}.log`;
  const options = [
    '-M',
    'sim',
    '-cpu',
    QEMU_CORE,
    '-semihosting',
    '-display',
    'none',
    '-monitor',
    'none',
    '-serial',
    'none',
  ];
  const trace = ['-singlestep', '-d', 'exec,nochain', '-D', log];
  spawnSync('qemu-system-xtensa', [...options, ...trace, '-kernel', program.elf], { timeout: 20_000 });
  const pcs = [...readFileSync(log, 'latin1').matchAll(/\[[0-9a-f]+\/([0-9a-f]+)\//g)].map(([, pc]) =>
    Number.parseInt(pc!, 16),
  );
  return pcs.indexOf(symbolOf(program, 'finished')) - pcs.indexOf(symbolOf(program, '_start'));
}

function symbolOf({ elf }: XtensaProgram, name: string): number {
  return readElf(readFileSync(elf)).symbols.find((symbol) => symbol.name === name)!.address;
}

/** What the program returns in our interpreter, and how many instructions that takes. */
export function runHere(program: XtensaProgram): { readonly result: number; readonly instructions: number } {
  const { sections } = readElf(readFileSync(program.elf));
  const code = { address: CODE, bytes: new Uint8Array(BYTES) };
  const data = { address: DATA, bytes: new Uint8Array(BYTES) };
  for (const { allocated, address, content } of sections) {
    const memory = [code, data].find((one) => address >= one.address && address < one.address + BYTES);
    if (allocated && memory) memory.bytes.set(content, address - memory.address);
  }
  const bus = { load: () => undefined, store: () => false };
  const core = new XtensaCore({ code, data, bus });
  core.reset(symbolOf(program, '_start'));
  const finished = symbolOf(program, 'finished');
  while (core.pc !== finished && !core.lockedUp) core.run(1);
  const place = symbolOf(program, 'result') - DATA;
  return { result: new DataView(data.bytes.buffer).getUint32(place, true), instructions: core.retired };
}
