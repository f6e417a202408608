/* Clock, serial port and stopwatch of an STM32. What differs from line to line is in tml_config.h: lists of register
 * writes and waits that start the clock, the pins and the timers, where the serial port is, and what counts. */
#include "tml_bench.h"
#include "tml_config.h"
#include "tml_cortex_m.h"
#ifdef TML_SAMPLING
#include "tml_sample.h"
#endif

/* A step writes the bits of `mask`, or waits until they are `value`; `place` is the register's address, and in its two
 * lowest bits the kind of the step. */
struct step {
	uint32_t place, mask, value;
};
#define STEP_SET 0u
#define STEP_WAIT 1u
#define STEP_SET_UNLESS_REVISION_A 2u
#define STEP_PAUSE 3u
#define TML_SET(address, mask, value) {(address) | STEP_SET, mask, value}
#define TML_WAIT(address, mask, value) {(address) | STEP_WAIT, mask, value}
#define TML_SET_UNLESS_REVISION_A(address, mask, value) {(address) | STEP_SET_UNLESS_REVISION_A, mask, value}
#define TML_PAUSE(loops) {STEP_PAUSE, 0u, loops}

static const struct step internal_clock[] = {TML_INTERNAL_CLOCK_STEPS};
static const struct step full_clock[] = {TML_FULL_CLOCK_STEPS};
static const struct step peripherals[] = {TML_PERIPHERAL_STEPS};
#define PERFORM(steps) perform(steps, sizeof(steps) / sizeof(steps)[0])

#ifdef TML_EMULATED
#define WAIT_LOOPS 1000u /* what an emulator does not answer at once it does not model */
#else
#define WAIT_LOOPS 100000u /* over 30 ms at 16 MHz; a crystal starts within a few */
#endif

/* RM0008 and RM0090 on one hand, RM0091 and RM0351 on the other: the two generations of USART. The bits used here lie
 * at the same places in both but for the one that switches the port on. */
#if TML_UART_GENERATION == 1
#define UART_STATUS TML_REGISTER(TML_UART_BASE + 0x00u)
#define UART_RECEIVED TML_REGISTER(TML_UART_BASE + 0x04u)
#define UART_SEND TML_REGISTER(TML_UART_BASE + 0x04u)
#define UART_BAUD TML_REGISTER(TML_UART_BASE + 0x08u)
#define UART_CONTROL TML_REGISTER(TML_UART_BASE + 0x0Cu)
#define UART_CONTROL_ON (1u << 13)
#else
#define UART_STATUS TML_REGISTER(TML_UART_BASE + 0x1Cu)
#define UART_RECEIVED TML_REGISTER(TML_UART_BASE + 0x24u)
#define UART_SEND TML_REGISTER(TML_UART_BASE + 0x28u)
#define UART_BAUD TML_REGISTER(TML_UART_BASE + 0x0Cu)
#define UART_CONTROL TML_REGISTER(TML_UART_BASE + 0x00u)
#define UART_CONTROL_ON (1u << 0)
#define UART_CLEAR TML_REGISTER(TML_UART_BASE + 0x20u)
#endif
#define UART_STATUS_OVERRUN (1u << 3)
#define UART_STATUS_RECEIVED (1u << 5)
#define UART_STATUS_EMPTY (1u << 7)
#define UART_CONTROL_RECEIVE (1u << 2)
#define UART_CONTROL_SEND (1u << 3)
#define UART_CONTROL_INTERRUPT (1u << 5)

/* What counts exactly, and wraps at 32 bits; a coarser counter tells how often. SysTick, once widened, does both. */
#define TIMER_COUNT(timer) TML_REGISTER((timer) + 0x24u)
#define CYCLE_COUNTER TML_REGISTER(0xE0001004u) /* DWT_CYCCNT */
#if TML_COUNTER == TML_COUNTER_TIMERS
#define FINE_COUNTER TIMER_COUNT(TML_FINE_TIMER)
#elif TML_COUNTER == TML_COUNTER_CYCLES
#define FINE_COUNTER CYCLE_COUNTER
#endif

