/* Registers: ST RM0090 (F405, F407), RM0368 (F401), RM0383 (F411), RM0390 (F446), which agree in all that is
 * used here. Facts of the board and the chip come from tml_config.h. */
#include "tml_bench.h"
#include "tml_config.h"
#include "tml_cortex_m.h"
#ifdef TML_SAMPLING
#include "tml_sample.h"
#endif

#define RCC 0x40023800u
#define RCC_CR TML_REGISTER(RCC + 0x00u)
#define RCC_PLLCFGR TML_REGISTER(RCC + 0x04u)
#define RCC_CFGR TML_REGISTER(RCC + 0x08u)
#define RCC_AHB1ENR TML_REGISTER(RCC + 0x30u)
#define RCC_APB1ENR TML_REGISTER(RCC + 0x40u)
#define RCC_APB2ENR TML_REGISTER(RCC + 0x44u)
#define RCC_CR_HSION (1u << 0)
#define RCC_CR_HSEON (1u << 16)
#define RCC_CR_HSERDY (1u << 17)
#define RCC_CR_HSEBYP (1u << 18)
#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)
#define RCC_CFGR_SW_PLL 2u
#define RCC_CFGR_SWS_MASK (3u << 2)
#define RCC_CFGR_SWS_PLL (2u << 2)
#define RCC_APB1ENR_TIM2 (1u << 0)
#define RCC_APB1ENR_TIM5 (1u << 3)
#define RCC_APB1ENR_PWR (1u << 28)

#define PWR_CR TML_REGISTER(0x40007000u)
#define PWR_CSR TML_REGISTER(0x40007004u)
#define PWR_CR_VOS (3u << 14)
#define PWR_CR_ODEN (1u << 16)
#define PWR_CR_ODSWEN (1u << 17)
#define PWR_CSR_ODRDY (1u << 16)
#define PWR_CSR_ODSWRDY (1u << 17)

#define FLASH_ACR TML_REGISTER(0x40023C00u)
#define FLASH_ACR_LATENCY_MASK 0xFu
#define FLASH_ACR_PREFETCH (1u << 8)
#define FLASH_ACR_CACHES (3u << 9) /* of instructions and of data */

#define DBGMCU_IDCODE TML_REGISTER(0xE0042000u)
#define IDCODE_DEVICE(idcode) ((idcode) & 0xFFFu)
#define IDCODE_REVISION(idcode) ((idcode) >> 16)

#define GPIO(port) (0x40020000u + 0x400u * (port))
#define GPIO_MODER(port) TML_REGISTER(GPIO(port) + 0x00u)
#define GPIO_PUPDR(port) TML_REGISTER(GPIO(port) + 0x0Cu)
#define GPIO_BSRR(port) TML_REGISTER(GPIO(port) + 0x18u)
#define GPIO_AFR(port, pin) TML_REGISTER(GPIO(port) + 0x20u + 4u * ((pin) / 8u))
#define GPIO_OUTPUT 1u
#define GPIO_ALTERNATE 2u

#define USART_SR TML_REGISTER(TML_UART_BASE + 0x00u)
#define USART_DR TML_REGISTER(TML_UART_BASE + 0x04u)
#define USART_BRR TML_REGISTER(TML_UART_BASE + 0x08u)
#define USART_CR1 TML_REGISTER(TML_UART_BASE + 0x0Cu)
#define USART_SR_ORE (1u << 3)
#define USART_SR_RXNE (1u << 5)
#define USART_SR_TXE (1u << 7)
#define USART_CR1_RE (1u << 2)
#define USART_CR1_TE (1u << 3)
#define USART_CR1_RXNEIE (1u << 5)
#define USART_CR1_UE (1u << 13)

#define TIM2 0x40000000u
#define TIM5 0x40000C00u
#define TIM_CR1(timer) TML_REGISTER((timer) + 0x00u)
#define TIM_EGR(timer) TML_REGISTER((timer) + 0x14u)
#define TIM_CNT(timer) TML_REGISTER((timer) + 0x24u)
#define TIM_PSC(timer) TML_REGISTER((timer) + 0x28u)
#define TIM_ARR(timer) TML_REGISTER((timer) + 0x2Cu)

#define HSI_HZ 16000000u
#define WAIT_LOOPS 100000u /* over 30 ms at 16 MHz; a crystal starts within a few */

#if TML_TICK == TML_TICK_INSTRUCTION
#define FINE_COUNTER TIM_CNT(TIM2)
#else
#define FINE_COUNTER TML_REGISTER(0xE0001004u) /* DWT_CYCCNT */
#endif

