/* Softmax over the last axis. */
#ifndef TML_SOFTMAX_H
#define TML_SOFTMAX_H

#include "tml_real.h"

struct tml_softmax_f32 {
	int32_t rows, depth;
	float beta;
};

struct tml_softmax_s8 {
	int32_t rows, depth, y_zero;
	float y_scale;
};

/* exponentials[d] = exp(-scale * beta * d) for a value d below the row's maximum. Sums, products and a division in
 * float32 only: no product is added to anything, so fused multiply-add changes nothing. */
TML_KERNEL void tml_softmax_s8(const struct tml_softmax_s8 *p, const int8_t *x, const float *exponentials, int8_t *y)
{
	for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += p->depth) {
		int32_t most = -128;
		float sum = 0.0f;
		float inverse;

		for (int32_t i = 0; i < p->depth; i++)
			most = tml_max(most, x[i]);
		for (int32_t i = 0; i < p->depth; i++)
			sum += exponentials[most - x[i]];
		inverse = 1.0f / (sum * p->y_scale);
		for (int32_t i = 0; i < p->depth; i++) {
			float share = exponentials[most - x[i]] * inverse;
			int32_t whole = (int32_t)share;

			if (share - (float)whole >= 0.5f)
				whole++;
			y[i] = (int8_t)tml_clamp(whole + p->y_zero, -128, 127);
		}
	}
}

TML_KERNEL void tml_softmax_f32(const struct tml_softmax_f32 *p, const float *x, float *y)
{
	for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += p->depth) {
		float most = x[0];
		float sum = 0.0f;

		for (int32_t i = 1; i < p->depth; i++)
			most = x[i] > most ? x[i] : most;
		for (int32_t i = 0; i < p->depth; i++) {
			y[i] = tml_exp((x[i] - most) * p->beta);
			sum += y[i];
		}
		for (int32_t i = 0; i < p->depth; i++)
			y[i] /= sum;
	}
}

#endif
