/* What an Espressif chip's port does, and what all of them share. */
#ifndef TML_ESP_H
#define TML_ESP_H

#include <stdint.h>

#include "tml_config.h"
#include "tml_image.h"

/* The chip's part: stops the watchdogs, sets the clock and starts the counters. */
void tml_chip_start(void);
uint32_t tml_chip_clock_hz(void); /* of the core, as it runs */
uint32_t tml_chip_ticks(void); /* of core cycles, or of instructions on an emulated board */
uint64_t tml_chip_coarse(void); /* of a slow timer, one each TML_TICKS_EACH_COARSE ticks at the planned clock */
void tml_chip_map_flash(void); /* makes the model's constants in flash readable, if there are any */

/* Sends frames for ever after a fault, with TML_CRASH_WORDS registers. */
void tml_esp_crashed(const uint32_t *registers);

/* Serves the benchmark for ever. */
void tml_esp_main(void);

/* Made by the linker script: instructions in RAM, and constants in mapped flash. */
extern uint32_t tml_text_start[], tml_text_end[];
extern uint32_t tml_mapped_start[], tml_mapped_end[];

#endif
