/* Start-up and exceptions of an Xtensa LX6 or LX7 core, without register windows, for the chip's port. */
#ifndef TML_XTENSA_H
#define TML_XTENSA_H

#include <stdint.h>

#include "tml_image.h"

/* The chip's part. */
void tml_main(void); /* called by the start-up code */
void tml_crashed(uint32_t *registers); /* called after any exception, with TML_CRASH_WORDS registers; does not return */

/* Calls a function of the ROM, which has register windows, with four arguments. */
uint32_t tml_rom_call(uint32_t function, uint32_t a, uint32_t b, uint32_t c, uint32_t d);

static inline uint32_t tml_cycles(void)
{
	uint32_t cycles;
	__asm__ volatile("rsr.ccount %0" : "=r"(cycles)::"memory");
	return cycles;
}

#endif
