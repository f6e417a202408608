/* What a board offers to a program: bytes in and out, a stopwatch, and its memory figures. */
#ifndef TML_PORT_H
#define TML_PORT_H

#include <stdint.h>

/* Units of struct tml_port's stopwatch, as hello's `tick` tells them to the host. */
#define TML_TICK_CYCLE 0
#define TML_TICK_INSTRUCTION 1
#define TML_TICK_TIMER 2

struct tml_memory {
	uint32_t static_bytes; /* .data and .bss with the model's arena, without the stack */
	uint32_t stack_size;
	uint32_t stack_used; /* high-water mark since reset */
	uint32_t image_bytes; /* flash taken by vectors, code, constants and the start values of .data */
};

struct tml_port {
	const char *board;
	uint32_t (*clock_hz)(void); /* the core clock as it runs, not as it was planned */
	uint32_t (*tick_hz)(void);
	uint8_t tick; /* TML_TICK_* */
	int (*get)(void); /* next received byte, or -1 when none is waiting */
	void (*put)(uint8_t byte);
	void (*start)(void); /* starts the stopwatch; no interrupt is taken until stop() */
	uint64_t (*stop)(void); /* ticks since start(); may be asked again */
	void (*memory)(struct tml_memory *memory);
};

#endif
