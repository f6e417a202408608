/* Convolution, pointwise convolution and fully connected layers for Cortex-M with DSP extension: windows of
 * four pixels are widened into columns (im2col), the inner loops of tml_cm_gemm.h multiply them with all channels.
 * Input zero points are folded into the start values, so stored values are multiplied, and borders hold the zero point. */
#ifndef TML_CM_CONV2D_H
#define TML_CM_CONV2D_H

#include "tml_cm_columns.h"
#include "tml_cm_gemm.h"

/* A window of one pixel, without padding, on neighbouring pixels. */
struct tml_cm_pointwise_s8 {
	int32_t pixels, x_depth, y_depth;
	int32_t words; /* of weights, of a pair of channels */
};

struct tml_cm_conv2d_s8 {
	struct tml_window window;
	int32_t x_zero;
	int32_t words; /* of weights, of a pair of channels */
};

/* Scratch memory: the columns of four pixels and x_depth bytes, rounded up to words. A tile's inputs are copied before
 * its results are written: y may take the place of x where y_depth <= x_depth. */
TML_KERNEL void tml_cm_pointwise_s8(const struct tml_cm_pointwise_s8 *p, const int8_t *x, const int32_t *stream,
				    uint32_t *scratch, tml_cm_tile *tile4, tml_cm_tile *tile1, int8_t *y)
{
	const int32_t words = (p->x_depth + 3) / 4, odd = p->x_depth % 4;
	/* Words of the last pixel may reach past the end of x: it is copied then. */
	const int32_t tiles = (p->pixels - (odd ? 1 : 0)) / 4;

	for (int32_t i = 0; i < tiles; i++, x += 4 * p->x_depth, y += 4 * p->y_depth) {
		tml_cm_widen4(x, p->x_depth, words, scratch);
		tile4(stream, scratch, y, y + p->y_depth, scratch + 4 * p->words);
	}
	for (int32_t i = 4 * tiles; i < p->pixels; i++, x += p->x_depth, y += p->y_depth) {
		const int8_t *from = odd ? memcpy(scratch + 2 * words, x, (uint32_t)p->x_depth) : x;

		tml_cm_widen1(from, words, scratch);
		tile1(stream, scratch, y, y + p->y_depth, scratch + p->words);
	}
}

/* The taps of one row of the window at (row, left), x_depth bytes each, without gaps. */
TML_KERNEL void tml_cm_stage_row(const struct tml_cm_conv2d_s8 *p, const int8_t *x, int32_t row, int32_t left, int8_t *to)
{
	const struct tml_window *w = &p->window;
	const int32_t segment = w->kernel_width * w->x_depth;

	if ((uint32_t)row >= (uint32_t)w->x_height) {
		memset(to, p->x_zero, (uint32_t)segment);
		return;
	}
	x += row * w->x_width * w->x_depth;
	if (w->dilation_x == 1 && left >= 0 && left + w->kernel_width <= w->x_width) {
		memcpy(to, x + left * w->x_depth, (uint32_t)segment);
		return;
	}
	for (int32_t j = 0; j < w->kernel_width; j++, left += w->dilation_x, to += w->x_depth) {
		if ((uint32_t)left < (uint32_t)w->x_width)
			memcpy(to, x + left * w->x_depth, (uint32_t)w->x_depth);
		else
			memset(to, p->x_zero, (uint32_t)w->x_depth);
	}
}

/* Where the window of the next result lies. */
struct tml_cm_cursor {
	int32_t column, top, left;
};

TML_KERNEL void tml_cm_advance(const struct tml_window *w, struct tml_cm_cursor *at, int32_t columns)
{
	at->left += columns * w->stride_x;
	at->column += columns;
	if (at->column == w->y_width) {
		at->column = 0;
		at->left = -w->pad_left;
		at->top += w->stride_y;
	}
}

/* Whether the next four windows lie side by side between the left and the right border. */
TML_KERNEL int32_t tml_cm_side_by_side(const struct tml_window *w, const struct tml_cm_cursor *at)
{
	return w->dilation_x == 1 && at->column + 4 <= w->y_width && at->left >= 0 &&
	       at->left + 3 * w->stride_x + w->kernel_width <= w->x_width;
}

/* Copies whole windows, one behind the other in steps of `words` words, and widens them. */
TML_KERNEL void tml_cm_gather_windows(const struct tml_cm_conv2d_s8 *p, const int8_t *x, int32_t words, int32_t pixels,
				      struct tml_cm_cursor *at, uint32_t *columns, uint32_t *staging)
{
	const struct tml_window *w = &p->window;
	const int32_t segment = w->kernel_width * w->x_depth, line = w->x_width * w->x_depth;
	const int32_t last_row = at->top + (w->kernel_height - 1) * w->dilation_y;

