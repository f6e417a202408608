/* Kernels on 16-bit activations with 8-bit weights (TensorFlow Lite's 16x8 scheme). Zero points are 0. */
#ifndef TML_WIDE_H
#define TML_WIDE_H

#include "tml_binary.h"
#include "tml_mean.h"
#include "tml_pool2d.h"

#define TML_RAISE_S16 15 /* bits by which the operands of a sum are raised */

struct tml_conv2d_s16 {
	struct tml_window window;
	int32_t low, high;
};

struct tml_fully_connected_s16 {
	int32_t rows, depth, units, low, high;
};

struct tml_sum_s16 {
	struct tml_walk walk;
	int32_t a_multiplier, a_shift, b_multiplier, b_shift, y_multiplier, y_shift;
	int32_t low, high;
};

/* For x >= 0 multiplier and shift, below 0 `negative` and its shift. */
struct tml_rescale_s16 {
	int32_t count, multiplier, shift, low, high, negative, negative_shift;
};

struct tml_softmax_s16 {
	int32_t rows, depth, multiplier, shift;
};

struct tml_quantize_s16 {
	int32_t count;
	float scale;
};

/* From one integer type to another or to another scale. */
struct tml_requantize {
	int32_t count, x_zero, y_zero, multiplier, shift;
};

/* x * multiplier * 2^(shift - 31) of a sum of up to 48 bits: the multiplier cut to 15 bits, rounded once. */
static inline int32_t tml_multiply_wide(int64_t x, int32_t multiplier, int32_t shift)
{
	int32_t reduced = multiplier < 0x7fff0000 ? (multiplier + 0x8000) >> 16 : 0x7fff;
	int32_t total = 15 - shift;

	return (int32_t)((x * reduced + ((int64_t)1 << (total - 1))) >> total);
}

/* The same with all 31 bits of the multiplier, in two halves, so that sums of 46 bits stay exact. */
static inline int32_t tml_multiply_wide_exactly(int64_t x, int32_t multiplier, int32_t shift)
{
	int32_t total = 31 - shift;
	int64_t low = (x * (multiplier & 0xffff) + ((int64_t)1 << (total - 1))) >> 16;

	return (int32_t)((x * (multiplier >> 16) + low) >> (total - 16));
}

TML_KERNEL void tml_conv2d_s16(const struct tml_conv2d_s16 *p, const int16_t *x, const int8_t *weights,
			       const int64_t *bias, const int32_t *multiplier, const int8_t *shift, int16_t *y)
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
				const int8_t *filter = weights;

				for (int32_t channel = 0; channel < w->y_depth; channel++) {
					int64_t sum = bias[channel];

					for (int32_t i = first_row; i < end_row; i++) {
						const int16_t *from = x + ((top + i * w->dilation_y) * w->x_width + left) * w->x_depth;
						const int8_t *taps = filter + i * w->kernel_width * w->x_depth;

						for (int32_t j = first_column; j < end_column; j++) {
							const int16_t *pixel = from + j * w->dilation_x * w->x_depth;
							const int8_t *tap = taps + j * w->x_depth;
							/* 512 products of 16 by 8 bits fit 31 bits. */
							for (int32_t k = 0; k < w->x_depth;) {
								int32_t end = tml_min(w->x_depth, k + 512);
								int32_t part = 0;

								for (; k < end; k++)
									part += pixel[k] * tap[k];
								sum += part;
							}
						}
					}
					y[channel] = (int16_t)tml_clamp(
						tml_multiply_wide(sum, multiplier[channel], shift[channel]), p->low, p->high);
					filter += w->kernel_height * w->kernel_width * w->x_depth;
				}
			}
		}
	}
}

TML_KERNEL void tml_depthwise_conv2d_s16(const struct tml_conv2d_s16 *p, const int16_t *x, const int8_t *weights,
					 const int64_t *bias, const int32_t *multiplier, const int8_t *shift, int16_t *y)
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
					const int16_t *from = x + (top * w->x_width + left) * w->x_depth + channel / fan;
					int64_t sum = bias[channel];

					for (int32_t i = first_row; i < end_row; i++)
						for (int32_t j = first_column; j < end_column; j++)
							sum += from[(i * w->dilation_y * w->x_width + j * w->dilation_x) * w->x_depth] *
							       weights[(i * w->kernel_width + j) * w->y_depth + channel];
					y[channel] = (int16_t)tml_clamp(
						tml_multiply_wide(sum, multiplier[channel], shift[channel]), p->low, p->high);
				}
			}
		}
	}
}

