#include "tml_bench.h"

#include <string.h>

#include "tml_config.h"
#ifdef TML_SAMPLING
#include "tml_sample.h"
#endif

#define PROTOCOL_VERSION 1
#define FLAG_INPUT_KEPT 1

#define REQUEST_HELLO 0x01
#define REQUEST_LOAD 0x02
#define REQUEST_RUN 0x03
#define REQUEST_READ 0x04
#define REQUEST_PROFILE 0x05
#define REQUEST_TICKS 0x06
#define REQUEST_HASHES 0x07
#define REQUEST_MEMORY 0x08
#define REQUEST_SAMPLE 0x09
#define ANSWER_BIT 0x80
#define FRAME_READY 0xF1
#define FRAME_REFUSED 0xFF

#define REASON_NONE 0
#define REASON_UNKNOWN 1
#define REASON_LENGTH 2
#define REASON_RANGE 3
#define REASON_MODEL 4

#define HEAD_BYTES 2u
#define CRC_BYTES 4u
#define BODY_MAX 1024u
#define FRAME_MAX (HEAD_BYTES + BODY_MAX + CRC_BYTES)

/* One buffer serves request and answer: the host waits for the answer before it sends again, and every
 * handler reads its request to the end before it writes. */
static struct {
	const struct tml_port *port;
	const struct tml_model *model;
	uint64_t run_ticks;
	void (*layer)(void); /* what run_layer calls */
	uint32_t call_overhead;
	uint32_t layer_overhead;
	uint32_t init_ticks;
	uint32_t length; /* bytes in frame */
	uint32_t last_crc;
	int init_result;
	uint8_t last_type; /* with last_crc: the request answered last, 0 for none */
	uint8_t block; /* bytes left in the COBS block being received, 0 between blocks */
	uint8_t zero_follows; /* the block stands for a zero at its end */
	uint8_t damaged; /* drop everything up to the next delimiter */
	uint8_t frame[FRAME_MAX];
	uint32_t layer_ticks[TML_LAYER_COUNT];
	uint32_t layer_hash[TML_LAYER_COUNT];
} bench;

/* CRC-32/ISO-HDLC, bit by bit: 1 kB takes 3 ms at 16 MHz, a table would take 1 kB of flash. */
static uint32_t crc32(const uint8_t *bytes, uint32_t count)
{
	uint32_t crc = 0xFFFFFFFFu;
	for (uint32_t i = 0; i < count; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
	}
	return ~crc;
}

