/* Convolution and matrix product with weights of 4 bits, two in a byte, the first in the low half. */
#ifndef TML_PACKED_H
#define TML_PACKED_H

#include "tml_conv2d.h"
#include "tml_fully_connected.h"

/* Weight number i. */
static inline int32_t tml_nibble(const uint8_t *weights, int32_t i)
{
	int32_t half = (weights[i >> 1] >> ((i & 1) * 4)) & 15;

	return (half ^ 8) - 8;
}

TML_KERNEL void tml_conv2d_s4(const struct tml_conv2d_s8 *p, const int8_t *x, const uint8_t *weights,
			      const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *y)
{
	const struct tml_window *w = &p->window;

	for (int32_t image = 0; image < w->batch; image++, x += w->x_height * w->x_width * w->x_depth) {
		for (int32_t row = 0; row < w->y_height; row++) {
			int32_t top = row * w->stride_y - w->pad_top;
			int32_t first_row = tml_first_tap(top, w->dilation_y);
			int32_t end_row = tml_end_tap(top, w->kernel_height, w->dilation_y, w->x_height);

			for (int32_t column = 0; column < w->y_width; column++, y += w->y_depth) {
				int32_t left = column * w->stride_x - w->pad_left;
				int32_t first_column = tml_first_tap(left, w->dilation_x);
				int32_t end_column = tml_end_tap(left, w->kernel_width, w->dilation_x, w->x_width);

				for (int32_t channel = 0; channel < w->y_depth; channel++) {
					int32_t filter = channel * w->kernel_height * w->kernel_width * w->x_depth;
					int32_t sum = 0;

					for (int32_t i = first_row; i < end_row; i++) {
						const int8_t *from = x + ((top + i * w->dilation_y) * w->x_width + left) * w->x_depth;

						for (int32_t j = first_column; j < end_column; j++) {
							const int8_t *pixel = from + j * w->dilation_x * w->x_depth;
							int32_t tap = filter + (i * w->kernel_width + j) * w->x_depth;

							for (int32_t k = 0; k < w->x_depth; k++)
								sum += (pixel[k] - p->x_zero) * tml_nibble(weights, tap + k);
						}
					}
					sum = tml_add_wrap(sum, bias[channel]);
					sum = channel < p->half_up ? tml_multiply_up(sum, multiplier[channel], shift[channel])
								   : tml_multiply_away(sum, multiplier[channel], shift[channel]);
					y[channel] = (int8_t)tml_clamp(sum + p->y_zero, p->low, p->high);
				}
			}
		}
	}
}

TML_KERNEL void tml_fully_connected_s4(const struct tml_fully_connected_s8 *p, const int8_t *x,
				       const uint8_t *weights, const int32_t *bias, const int32_t *multiplier,
				       const int8_t *shift, int8_t *y)
{
	for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += p->units) {
		for (int32_t unit = 0; unit < p->units; unit++) {
			int32_t sum = 0;

			for (int32_t k = 0; k < p->depth; k++)
				sum += (x[k] - p->x_zero) * tml_nibble(weights, unit * p->depth + k);
			sum = tml_add_wrap(sum, bias[unit]);
			sum = unit < p->half_up ? tml_multiply_up(sum, multiplier[unit], shift[unit])
						: tml_multiply_away(sum, multiplier[unit], shift[unit]);
			y[unit] = (int8_t)tml_clamp(sum + p->y_zero, p->low, p->high);
		}
	}
}

#endif