TML_KERNEL void tml_fully_connected_s16(const struct tml_fully_connected_s16 *p, const int16_t *x,
					const int8_t *weights, const int64_t *bias, const int32_t *multiplier,
					const int8_t *shift, int16_t *y)
{
	for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += p->units) {
		const int8_t *w = weights;

		for (int32_t unit = 0; unit < p->units; unit++, w += p->depth) {
			int64_t sum = bias[unit];

			for (int32_t k = 0; k < p->depth;) {
				int32_t end = tml_min(p->depth, k + 512);
				int32_t part = 0;

				for (; k < end; k++)
					part += x[k] * w[k];
				sum += part;
			}
			y[unit] = (int16_t)tml_clamp(tml_multiply_wide_exactly(sum, multiplier[unit], shift[unit]),
						     p->low, p->high);
		}
	}
}

static inline int16_t tml_finish_sum_s16(const struct tml_sum_s16 *p, int32_t sum)
{
	return (int16_t)tml_clamp(tml_multiply_away(sum, p->y_multiplier, p->y_shift), p->low, p->high);
}

#define TML_WIDE_A tml_multiply_away(tml_shift_left(a[i * w->a_stride[3]], TML_RAISE_S16), p->a_multiplier, p->a_shift)
#define TML_WIDE_B tml_multiply_away(tml_shift_left(b[i * w->b_stride[3]], TML_RAISE_S16), p->b_multiplier, p->b_shift)

TML_KERNEL void tml_add_s16(const struct tml_sum_s16 *p, const int16_t *x0, const int16_t *x1, int16_t *y)
{
	TML_WALK(int16_t, p, {
		for (int32_t i = 0; i < run; i++)
			*y++ = tml_finish_sum_s16(p, TML_WIDE_A + TML_WIDE_B);
	});
}

TML_KERNEL void tml_sub_s16(const struct tml_sum_s16 *p, const int16_t *x0, const int16_t *x1, int16_t *y)
{
	TML_WALK(int16_t, p, {
		for (int32_t i = 0; i < run; i++)
			*y++ = tml_finish_sum_s16(p, TML_WIDE_A - TML_WIDE_B);
	});
}

TML_KERNEL void tml_mul_s16(const struct tml_product_s8 *p, const int16_t *x0, const int16_t *x1, int16_t *y)
{
	TML_WALK(int16_t, p, {
		for (int32_t i = 0; i < run; i++) {
			int32_t product = a[i * w->a_stride[3]] * b[i * w->b_stride[3]];
			*y++ = (int16_t)tml_clamp(tml_multiply_away(product, p->multiplier, p->shift), p->low, p->high);
		}
	});
}

TML_KERNEL void tml_average_pool2d_s16(const struct tml_pool2d_s8 *p, const int16_t *x, int16_t *y)
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
					y[channel] = (int16_t)tml_clamp(tml_rounded_quotient(sum, count), p->low, p->high);
				}
			}
		}
	}
}

TML_KERNEL void tml_max_pool2d_s16(const struct tml_pool2d_s8 *p, const int16_t *x, int16_t *y)
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
					int32_t most = -32768;

					for (int32_t i = first_row; i < end_row; i++)
						for (int32_t j = first_column; j < end_column; j++)
							most = tml_max(most, x[(i * w->x_width + j) * w->x_depth + channel]);
					y[channel] = (int16_t)tml_clamp(most, p->low, p->high);
				}
			}
		}
	}
}

TML_KERNEL void tml_mean_s16(const struct tml_mean_s8 *p, const int16_t *x, int16_t *y)
{
	const int32_t *n = p->size, *s = p->stride, *rn = p->reduced_size, *rs = p->reduced_stride;

	for (int32_t a = 0; a < n[0]; a++)
		for (int32_t b = 0; b < n[1]; b++)
			for (int32_t c = 0; c < n[2]; c++) {
				const int16_t *from = x + a * s[0] + b * s[1] + c * s[2];
				int32_t sum = 0;

				for (int32_t i = 0; i < rn[0]; i++)
					for (int32_t j = 0; j < rn[1]; j++)
						for (int32_t k = 0; k < rn[2]; k++)
							sum += from[i * rs[0] + j * rs[1] + k * rs[2]];
				*y++ = (int16_t)tml_clamp(tml_multiply_away(sum, p->multiplier, p->shift), -32768, 32767);
			}
}