static uint32_t fnv1a(const uint8_t *bytes, uint32_t count)
{
	uint32_t hash = 2166136261u;
	for (uint32_t i = 0; i < count; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

static uint32_t read16(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t read32(const uint8_t *bytes)
{
	return read16(bytes) | read16(bytes + 2) << 16;
}

/* What does not fit a frame is left out; only a hello of hundreds of tensors can come to that. */
static void add(uint32_t value, uint32_t bytes)
{
	for (; bytes > 0 && bench.length < FRAME_MAX - CRC_BYTES; bytes--) {
		bench.frame[bench.length++] = (uint8_t)value;
		value >>= 8;
	}
}

static void add64(uint64_t value)
{
	add((uint32_t)value, 4);
	add((uint32_t)(value >> 32), 4);
}

static void begin(uint8_t type, uint8_t sequence)
{
	bench.frame[0] = type;
	bench.frame[1] = sequence;
	bench.length = HEAD_BYTES;
}

/* COBS straight from the frame buffer: each block is its length and then its bytes. */
static void send_encoded(const struct tml_port *port)
{
	uint32_t from = 0;
	port->put(0);
	for (;;) {
		uint32_t run = 0;
		while (run < 254 && from + run < bench.length && bench.frame[from + run] != 0)
			run++;
		port->put((uint8_t)(run + 1));
		for (uint32_t i = 0; i < run; i++)
			port->put(bench.frame[from + i]);
		from += run;
		if (from == bench.length)
			break;
		if (run < 254)
			from++;
	}
	port->put(0);
}

static void send(const struct tml_port *port)
{
	uint32_t crc = crc32(bench.frame, bench.length);
	for (uint32_t i = 0; i < CRC_BYTES; i++, crc >>= 8)
		bench.frame[bench.length++] = (uint8_t)crc;
	send_encoded(port);
}

/* Everything is timed through this one call, so that an empty function shows what the timing itself takes. */
__attribute__((noinline)) static uint64_t time_of(int (*call)(void), uint32_t overhead, int *result)
{
	uint64_t ticks;
	bench.port->start();
	*result = call();
	ticks = bench.port->stop();
	return ticks > overhead ? ticks - overhead : 0;
}

static int no_call(void)
{
	return TML_OK;
}

static void no_layer(void)
{
}

static int run_layer(void)
{
	bench.layer();
	return TML_OK;
}

/* The least of a few: the first finds the chip's caches empty. */
static uint32_t overhead_of(int (*call)(void))
{
	uint32_t least = 0xFFFFFFFFu;
	int result;
	for (int i = 0; i < 4; i++) {
		uint32_t ticks = (uint32_t)time_of(call, 0, &result);
		if (ticks < least)
			least = ticks;
	}
	return least;
}

static void add_hello(void)
{
	const struct tml_model *model = bench.model;
	uint32_t board_length = 0;
	while (board_length < 255 && bench.port->board[board_length] != 0)
		board_length++;
	add(PROTOCOL_VERSION, 1);
	add(TML_INPUT_KEPT ? FLAG_INPUT_KEPT : 0, 1);
	add(bench.port->tick, 2);
	add(bench.port->tick_hz(), 4);
	add(bench.port->clock_hz(), 4);
	for (uint32_t i = 0; i < sizeof model->hash; i++)
		add(model->hash[i], 1);
	add(model->layer_count, 2);
	add(model->input_count, 1);
	add(model->output_count, 1);
	for (uint32_t i = 0; i < model->input_count; i++)
		add(model->inputs[i].bytes, 4);
	for (uint32_t i = 0; i < model->output_count; i++)
		add(model->outputs[i].bytes, 4);
	add(board_length, 1);
	for (uint32_t i = 0; i < board_length; i++)
		add((uint8_t)bench.port->board[i], 1);
}

static uint8_t load(const uint8_t *body, uint32_t size)
{
	const struct tml_tensor *input;
	uint32_t offset, count;
	uint8_t *target;
	if (size < 5)
		return REASON_LENGTH;
	if (body[0] >= bench.model->input_count)
		return REASON_RANGE;
	input = &bench.model->inputs[body[0]];
	offset = read32(body + 1);
	count = size - 5;
	if (offset > input->bytes || count > input->bytes - offset)
		return REASON_RANGE;
	target = (uint8_t *)input->data + offset;
	memcpy(target, body + 5, count);
	add(crc32(target, count), 4);
	return REASON_NONE;
}

/* A repeated request gives the first answer again: the inference has used up the input it was loaded with. */
static uint8_t run(const uint8_t *body, uint32_t size, uint8_t repeated)
{
	uint32_t number, sample;
	int result = bench.init_result;
	if (size != 8)
		return REASON_LENGTH;
	number = read32(body);
	sample = read32(body + 4);
	if (!repeated && result == TML_OK)
		bench.run_ticks = time_of(bench.model->invoke, bench.call_overhead, &result);
	if (result != TML_OK)
		return REASON_MODEL;
	add(number, 4);
	add(sample, 4);
	add64(bench.run_ticks);
	return REASON_NONE;
}

static uint8_t read_output(const uint8_t *body, uint32_t size)
{
	const struct tml_tensor *output;
	uint32_t offset, count;
	if (size != 7)
		return REASON_LENGTH;
	if (body[0] >= bench.model->output_count)
		return REASON_RANGE;
	output = &bench.model->outputs[body[0]];
	offset = read32(body + 1);
	count = read16(body + 5);
	if (count > BODY_MAX || offset > output->bytes || count > output->bytes - offset)
		return REASON_RANGE;
	memcpy(bench.frame + bench.length, (const uint8_t *)output->data + offset, count);
	bench.length += count;
	return REASON_NONE;
}

static void profile_layers(void)
{
	for (uint32_t i = 0; i < bench.model->layer_count && i < TML_LAYER_COUNT; i++) {
		const struct tml_layer *layer = &bench.model->layers[i];
		uint64_t ticks;
		int result;
		bench.layer = layer->run;
		ticks = time_of(run_layer, bench.layer_overhead, &result);
		bench.layer_ticks[i] = ticks > 0xFFFFFFFFu ? 0xFFFFFFFFu : (uint32_t)ticks;
		bench.layer_hash[i] = fnv1a(layer->output, layer->output_bytes);
	}
}

static uint8_t profile(const uint8_t *body, uint32_t size, uint8_t repeated)
{
	uint32_t number;
	if (size != 4)
		return REASON_LENGTH;
	number = read32(body);
	if (!repeated)
		profile_layers();
	add(number, 4);
	add(bench.model->layer_count, 2);
	return REASON_NONE;
}

static uint8_t read_profile(const uint32_t *values, const uint8_t *body, uint32_t size)
{
	uint32_t first, count;
	if (size != 4)
		return REASON_LENGTH;
	first = read16(body);
	count = read16(body + 2);
	if (count > (BODY_MAX - 4) / 4 || first + count > bench.model->layer_count || first + count > TML_LAYER_COUNT)
		return REASON_RANGE;
	add(first, 2);
	add(count, 2);
	for (uint32_t i = 0; i < count; i++)
		add(values[first + i], 4);
	return REASON_NONE;
}

static void add_memory(void)
{
	struct tml_memory memory;
	bench.port->memory(&memory);
	add(memory.static_bytes - bench.model->arena_bytes, 4);
	add(bench.model->arena_bytes, 4);
	add(memory.stack_size, 4);
	add(memory.stack_used, 4);
	add(memory.image_bytes, 4);
	add(bench.init_ticks, 4);
}

static uint8_t answer(uint8_t type, const uint8_t *body, uint32_t size, uint8_t repeated)
{
	switch (type) {
	case REQUEST_HELLO:
		if (size != 0)
			return REASON_LENGTH;
		add_hello();
		return REASON_NONE;
	case REQUEST_LOAD:
		return load(body, size);
	case REQUEST_RUN:
		return run(body, size, repeated);
	case REQUEST_READ:
		return read_output(body, size);
	case REQUEST_PROFILE:
		return profile(body, size, repeated);
	case REQUEST_TICKS:
		return read_profile(bench.layer_ticks, body, size);
	case REQUEST_HASHES:
		return read_profile(bench.layer_hash, body, size);
	case REQUEST_MEMORY:
		if (size != 0)
			return REASON_LENGTH;
		add_memory();
		return REASON_NONE;
#ifdef TML_SAMPLING
	case REQUEST_SAMPLE:
		return tml_sample_prepare(bench.port, body, size);
#endif
	default:
		return REASON_UNKNOWN;
	}
}

static void take_frame(void)
{
	uint32_t size = bench.length - CRC_BYTES;
	uint32_t crc;
	uint8_t type, sequence, repeated, reason;
	if (bench.length < HEAD_BYTES + CRC_BYTES)
		return;
	crc = read32(bench.frame + size);
	if (crc32(bench.frame, size) != crc)
		return;
	type = bench.frame[0];
	sequence = bench.frame[1];
	repeated = type == bench.last_type && crc == bench.last_crc;
	begin(type | ANSWER_BIT, sequence);
	reason = answer(type, bench.frame + HEAD_BYTES, size - HEAD_BYTES, repeated);
	if (reason != REASON_NONE) {
		begin(FRAME_REFUSED, sequence);
		add(type, 1);
		add(reason, 1);
	}
	bench.last_type = reason == REASON_NONE ? type : 0;
	bench.last_crc = crc;
	send(bench.port);
#ifdef TML_SAMPLING
	tml_sample_run();
#endif
}

#ifdef TML_SAMPLING
void tml_frame_begin(uint8_t type)
{
	begin(type, 0);
}

void tml_frame_add(uint32_t value, uint32_t bytes)
{
	add(value, bytes);
}

void tml_frame_send(const struct tml_port *port)
{
	send(port);
}
#endif

static void store(uint8_t byte)
{
	if (bench.length < FRAME_MAX)
		bench.frame[bench.length++] = byte;
	else
		bench.damaged = 1;
}

/* A delimiter: whatever was received before it is a frame, or damaged, or nothing. */
static void end_frame(void)
{
	if (!bench.damaged && bench.block == 0 && bench.length > 0)
		take_frame();
	bench.length = 0;
	bench.block = 0;
	bench.zero_follows = 0;
	bench.damaged = 0;
}

void tml_bench_feed(uint8_t byte)
{
	if (byte == 0) {
		end_frame();
	} else if (bench.damaged) {
		return;
	} else if (bench.block > 0) {
		store(byte);
		bench.block--;
	} else {
		if (bench.zero_follows)
			store(0);
		bench.block = (uint8_t)(byte - 1);
		bench.zero_follows = byte != 0xFF;
	}
}

void tml_bench_start(const struct tml_port *port, const struct tml_model *model)
{
	bench.port = port;
	bench.model = model;
	bench.layer = no_layer;
	bench.layer_overhead = overhead_of(run_layer);
	bench.call_overhead = overhead_of(no_call);
	bench.init_ticks = (uint32_t)time_of(model->init, bench.call_overhead, &bench.init_result);
	begin(FRAME_READY, 0);
	add_hello();
	send(port);
	bench.length = 0;
}

void tml_bench_crash(const struct tml_port *port, const uint32_t registers[TML_CRASH_WORDS])
{
	begin(TML_CRASH_FRAME, 0);
	for (uint32_t i = 0; i < TML_CRASH_WORDS; i++)
		add(registers[i], 4);
	send(port);
}
