/* Pooling over sliding windows of an NHWC tensor; what lies outside of the image does not count. */
#ifndef TML_POOL2D_H
#define TML_POOL2D_H

#include "tml_common.h"

struct tml_pool2d_s8 {
	struct tml_window window;
	int32_t low, high;
};

struct tml_pool2d_f32 {
	struct tml_window window;
	float low, high;
};

/* Sum over count, rounded to the nearest integer, halves away from zero. */
static inline int32_t tml_rounded_quotient(int32_t sum, int32_t count)
{
	return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

TML_KERNEL void tml_average_pool2d_s8(const struct tml_pool2d_s8 *p, const int8_t *x, int8_t *y)
{
	const struct tml_window *w = &p->window;

	for (int32_t image = 0; image < w->batch; image++, x += w->x_height * w->x_width * w->x_depth) {
		for (int32_t row = 0; row < w->y_height; row++) {
			int32_t top = row * w->stride_y - w->pad_top;
			int32_t first_row = tml_max(top, 0);
			int32_t end_row = tml_min(top + w->kernel_height, w->x_height);

			for (int32_t column = 0; column < w->y_width; column++, y += w->y_depth) {
				int32_t left = column * w->stride_x - w->pad_left;
				int32_t first_column = tml_max(left, 0);
				int32_t end_column = tml_min(left + w->kernel_width, w->x_width);
				int32_t count = (end_row - first_row) * (end_column - first_column);

				for (int32_t channel = 0; channel < w->y_depth; channel++) {
					int32_t sum = 0;

					for (int32_t i = first_row; i < end_row; i++)
						for (int32_t j = first_column; j < end_column; j++)
							sum += x[(i * w->x_width + j) * w->x_depth + channel];
					y[channel] = (int8_t)tml_clamp(tml_rounded_quotient(sum, count), p->low, p->high);
				}
			}
		}
	}
}

TML_KERNEL void tml_max_pool2d_s8(const struct tml_pool2d_s8 *p, const int8_t *x, int8_t *y)
{
	const struct tml_window *w = &p->window;

	for (int32_t image = 0; image < w->batch; image++, x += w->x_height * w->x_width * w->x_depth) {
		for (int32_t row = 0; row < w->y_height; row++) {
			int32_t top = row * w->stride_y - w->pad_top;
			int32_t first_row = tml_max(top, 0);
			int32_t end_row = tml_min(top + w->kernel_height, w->x_height);

			for (int32_t column = 0; column < w->y_width; column++, y += w->y_depth) {
				int32_t left = column * w->stride_x - w->pad_left;
				int32_t first_column = tml_max(left, 0);
				int32_t end_column = tml_min(left + w->kernel_width, w->x_width);

				for (int32_t channel = 0; channel < w->y_depth; channel++) {
					int32_t most = -128;

					for (int32_t i = first_row; i < end_row; i++)
						for (int32_t j = first_column; j < end_column; j++)
							most = tml_max(most, x[(i * w->x_width + j) * w->x_depth + channel]);
					y[channel] = (int8_t)tml_clamp(most, p->low, p->high);
				}
			}
		}
	}
}

TML_KERNEL void tml_average_pool2d_f32(const struct tml_pool2d_f32 *p, const float *x, float *y)
{
	const struct tml_window *w = &p->window;

	for (int32_t image = 0; image < w->batch; image++, x += w->x_height * w->x_width * w->x_depth) {
		for (int32_t row = 0; row < w->y_height; row++) {
			int32_t top = row * w->stride_y - w->pad_top;
			int32_t first_row = tml_max(top, 0);
			int32_t end_row = tml_min(top + w->kernel_height, w->x_height);

			for (int32_t column = 0; column < w->y_width; column++, y += w->y_depth) {
				int32_t left = column * w->stride_x - w->pad_left;
				int32_t first_column = tml_max(left, 0);
				int32_t end_column = tml_min(left + w->kernel_width, w->x_width);
				float count = (float)((end_row - first_row) * (end_column - first_column));

				for (int32_t channel = 0; channel < w->y_depth; channel++) {
					float sum = 0.0f;

					for (int32_t i = first_row; i < end_row; i++)
						for (int32_t j = first_column; j < end_column; j++)
							sum += x[(i * w->x_width + j) * w->x_depth + channel];
					sum /= count;
					sum = sum < p->low ? p->low : sum;
					y[channel] = sum > p->high ? p->high : sum;
				}
			}
		}
	}
}

TML_KERNEL void tml_max_pool2d_f32(const struct tml_pool2d_f32 *p, const float *x, float *y)
{
	const struct tml_window *w = &p->window;

	for (int32_t image = 0; image < w->batch; image++, x += w->x_height * w->x_width * w->x_depth) {
		for (int32_t row = 0; row < w->y_height; row++) {
			int32_t top = row * w->stride_y - w->pad_top;
			int32_t first_row = tml_max(top, 0);
			int32_t end_row = tml_min(top + w->kernel_height, w->x_height);

			for (int32_t column = 0; column < w->y_width; column++, y += w->y_depth) {
				int32_t left = column * w->stride_x - w->pad_left;
				int32_t first_column = tml_max(left, 0);
				int32_t end_column = tml_min(left + w->kernel_width, w->x_width);

				for (int32_t channel = 0; channel < w->y_depth; channel++) {
					float most = x[(first_row * w->x_width + first_column) * w->x_depth + channel];

					for (int32_t i = first_row; i < end_row; i++) {
						for (int32_t j = first_column; j < end_column; j++) {
							float value = x[(i * w->x_width + j) * w->x_depth + channel];

							most = value > most ? value : most;
						}
					}
					most = most < p->low ? p->low : most;
					y[channel] = most > p->high ? p->high : most;
				}
			}
		}
	}
}

#endif
