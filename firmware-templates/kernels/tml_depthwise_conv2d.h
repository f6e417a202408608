/* Depthwise convolution, NHWC input, weights [kernel height, kernel width, y_depth]; result channel c reads input
 * channel c / (y_depth / x_depth). */
#ifndef TML_DEPTHWISE_CONV2D_H
#define TML_DEPTHWISE_CONV2D_H

#include "tml_common.h"

struct tml_depthwise_conv2d_s8 {
	struct tml_window window;
	int32_t x_zero; /* 0 where the generator has folded it into the bias */
	int32_t y_zero, low, high;
	int32_t half_up; /* channels below this one round halves up, the others away from zero */
};

struct tml_depthwise_conv2d_f32 {
	struct tml_window window;
	float low, high;
};

/* Outside of the image there is the zero point, which counts for nothing. */
TML_KERNEL void tml_depthwise_conv2d_s8(const struct tml_depthwise_conv2d_s8 *p, const int8_t *x,
					const int8_t *weights, const int32_t *bias, const int32_t *multiplier,
					const int8_t *shift, int8_t *y)
{
	const struct tml_window *w = &p->window;
	int32_t fan = w->y_depth / w->x_depth;

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
					const int8_t *from = x + (top * w->x_width + left) * w->x_depth + channel / fan;
					int32_t sum = 0;

					for (int32_t i = first_row; i < end_row; i++)
						for (int32_t j = first_column; j < end_column; j++)
							sum += (from[(i * w->dilation_y * w->x_width + j * w->dilation_x) * w->x_depth] -
								p->x_zero) *
							       weights[(i * w->kernel_width + j) * w->y_depth + channel];
					sum = tml_add_wrap(sum, bias[channel]);
					sum = channel < p->half_up ? tml_multiply_up(sum, multiplier[channel], shift[channel])
								   : tml_multiply_away(sum, multiplier[channel], shift[channel]);
					y[channel] = (int8_t)tml_clamp(sum + p->y_zero, p->low, p->high);
				}
			}
		}
	}
}

TML_KERNEL void tml_depthwise_conv2d_f32(const struct tml_depthwise_conv2d_f32 *p, const float *x, const float *weights,
					 const float *bias, float *y)
{
	const struct tml_window *w = &p->window;
	int32_t fan = w->y_depth / w->x_depth;

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
					const float *from = x + (top * w->x_width + left) * w->x_depth + channel / fan;
					float sum = bias[channel];

					for (int32_t i = first_row; i < end_row; i++)
						for (int32_t j = first_column; j < end_column; j++)
							sum += from[(i * w->dilation_y * w->x_width + j * w->dilation_x) * w->x_depth] *
							       weights[(i * w->kernel_width + j) * w->y_depth + channel];
					sum = sum < p->low ? p->low : sum;
					y[channel] = sum > p->high ? p->high : sum;
				}
			}
		}
	}
}

#endif
