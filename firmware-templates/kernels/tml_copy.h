/* Moving elements: transposes, slices, paddings and concatenations are copies of boxes. */
#ifndef TML_COPY_H
#define TML_COPY_H

#include <string.h>

#include "tml_common.h"

#define TML_COPY_AXES 5

/* Runs of `run` bytes; sizes in runs, strides and offsets in bytes. */
struct tml_copy_box {
	int32_t size[TML_COPY_AXES], x_stride[TML_COPY_AXES], y_stride[TML_COPY_AXES];
	int32_t x_offset, y_offset, run;
};

struct tml_fill_s8 {
	int32_t count, value;
};

struct tml_fill_f32 {
	int32_t count;
	float value;
};

TML_KERNEL void tml_copy_box(const struct tml_copy_box *p, const void *x, void *y)
{
	const int32_t *n = p->size, *xs = p->x_stride, *ys = p->y_stride;
	const uint8_t *source = (const uint8_t *)x + p->x_offset;
	uint8_t *target = (uint8_t *)y + p->y_offset;

	for (int32_t a = 0; a < n[0]; a++)
		for (int32_t b = 0; b < n[1]; b++)
			for (int32_t c = 0; c < n[2]; c++)
				for (int32_t d = 0; d < n[3]; d++) {
					const uint8_t *from = source + a * xs[0] + b * xs[1] + c * xs[2] + d * xs[3];
					uint8_t *to = target + a * ys[0] + b * ys[1] + c * ys[2] + d * ys[3];

					for (int32_t e = 0; e < n[4]; e++, from += xs[4], to += ys[4])
						memcpy(to, from, (uint32_t)p->run);
				}
}

TML_KERNEL void tml_fill_s8(const struct tml_fill_s8 *p, int8_t *y)
{
	memset(y, p->value, (uint32_t)p->count);
}

TML_KERNEL void tml_fill_f32(const struct tml_fill_f32 *p, float *y)
{
	for (int32_t i = 0; i < p->count; i++)
		y[i] = p->value;
}

#endif
