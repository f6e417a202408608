/* ADC1 of an STM32F4, one conversion at a time (RM0090 chapter 13; RM0368, RM0383 and RM0390 agree). */
#include "tml_config.h"
#include "tml_cortex_m.h"
#include "tml_sample.h"

#ifdef TML_ADC_F4

#define RCC 0x40023800u
#define RCC_AHB1ENR TML_REGISTER(RCC + 0x30u)
#define RCC_APB2ENR TML_REGISTER(RCC + 0x44u)
#define RCC_APB2ENR_ADC1 (1u << 8)
#define GPIO_MODER(port) TML_REGISTER(0x40020000u + 0x400u * (port))
#define GPIO_ANALOG 3u

#define ADC1 0x40012000u
#define ADC_SR TML_REGISTER(ADC1 + 0x00u)
#define ADC_SR_EOC (1u << 1)
#define ADC_CR2 TML_REGISTER(ADC1 + 0x08u)
#define ADC_CR2_ADON (1u << 0)
#define ADC_CR2_SWSTART (1u << 30)
#define ADC_SMPR1 TML_REGISTER(ADC1 + 0x0Cu)
#define ADC_SMPR2 TML_REGISTER(ADC1 + 0x10u)
#define ADC_SQR1 TML_REGISTER(ADC1 + 0x2Cu)
#define ADC_SQR3 TML_REGISTER(ADC1 + 0x34u)
#define ADC_DR TML_REGISTER(ADC1 + 0x4Cu)
#define ADC_CCR TML_REGISTER(ADC1 + 0x304u)
#define ADC_CCR_DIVIDE_BY_4 (1u << 16)
#define ADC_CCR_INTERNAL (1u << 23) /* temperature and reference voltage */

#define PINS 16u /* channels 0 to 15 are pins, 16 to 18 inside the chip */
#define CHANNELS 19u
#define SAMPLE_84_CYCLES 0x04924924u /* 4 in each field of three bits */
#define START_LOOPS 1000u /* 3 us are asked for after power-on */
#define WAIT_LOOPS 100000u

/* Datasheets of all four: channels 0 to 7 on PA0 to PA7, 8 and 9 on PB0 and PB1, 10 to 15 on PC0 to PC5. */
static void place_of(uint8_t channel, uint32_t *port, uint32_t *pin)
{
	*port = channel < 8u ? 0u : channel < 10u ? 1u : 2u;
	*pin = channel < 8u ? channel : channel < 10u ? channel - 8u : channel - 10u;
}

/* The wires to the host are not for measuring. */
static int is_taken(uint32_t port, uint32_t pin)
{
	return (port == TML_UART_TX_PORT && pin == TML_UART_TX_PIN) || (port == TML_UART_RX_PORT && pin == TML_UART_RX_PIN);
}

static int pin_start(uint8_t channel)
{
	uint32_t port, pin;
	place_of(channel, &port, &pin);
	if (is_taken(port, pin))
		return -1;
	RCC_AHB1ENR |= 1u << port;
	(void)RCC_AHB1ENR;
	GPIO_MODER(port) |= GPIO_ANALOG << (2u * pin);
	return 0;
}

int tml_port_sensor_start(uint8_t source, const uint8_t *channels, uint32_t count)
{
	if (source != TML_SOURCE_ADC)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		if (channels[i] >= CHANNELS || (channels[i] < PINS && pin_start(channels[i]) != 0))
			return -1;
	}
	RCC_APB2ENR |= RCC_APB2ENR_ADC1;
	(void)RCC_APB2ENR;
	ADC_CCR = ADC_CCR_DIVIDE_BY_4 | ADC_CCR_INTERNAL;
	ADC_SMPR1 = SAMPLE_84_CYCLES;
	ADC_SMPR2 = SAMPLE_84_CYCLES;
	ADC_SQR1 = 0; /* one conversion */
	ADC_CR2 = ADC_CR2_ADON;
	for (volatile uint32_t i = 0; i < START_LOOPS; i++) {
	}
	return 0;
}

int16_t tml_port_sensor_read(uint8_t source, uint8_t channel)
{
	(void)source;
	ADC_SQR3 = channel;
	ADC_CR2 |= ADC_CR2_SWSTART;
#if TML_TICK != TML_TICK_INSTRUCTION /* an emulator has the value at once, and says nothing about it */
	for (uint32_t i = 0; i < WAIT_LOOPS && !(ADC_SR & ADC_SR_EOC); i++) {
	}
#endif
	return (int16_t)(ADC_DR & 0xFFFu);
}

#else

/* The ADCs of the other lines are not known here: they have the synthetic sources only. */
typedef int tml_no_adc;

#endif
