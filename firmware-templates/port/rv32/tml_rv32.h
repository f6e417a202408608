/* Start-up, traps and instruction counting of a 32-bit RISC-V core in machine mode, for the machine's port. */
#ifndef TML_RV32_H
#define TML_RV32_H

#include <stdint.h>

#include "tml_image.h"

/* Rights of a range of memory. */
#define TML_PMP_READ 0x01u
#define TML_PMP_WRITE 0x02u
#define TML_PMP_EXECUTE 0x04u

/* Memory protection: entry `index` ends at `address` and begins where the one before ends. */
#define TML_PMP_END(index, address) __asm__ volatile("csrw pmpaddr" #index ", %0" ::"r"((uint32_t)(address) >> 2))
/* The rights of four entries, lowest first. Written after their ends: the ranges hold in machine mode too, so that
 * they are locked. */
#define TML_PMP_RANGE(rights) (0x88u | (rights))
#define TML_PMP_RIGHTS(index, a, b, c, d) \
	__asm__ volatile("csrw pmpcfg" #index ", %0" ::"r"( \
		TML_PMP_RANGE(a) | TML_PMP_RANGE(b) << 8 | TML_PMP_RANGE(c) << 16 | TML_PMP_RANGE(d) << 24) \
		: "memory")

/* The machine's part. */
void tml_protect_memory(void); /* called once variables have their values */
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