static uint32_t core_hz = HSI_HZ;

/* Received bytes wait here while a frame is decoded or answered. */
static struct {
	volatile uint8_t head, tail; /* wrap with the buffer's 256 bytes */
	volatile uint8_t bytes[256];
} received;

/* The counter has 32 bits: TIM5 counts the same clock in steps of 65536 (times the ratio of core to timer
 * clock), and the two together tell 64 bits without an interrupt. */
static struct {
	uint32_t fine, coarse;
	uint32_t coarse_shift;
} stopwatch = {0, 0, 16};

static int wait_until(volatile const uint32_t *address, uint32_t mask, uint32_t value)
{
	for (uint32_t i = 0; i < WAIT_LOOPS; i++) {
		if ((*address & mask) == value)
			return 1;
	}
	return 0;
}

static int wait_for(volatile const uint32_t *address, uint32_t bit)
{
	return wait_until(address, bit, bit);
}

/* A peripheral answers only some cycles after its clock is enabled; reading the register back is enough (device
 * errata sheets, "delay after an RCC peripheral clock enabling"). */
static void enable(volatile uint32_t *address, uint32_t bits)
{
	*address |= bits;
	(void)*address;
}

/* A boot loader that jumped here may have left a PLL running. */
static void internal_clock_start(void)
{
	RCC_CR |= RCC_CR_HSION;
	RCC_CFGR = 0;
	(void)wait_until(&RCC_CFGR, RCC_CFGR_SWS_MASK, 0);
	RCC_CR &= ~RCC_CR_PLLON;
	(void)wait_until(&RCC_CR, RCC_CR_PLLRDY, 0);
}

static int pll_source_start(void)
{
#if TML_HSE_HZ > 0
#if TML_HSE_BYPASS
	RCC_CR |= RCC_CR_HSEBYP;
#endif
	RCC_CR |= RCC_CR_HSEON;
	return wait_for(&RCC_CR, RCC_CR_HSERDY);
#else
	return 1;
#endif
}

static int over_drive_start(void)
{
#if TML_OVER_DRIVE
	PWR_CR |= PWR_CR_ODEN;
	if (!wait_for(&PWR_CSR, PWR_CSR_ODRDY))
		return 0;
	PWR_CR |= PWR_CR_ODSWEN;
	return wait_for(&PWR_CSR, PWR_CSR_ODSWRDY);
#else
	return 1;
#endif
}

/* Revision A of the F405 and F407, which may name itself 0x411, has no working prefetch (errata sheet ES0182). */
static uint32_t flash_settings(void)
{
#if TML_TICK == TML_TICK_INSTRUCTION
	uint32_t idcode = 0; /* an emulator has no such register */
#else
	uint32_t idcode = DBGMCU_IDCODE;
#endif
	uint32_t device = IDCODE_DEVICE(idcode);
	uint32_t settings = FLASH_ACR_CACHES | TML_FLASH_WAIT_STATES;
	if (IDCODE_REVISION(idcode) == 0x1000u && (device == 0x413u || device == 0x411u))
		return settings;
	return settings | FLASH_ACR_PREFETCH;
}

/* Returns 0 and leaves the core on its internal 16 MHz oscillator when a step does not come about. */
static int clock_start(void)
{
	internal_clock_start();
	enable(&RCC_APB1ENR, RCC_APB1ENR_PWR);
	PWR_CR = (PWR_CR & ~PWR_CR_VOS) | TML_VOLTAGE_SCALE << 14;
	FLASH_ACR = flash_settings();
	if (!pll_source_start())
		return 0;
	RCC_PLLCFGR = TML_PLLCFGR;
	RCC_CR |= RCC_CR_PLLON;
	if (!wait_for(&RCC_CR, RCC_CR_PLLRDY) || !over_drive_start())
		return 0;
	if (!wait_until(&FLASH_ACR, FLASH_ACR_LATENCY_MASK, TML_FLASH_WAIT_STATES))
		return 0;
	RCC_CFGR = TML_CFGR_PRESCALERS;
	RCC_CFGR = TML_CFGR_PRESCALERS | RCC_CFGR_SW_PLL;
	if (wait_until(&RCC_CFGR, RCC_CFGR_SWS_MASK, RCC_CFGR_SWS_PLL))
		return 1;
	RCC_CFGR = 0;
	return 0;
}

static void pin_mode(uint32_t port, uint32_t pin, uint32_t mode)
{
	enable(&RCC_AHB1ENR, 1u << port);
	GPIO_MODER(port) = (GPIO_MODER(port) & ~(3u << (2u * pin))) | mode << (2u * pin);
}

