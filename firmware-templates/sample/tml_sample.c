#include "tml_sample.h"

#define REASON_LENGTH 2
#define REASON_RANGE 3
#define REASON_SENSOR 5

#define FRAME_SAMPLES 0xF3
#define FRAME_SAMPLES_END 0xF4

#define HEAD_BYTES 10u /* source, channel count, rate, samples */
#define RING_SAMPLES 128u /* a power of two */
#define BURST 32u
#define LONGEST_WAIT 100000u /* turns; the host may want to stop */

struct sample {
	uint32_t number;
	int16_t values[TML_SAMPLE_CHANNELS];
};

static struct {
	const struct tml_port *port;
	struct tml_port sampling; /* the same port, which samples before every byte it sends */
	uint64_t next; /* when the next sample is due, in ticks since the start */
	uint32_t period;
	uint32_t number; /* of the next sample */
	uint32_t limit;
	uint32_t dropped;
	uint32_t burst; /* samples that are sent together */
	uint32_t head, tail; /* of the ring, counting on */
	uint8_t source;
	uint8_t channel_count;
	uint8_t prepared;
	uint8_t channels[TML_SAMPLE_CHANNELS];
	struct sample ring[RING_SAMPLES];
} sampler;

__attribute__((weak)) int tml_port_sensor_start(uint8_t source, const uint8_t *channels, uint32_t count)
{
	(void)source;
	(void)channels;
	(void)count;
	return -1;
}

__attribute__((weak)) int16_t tml_port_sensor_read(uint8_t source, uint8_t channel)
{
	(void)source;
	(void)channel;
	return 0;
}

__attribute__((weak)) int tml_port_received(void)
{
	return 0;
}

static int16_t sine(uint32_t phase)
{
	/* 10000 sin(2 pi i / 64) */
	static const int16_t quarter[17] = {0,    980,  1951, 2903, 3827, 4714, 5556, 6344, 7071,
	                                    7730, 8315, 8819, 9239, 9569, 9808, 9952, 10000};
	uint32_t place = phase % 32u;
	int16_t value = quarter[place <= 16u ? place : 32u - place];
	return phase % 64u < 32u ? value : (int16_t)-value;
}

static int16_t read_source(uint32_t number, uint8_t channel)
{
	if (sampler.source == TML_SOURCE_COUNTER)
		return (int16_t)((number + channel) & 0x7FFFu);
	if (sampler.source == TML_SOURCE_SINE)
		return sine(number + 8u * channel);
	return tml_port_sensor_read(sampler.source, channel);
}

/* Samples that could not be taken while they were due are counted and left out, so that the others keep their place. */
static void skip_missed(uint64_t now)
{
	while (sampler.number < sampler.limit && now - sampler.next >= sampler.period) {
		sampler.next += sampler.period;
		sampler.number++;
		sampler.dropped++;
	}
}

static void take_due(void)
{
	uint64_t now = sampler.port->stop();
	if (now < sampler.next)
		return;
	skip_missed(now);
	if (sampler.number >= sampler.limit)
		return;
	if (sampler.head - sampler.tail < RING_SAMPLES) {
		struct sample *place = &sampler.ring[sampler.head % RING_SAMPLES];
		place->number = sampler.number;
		for (uint32_t i = 0; i < sampler.channel_count; i++)
			place->values[i] = read_source(sampler.number, sampler.channels[i]);
		sampler.head++;
	} else {
		sampler.dropped++;
	}
	sampler.number++;
	sampler.next += sampler.period;
}

static void put_and_sample(uint8_t byte)
{
	take_due();
	sampler.port->put(byte);
}

/* Samples that follow each other, in one frame. */
static void send_samples(void)
{
	uint32_t first = sampler.ring[sampler.tail % RING_SAMPLES].number;
	uint32_t count = 0;
	tml_frame_begin(FRAME_SAMPLES);
	tml_frame_add(first, 4);
	while (sampler.tail != sampler.head && count < BURST) {
		const struct sample *sample = &sampler.ring[sampler.tail % RING_SAMPLES];
		if (sample->number != first + count)
			break;
		for (uint32_t i = 0; i < sampler.channel_count; i++)
			tml_frame_add((uint16_t)sample->values[i], 2);
		sampler.tail++;
		count++;
	}
	tml_frame_send(&sampler.sampling);
}

static uint32_t read32(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

uint8_t tml_sample_prepare(const struct tml_port *port, const uint8_t *body, uint32_t size)
{
	uint32_t rate, tick_hz = port->tick_hz();
	if (size < HEAD_BYTES || size != HEAD_BYTES + body[1])
		return REASON_LENGTH;
	rate = read32(body + 2);
	if (body[1] == 0 || body[1] > TML_SAMPLE_CHANNELS || rate == 0 || rate > tick_hz / 16u)
		return REASON_RANGE;
	if (body[0] > TML_SOURCE_SINE && tml_port_sensor_start(body[0], body + HEAD_BYTES, body[1]) != 0)
		return REASON_SENSOR;
	sampler.port = port;
	sampler.source = body[0];
	sampler.channel_count = body[1];
	sampler.period = (tick_hz + rate / 2u) / rate;
	sampler.limit = read32(body + 6);
	if (sampler.limit == 0)
		sampler.limit = 0xFFFFFFFFu;
	for (uint32_t i = 0; i < body[1]; i++)
		sampler.channels[i] = body[HEAD_BYTES + i];
	sampler.burst = rate / 8u > BURST ? BURST : rate / 8u + 1u;
	sampler.prepared = 1;
	tml_frame_add(sampler.period, 4);
	tml_frame_add(tick_hz, 4);
	return 0;
}

/* Passes a part of the time until the next sample: a turn of the loop takes at least two ticks and fewer than the
 * sixteen that are counted for it. An emulator runs it far faster than it reads a timer. */
static void wait_a_little(void)
{
	uint64_t now = sampler.port->stop();
	uint32_t turns = sampler.next > now ? (uint32_t)(sampler.next - now) / 16u : 0;
	for (uint32_t i = turns < LONGEST_WAIT ? turns : LONGEST_WAIT; i > 0; i--)
		__asm__ volatile("");
}

void tml_sample_run(void)
{
	if (!sampler.prepared)
		return;
	sampler.prepared = 0;
	sampler.sampling = *sampler.port;
	sampler.sampling.put = put_and_sample;
	sampler.next = 0;
	sampler.number = 0;
	sampler.dropped = 0;
	sampler.head = 0;
	sampler.tail = 0;
	sampler.port->start();
	while (sampler.number < sampler.limit && !tml_port_received()) {
		take_due();
		if (sampler.head - sampler.tail >= sampler.burst)
			send_samples();
		else
			wait_a_little();
	}
	sampler.limit = sampler.number;
	while (sampler.tail != sampler.head)
		send_samples();
	for (int i = 0; i < 2; i++) { /* twice, since no later frame would tell that it was lost */
		tml_frame_begin(FRAME_SAMPLES_END);
		tml_frame_add(sampler.number, 4);
		tml_frame_add(sampler.dropped, 4);
		tml_frame_send(sampler.port);
	}
}