static uint32_t core_hz = TML_INTERNAL_HZ;

/* Received bytes wait here while a frame is decoded or answered. */
static struct {
	volatile uint8_t head, tail; /* wrap with the buffer's 256 bytes */
	volatile uint8_t bytes[256];
} received;

/* What the counters read at start(). */
static struct {
#ifdef FINE_COUNTER
	uint32_t fine;
#endif
#ifdef TML_COARSE_TIMER
	uint32_t coarse, coarse_shift;
#else
	uint64_t ticks;
#endif
} stopwatch;

static int wait_until(const struct step *step)
{
	for (uint32_t i = 0; i < WAIT_LOOPS; i++) {
		if ((TML_REGISTER(step->place & ~3u) & step->mask) == step->value)
			return 1;
	}
	return 0;
}

/* Revision A of the F405 and F407, which may name itself 0x411, has no working prefetch (errata sheet ES0182). */
static int is_revision_a(void)
{
#ifdef TML_REVISION_REGISTER
	uint32_t idcode = TML_REGISTER(TML_REVISION_REGISTER);
	return idcode >> 16 == 0x1000u && ((idcode & 0xFFFu) == 0x413u || (idcode & 0xFFFu) == 0x411u);
#else
	return 0;
#endif
}

static void pause(uint32_t loops)
{
	for (uint32_t i = 0; i < loops; i++)
		__asm__ volatile("" ::: "memory");
}

/* A peripheral answers only some cycles after its clock is enabled; reading the register back is enough (device
 * errata sheets, "delay after an RCC peripheral clock enabling"). */
static void set(const struct step *step)
{
	volatile uint32_t *address = &TML_REGISTER(step->place & ~3u);
	*address = (*address & ~step->mask) | step->value;
	(void)*address;
}

/* Returns 0 at the first wait in vain. */
static int perform(const struct step *steps, uint32_t count)
{
	for (const struct step *step = steps; step < steps + count; step++) {
		uint32_t kind = step->place & 3u;
		if (kind == STEP_PAUSE)
			pause(step->value);
		else if (kind == STEP_WAIT) {
			if (!wait_until(step))
				return 0;
		} else if (kind == STEP_SET || !is_revision_a())
			set(step);
	}
	return 1;
}

/* Starts the full clock. A boot loader that jumped here may have left a PLL running, so the internal oscillator comes
 * first; it is also what the core goes on with when a step does not come about. Returns the value for UART_BAUD. */
static uint32_t clock_start(void)
{
	(void)PERFORM(internal_clock);
	if (!PERFORM(full_clock)) {
		(void)PERFORM(internal_clock);
		return TML_BAUD_INTERNAL;
	}
	core_hz = TML_FULL_HZ;
	return TML_BAUD_FULL;
}

static void uart_start(uint32_t baud)
{
	UART_BAUD = baud;
	UART_CONTROL = UART_CONTROL_ON | UART_CONTROL_SEND | UART_CONTROL_RECEIVE | UART_CONTROL_INTERRUPT;
	tml_interrupt_enable(TML_UART_INTERRUPT);
}

static void stopwatch_start(void)
{
#if TML_COUNTER == TML_COUNTER_CYCLES
	tml_cycle_counter_start();
#endif
#ifdef TML_COARSE_TIMER
	/* Steps of 65536 ticks of the timer's clock, which is the core's or a fraction of it. */
	stopwatch.coarse_shift = core_hz == TML_FULL_HZ ? TML_COARSE_SHIFT : 16u;
#else
	tml_systick_start();
#endif
}