static void pin_alternate(uint32_t port, uint32_t pin)
{
	uint32_t shift = 4u * (pin % 8u);
	enable(&RCC_AHB1ENR, 1u << port);
	GPIO_AFR(port, pin) = (GPIO_AFR(port, pin) & ~(0xFu << shift)) | TML_UART_ALTERNATE << shift;
	GPIO_PUPDR(port) = (GPIO_PUPDR(port) & ~(3u << (2u * pin))) | 1u << (2u * pin);
	pin_mode(port, pin, GPIO_ALTERNATE);
}

static void uart_start(uint32_t bus_hz)
{
	pin_alternate(TML_UART_TX_PORT, TML_UART_TX_PIN);
	pin_alternate(TML_UART_RX_PORT, TML_UART_RX_PIN);
	enable(&TML_REGISTER(RCC + TML_UART_ENABLE_REGISTER), 1u << TML_UART_ENABLE_BIT);
	USART_BRR = (bus_hz + TML_BAUD / 2u) / TML_BAUD;
	USART_CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE | USART_CR1_RXNEIE;
	tml_interrupt_enable(TML_UART_INTERRUPT);
}

static void timer_start(uint32_t timer, uint32_t prescaler)
{
	TIM_PSC(timer) = prescaler;
	TIM_ARR(timer) = 0xFFFFFFFFu;
	TIM_EGR(timer) = 1u; /* takes the prescaler over */
	TIM_CR1(timer) = 1u;
}

static void stopwatch_start(void)
{
	enable(&RCC_APB1ENR, RCC_APB1ENR_TIM2 | RCC_APB1ENR_TIM5);
	timer_start(TIM5, 0xFFFFu);
#if TML_TICK == TML_TICK_INSTRUCTION
	timer_start(TIM2, 0);
#else
	tml_cycle_counter_start();
#endif
}

void tml_receive_interrupt(void)
{
	if (USART_SR & (USART_SR_RXNE | USART_SR_ORE)) { /* reading SR and then DR clears both */
		uint8_t byte = (uint8_t)USART_DR;
		uint8_t next = (uint8_t)(received.head + 1u);
		if (next != received.tail) {
			received.bytes[received.head] = byte;
			received.head = next;
		}
	}
}

/* Sleeps until the next interrupt where that costs nothing: an emulator then leaves the host's core alone.
 * On silicon the core stays awake, since a debugger may lose a sleeping one. */
static void idle(void)
{
#if TML_TICK == TML_TICK_INSTRUCTION
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
	while (!(USART_SR & USART_SR_TXE)) {
	}
	USART_DR = byte;
}

static void port_start(void)
{
	tml_interrupts_off();
	stopwatch.coarse = TIM_CNT(TIM5);
	stopwatch.fine = FINE_COUNTER;
}

static uint64_t port_stop(void)
{
	uint32_t fine = FINE_COUNTER - stopwatch.fine;
	uint32_t coarse = TIM_CNT(TIM5) - stopwatch.coarse;
	uint64_t about = (uint64_t)coarse << stopwatch.coarse_shift;
	tml_interrupts_on();
	return about + (uint64_t)(int64_t)(int32_t)(fine - (uint32_t)about);
}

static uint32_t port_clock_hz(void)
{
	return core_hz;
}

static uint32_t port_tick_hz(void)
{
#if TML_TICK == TML_TICK_INSTRUCTION
	return TML_TICK_HZ;
#else
	return core_hz;
#endif
}

static const struct tml_port port = {
	TML_BOARD_ID, port_clock_hz, port_tick_hz, TML_TICK,           port_get,
	port_put,     port_start,    port_stop,    tml_memory_figures,
};

static void led_on(void)
{
#ifdef TML_LED_PORT
	enable(&RCC_AHB1ENR, 1u << TML_LED_PORT);
	GPIO_BSRR(TML_LED_PORT) = TML_LED_ON;
	pin_mode(TML_LED_PORT, TML_LED_PIN, GPIO_OUTPUT);
#endif
}

void tml_main(void)
{
	uint32_t bus_hz = HSI_HZ;
	if (clock_start()) {
		core_hz = TML_SYSCLK_HZ;
		bus_hz = TML_UART_BUS_HZ;
#if TML_TICK != TML_TICK_INSTRUCTION
		stopwatch.coarse_shift = TML_COARSE_SHIFT;
#endif
	}
	uart_start(bus_hz);
	stopwatch_start();
	led_on();
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
		while (!(USART_SR & (USART_SR_RXNE | USART_SR_ORE))) {
		}
		(void)USART_DR;
	}
}
