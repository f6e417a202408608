/* Registers: The RISC-V Instruction Set Manual, Volume II (Privileged), chapter 3, Machine-Level ISA. */
#include "tml_rv32.h"

#include "tml_bench.h"
#include "tml_config.h"

#ifndef TML_TRAP_ALIGNMENT
#define TML_TRAP_ALIGNMENT 4
#endif

void tml_reset(void);
void tml_start(uint32_t *stack_pointer);
void tml_trap_entry(void);
void tml_trap(void);

static uint32_t trap_registers[TML_CRASH_WORDS];

__attribute__((naked, section(".vectors"), used)) void tml_reset(void)
{
	__asm__ volatile("la sp, tml_stack_top\n\t"
			 "mv a0, sp\n\t"
			 "j tml_start");
}

__attribute__((used)) void tml_start(uint32_t *stack_pointer)
{
	tml_image_start(stack_pointer);
	__asm__ volatile("csrw mtvec, %0" ::"r"(tml_trap_entry));
	tml_protect_memory();
	tml_main();
}

/* Keeps the registers in an order that the instructions below count on: words 0, 2, 4 and 5 are filled in later.
 * The stack may have run over; nothing on it is needed any more, so the handler starts again at its top. */
__attribute__((naked, aligned(TML_TRAP_ALIGNMENT))) void tml_trap_entry(void)
{
	__asm__ volatile("csrw mscratch, t0\n\t"
			 "la t0, %0\n\t"
			 "sw ra, 4(t0)\n\t"
			 "sw sp, 12(t0)\n\t"
			 "sw a0, 24(t0)\n\t"
			 "sw a1, 28(t0)\n\t"
			 "sw a2, 32(t0)\n\t"
			 "sw a3, 36(t0)\n\t"
			 "sw a4, 40(t0)\n\t"
			 "sw a5, 44(t0)\n\t"
			 "csrr a0, mscratch\n\t"
			 "sw a0, 48(t0)\n\t"
			 "la sp, tml_stack_top\n\t"
			 "j tml_trap" ::"i"(trap_registers));
}

__attribute__((used)) void tml_trap(void)
{
	__asm__ volatile("csrr %0, mepc" : "=r"(trap_registers[0]));
	__asm__ volatile("csrr %0, mstatus" : "=r"(trap_registers[2]));
	__asm__ volatile("csrr %0, mcause" : "=r"(trap_registers[4]));
	__asm__ volatile("csrr %0, mtval" : "=r"(trap_registers[5]));
	tml_crashed(trap_registers);
}

uint64_t tml_instructions(void)
{
	uint32_t high, low, again;
	do {
		__asm__ volatile("csrr %0, minstreth\n\t"
				 "csrr %1, minstret\n\t"
				 "csrr %2, minstreth"
				 : "=&r"(high), "=&r"(low), "=r"(again));
	} while (high != again);
	return (uint64_t)high << 32 | low;
}