TML_KERNEL void tml_rescale_s16(const struct tml_rescale_s16 *p, const int16_t *x, int16_t *y)
{
	for (int32_t i = 0; i < p->count; i++) {
		int32_t scaled = x[i] >= 0 ? tml_multiply_away(x[i], p->multiplier, p->shift)
					   : tml_multiply_away(x[i], p->negative, p->negative_shift);
		y[i] = (int16_t)tml_clamp(scaled, p->low, p->high);
	}
}

/* A table of 513 entries between which straight lines are drawn. */
static inline int32_t tml_interpolate(const int16_t *table, int32_t x)
{
	int32_t index = 256 + (x >> 7);

	return table[index] + (((table[index + 1] - table[index]) * (x & 0x7f) + 64) >> 7);
}

static inline int32_t tml_leading_zeros(uint32_t x)
{
	int32_t count = 0;

	for (; count < 32 && !(x & 0x80000000u); count++)
		x <<= 1;
	return count;
}

/* exp over [-10, 0] and 1 / (1 + x) over [0, 1], both as tables in Q0.15. */
TML_KERNEL void tml_softmax_s16(const struct tml_softmax_s16 *p, const int16_t *x, const int16_t *exponentials,
				const int16_t *reciprocals, int16_t *y)
{
	for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += p->depth) {
		int32_t most = -32768, sum = 0, headroom, shifted, reciprocal;

		for (int32_t i = 0; i < p->depth; i++)
			most = tml_max(most, x[i]);
		for (int32_t i = 0; i < p->depth; i++) {
			int32_t scaled = tml_multiply_away(x[i] - most, p->multiplier, p->shift);

			y[i] = (int16_t)tml_interpolate(exponentials, tml_clamp(scaled + 32767, -32768, 32767));
			sum += y[i];
		}
		headroom = tml_leading_zeros((uint32_t)sum);
		shifted = (int32_t)((((int64_t)sum << (headroom - 1)) + (1 << 13)) >> 14);
		reciprocal = tml_interpolate(reciprocals, tml_clamp(shifted - 98304, -32768, 32767));
		for (int32_t i = 0; i < p->depth; i++) {
			int64_t share = (int64_t)y[i] * reciprocal + ((int64_t)1 << (30 - headroom));

			y[i] = (int16_t)tml_clamp((int32_t)(share >> (31 - headroom)), 0, 32767);
		}
	}
}

TML_KERNEL void tml_quantize_s16(const struct tml_quantize_s16 *p, const float *x, int16_t *y)
{
	for (int32_t i = 0; i < p->count; i++) {
		float quotient = x[i] / p->scale;
		int32_t whole;
		float rest;

		if (!(quotient > -32769.0f)) {
			y[i] = (int16_t)(quotient <= -32769.0f ? -32768 : 0);
			continue;
		}
		if (quotient > 32768.0f) {
			y[i] = 32767;
			continue;
		}
		whole = (int32_t)quotient;
		rest = quotient - (float)whole;
		if (rest >= 0.5f)
			whole++;
		else if (rest <= -0.5f)
			whole--;
		y[i] = (int16_t)tml_clamp(whole, -32768, 32767);
	}
}

TML_KERNEL void tml_dequantize_s16(const struct tml_quantize_s16 *p, const int16_t *x, float *y)
{
	for (int32_t i = 0; i < p->count; i++)
		y[i] = p->scale * (float)x[i];
}

TML_KERNEL void tml_requantize_s8_s16(const struct tml_requantize *p, const int8_t *x, int16_t *y)
{
	for (int32_t i = 0; i < p->count; i++)
		y[i] = (int16_t)tml_clamp(tml_multiply_away(x[i] - p->x_zero, p->multiplier, p->shift), -32768, 32767);
}

TML_KERNEL void tml_requantize_s16_s8(const struct tml_requantize *p, const int16_t *x, int8_t *y)
{
	for (int32_t i = 0; i < p->count; i++)
		y[i] = (int8_t)tml_clamp(tml_multiply_away(x[i], p->multiplier, p->shift) + p->y_zero, -128, 127);
}

TML_KERNEL void tml_requantize_s16(const struct tml_requantize *p, const int16_t *x, int16_t *y)
{
	for (int32_t i = 0; i < p->count; i++)
		y[i] = (int16_t)tml_clamp(tml_multiply_away(x[i], p->multiplier, p->shift), -32768, 32767);
}

struct tml_fill_s16 {
	int32_t count, value;
};

TML_KERNEL void tml_fill_s16(const struct tml_fill_s16 *p, int16_t *y)
{
	for (int32_t i = 0; i < p->count; i++)
		y[i] = (int16_t)p->value;
}

#endif
