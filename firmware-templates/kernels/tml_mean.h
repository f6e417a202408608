/* Mean over axes: for each position of the kept axes, the sum over the reduced ones. */
#ifndef TML_MEAN_H
#define TML_MEAN_H

#include "tml_common.h"

#define TML_MEAN_AXES 3

struct tml_mean_s8 {
	int32_t size[TML_MEAN_AXES], stride[TML_MEAN_AXES];
	int32_t reduced_size[TML_MEAN_AXES], reduced_stride[TML_MEAN_AXES];
	int32_t offset, multiplier, shift, y_zero;
	int32_t half_up; /* results below this one round halves up, the others away from zero */
};

struct tml_mean_f32 {
	int32_t size[TML_MEAN_AXES], stride[TML_MEAN_AXES];
	int32_t reduced_size[TML_MEAN_AXES], reduced_stride[TML_MEAN_AXES];
};

TML_KERNEL void tml_mean_s8(const struct tml_mean_s8 *p, const int8_t *x, int8_t *y)
{
	const int32_t *n = p->size, *s = p->stride, *rn = p->reduced_size, *rs = p->reduced_stride;
	int32_t result = 0;

	for (int32_t a = 0; a < n[0]; a++)
		for (int32_t b = 0; b < n[1]; b++)
			for (int32_t c = 0; c < n[2]; c++, result++) {
				const int8_t *from = x + a * s[0] + b * s[1] + c * s[2];
				int32_t sum = 0;

				for (int32_t i = 0; i < rn[0]; i++)
					for (int32_t j = 0; j < rn[1]; j++)
						for (int32_t k = 0; k < rn[2]; k++)
							sum += from[i * rs[0] + j * rs[1] + k * rs[2]];
				sum -= p->offset;
				sum = result < p->half_up ? tml_multiply_up(sum, p->multiplier, p->shift)
							  : tml_multiply_away(sum, p->multiplier, p->shift);
				y[result] = (int8_t)tml_clamp(sum + p->y_zero, -128, 127);
			}
}

TML_KERNEL void tml_mean_f32(const struct tml_mean_f32 *p, const float *x, float *y)
{
	const int32_t *n = p->size, *s = p->stride, *rn = p->reduced_size, *rs = p->reduced_stride;
	int32_t result = 0;

	for (int32_t a = 0; a < n[0]; a++)
		for (int32_t b = 0; b < n[1]; b++)
			for (int32_t c = 0; c < n[2]; c++, result++) {
				const float *from = x + a * s[0] + b * s[1] + c * s[2];
				float sum = 0.0f;

				for (int32_t i = 0; i < rn[0]; i++)
					for (int32_t j = 0; j < rn[1]; j++)
						for (int32_t k = 0; k < rn[2]; k++)
							sum += from[i * rs[0] + j * rs[1] + k * rs[2]];
				y[result] = sum / (float)(rn[0] * rn[1] * rn[2]);
			}
}

#endif
