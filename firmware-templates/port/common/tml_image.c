#include "tml_image.h"

#include <string.h>

#define STACK_PAINT 0xA5A5A5A5u
#define OWN_FRAMES 64 /* bytes below the caller's stack pointer that start-up itself may use, and stay unpainted */

/* Addresses made by the linker script. */
extern uint32_t tml_data_start[], tml_data_end[], tml_data_image[];
extern uint32_t tml_bss_start[], tml_bss_end[];
extern uint32_t tml_flash_start[], tml_flash_end[];
/* Bytes of arenas in further memories, as an address too: they hold nothing at start-up. */
extern uint32_t tml_arena_ram[];

/* Volatile, or the compiler would make it a call of memset, whose own frame would be painted over. */
static void paint_stack(const uint32_t *end)
{
	for (volatile uint32_t *word = tml_stack_low; word < end; word++)
		*word = STACK_PAINT;
}

void tml_image_start(uint32_t *stack_pointer)
{
	paint_stack(stack_pointer - OWN_FRAMES / sizeof *stack_pointer);
	memcpy(tml_data_start, tml_data_image, tml_bytes_between(tml_data_start, tml_data_end));
	memset(tml_bss_start, 0, tml_bytes_between(tml_bss_start, tml_bss_end));
}

static uint32_t stack_used(void)
{
	const uint32_t *word = tml_stack_low;
	while (word < tml_stack_top && *word == STACK_PAINT)
		word++;
	return tml_bytes_between(word, tml_stack_top);
}

void tml_memory_figures(struct tml_memory *memory)
{
	memory->static_bytes =
		tml_bytes_between(tml_data_start, tml_data_end) + tml_bytes_between(tml_bss_start, tml_bss_end) +
		(uint32_t)(uintptr_t)tml_arena_ram;
	memory->stack_size = tml_bytes_between(tml_stack_low, tml_stack_top);
	memory->stack_used = stack_used();
	memory->image_bytes = tml_bytes_between(tml_flash_start, tml_flash_end);
}
