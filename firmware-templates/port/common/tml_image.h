/* What the linker script laid out, and how start-up and measurement use it: the same for every processor. */
#ifndef TML_IMAGE_H
#define TML_IMAGE_H

#include <stdint.h>

#include "tml_port.h"

/* Peripheral registers are plain memory at fixed addresses. */
#define TML_REGISTER(address) (*(volatile uint32_t *)(address))

/* Addresses made by the linker script. */
extern uint32_t tml_stack_low[], tml_stack_top[];

/* Fills the unused part of the stack with a pattern, then gives variables their start values. Called once, before
 * anything else, with the stack pointer. */
void tml_image_start(uint32_t *stack_pointer);

void tml_memory_figures(struct tml_memory *memory);

static inline uint32_t tml_bytes_between(const uint32_t *from, const uint32_t *to)
{
	return (uint32_t)((uintptr_t)to - (uintptr_t)from);
}

#endif