void tml_receive_interrupt(void)
{
	uint32_t status = UART_STATUS;
	if (status & (UART_STATUS_RECEIVED | UART_STATUS_OVERRUN)) {
		uint8_t byte = (uint8_t)UART_RECEIVED; /* the older generation takes this as the overrun's end too */
		uint8_t next = (uint8_t)(received.head + 1u);
#ifdef UART_CLEAR
		UART_CLEAR = UART_STATUS_OVERRUN;
#endif
		if ((status & UART_STATUS_RECEIVED || TML_UART_GENERATION == 1) && next != received.tail) {
			received.bytes[received.head] = byte;
			received.head = next;
		}
	}
}

/* Sleeps until the next interrupt where that costs nothing: an emulator then leaves the host's core alone.
 * On silicon the core stays awake, since a debugger may lose a sleeping one. */
static void idle(void)
{
#ifdef TML_EMULATED
	tml_interrupts_off();
	if (received.head == received.tail)
		tml_wait_for_interrupt();
	tml_interrupts_on();
#endif
}

static int port_get(void)
{
	uint8_t byte;
	if (received.head == received.tail) {
		idle();
		return -1;
	}
	byte = received.bytes[received.tail];
	received.tail++;
	return byte;
}

#ifdef TML_SAMPLING
int tml_port_received(void)
{
	return received.head != received.tail;
}
#endif

static void port_put(uint8_t byte)
{
	while (!(UART_STATUS & UART_STATUS_EMPTY)) {
	}
	UART_SEND = byte;
}

static void port_start(void)
{
	tml_interrupt_disable(TML_UART_INTERRUPT);
#ifdef TML_COARSE_TIMER
	stopwatch.coarse = TIMER_COUNT(TML_COARSE_TIMER);
#else
	stopwatch.ticks = tml_systick_count();
#endif
#ifdef FINE_COUNTER
	stopwatch.fine = FINE_COUNTER;
#endif
}

/* Ticks since start(), right to less than half a wrap of the fine counter. */
static uint64_t coarse_ticks(void)
{
#ifdef TML_COARSE_TIMER
	uint32_t coarse = TIMER_COUNT(TML_COARSE_TIMER) - stopwatch.coarse;
	return (uint64_t)coarse << stopwatch.coarse_shift;
#else
	return tml_systick_count() - stopwatch.ticks;
#endif
}

static uint64_t port_stop(void)
{
#ifdef FINE_COUNTER
	uint32_t fine = FINE_COUNTER - stopwatch.fine;
	uint64_t about = coarse_ticks();
	uint64_t ticks = about + (uint64_t)(int64_t)(int32_t)(fine - (uint32_t)about);
#else
	uint64_t ticks = coarse_ticks();
#endif
	tml_interrupt_enable(TML_UART_INTERRUPT);
	return ticks;
}

static uint32_t port_clock_hz(void)
{
	return core_hz;
}

static uint32_t port_tick_hz(void)
{
#ifdef TML_TICK_HZ
	return TML_TICK_HZ;
#else
	return core_hz;
#endif
}

static const struct tml_port port = {
	TML_BOARD_ID, port_clock_hz, port_tick_hz, TML_TICK,           port_get,
	port_put,     port_start,    port_stop,    tml_memory_figures,
};

void tml_main(void)
{
	uint32_t baud = clock_start();
	(void)PERFORM(peripherals);
	uart_start(baud);
	stopwatch_start();
	tml_bench_start(&port, &model_info);
	for (;;) {
		int byte = port_get();
		if (byte >= 0)
			tml_bench_feed((uint8_t)byte);
	}
}

/* After a fault the receiver is polled: each byte is answered with the same frame, whoever asks. */
void tml_crashed(uint32_t *registers)
{
	for (;;) {
		tml_bench_crash(&port, registers);
		while (!(UART_STATUS & (UART_STATUS_RECEIVED | UART_STATUS_OVERRUN))) {
		}
		(void)UART_RECEIVED;
#ifdef UART_CLEAR
		UART_CLEAR = UART_STATUS_OVERRUN;
#endif
	}
}
