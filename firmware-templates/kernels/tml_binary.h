/* Element-wise operations on two tensors, broadcast by strides; the result is written in order. */
#ifndef TML_BINARY_H
#define TML_BINARY_H

#include "tml_real.h"

#define TML_BINARY_AXES 4
#define TML_RAISE 20 /* bits by which the operands of a sum are raised */

/* A stride of 0 repeats an operand along an axis. */
struct tml_walk {
	int32_t size[TML_BINARY_AXES], a_stride[TML_BINARY_AXES], b_stride[TML_BINARY_AXES];
};

struct tml_sum_s8 {
	struct tml_walk walk;
	int32_t a_zero, b_zero, y_zero;
	int32_t a_multiplier, a_shift, b_multiplier, b_shift, y_multiplier, y_shift;
	int32_t low, high;
	int32_t block; /* whole blocks of a run are raised in their own way, the rest like a difference */
};

struct tml_product_s8 {
	struct tml_walk walk;
	int32_t a_zero, b_zero, y_zero, multiplier, shift;
	int32_t low, high;
};

struct tml_extreme_s8 {
	struct tml_walk walk;
	int32_t low, high;
};

struct tml_binary_f32 {
	struct tml_walk walk;
	float low, high;
};

/* Runs BODY with pointers a and b and the counter i of the innermost axis, of `run` elements. */
#define TML_WALK(type, p, BODY)                                                                                        \
	do {                                                                                                           \
		const struct tml_walk *w = &(p)->walk;                                                                 \
		const int32_t run = w->size[3];                                                                        \
		for (int32_t i0 = 0; i0 < w->size[0]; i0++)                                                            \
			for (int32_t i1 = 0; i1 < w->size[1]; i1++)                                                    \
				for (int32_t i2 = 0; i2 < w->size[2]; i2++) {                                          \
					const type *a = x0 + i0 * w->a_stride[0] + i1 * w->a_stride[1] + i2 * w->a_stride[2]; \
					const type *b = x1 + i0 * w->b_stride[0] + i1 * w->b_stride[1] + i2 * w->b_stride[2]; \
					BODY                                                                           \
				}                                                                                      \
	} while (0)

/* An operand as scalar code raises it: rounded after the multiplication and after the shift. */
static inline int32_t tml_raise_twice(int32_t x, int32_t multiplier, int32_t shift)
{
	return tml_multiply_away(tml_shift_left(x, TML_RAISE), multiplier, shift);
}

/* An operand as vector code raises it, rounded once. */
static inline int32_t tml_raise_direct(int32_t x, int32_t multiplier, int32_t shift)
{
	int32_t total = TML_RAISE + shift;
	return tml_high_multiply(total >= 0 ? tml_shift_left(x, total) : x >> -total, multiplier);
}

/* An operand as vector code raises it beside a repeated one: the shifted bits are cut off. */
static inline int32_t tml_raise_floored(int32_t x, int32_t multiplier, int32_t shift)
{
	return tml_high_multiply(tml_shift_left(x, TML_RAISE), multiplier) >> -shift;
}

static inline int8_t tml_finish_sum(const struct tml_sum_s8 *p, int32_t sum)
{
	int32_t scaled = tml_multiply_away(sum, p->y_multiplier, p->y_shift);
	return (int8_t)tml_clamp(scaled + p->y_zero, p->low, p->high);
}

#define TML_OPERAND_A(raise, i) raise(a[(i) * w->a_stride[3]] - p->a_zero, p->a_multiplier, p->a_shift)
#define TML_OPERAND_B(raise, i) raise(b[(i) * w->b_stride[3]] - p->b_zero, p->b_multiplier, p->b_shift)

TML_KERNEL void tml_add_s8(const struct tml_sum_s8 *p, const int8_t *x0, const int8_t *x1, int8_t *y)
{
	TML_WALK(int8_t, p, {
		int32_t i = 0;
		for (; i < run - run % p->block; i++)
			*y++ = tml_finish_sum(p, TML_OPERAND_A(tml_raise_direct, i) + TML_OPERAND_B(tml_raise_direct, i));
		for (; i < run; i++)
			*y++ = tml_finish_sum(p, TML_OPERAND_A(tml_raise_twice, i) + TML_OPERAND_B(tml_raise_twice, i));
	});
}

TML_KERNEL void tml_add_floored_s8(const struct tml_sum_s8 *p, const int8_t *x0, const int8_t *x1, int8_t *y)
{
	TML_WALK(int8_t, p, {
		int32_t i = 0;
		for (; i < run - run % p->block; i++)
			*y++ = tml_finish_sum(p, TML_OPERAND_A(tml_raise_floored, i) + TML_OPERAND_B(tml_raise_floored, i));
		for (; i < run; i++)
			*y++ = tml_finish_sum(p, TML_OPERAND_A(tml_raise_twice, i) + TML_OPERAND_B(tml_raise_twice, i));
	});
}

TML_KERNEL void tml_sub_s8(const struct tml_sum_s8 *p, const int8_t *x0, const int8_t *x1, int8_t *y)
{
	TML_WALK(int8_t, p, {
		for (int32_t i = 0; i < run; i++)
			*y++ = tml_finish_sum(p, TML_OPERAND_A(tml_raise_twice, i) - TML_OPERAND_B(tml_raise_twice, i));
	});
}

TML_KERNEL void tml_mul_s8(const struct tml_product_s8 *p, const int8_t *x0, const int8_t *x1, int8_t *y)
{
	TML_WALK(int8_t, p, {
		for (int32_t i = 0; i < run; i++) {
			int32_t product = (a[i * w->a_stride[3]] - p->a_zero) * (b[i * w->b_stride[3]] - p->b_zero);
			int32_t scaled = tml_multiply_away(product, p->multiplier, p->shift);
			*y++ = (int8_t)tml_clamp(scaled + p->y_zero, p->low, p->high);
		}
	});
}

TML_KERNEL void tml_minimum_s8(const struct tml_extreme_s8 *p, const int8_t *x0, const int8_t *x1, int8_t *y)
{
	TML_WALK(int8_t, p, {
		for (int32_t i = 0; i < run; i++)
			*y++ = (int8_t)tml_clamp(tml_min(a[i * w->a_stride[3]], b[i * w->b_stride[3]]), p->low, p->high);
	});
}

TML_KERNEL void tml_maximum_s8(const struct tml_extreme_s8 *p, const int8_t *x0, const int8_t *x1, int8_t *y)
{
	TML_WALK(int8_t, p, {
		for (int32_t i = 0; i < run; i++)
			*y++ = (int8_t)tml_clamp(tml_max(a[i * w->a_stride[3]], b[i * w->b_stride[3]]), p->low, p->high);
	});
}

#define TML_BINARY_F32(name, result)                                                                                   \
	TML_KERNEL void tml_##name##_f32(const struct tml_binary_f32 *p, const float *x0, const float *x1, float *y)   \
	{                                                                                                              \
		TML_WALK(float, p, {                                                                                   \
			for (int32_t i = 0; i < run; i++) {                                                            \
				float left = a[i * w->a_stride[3]];                                                    \
				float right = b[i * w->b_stride[3]];                                                   \
				*y++ = tml_clamp_real(result, p->low, p->high);                                        \
			}                                                                                              \
		});                                                                                                    \
	}

TML_BINARY_F32(add, left + right)
TML_BINARY_F32(sub, left - right)
TML_BINARY_F32(mul, left *right)
TML_BINARY_F32(div, left / right)
TML_BINARY_F32(minimum, left < right ? left : right)
TML_BINARY_F32(maximum, left > right ? left : right)

#undef TML_BINARY_F32

#endif
