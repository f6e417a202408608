/* QEMU's `virt` machine. UART: National Semiconductor PC16550D data sheet, section 8. Interrupt controller: RISC-V
 * Platform-Level Interrupt Controller Specification 1.0, chapter 3. Addresses: hw/riscv/virt.c of QEMU. */
#include "tml_bench.h"
#include "tml_config.h"
#include "tml_rv32.h"
#ifdef TML_SAMPLING
#include "tml_sample.h"
#endif

#define UART(index) (*(volatile uint8_t *)(0x10000000u + (index)))
#define UART_DATA UART(0u)
#define UART_INTERRUPTS UART(1u)
#define UART_FIFOS UART(2u)
#define UART_STATUS UART(5u)
#define UART_INTERRUPT_RECEIVED 1u
#define UART_FIFOS_ON 1u
#define UART_STATUS_RECEIVED (1u << 0)
#define UART_STATUS_CAN_SEND (1u << 5)

#define UART_SOURCE 10u
#define PLIC_PRIORITY(source) TML_REGISTER(0x0C000000u + 4u * (source))
#define PLIC_ENABLE TML_REGISTER(0x0C002000u) /* sources 0 to 31 for the first core's machine mode */
#define PLIC_THRESHOLD TML_REGISTER(0x0C200000u)
#define PLIC_CLAIM TML_REGISTER(0x0C200004u)
#define MIE_EXTERNAL (1u << 11)

static uint64_t started_at;

/* Makes accesses that no program of ours means fault: below devices and RAM, beyond RAM, writes into flash, and
 * instructions from RAM. The stack lies at the bottom of RAM behind the flash, so its overflow faults as well. */
void tml_protect_memory(void)
{
	TML_PMP_END(0, TML_DEVICES_START);
	TML_PMP_END(1, TML_FLASH_START);
	TML_PMP_END(2, TML_RAM_START);
	TML_PMP_END(3, TML_RAM_END);
	TML_PMP_END(4, 0xFFFFFFFFu);
	__asm__ volatile("csrw pmpcfg1, %0" ::"r"(TML_PMP_RANGE(0)));
	TML_PMP_RIGHTS(0, 0, TML_PMP_READ | TML_PMP_WRITE, TML_PMP_READ | TML_PMP_EXECUTE,
		       TML_PMP_READ | TML_PMP_WRITE);
}

/* Interrupts wake the core and are never taken. The machine holds further bytes back while its receiver is full, so
 * that polling loses none. */
static void uart_start(void)
{
	UART_FIFOS = UART_FIFOS_ON;
	UART_INTERRUPTS = UART_INTERRUPT_RECEIVED;
	PLIC_PRIORITY(UART_SOURCE) = 1;
	PLIC_THRESHOLD = 0;
	PLIC_ENABLE = 1u << UART_SOURCE;
	__asm__ volatile("csrw mie, %0" ::"r"(MIE_EXTERNAL));
}

static int received(void)
{
	return (UART_STATUS & UART_STATUS_RECEIVED) != 0;
}

/* Sleeps until a byte comes, so that an emulator leaves the host's core alone. What woke the core last is
 * acknowledged before the receiver is looked at again: a byte that comes after that look ends the sleep at once. */
static void idle(void)
{
	uint32_t source = PLIC_CLAIM;
	PLIC_CLAIM = source;
	if (!received())
		tml_wait_for_interrupt();
}

static int port_get(void)
{
	if (!received()) {
		idle();
		return -1;
	}
	return UART_DATA;
}

#ifdef TML_SAMPLING
int tml_port_received(void)
{
	return received();
}
#endif

static void port_put(uint8_t byte)
{
	while (!(UART_STATUS & UART_STATUS_CAN_SEND)) {
	}
	UART_DATA = byte;
}

static void port_start(void)
{
	started_at = tml_instructions();
}

static uint64_t port_stop(void)
{
	return tml_instructions() - started_at;
}

static uint32_t port_clock_hz(void)
{
	return TML_CLOCK_HZ;
}

static uint32_t port_tick_hz(void)
{
	return TML_TICK_HZ;
}

static const struct tml_port port = {
	TML_BOARD_ID, port_clock_hz, port_tick_hz, TML_TICK_INSTRUCTION, port_get,
	port_put,     port_start,    port_stop,    tml_memory_figures,
};

void tml_main(void)
{
	uart_start();
	tml_bench_start(&port, &model_info);
	for (;;) {
		int byte = port_get();
		if (byte >= 0)
			tml_bench_feed((uint8_t)byte);
	}
}

/* Each byte that comes is answered with the same frame, whoever asks. */
void tml_crashed(uint32_t *registers)
{
	for (;;) {
		tml_bench_crash(&port, registers);
		while (!received()) {
		}
		(void)UART_DATA;
	}
}
