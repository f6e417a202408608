/* ESP32 Technical Reference Manual: 3 (clocks), 5 (DPORT, cache), 18 (timer groups), 19 (watchdogs), 31 (RTC). */
#include "tml_esp.h"
#include "tml_xtensa.h"

#define RTC_CNTL 0x3FF48000u
#define RTC_OPTIONS0 TML_REGISTER(RTC_CNTL + 0x00u)
#define RTC_PLL_OFF ((1u << 6) | (1u << 8) | (1u << 10) | (1u << 18))
#define RTC_CLOCK TML_REGISTER(RTC_CNTL + 0x70u)
#define RTC_CLOCK_MASK (3u << 27)
#define RTC_CLOCK_PLL (1u << 27)
#define RTC_VOLTAGE TML_REGISTER(RTC_CNTL + 0x7Cu)
#define RTC_VOLTAGE_MASK (7u << 11)
#define RTC_WDT_CONFIG TML_REGISTER(RTC_CNTL + 0x8Cu)
#define RTC_WDT_LOCK TML_REGISTER(RTC_CNTL + 0xA4u)
#define TIMER_WDT_CONFIG TML_REGISTER(0x3FF5F048u)
#define TIMER_WDT_LOCK TML_REGISTER(0x3FF5F064u)
#define WDT_KEY 0x50D83AA1u
#define FUSES TML_REGISTER(0x3FF5A014u)
#define VOLTAGE_1V25 7u

#define CPU_PERIOD TML_REGISTER(0x3FF0003Cu)
#define CPU_PERIOD_240 2u

#define TIMER_CONFIG TML_REGISTER(0x3FF5F000u)
#define TIMER_LOW TML_REGISTER(0x3FF5F004u)
#define TIMER_HIGH TML_REGISTER(0x3FF5F008u)
#define TIMER_UPDATE TML_REGISTER(0x3FF5F00Cu)
#define TIMER_RUNS_UP ((1u << 31) | (1u << 30))
#define TIMER_DIVIDER(divider) ((divider) << 13)

#define CACHE TML_REGISTER(0x3FF00040u)
#define CACHE_ON (1u << 3)
#define CACHE_FLUSH (1u << 4)
#define CACHE_FLUSHED (1u << 5)
#define CACHE_BUSES TML_REGISTER(0x3FF00044u)
#define CACHE_CONSTANTS_SHUT (1u << 4)
#define CACHE_PAGE(index) TML_REGISTER(0x3FF10000u + 4u * (index))

/* A function of the ROM (esp32.rom.ld of ESP-IDF), and the PLL behind it. */
#define ROM_WRITE_ANALOG 0x400041A4u
#define PLL_BLOCK 0x66u
#define PLL_HOST 4u

#define CRYSTAL_MHZ 40u

static void watchdogs_off(void)
{
	RTC_WDT_LOCK = WDT_KEY;
	RTC_WDT_CONFIG = 0;
	RTC_WDT_LOCK = 0;
	TIMER_WDT_LOCK = WDT_KEY;
	TIMER_WDT_CONFIG = 0;
	TIMER_WDT_LOCK = 0;
}

static void wait_us(uint32_t microseconds, uint32_t mhz)
{
	uint32_t from = tml_cycles();
	while (tml_cycles() - from < microseconds * mhz) {
	}
}

static void write_pll(uint32_t index, uint32_t value)
{
	(void)tml_rom_call(ROM_WRITE_ANALOG, PLL_BLOCK, PLL_HOST, index, value);
}

/* 480 MHz from the crystal of 40 MHz, with the voltage and the analog settings that ESP-IDF uses for it; the core takes
 * half. */
static void clock_start(void)
{
	uint32_t voltage = VOLTAGE_1V25 - ((FUSES >> 22) & 3u);
	RTC_OPTIONS0 &= ~RTC_PLL_OFF;
	write_pll(0, 0x18);
	write_pll(1, 0x20);
	write_pll(4, 0x9A);
	write_pll(10, 0x00);
	write_pll(12, 0x00);
	RTC_VOLTAGE = (RTC_VOLTAGE & ~RTC_VOLTAGE_MASK) | voltage << 11;
	wait_us(3, CRYSTAL_MHZ);
	write_pll(11, 0xC3);
	write_pll(9, 0x74);
	write_pll(2, 0);
	write_pll(3, 28);
	write_pll(5, (3u << 6) | 6u);
	wait_us(160, CRYSTAL_MHZ);
	CPU_PERIOD = CPU_PERIOD_240;
	RTC_CLOCK = (RTC_CLOCK & ~RTC_CLOCK_MASK) | RTC_CLOCK_PLL;
	wait_us(10, TML_CLOCK_HZ / 1000000u);
}

uint64_t tml_chip_coarse(void)
{
	TIMER_UPDATE = 1;
	return (uint64_t)TIMER_HIGH << 32 | TIMER_LOW;
}

uint32_t tml_chip_ticks(void)
{
	return tml_cycles();
}

/* Timers, the UART and the core all run from the PLL, so that a UART that can be read proves the clock. */
uint32_t tml_chip_clock_hz(void)
{
	return TML_CLOCK_HZ;
}

void tml_chip_start(void)
{
	watchdogs_off();
	clock_start();
	TIMER_CONFIG = TIMER_RUNS_UP | TIMER_DIVIDER(2u); /* of 80 MHz */
}

/* The linker script gives constants the address that is their place in flash, so that every page is mapped to itself. */
void tml_chip_map_flash(void)
{
	uintptr_t start = (uintptr_t)tml_mapped_start, end = (uintptr_t)tml_mapped_end;
	if (start == end)
		return;
	CACHE &= ~CACHE_ON;
	for (uint32_t page = (start - TML_MAPPED_FLASH) / TML_FLASH_PAGE;
	     page <= (end - 1u - TML_MAPPED_FLASH) / TML_FLASH_PAGE; page++)
		CACHE_PAGE(page) = page;
	CACHE &= ~CACHE_FLUSH;
	CACHE |= CACHE_FLUSH;
	while (!(CACHE & CACHE_FLUSHED)) {
	}
	CACHE &= ~CACHE_FLUSH;
	CACHE_BUSES &= ~CACHE_CONSTANTS_SHUT;
	CACHE |= CACHE_ON;
}

void tml_main(void)
{
	tml_esp_main();
}

void tml_crashed(uint32_t *registers)
{
	tml_esp_crashed(registers);
}
