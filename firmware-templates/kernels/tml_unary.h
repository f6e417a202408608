/* Element-wise functions of one float tensor; the result may take the input's place. */
#ifndef TML_UNARY_H
#define TML_UNARY_H

#include "tml_real.h"

struct tml_unary_f32 {
	int32_t count;
};

struct tml_clamp_f32 {
	int32_t count;
	float low, high;
};

struct tml_leaky_relu_f32 {
	int32_t count;
	float alpha;
};

#define TML_UNARY(name, result)                                                                                        \
	TML_KERNEL void tml_##name##_f32(const struct tml_unary_f32 *p, const float *x, float *y)                      \
	{                                                                                                              \
		for (int32_t i = 0; i < p->count; i++) {                                                               \
			float value = x[i];                                                                            \
			y[i] = result;                                                                                 \
		}                                                                                                      \
	}

TML_UNARY(abs, tml_abs_real(value))
TML_UNARY(neg, -value)
TML_UNARY(sqrt, tml_sqrt(value))
TML_UNARY(exp, tml_exp(value))
TML_UNARY(tanh, tml_tanh(value))
TML_UNARY(logistic, tml_logistic(value))
TML_UNARY(elu, value < 0.0f ? tml_expm1(value) : value)
TML_UNARY(hard_swish, value *tml_clamp_real(value + 3.0f, 0.0f, 6.0f) / 6.0f)

#undef TML_UNARY

TML_KERNEL void tml_clamp_f32(const struct tml_clamp_f32 *p, const float *x, float *y)
{
	for (int32_t i = 0; i < p->count; i++)
		y[i] = tml_clamp_real(x[i], p->low, p->high);
}

TML_KERNEL void tml_leaky_relu_f32(const struct tml_leaky_relu_f32 *p, const float *x, float *y)
{
	for (int32_t i = 0; i < p->count; i++)
		y[i] = x[i] < 0.0f ? x[i] * p->alpha : x[i];
}

#endif
