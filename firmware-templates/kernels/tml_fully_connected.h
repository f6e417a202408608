/* Matrix product with constant weights [units, depth]. */
#ifndef TML_FULLY_CONNECTED_H
#define TML_FULLY_CONNECTED_H

#include "tml_common.h"

struct tml_fully_connected_s8 {
	int32_t rows, depth, units;
	int32_t x_zero; /* 0 where the generator has folded it into the bias */
	int32_t y_zero, low, high;
	int32_t half_up; /* units below this one round halves up, the others away from zero */
};

struct tml_fully_connected_f32 {
	int32_t rows, depth, units;
	float low, high;
};

TML_KERNEL void tml_fully_connected_s8(const struct tml_fully_connected_s8 *p, const int8_t *x, const int8_t *weights,
				       const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *y)
{
	for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += p->units) {
		const int8_t *w = weights;

		for (int32_t unit = 0; unit < p->units; unit++, w += p->depth) {
			int32_t sum = 0;

			for (int32_t k = 0; k < p->depth; k++)
				sum += (x[k] - p->x_zero) * w[k];
			sum = tml_add_wrap(sum, bias[unit]);
			sum = unit < p->half_up ? tml_multiply_up(sum, multiplier[unit], shift[unit])
						: tml_multiply_away(sum, multiplier[unit], shift[unit]);
			y[unit] = (int8_t)tml_clamp(sum + p->y_zero, p->low, p->high);
		}
	}
}

TML_KERNEL void tml_fully_connected_f32(const struct tml_fully_connected_f32 *p, const float *x, const float *weights,
					const float *bias, float *y)
{
	for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += p->units) {
		const float *w = weights;

		for (int32_t unit = 0; unit < p->units; unit++, w += p->depth) {
			float sum = bias[unit];

			for (int32_t k = 0; k < p->depth; k++)
				sum += x[k] * w[k];
			sum = sum < p->low ? p->low : sum;
			y[unit] = sum > p->high ? p->high : sum;
		}
	}
}

#endif