	if (pixels == 4 && tml_cm_side_by_side(w, at) && at->top >= 0 && last_row < w->x_height) {
		const int8_t *from = x + at->top * line + at->left * w->x_depth;

#pragma GCC unroll 4
		for (int32_t i = 0; i < 4; i++, from += w->stride_x * w->x_depth)
#pragma GCC unroll 4
			for (int32_t j = 0; j < w->kernel_height; j++)
				memcpy((int8_t *)(staging + i * words) + j * segment, from + j * w->dilation_y * line,
				       (uint32_t)segment);
		tml_cm_advance(w, at, 4);
	} else {
		for (int32_t i = 0; i < pixels; i++, tml_cm_advance(w, at, 1))
			for (int32_t j = 0; j < w->kernel_height; j++)
				tml_cm_stage_row(p, x, at->top + j * w->dilation_y, at->left,
						 (int8_t *)(staging + i * words) + j * segment);
	}
	if (pixels == 4)
		tml_cm_widen4((const int8_t *)staging, 4 * words, words, columns);
	else
		tml_cm_widen1((const int8_t *)staging, words, columns);
}

/* Widens the windows of four pixels row by row, from where they are unless they meet a border or the end of a line;
 * a row of the window is a whole number of words. */
TML_KERNEL void tml_cm_gather_rows(const struct tml_cm_conv2d_s8 *p, const int8_t *x, struct tml_cm_cursor *at,
				   uint32_t *columns, uint32_t *staging)
{
	const struct tml_window *w = &p->window;
	const int32_t segment = w->kernel_width * w->x_depth;
	const int32_t together = tml_cm_side_by_side(w, at);
	struct tml_cm_cursor from[4];

	for (int32_t i = 0; i < 4; i++, tml_cm_advance(w, at, 1))
		from[i] = *at;
	for (int32_t j = 0; j < w->kernel_height; j++) {
		int32_t row = from[0].top + j * w->dilation_y;

		if (together && (uint32_t)row < (uint32_t)w->x_height) {
			columns = tml_cm_widen4(x + (row * w->x_width + from[0].left) * w->x_depth,
						w->stride_x * w->x_depth, segment / 4, columns);
			continue;
		}
		for (int32_t i = 0; i < 4; i++)
			tml_cm_stage_row(p, x, from[i].top + j * w->dilation_y, from[i].left,
					 (int8_t *)staging + i * segment);
		columns = tml_cm_widen4((const int8_t *)staging, segment, segment / 4, columns);
	}
}

/* Windows longer than this, in bytes, are widened row by row where possible. */
#define TML_CM_WHOLE_WINDOW 64

/* Scratch memory: 4 * words for the columns of four pixels, then room for four windows, or four rows of windows where
 * a row is a whole number of words and the window longer than TML_CM_WHOLE_WINDOW. */
TML_KERNEL void tml_cm_conv2d_s8(const struct tml_cm_conv2d_s8 *p, const int8_t *x, const int32_t *stream,
				 uint32_t *scratch, tml_cm_tile *tile4, tml_cm_tile *tile1, int8_t *y)
{
	const struct tml_window *w = &p->window;
	const int32_t segment = w->kernel_width * w->x_depth;
	const int32_t window = w->kernel_height * segment, words = (window + 3) / 4;
	const int32_t pixels = w->y_height * w->y_width;

	for (int32_t image = 0; image < w->batch; image++, x += w->x_height * w->x_width * w->x_depth) {
		struct tml_cm_cursor at = {0, -w->pad_top, -w->pad_left};
		int32_t left = pixels;

		for (; left >= 4; left -= 4, y += 4 * w->y_depth) {
			if (segment % 4 == 0 && window > TML_CM_WHOLE_WINDOW)
				tml_cm_gather_rows(p, x, &at, scratch, scratch + 4 * p->words);
			else
				tml_cm_gather_windows(p, x, words, 4, &at, scratch, scratch + 4 * p->words);
			tile4(stream, scratch, y, y + w->y_depth, scratch + 4 * p->words);
		}
		for (; left > 0; left--, y += w->y_depth) {
			tml_cm_gather_windows(p, x, words, 1, &at, scratch, scratch + 2 * words);
			tile1(stream, scratch, y, y + w->y_depth, scratch + p->words);
		}
	}
}

#endif
