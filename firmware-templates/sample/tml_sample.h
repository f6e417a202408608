/* Takes samples of sensors at a steady rate and sends them as they come (docs/bench-protocol.md, "Sampling"). */
#ifndef TML_SAMPLE_H
#define TML_SAMPLE_H

#include "tml_port.h"

#define TML_SOURCE_COUNTER 0 /* the number of the sample plus the channel, modulo 32768 */
#define TML_SOURCE_SINE 1 /* amplitude 10000, a period of 64 samples, each channel an eighth of it later */
#define TML_SOURCE_ADC 2

#define TML_SAMPLE_CHANNELS 8u

/* Frames, for tml_sample.c; tml_bench.c has them. */
void tml_frame_begin(uint8_t type);
void tml_frame_add(uint32_t value, uint32_t bytes);
void tml_frame_send(const struct tml_port *port);

/* Takes a request apart and adds the body of its answer; the reason when it is refused, otherwise 0. */
uint8_t tml_sample_prepare(const struct tml_port *port, const uint8_t *body, uint32_t size);

/* Does what was prepared, if anything was; returns when all samples are sent or a byte arrives. */
void tml_sample_run(void);

/* What a port with sensors defines instead of the empty ones here. */

/* Prepares channels of a source; 0, or negative when the board has them not. */
int tml_port_sensor_start(uint8_t source, const uint8_t *channels, uint32_t count);
int16_t tml_port_sensor_read(uint8_t source, uint8_t channel);
/* Whether a byte waits to be read; unlike the port's get() it never sleeps. */
int tml_port_received(void);

#endif
