/* Pooling of int8 tensors for Cortex-M with DSP extension, four channels at a time; their number is a multiple of 4.
 * What lies outside of the image does not count. */
#ifndef TML_CM_POOL2D_H
#define TML_CM_POOL2D_H

#include <string.h>

#include "tml_common.h"

struct tml_cm_pool2d_s8 {
	struct tml_window window;
	int32_t low, high;
};

/* Runs BODY with `from` at the first pixel of each window, of `rows` and `columns`, for each group of four channels at c;
 * a row of the image has `line` bytes. */
#define TML_CM_POOL(p, BODY)                                                                                           \
	do {                                                                                                           \
		const struct tml_window *w = &(p)->window;                                                             \
		const int32_t line = w->x_width * w->x_depth;                                                          \
		for (int32_t image = 0; image < w->batch; image++, x += w->x_height * line)                            \
			for (int32_t i = 0; i < w->y_height; i++)                                                      \
				for (int32_t j = 0; j < w->y_width; j++, y += w->y_depth) {                            \
					const int32_t top = i * w->stride_y - w->pad_top;                              \
					const int32_t left = j * w->stride_x - w->pad_left;                            \
					const int32_t first_row = tml_max(top, 0), first_column = tml_max(left, 0);    \
					const int32_t rows = tml_min(top + w->kernel_height, w->x_height) - first_row; \
					const int32_t columns = tml_min(left + w->kernel_width, w->x_width) - first_column; \
					const int8_t *window = x + first_row * line + first_column * w->x_depth;       \
					for (int32_t c = 0; c < w->x_depth; c += 4) {                                  \
						const int8_t *from = window + c;                                       \
						BODY                                                                   \
					}                                                                              \
				}                                                                                      \
	} while (0)

TML_KERNEL int32_t tml_cm_quotient(const struct tml_cm_pool2d_s8 *p, int32_t sum, int32_t count)
{
	int32_t half = count / 2;

	return tml_clamp((sum > 0 ? sum + half : sum - half) / count, p->low, p->high);
}

/* Sums of 16 bits: a window has at most 255 pixels. */
TML_KERNEL void tml_cm_average_pool2d_s8(const struct tml_cm_pool2d_s8 *p, const int8_t *x, int8_t *y)
{
	TML_CM_POOL(p, {
		uint32_t even = 0;
		uint32_t odd = 0;

		for (int32_t row = 0; row < rows; row++, from += line) {
			const int8_t *pixel = from;

			for (int32_t k = columns; k > 0; k--, pixel += w->x_depth) {
				uint32_t values;

				memcpy(&values, pixel, 4);
				__asm__("sxtab16 %0, %0, %1" : "+r"(even) : "r"(values));
				__asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(odd) : "r"(values));
			}
		}
		y[c] = (int8_t)tml_cm_quotient(p, (int16_t)even, rows * columns);
		y[c + 1] = (int8_t)tml_cm_quotient(p, (int16_t)odd, rows * columns);
		y[c + 2] = (int8_t)tml_cm_quotient(p, (int32_t)even >> 16, rows * columns);
		y[c + 3] = (int8_t)tml_cm_quotient(p, (int32_t)odd >> 16, rows * columns);
	});
}

/* SSUB8 sets a flag for each byte that is not less, by which SEL picks. */
TML_KERNEL void tml_cm_max_pool2d_s8(const struct tml_cm_pool2d_s8 *p, const int8_t *x, int8_t *y)
{
	TML_CM_POOL(p, {
		uint32_t most = 0x80808080u;

		for (int32_t row = 0; row < rows; row++, from += line) {
			const int8_t *pixel = from;

			for (int32_t k = columns; k > 0; k--, pixel += w->x_depth) {
				uint32_t values;
				uint32_t difference;

				memcpy(&values, pixel, 4);
				__asm__("ssub8 %1, %0, %2\n\tsel %0, %0, %2"
					: "+r"(most), "=&r"(difference)
					: "r"(values)
					: "cc");
			}
		}
		if (p->low == -128 && p->high == 127) {
			memcpy(y + c, &most, 4);
		} else {
			for (int32_t k = 0; k < 4; k++)
				y[c + k] = (int8_t)tml_clamp((int8_t)(most >> (8 * k)), p->low, p->high);
		}
	});
}

#endif
