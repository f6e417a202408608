/* Registers: ARMv7-M Architecture Reference Manual, B3.2 (system control), B3.3 (SysTick), B3.4 (NVIC), C1.8 (DWT);
 * ARMv6-M has SysTick and NVIC at the same places, and neither fault status nor DWT's cycle counter. */
#include "tml_cortex_m.h"

#include <string.h>

#include "tml_config.h"

#define SYST_CSR TML_REGISTER(0xE000E010u)
#define SYST_RVR TML_REGISTER(0xE000E014u)
#define SYST_CVR TML_REGISTER(0xE000E018u)
#define SYST_MAX 0xFFFFFFu
#define ICSR TML_REGISTER(0xE000ED04u)
#define ICSR_SYSTICK_PENDING (1u << 26)
#define CPACR TML_REGISTER(0xE000ED88u)
#define VTOR TML_REGISTER(0xE000ED08u)
#define CFSR TML_REGISTER(0xE000ED28u)
#define HFSR TML_REGISTER(0xE000ED2Cu)
#define MMFAR TML_REGISTER(0xE000ED34u)
#define BFAR TML_REGISTER(0xE000ED38u)
#define NVIC_ISER(number) TML_REGISTER(0xE000E100u + 4u * ((number) / 32u))
#define NVIC_ICER(number) TML_REGISTER(0xE000E180u + 4u * ((number) / 32u))
#define DEMCR TML_REGISTER(0xE000EDFCu)
#define DWT_CTRL TML_REGISTER(0xE0001000u)
#define DWT_CYCCNT TML_REGISTER(0xE0001004u)
#define DWT_LAR TML_REGISTER(0xE0001FB0u)

#if __ARM_ARCH >= 7
#define HAS_FAULT_STATUS 1
#else
#define HAS_FAULT_STATUS 0
#endif

void tml_reset(void);
void tml_fault_entry(void);
void tml_systick_interrupt(void);
void tml_fault(const uint32_t *frame, uint32_t exception_return);

/* Nothing but faults, the receiver and the tick can interrupt; the entries between stay 0 and would end in a
 * HardFault. */
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
#ifdef TML_SYSTICK
		[14] = tml_systick_interrupt,
#endif
		[15 + TML_UART_INTERRUPT] = tml_receive_interrupt,
	},
};

#ifdef TML_CACHES
#define ICIALLU TML_REGISTER(0xE000EF50u)
#define DCISW TML_REGISTER(0xE000EF60u)
#define CCSIDR TML_REGISTER(0xE000ED80u)
#define CSSELR TML_REGISTER(0xE000ED84u)
#define CCR TML_REGISTER(0xE000ED14u)
#define CCR_CACHES (3u << 16) /* of data and of instructions */

/* Cortex-M7: caches hold nonsense after a power-up, and are thrown away line by line (ARMv7-M B2.2.7). Only done while
 * they are off: a boot loader that used them has written its data back by then, or we would lose our own. */
static void caches_start(void)
{
	uint32_t size, sets, ways;
	if (CCR & CCR_CACHES)
		return;
	CSSELR = 0;
	__asm__ volatile("dsb" ::: "memory");
	size = CCSIDR;
	sets = (size >> 13) & 0x7FFFu;
	ways = (size >> 3) & 0x3FFu;
	for (uint32_t set = 0; set <= sets; set++) {
		for (uint32_t way = 0; way <= ways; way++)
			DCISW = set << 5 | way << 30; /* lines of 32 bytes, 4 ways */
	}
	ICIALLU = 0;
	__asm__ volatile("dsb\n\tisb" ::: "memory");
	CCR |= CCR_CACHES;
	__asm__ volatile("dsb\n\tisb" ::: "memory");
}
#endif

void tml_reset(void)
{
	uint32_t *stack_pointer;
	__asm__ volatile("mov %0, sp" : "=r"(stack_pointer));
#ifdef TML_CACHES
	caches_start();
#endif
	tml_image_start(stack_pointer);
#ifdef TML_VECTOR_REGISTER
	VTOR = (uint32_t)(uintptr_t)&tml_vectors; /* a boot loader that jumps here leaves its own */
#endif
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
			 "bhs 1f\n\t"
			 "mov sp, r3\n\t"
			 "1: ldr r2, =tml_fault\n\t"
			 "bx r2\n\t"
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
#if HAS_FAULT_STATUS
	registers[4] = CFSR;
	registers[5] = HFSR;
	registers[6] = MMFAR;
	registers[7] = BFAR;
#endif
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
	__asm__ volatile("" ::: "memory");
}

void tml_interrupt_disable(uint32_t number)
{
	NVIC_ICER(number) = 1u << (number % 32u);
	__asm__ volatile("dsb\n\tisb" ::: "memory");
}

#ifdef TML_SYSTICK
static volatile uint32_t systick_wraps;

void tml_systick_interrupt(void)
{
	systick_wraps++;
}

void tml_systick_start(void)
{
	SYST_RVR = SYST_MAX;
	SYST_CVR = 0;
	SYST_CSR = 7u; /* the core's clock, with an interrupt when it reaches 0 */
}

/* The counter goes down and asks for its interrupt when it reaches 0, from where this counts up. */
uint64_t tml_systick_count(void)
{
	uint32_t value, wraps;
	tml_interrupts_off();
	wraps = systick_wraps;
	value = SYST_CVR;
	if (ICSR & ICSR_SYSTICK_PENDING) {
		value = SYST_CVR;
		wraps++;
	}
	tml_interrupts_on();
	return ((uint64_t)wraps << 24) + ((0u - value) & SYST_MAX);
}
#endif

void tml_cycle_counter_start(void)
{
	DEMCR |= 1u << 24; /* TRCENA */
#ifdef TML_CACHES
	DWT_LAR = 0xC5ACCE55u; /* a Cortex-M7 locks its counter against programs until it is told this */
#endif
	DWT_CYCCNT = 0;
	DWT_CTRL |= 1u; /* CYCCNTENA */
}
