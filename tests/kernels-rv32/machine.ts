import { join } from 'node:path';
import { kernelFlags, type Machine } from '../support/emulated-kernels.ts';

const port = join(import.meta.dirname, '..', '..', 'firmware-templates', 'port', 'freestanding');

/** Start-up, minstret, output by the UART, the end by the test device of QEMU's `virt` machine. */
const program = `
void start(void);

__attribute__((naked, section(".vectors"), used)) void reset(void)
{
	__asm__ volatile("la sp, stack_top\\n\\tj start");
}

__attribute__((used)) void start(void)
{
	main();
	REGISTER(0x00100000u) = 0x5555u;
	for (;;) {
	}
}

/* Waits until the transmitter is empty, after the last byte too: the emulator ends soon. */
static void print(const char *text)
{
	while (*text) {
		*(volatile char *)0x10000000u = *text++;
		while (!(*(volatile uint8_t *)0x10000005u & 0x40u)) {
		}
	}
}

static uint32_t instructions(void)
{
	uint32_t count;
	__asm__ volatile("csrr %0, minstret" : "=r"(count));
	return count;
}
`;

const linkerScript = `ENTRY(reset)
MEMORY { FLASH (rx) : ORIGIN = 0x80000000, LENGTH = 1024K  RAM (rw) : ORIGIN = 0x80100000, LENGTH = 256K }
SECTIONS {
  .text : { KEEP(*(.vectors)) *(.text .text.* .rodata .rodata.*) . = ALIGN(4); } > FLASH
  .bss : ALIGN(4) { *(.data .data.* .bss .bss.* COMMON) } > RAM
  stack_top = ORIGIN(RAM) + LENGTH(RAM);
  /DISCARD/ : { *(.eh_frame*) }
}
`;

/** QEMU's `virt` machine with a 32-bit core. */
export const rv32: Machine = {
  compiler: 'riscv64-unknown-elf-gcc',
  flags: [...kernelFlags('rv32imc', 'rv32'), `-I${port}`],
  linkFlags: ['-march=rv32imc'],
  emulator: 'qemu-system-riscv32',
  emulatorOptions: ['-M', 'virt', '-bios', 'none', '-serial', 'stdio'],
  program,
  linkerScript,
};
