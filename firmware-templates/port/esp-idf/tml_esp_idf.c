/* The benchmark as a task of ESP-IDF 5, over UART0 or the chip's own USB serial port. */
#include "driver/uart.h"
#include "esp_cpu.h"
#include "esp_rom_sys.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "tml_bench.h"
#include "tml_config.h"

#ifdef TML_USB_SERIAL_JTAG
#include "driver/usb_serial_jtag.h"
#endif

#define RECEIVE_BYTES 4096
#define SEND_BYTES 256
#define WAIT_TICKS pdMS_TO_TICKS(10)

/* Made by ESP-IDF's linker scripts. */
extern int _data_start, _data_end, _bss_start, _bss_end;

static struct {
	uint8_t bytes[SEND_BYTES];
	uint32_t count;
} unsent;

static struct {
	uint32_t cycles;
	int64_t microseconds;
} stopwatch;

#ifdef TML_USB_SERIAL_JTAG

static void serial_start(void)
{
	usb_serial_jtag_driver_config_t config = {.tx_buffer_size = RECEIVE_BYTES, .rx_buffer_size = RECEIVE_BYTES};
	ESP_ERROR_CHECK(usb_serial_jtag_driver_install(&config));
}

static int serial_read(uint8_t *byte)
{
	return usb_serial_jtag_read_bytes(byte, 1, WAIT_TICKS);
}

static void serial_write(const uint8_t *bytes, uint32_t count)
{
	(void)usb_serial_jtag_write_bytes(bytes, count, portMAX_DELAY);
}

#else

static void serial_start(void)
{
	const uart_config_t config = {
		.baud_rate = TML_BAUD,
		.data_bits = UART_DATA_8_BITS,
		.parity = UART_PARITY_DISABLE,
		.stop_bits = UART_STOP_BITS_1,
		.flow_ctrl = UART_HW_FLOWCTRL_DISABLE,
		.source_clk = UART_SCLK_DEFAULT,
	};
	ESP_ERROR_CHECK(uart_driver_install(UART_NUM_0, RECEIVE_BYTES, 0, 0, NULL, 0));
	ESP_ERROR_CHECK(uart_param_config(UART_NUM_0, &config));
}

static int serial_read(uint8_t *byte)
{
	return uart_read_bytes(UART_NUM_0, byte, 1, WAIT_TICKS);
}

static void serial_write(const uint8_t *bytes, uint32_t count)
{
	(void)uart_write_bytes(UART_NUM_0, bytes, count);
}

#endif

static void flush(void)
{
	if (unsent.count > 0)
		serial_write(unsent.bytes, unsent.count);
	unsent.count = 0;
}

/* Waits a little, so that other tasks of the same core run while nothing comes. */
static int port_get(void)
{
	uint8_t byte;
	flush();
	return serial_read(&byte) == 1 ? byte : -1;
}

static void port_put(uint8_t byte)
{
	unsent.bytes[unsent.count++] = byte;
	if (unsent.count == SEND_BYTES)
		flush();
}

static uint32_t port_clock_hz(void)
{
	return esp_rom_get_cpu_ticks_per_us() * 1000000u;
}

static void port_start(void)
{
	flush();
	portDISABLE_INTERRUPTS();
	stopwatch.microseconds = esp_timer_get_time();
	stopwatch.cycles = (uint32_t)esp_cpu_get_cycle_count();
}

/* The counter of 32 bits, widened by the timer. */
static uint64_t port_stop(void)
{
	uint32_t cycles = (uint32_t)esp_cpu_get_cycle_count() - stopwatch.cycles;
	uint64_t about = (uint64_t)(esp_timer_get_time() - stopwatch.microseconds) * esp_rom_get_cpu_ticks_per_us();
	portENABLE_INTERRUPTS();
	return about + (uint64_t)(int64_t)(int32_t)(cycles - (uint32_t)about);
}

/* All variables of the program, ESP-IDF's among them; how long the image is only its own tools know. */
static void port_memory(struct tml_memory *memory)
{
	memory->static_bytes = (uint32_t)((uintptr_t)&_data_end - (uintptr_t)&_data_start) +
			       (uint32_t)((uintptr_t)&_bss_end - (uintptr_t)&_bss_start);
	memory->stack_size = TML_STACK_BYTES;
	memory->stack_used = TML_STACK_BYTES - (uint32_t)uxTaskGetStackHighWaterMark(NULL);
	memory->image_bytes = 0;
}

static const struct tml_port port = {
	TML_BOARD_ID, port_clock_hz, port_clock_hz, TML_TICK_CYCLE, port_get,
	port_put,     port_start,    port_stop,     port_memory,
};

static void serve(void *unused)
{
	(void)unused;
	serial_start();
	tml_bench_start(&port, &model_info);
	for (;;) {
		int byte = port_get();
		if (byte >= 0)
			tml_bench_feed((uint8_t)byte);
	}
}

void app_main(void);
void app_main(void)
{
	(void)xTaskCreatePinnedToCore(serve, "tinyml", TML_STACK_BYTES, NULL, 5, NULL, 0);
}
