/* Between real numbers and int8. */
#ifndef TML_QUANTIZE_H
#define TML_QUANTIZE_H

#include "tml_common.h"

struct tml_quantize_s8 {
	int32_t count, zero;
	float scale;
};

struct tml_dequantize_s8 {
	int32_t from, count, zero;
	float scale;
};

/* real / scale to the nearest integer, halves away from zero, plus the zero point; NaN becomes the zero point. */
static inline int8_t tml_quantize_real(float real, float scale, int32_t zero)
{
	float quotient = real / scale;
	int32_t whole;
	float rest;

	if (!(quotient >= -512.0f))
		return quotient < -512.0f ? (int8_t)-128 : (int8_t)zero;
	if (quotient > 512.0f)
		return 127;
	whole = (int32_t)quotient;
	rest = quotient - (float)whole;
	if (rest >= 0.5f)
		whole++;
	else if (rest <= -0.5f)
		whole--;
	return (int8_t)tml_clamp(whole + zero, -128, 127);
}

TML_KERNEL void tml_quantize_s8(const struct tml_quantize_s8 *p, const float *x, int8_t *y)
{
	for (int32_t i = 0; i < p->count; i++)
		y[i] = tml_quantize_real(x[i], p->scale, p->zero);
}

TML_KERNEL void tml_dequantize_s8(const struct tml_dequantize_s8 *p, const int8_t *x, float *y)
{
	for (int32_t i = p->from; i < p->from + p->count; i++)
		y[i] = p->scale * (float)(x[i] - p->zero);
}

#endif
