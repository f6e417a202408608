/* Start-up and faults of a Cortex-M3, M4 or M7, for the chip family's port. */
#ifndef TML_CORTEX_M_H
#define TML_CORTEX_M_H

#include <stdint.h>

#include "tml_image.h"

/* The family's part: called from the start-up code and the vector table. */
void tml_main(void);
void tml_receive_interrupt(void);
void tml_crashed(uint32_t *registers); /* TML_CRASH_WORDS of them; does not return */

void tml_interrupt_enable(uint32_t number);
void tml_cycle_counter_start(void);

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
