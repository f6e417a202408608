/* Start-up, traps and instruction counting of a 32-bit RISC-V core in machine mode, for the machine's port. */
#ifndef TML_RV32_H
#define TML_RV32_H

#include <stdint.h>

#include "tml_image.h"

/* The machine's part. */
void tml_main(void); /* called by the start-up code */
void tml_crashed(uint32_t *registers); /* called after any trap, with TML_CRASH_WORDS registers; does not return */

/* Instructions executed since reset. */
uint64_t tml_instructions(void);

/* Sleeps until an interrupt that `mie` lets through is pending; none is ever taken. */
static inline void tml_wait_for_interrupt(void)
{
	__asm__ volatile("wfi" ::: "memory");
}

#endif
