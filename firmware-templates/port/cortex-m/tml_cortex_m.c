/* Registers: ARMv7-M Architecture Reference Manual, B3.2 (system control), B3.4 (NVIC), C1.8 (DWT). */
#include "tml_cortex_m.h"

#include <string.h>

#include "tml_config.h"

#define CPACR TML_REGISTER(0xE000ED88u)
#define VTOR TML_REGISTER(0xE000ED08u)
#define CFSR TML_REGISTER(0xE000ED28u)
#define HFSR TML_REGISTER(0xE000ED2Cu)
#define MMFAR TML_REGISTER(0xE000ED34u)
#define BFAR TML_REGISTER(0xE000ED38u)
#define NVIC_ISER(number) TML_REGISTER(0xE000E100u + 4u * ((number) / 32u))
#define DEMCR TML_REGISTER(0xE000EDFCu)
#define DWT_CTRL TML_REGISTER(0xE0001000u)
#define DWT_CYCCNT TML_REGISTER(0xE0001004u)

void tml_reset(void);
void tml_fault_entry(void);
void tml_fault(const uint32_t *frame, uint32_t exception_return);

/* Nothing but faults and the receiver can interrupt; the entries between stay 0 and would end in a HardFault. */
struct vectors {
	uint32_t *stack_top;
	void (*handlers[15 + TML_UART_INTERRUPT + 1])(void);
};

extern const struct vectors tml_vectors;
__attribute__((section(".vectors"), used)) const struct vectors tml_vectors = {
	tml_stack_top,
	{
		[0] = tml_reset,
		[1] = tml_fault_entry, /* NMI */
		[2] = tml_fault_entry, /* HardFault; MemManage, BusFault and UsageFault stay disabled and end here */
		[15 + TML_UART_INTERRUPT] = tml_receive_interrupt,
	},
};

void tml_reset(void)
{
	uint32_t *stack_pointer;
	__asm__ volatile("mov %0, sp" : "=r"(stack_pointer));
	tml_image_start(stack_pointer);
	VTOR = (uint32_t)(uintptr_t)&tml_vectors; /* a boot loader that jumps here leaves its own */
#ifdef __ARM_FP
	CPACR |= 0xFu << 20; /* full access to CP10 and CP11 */
	__asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
	tml_main();
}

/* The stack lies at the bottom of its memory, so that an overflow leaves it and faults instead of overwriting
 * data. The handler then has no room either: it starts again at the top, where nothing is needed any more. */
__attribute__((naked)) void tml_fault_entry(void)
{
	__asm__ volatile("mrs r0, msp\n\t"
			 "mov r1, lr\n\t"
			 "ldr r2, =tml_stack_low + 256\n\t"
			 "ldr r3, =tml_stack_top\n\t"
			 "cmp r0, r2\n\t"
			 "it lo\n\t"
			 "movlo sp, r3\n\t"
			 "b tml_fault\n\t"
			 ".ltorg");
}

/* Bytes of the frame that the processor pushed (B1.5.7): with floating point registers, and 4 of padding. */
static uint32_t frame_bytes(uint32_t psr, uint32_t exception_return)
{
	return ((exception_return & 0x10u) ? 0x20u : 0x68u) + ((psr >> 9) & 1u) * 4u;
}

void tml_fault(const uint32_t *frame, uint32_t exception_return)
{
	uint32_t registers[13] = {0};
	registers[3] = (uint32_t)(uintptr_t)frame;
	registers[4] = CFSR;
	registers[5] = HFSR;
	registers[6] = MMFAR;
	registers[7] = BFAR;
	if (frame >= tml_stack_low && frame < tml_stack_top && tml_bytes_between(frame, tml_stack_top) >= 32) {
		registers[0] = frame[6];
		registers[1] = frame[5];
		registers[2] = frame[7];
		registers[3] += frame_bytes(frame[7], exception_return);
		memcpy(&registers[8], frame, 5 * sizeof *frame); /* r0 r1 r2 r3 r12 */
	}
	tml_crashed(registers);
}

void tml_interrupt_enable(uint32_t number)
{
	NVIC_ISER(number) = 1u << (number % 32u);
}

void tml_cycle_counter_start(void)
{
	DEMCR |= 1u << 24; /* TRCENA */
	DWT_CYCCNT = 0;
	DWT_CTRL |= 1u; /* CYCCNTENA */
}
