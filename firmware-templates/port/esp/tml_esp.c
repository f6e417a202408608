/* The benchmark on Espressif's chips, over UART0 or the chip's own USB serial port. Registers: reference manuals of the
 * ESP32 and ESP32-C3, chapters UART Controller and USB Serial/JTAG Controller. */
#include "tml_esp.h"

#include "tml_bench.h"
#ifdef TML_SAMPLING
#include "tml_sample.h"
#endif

static struct {
	uint32_t ticks;
	uint64_t coarse;
} stopwatch;

#ifdef TML_USB_BASE

#define EP1 TML_REGISTER(TML_USB_BASE + 0x00u)
#define EP1_CONF TML_REGISTER(TML_USB_BASE + 0x04u)
#define EP1_SEND (1u << 0)
#define EP1_CAN_WRITE (1u << 1)
#define EP1_CAN_READ (1u << 2)
#define HOST_PATIENCE 2000000u

static uint32_t unsent;

static void serial_start(void)
{
}

static int received(void)
{
	return (EP1_CONF & EP1_CAN_READ) != 0;
}

static uint8_t take(void)
{
	return (uint8_t)EP1;
}

/* A packet goes out when it is full, or when there is time to listen. */
static void flush(void)
{
	if (unsent > 0)
		EP1_CONF = EP1_SEND;
	unsent = 0;
}

/* A host that never reads must not stop the chip: its bytes are dropped after a while. */
static void port_put(uint8_t byte)
{
	for (uint32_t patience = HOST_PATIENCE; !(EP1_CONF & EP1_CAN_WRITE); patience--) {
		if (patience == 0)
			return;
		flush();
	}
	EP1 = byte;
	unsent++;
}

#else

#define UART_FIFO TML_REGISTER(TML_UART_BASE + 0x00u)
#define UART_CLKDIV TML_REGISTER(TML_UART_BASE + 0x14u)
#define UART_STATUS TML_REGISTER(TML_UART_BASE + 0x1Cu)
#define UART_RECEIVED(status) ((status) & TML_UART_COUNT_MASK)
#define UART_UNSENT(status) (((status) >> 16) & TML_UART_COUNT_MASK)
#define UART_FIFO_BYTES 128u

/* The ROM leaves the port at 115200 baud with eight data bits and no parity. */
static void serial_start(void)
{
	uint32_t sixteenths = (TML_UART_CLOCK_HZ / TML_BAUD * 16u) + (TML_UART_CLOCK_HZ % TML_BAUD) * 16u / TML_BAUD;
#ifdef TML_UART_CLOCK_CONF
	TML_REGISTER(TML_UART_BASE + 0x78u) = TML_UART_CLOCK_CONF;
#endif
	UART_CLKDIV = (sixteenths / 16u) | (sixteenths % 16u) << 20;
#ifdef TML_UART_CLOCK_CONF
	TML_REGISTER(TML_UART_BASE + 0x80u) |= 1u << 31; /* takes the values over into the port's own clock */
#endif
}

static int received(void)
{
	return UART_RECEIVED(UART_STATUS) != 0;
}

static uint8_t take(void)
{
	return (uint8_t)UART_FIFO;
}

static void flush(void)
{
}

static void port_put(uint8_t byte)
{
	while (UART_UNSENT(UART_STATUS) >= UART_FIFO_BYTES - 2u) {
	}
	UART_FIFO = byte;
}

#endif

/* No interrupts: the receiver holds 64 bytes and more, and a host waits for each answer. */
static int port_get(void)
{
	if (received())
		return take();
	flush();
	return -1;
}

#ifdef TML_SAMPLING
int tml_port_received(void)
{
	flush();
	return received();
}
#endif

static void port_start(void)
{
	stopwatch.coarse = tml_chip_coarse();
	stopwatch.ticks = tml_chip_ticks();
}

/* The counter of 32 bits, widened by the slow timer; at a clock that was not planned it may wrap after minutes. */
static uint64_t port_stop(void)
{
	uint32_t ticks = tml_chip_ticks() - stopwatch.ticks;
	uint64_t about;
	if (tml_chip_clock_hz() != TML_CLOCK_HZ)
		return ticks;
	about = (tml_chip_coarse() - stopwatch.coarse) * TML_TICKS_EACH_COARSE;
	return about + (uint64_t)(int64_t)(int32_t)(ticks - (uint32_t)about);
}

static const struct tml_port port = {
	TML_BOARD_ID, tml_chip_clock_hz, tml_chip_clock_hz, TML_TICK,           port_get,
	port_put,     port_start,        port_stop,         tml_memory_figures,
};

static void led_on(void)
{
#ifdef TML_LED_PIN
	TML_REGISTER(TML_IO_MUX(TML_LED_PIN)) = TML_IO_MUX_GPIO;
	TML_REGISTER(TML_GPIO_OUTPUT(TML_LED_PIN)) = TML_GPIO_PLAIN;
	TML_REGISTER(TML_LED_ON_REGISTER) = TML_LED_BIT;
	TML_REGISTER(TML_LED_ENABLE_REGISTER) = TML_LED_BIT;
#endif
}

void tml_esp_main(void)
{
	tml_chip_start();
	serial_start();
	led_on();
	tml_chip_map_flash();
	tml_bench_start(&port, &model_info);
	for (;;) {
		int byte = port_get();
		if (byte >= 0)
			tml_bench_feed((uint8_t)byte);
	}
}

/* Each byte that comes is answered with the same frame, whoever asks. */
void tml_esp_crashed(const uint32_t *registers)
{
	for (;;) {
		tml_bench_crash(&port, registers);
		flush();
		while (!received()) {
		}
		(void)take();
	}
}
