/* Real functions in float32 without a mathematics library, to about two units in the last place. */
#ifndef TML_REAL_H
#define TML_REAL_H

#include <string.h>

#include "tml_common.h"

static inline float tml_clamp_real(float x, float low, float high)
{
	x = x < low ? low : x;
	return x > high ? high : x;
}

static inline float tml_abs_real(float x)
{
	return x < 0.0f ? -x : x;
}

/* exp(x) - 1 for |x| <= 0.36: the series, whose next term is below 1e-8 of the sum. */
static inline float tml_expm1_small(float x)
{
	float sum = 1.0f / 5040.0f;
	sum = sum * x + 1.0f / 720.0f;
	sum = sum * x + 1.0f / 120.0f;
	sum = sum * x + 1.0f / 24.0f;
	sum = sum * x + 1.0f / 6.0f;
	sum = sum * x + 0.5f;
	return sum * x * x + x;
}

/* 2^n as a float, -126 <= n <= 127. */
static inline float tml_power_of_two(int32_t n)
{
	uint32_t bits = (uint32_t)(n + 127) << 23;
	float power;
	memcpy(&power, &bits, sizeof power);
	return power;
}

/* exp(x) = 2^n * exp(r) with |r| <= ln(2) / 2; ln(2) in two parts, so that x - n * ln(2) stays exact. */
static inline float tml_exp(float x)
{
	int32_t n;
	float r;

	if (x > 88.7f)
		return 3.402823466e+38f;
	if (!(x > -87.3f))
		return x <= -87.3f ? 0.0f : x;
	n = (int32_t)(x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f));
	r = x - (float)n * 0.693359375f;
	r += (float)n * 2.12194440e-4f;
	if (n > 127)
		return (1.0f + tml_expm1_small(r)) * 2.0f * tml_power_of_two(127);
	return (1.0f + tml_expm1_small(r)) * tml_power_of_two(n);
}

static inline float tml_expm1(float x)
{
	return tml_abs_real(x) < 0.35f ? tml_expm1_small(x) : tml_exp(x) - 1.0f;
}

static inline float tml_tanh(float x)
{
	float t;

	if (tml_abs_real(x) > 10.0f)
		return x < 0.0f ? -1.0f : 1.0f;
	t = tml_expm1(2.0f * x);
	return t / (t + 2.0f);
}

static inline float tml_logistic(float x)
{
	return 1.0f / (1.0f + tml_exp(-x));
}

/* Newton's method from half the exponent; NaN for negative numbers. */
static inline float tml_sqrt(float x)
{
	uint32_t bits;
	float root;

	if (!(x > 0.0f))
		return x == 0.0f ? x : (x - x) / 0.0f;
	memcpy(&bits, &x, sizeof bits);
	bits = (bits >> 1) + 0x1FBB4F2Eu;
	memcpy(&root, &bits, sizeof root);
	for (int step = 0; step < 3; step++)
		root = 0.5f * (root + x / root);
	return root;
}

#endif
