/* Pooling of int8 tensors for Cortex-M with DSP extension, four channels at a time. What lies outside of the image does
 * not count. */
#ifndef TML_CM_POOL2D_H
#define TML_CM_POOL2D_H

#include <string.h>

#include "tml_common.h"

struct tml_cm_pool2d_s8 {
	struct tml_window window;
	int32_t low, high;
};

/* The part of a window that lies inside the image; `line` bytes lie between its rows, `depth` between its pixels. */
struct tml_cm_box {
	const int8_t *from;
	int32_t rows, columns, line, depth;
};

typedef void tml_cm_reduce(const struct tml_cm_pool2d_s8 *p, const struct tml_cm_box *box, int8_t *y);

/* Reduces every window, with `four` for groups of four channels and with `one` for those that are left over. */
TML_KERNEL void tml_cm_pool(const struct tml_cm_pool2d_s8 *p, const int8_t *x, tml_cm_reduce *four, tml_cm_reduce *one,
			    int8_t *y)
{
	const struct tml_window *w = &p->window;
	struct tml_cm_box box = {0, 0, 0, w->x_width * w->x_depth, w->x_depth};

	for (int32_t image = 0; image < w->batch; image++, x += w->x_height * box.line) {
		for (int32_t i = 0; i < w->y_height; i++) {
			const int32_t top = i * w->stride_y - w->pad_top, first_row = tml_max(top, 0);

			box.rows = tml_min(top + w->kernel_height, w->x_height) - first_row;
			for (int32_t j = 0; j < w->y_width; j++, y += w->x_depth) {
				const int32_t left = j * w->stride_x - w->pad_left, first_column = tml_max(left, 0);
				int32_t c = 0;

				box.columns = tml_min(left + w->kernel_width, w->x_width) - first_column;
				box.from = x + first_row * box.line + first_column * w->x_depth;
				for (; c < w->x_depth / 4 * 4; c += 4, box.from += 4)
					four(p, &box, y + c);
				for (; c < w->x_depth; c++, box.from++)
					one(p, &box, y + c);
			}
		}
	}
}

/* Sum over count, rounded to the nearest integer, halves away from zero. */
TML_KERNEL int8_t tml_cm_quotient(const struct tml_cm_pool2d_s8 *p, int32_t sum, int32_t count)
{
	int32_t half = count / 2;

	return (int8_t)tml_clamp((sum > 0 ? sum + half : sum - half) / count, p->low, p->high);
}

/* Sums of 16 bits: a window has at most 255 pixels. */
TML_KERNEL void tml_cm_average4(const struct tml_cm_pool2d_s8 *p, const struct tml_cm_box *box, int8_t *y)
{
	const int32_t count = box->rows * box->columns;
	uint32_t even = 0, odd = 0;

	for (int32_t i = 0; i < box->rows; i++) {
		const int8_t *pixel = box->from + i * box->line;

		for (int32_t j = box->columns; j > 0; j--, pixel += box->depth) {
			uint32_t values;

			memcpy(&values, pixel, 4);
			__asm__("sxtab16 %0, %0, %1" : "+r"(even) : "r"(values));
			__asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(odd) : "r"(values));
		}
	}
	y[0] = tml_cm_quotient(p, (int16_t)even, count);
	y[1] = tml_cm_quotient(p, (int16_t)odd, count);
	y[2] = tml_cm_quotient(p, (int32_t)even >> 16, count);
	y[3] = tml_cm_quotient(p, (int32_t)odd >> 16, count);
}

TML_KERNEL void tml_cm_average1(const struct tml_cm_pool2d_s8 *p, const struct tml_cm_box *box, int8_t *y)
{
	int32_t sum = 0;

	for (int32_t i = 0; i < box->rows; i++)
		for (int32_t j = 0; j < box->columns; j++)
			sum += box->from[i * box->line + j * box->depth];
	*y = tml_cm_quotient(p, sum, box->rows * box->columns);
}

TML_KERNEL void tml_cm_average_pool2d_s8(const struct tml_cm_pool2d_s8 *p, const int8_t *x, int8_t *y)
{
	tml_cm_pool(p, x, tml_cm_average4, tml_cm_average1, y);
}

/* SSUB8 sets a flag for each byte that is not less, by which SEL picks. */
TML_KERNEL void tml_cm_most4(const struct tml_cm_pool2d_s8 *p, const struct tml_cm_box *box, int8_t *y)
{
	uint32_t most = 0x80808080u;

	for (int32_t i = 0; i < box->rows; i++) {
		const int8_t *pixel = box->from + i * box->line;

		for (int32_t j = box->columns; j > 0; j--, pixel += box->depth) {
			uint32_t values, difference;

			memcpy(&values, pixel, 4);
			__asm__("ssub8 %1, %0, %2\n\tsel %0, %0, %2" : "+r"(most), "=&r"(difference) : "r"(values) : "cc");
		}
	}
	if (p->low == -128 && p->high == 127)
		memcpy(y, &most, 4);
	else
		for (int32_t k = 0; k < 4; k++, most >>= 8)
			y[k] = (int8_t)tml_clamp((int8_t)most, p->low, p->high);
}

TML_KERNEL void tml_cm_most1(const struct tml_cm_pool2d_s8 *p, const struct tml_cm_box *box, int8_t *y)
{
	int32_t most = -128;

	for (int32_t i = 0; i < box->rows; i++)
		for (int32_t j = 0; j < box->columns; j++)
			most = tml_max(most, box->from[i * box->line + j * box->depth]);
	*y = (int8_t)tml_clamp(most, p->low, p->high);
}

TML_KERNEL void tml_cm_max_pool2d_s8(const struct tml_cm_pool2d_s8 *p, const int8_t *x, int8_t *y)
{
	tml_cm_pool(p, x, tml_cm_most4, tml_cm_most1, y);
}

#endif
