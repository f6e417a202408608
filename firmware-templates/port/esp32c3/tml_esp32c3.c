/* ESP32-C3 Technical Reference Manual: 1 (ESP-RISC-V CPU), 4 (flash cache), 6 (clocks), 10 (SYSTIMER), 12 (watchdogs). */
#include "tml_esp.h"
#include "tml_rv32.h"

#define RTC_CNTL 0x60008000u
#define RTC_OPTIONS0 TML_REGISTER(RTC_CNTL + 0x00u)
#define RTC_PLL_OFF ((1u << 6) | (1u << 8) | (1u << 10))
#define RTC_WDT_CONFIG TML_REGISTER(RTC_CNTL + 0x90u)
#define RTC_WDT_LOCK TML_REGISTER(RTC_CNTL + 0xA8u)
#define SUPER_WDT_CONFIG TML_REGISTER(RTC_CNTL + 0xACu)
#define SUPER_WDT_LOCK TML_REGISTER(RTC_CNTL + 0xB0u)
#define SUPER_WDT_FEEDS_ITSELF (1u << 31)
#define TIMER_WDT_CONFIG TML_REGISTER(0x6001F048u)
#define TIMER_WDT_LOCK TML_REGISTER(0x6001F064u)
#define WDT_KEY 0x50D83AA1u
#define SUPER_WDT_KEY 0x8F1D312Au

#define CPU_PERIOD TML_REGISTER(0x600C0008u)
#define CPU_PERIOD_160_OF_480 ((1u << 2) | 1u)
#define CLOCK_SOURCE TML_REGISTER(0x600C0058u)
#define CLOCK_SOURCE_MASK ((3u << 10) | 0x3FFu)
#define CLOCK_SOURCE_PLL (1u << 10)
#define PLL_CALIBRATION TML_REGISTER(0x6000E040u)
#define PLL_STOP_HIGH (1u << 3)
#define PLL_STOP_LOW (1u << 2)

#define SYSTIMER_UPDATE TML_REGISTER(0x60023004u)
#define SYSTIMER_HIGH TML_REGISTER(0x60023040u)
#define SYSTIMER_LOW TML_REGISTER(0x60023044u)
#define SYSTIMER_HZ 16000000u

#define CACHE_BUSES TML_REGISTER(0x600C4004u)
#define CACHE_BUSES_SHUT 3u
#define CACHE_PAGE(index) TML_REGISTER(0x600C5000u + 4u * (index))

#define SRAM_END 0x3FCE0000u /* with the variables of the ROM */
#define ROM_END 0x40060000u /* its constants lie below its instructions */
#define DEVICES_START 0x60000000u
#define DEVICES_END 0x60100000u

#define MHZ 1000000u

/* Functions of the ROM (esp32c3.rom.ld of ESP-IDF). */
#define ROM_WRITE_ANALOG ((void (*)(uint32_t, uint32_t, uint32_t, uint32_t))0x4000195Cu)
#define ROM_WRITE_ANALOG_BITS ((void (*)(uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t))0x40001960u)
#define ROM_CACHE_DISABLE ((uint32_t(*)(void))0x4000051Cu)
#define ROM_CACHE_ENABLE ((void (*)(uint32_t))0x40000520u)
#define ROM_CACHE_INVALIDATE ((void (*)(void))0x400004D8u)

#define PLL_BLOCK 0x66u
#define PLL_HOST 0u

static uint32_t core_hz;

static void watchdogs_off(void)
{
	RTC_WDT_LOCK = WDT_KEY;
	RTC_WDT_CONFIG = 0;
	RTC_WDT_LOCK = 0;
	SUPER_WDT_LOCK = SUPER_WDT_KEY;
	SUPER_WDT_CONFIG |= SUPER_WDT_FEEDS_ITSELF;
	SUPER_WDT_LOCK = 0;
	TIMER_WDT_LOCK = WDT_KEY;
	TIMER_WDT_CONFIG = 0;
	TIMER_WDT_LOCK = 0;
}

static void write_pll(uint32_t index, uint32_t value)
{
	ROM_WRITE_ANALOG(PLL_BLOCK, PLL_HOST, index, value);
}

static void write_pll_bits(uint32_t index, uint32_t high, uint32_t low, uint32_t value)
{
	ROM_WRITE_ANALOG_BITS(PLL_BLOCK, PLL_HOST, index, high, low, value);
}

