/* Start-up, faults and counters of a Cortex-M, for the chip family's port. */
#ifndef TML_CORTEX_M_H
#define TML_CORTEX_M_H

#include <stdint.h>

#include "tml_image.h"

/* The family's part: called from the start-up code and the vector table. */
void tml_main(void);
void tml_receive_interrupt(void);
void tml_crashed(uint32_t *registers); /* TML_CRASH_WORDS of them; does not return */

void tml_interrupt_enable(uint32_t number);
void tml_interrupt_disable(uint32_t number);

/* What the port's stopwatch counts with (TML_COUNTER of tml_config.h): DWT's cycle counter, SysTick, or two timers of
 * an emulated chip. */
#define TML_COUNTER_CYCLES 0
#define TML_COUNTER_SYSTICK 1
#define TML_COUNTER_TIMERS 2

void tml_cycle_counter_start(void);

/* SysTick, widened to 64 bits by its own interrupt: one of some 30 cycles in every 16,777,216. */
void tml_systick_start(void);
uint64_t tml_systick_count(void);

static inline void tml_interrupts_off(void)
{
	__asm__ volatile("cpsid i" ::: "memory");
}

static inline void tml_interrupts_on(void)
{
	__asm__ volatile("cpsie i" ::: "memory");
}

/* Wakes for a pending interrupt even while interrupts are off. */
static inline void tml_wait_for_interrupt(void)
{
	__asm__ volatile("wfi" ::: "memory");
}

#endif
