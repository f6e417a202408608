import { cortexM, type Machine } from '../support/emulated-kernels.ts';

/** Start-up without peripherals, output by semihosting; no counter. */
const program = `
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
	REGISTER(0xE000ED88u) |= 0xFu << 20;
	__asm__ volatile("dsb\\n\\tisb");
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
	return 0;
}
`;

/** All in one memory that the emulator fills, data too. */
const linkerScript = (code: string, data: string) => `ENTRY(reset)
MEMORY { CODE (rx) : ORIGIN = ${code}, LENGTH = 2048K  DATA (rw) : ORIGIN = ${data}, LENGTH = 2048K }
SECTIONS {
  .text : { KEEP(*(.vectors)) *(.text .text.* .rodata .rodata.*) . = ALIGN(4); } > CODE
  .data : ALIGN(4) { *(.data .data.* .bss .bss.* COMMON) . = ALIGN(4); } > DATA
  stack_top = ORIGIN(DATA) + LENGTH(DATA);
  /DISCARD/ : { *(.ARM.exidx* .ARM.extab*) }
}
`;

const withoutCore = cortexM.flags.filter((flag) => !/^-m(cpu|fpu|float-abi)=/.test(flag));
const flagsFor = (cpu: string, ...fpu: string[]) => [
  ...withoutCore,
  `-mcpu=${cpu}`,
  ...(fpu.length > 0 ? ['-mfloat-abi=hard', ...fpu] : ['-mfloat-abi=soft']),
];

const mps2 = (board: string, flags: readonly string[], code: string, data: string): Machine => ({
  ...cortexM,
  flags,
  emulatorOptions: [
    ...['-M', board, '-serial', 'none'],
    ...['-semihosting-config', 'enable=on,target=native'],
  ],
  program,
  linkerScript: linkerScript(code, data),
});

/** A Cortex-M4 without FPU, on the emulated STM32F405, which counts instructions. */
export const cortexM4: Machine = { ...cortexM, flags: flagsFor('cortex-m4') };

/** Other cores with the DSP extension, also on Arm's MPS2 boards. The M33 starts in secure state. */
export const otherCores: readonly (readonly [string, Machine])[] = [
  ['Cortex-M4 without FPU', cortexM4],
  ['Cortex-M7', mps2('mps2-an500', flagsFor('cortex-m7', '-mfpu=fpv5-sp-d16'), '0', '0x20000000')],
  ['Cortex-M33', mps2('mps2-an505', flagsFor('cortex-m33', '-mfpu=fpv5-sp-d16'), '0x10000000', '0x38000000')],
];