/* 480 MHz from the crystal of 40 MHz, with the analog settings that ESP-IDF uses for it; the core takes a third. */
static void clock_start(void)
{
	RTC_OPTIONS0 &= ~RTC_PLL_OFF;
	PLL_CALIBRATION = (PLL_CALIBRATION & ~PLL_STOP_HIGH) | PLL_STOP_LOW;
	CPU_PERIOD |= CPU_PERIOD_160_OF_480;
	write_pll(4, 0x6B);
	write_pll(2, 5u << 4);
	write_pll(3, 8);
	write_pll_bits(5, 2, 0, 0);
	write_pll_bits(5, 6, 4, 0);
	write_pll(6, (2u << 6) | (1u << 4) | 3u);
	write_pll_bits(9, 1, 0, 2);
	write_pll_bits(6, 5, 4, 2);
	write_pll_bits(6, 7, 6, 1);
	CLOCK_SOURCE = (CLOCK_SOURCE & ~CLOCK_SOURCE_MASK) | CLOCK_SOURCE_PLL;
}

uint64_t tml_chip_coarse(void)
{
	uint32_t high;
	SYSTIMER_UPDATE = 1u << 30;
	while (!(SYSTIMER_UPDATE & (1u << 29))) {
	}
	high = SYSTIMER_HIGH & 0xFFFFFu;
	return (uint64_t)high << 32 | SYSTIMER_LOW;
}

uint32_t tml_chip_ticks(void)
{
	uint32_t ticks;
	__asm__ volatile("csrr %0, 0x7E2" : "=r"(ticks)::"memory");
	return ticks;
}

static void counter_start(void)
{
	__asm__ volatile("csrw 0x7E0, %0\n\t"
			 "csrw 0x7E1, %1\n\t"
			 "csrw 0x7E2, zero" ::"r"(TML_COUNTED_EVENT),
			 "r"(1));
}

/* Cycles against SYSTIMER, which runs from the crystal whatever the core does. */
static uint32_t measured_hz(void)
{
	uint32_t span = SYSTIMER_HZ / 5000u;
	uint64_t from = tml_chip_coarse();
	uint32_t ticks = tml_chip_ticks();
	while (tml_chip_coarse() - from < span) {
	}
	return ((tml_chip_ticks() - ticks) * 5000u + MHZ / 2u) / MHZ * MHZ;
}

/* A few cycles of reading the timer are in what was measured. */
static uint32_t rounded_hz(uint32_t hz)
{
	uint32_t off = hz > TML_CLOCK_HZ ? hz - TML_CLOCK_HZ : TML_CLOCK_HZ - hz;
	return off < TML_CLOCK_HZ / 50u ? TML_CLOCK_HZ : hz;
}

uint32_t tml_chip_clock_hz(void)
{
	return core_hz;
}

void tml_chip_start(void)
{
	watchdogs_off();
	clock_start();
	counter_start();
	core_hz = rounded_hz(measured_hz());
}

/* The linker script gives constants the address that is their place in flash, so that every page is mapped to itself. */
void tml_chip_map_flash(void)
{
	uintptr_t start = (uintptr_t)tml_mapped_start, end = (uintptr_t)tml_mapped_end;
	if (start == end)
		return;
	(void)ROM_CACHE_DISABLE();
	for (uint32_t page = (start - TML_MAPPED_FLASH) / TML_FLASH_PAGE;
	     page <= (end - 1u - TML_MAPPED_FLASH) / TML_FLASH_PAGE; page++)
		CACHE_PAGE(page) = page;
	CACHE_BUSES &= ~CACHE_BUSES_SHUT;
	ROM_CACHE_INVALIDATE();
	ROM_CACHE_ENABLE(0);
}

/* Instructions are read and run, constants in flash only read, and beside variables, stack and devices nothing is
 * written: a stack that runs over faults instead of overwriting the instructions below it. */
void tml_protect_memory(void)
{
	TML_PMP_END(0, TML_MAPPED_FLASH);
	TML_PMP_END(1, TML_MAPPED_FLASH + TML_MAPPED_FLASH_BYTES);
	TML_PMP_END(2, (uintptr_t)tml_stack_low);
	TML_PMP_END(3, SRAM_END);
	TML_PMP_END(4, ROM_END);
	TML_PMP_END(5, (uintptr_t)tml_text_start);
	TML_PMP_END(6, (uintptr_t)tml_text_end);
	TML_PMP_END(7, DEVICES_START);
	TML_PMP_END(8, DEVICES_END);
	TML_PMP_END(9, 0xFFFFFFFFu);
	__asm__ volatile("csrw pmpcfg2, %0" ::"r"(TML_PMP_RANGE(TML_PMP_READ | TML_PMP_WRITE) | TML_PMP_RANGE(0) << 8));
	TML_PMP_RIGHTS(1, TML_PMP_READ | TML_PMP_EXECUTE, 0, TML_PMP_READ | TML_PMP_EXECUTE, 0);
	TML_PMP_RIGHTS(0, 0, TML_PMP_READ, 0, TML_PMP_READ | TML_PMP_WRITE);
}

void tml_main(void)
{
	tml_esp_main();
}

void tml_crashed(uint32_t *registers)
{
	tml_esp_crashed(registers);
}
