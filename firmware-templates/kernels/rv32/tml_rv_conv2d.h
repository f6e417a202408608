/* Convolution, pointwise convolution and fully connected layers for RV32IM: the inputs of four pixels are packed into
 * columns (im2col), the inner loops of tml_rv_gemm.h multiply them with all channels. Input zero points are folded into
 * the start values, so that stored values are multiplied, and borders hold the zero point. */
#ifndef TML_RV_CONV2D_H
#define TML_RV_CONV2D_H

#include <string.h>

#include "tml_common.h"
#include "tml_rv_gemm.h"

/* A window of one pixel, without padding, on neighbouring pixels; or the rows of a matrix. */
struct tml_rv_pointwise_s8 {
	struct tml_rv_layer layer;
	int32_t pixels, x_depth;
	int32_t row_words; /* where a row of inputs goes in the scratch memory */
};

struct tml_rv_conv2d_s8 {
	struct tml_rv_layer layer;
	struct tml_window window;
	int32_t x_zero;
	int32_t row_words; /* where windows, or rows of them, are put together in the scratch memory */
};

/* Packs `count` inputs of each of four pixels; returns the end of the columns. */
TML_SHARED uint32_t *tml_rv_pack4(const int8_t *const x[4], int32_t count, uint32_t *columns)
{
	const int8_t *a = x[0], *b = x[1], *c = x[2], *d = x[3];
	const int8_t *end = a + (count & ~3);

	TML_EFFECT();
	for (; a != end; a += 4, b += 4, c += 4, d += 4, columns += 8) {
		columns[0] = (uint32_t)a[0] + ((uint32_t)b[0] << 16);
		columns[1] = (uint32_t)c[0] + ((uint32_t)d[0] << 16);
		columns[2] = (uint32_t)a[1] + ((uint32_t)b[1] << 16);
		columns[3] = (uint32_t)c[1] + ((uint32_t)d[1] << 16);
		columns[4] = (uint32_t)a[2] + ((uint32_t)b[2] << 16);
		columns[5] = (uint32_t)c[2] + ((uint32_t)d[2] << 16);
		columns[6] = (uint32_t)a[3] + ((uint32_t)b[3] << 16);
		columns[7] = (uint32_t)c[3] + ((uint32_t)d[3] << 16);
	}
	for (end += count & 3; a != end; a++, b++, c++, d++, columns += 2) {
		columns[0] = (uint32_t)*a + ((uint32_t)*b << 16);
		columns[1] = (uint32_t)*c + ((uint32_t)*d << 16);
	}
	return columns;
}

/* Scratch memory: the columns of four pixels, then x_depth bytes, rounded up to words. A tile's inputs are copied before
 * its results are written: y may take the place of x where y_depth <= x_depth. Without tile4 all pixels are single. */
TML_KERNEL void tml_rv_pointwise_s8(const struct tml_rv_pointwise_s8 *p, const int8_t *x, const int32_t *stream,
				    uint32_t *scratch, tml_rv_tile *tile4, tml_rv_tile *tile1, int8_t *y)
{
	const int32_t depth = p->x_depth;
	int32_t left = p->pixels;

	for (; tile4 && left >= 4; left -= 4, x += 4 * depth, y += 4 * p->layer.depth) {
		const int8_t *const pixels[4] = {x, x + depth, x + 2 * depth, x + 3 * depth};

		tml_rv_pack4(pixels, depth, scratch);
		tile4(stream, scratch, y, &p->layer);
	}
	for (; left > 0; left--, x += depth, y += p->layer.depth)
		tile1(stream, memcpy(scratch + p->row_words, x, (uint32_t)depth), y, &p->layer);
}

/* The taps of one row of the window at (row, left): where they are, or put together at `copy` where the row meets a
 * border or has gaps. */
TML_KERNEL const int8_t *tml_rv_row(const struct tml_rv_conv2d_s8 *p, const int8_t *x, int32_t row, int32_t left,
				    int8_t *copy)
{
	const struct tml_window *w = &p->window;
	int8_t *to = copy;

	if ((uint32_t)row >= (uint32_t)w->x_height)
		return memset(copy, p->x_zero, (uint32_t)(w->kernel_width * w->x_depth));
	x += row * w->x_width * w->x_depth;
	if (w->dilation_x == 1 && left >= 0 && left + w->kernel_width <= w->x_width)
		return x + left * w->x_depth;
	for (int32_t j = 0; j < w->kernel_width; j++, left += w->dilation_x, to += w->x_depth) {
		if ((uint32_t)left < (uint32_t)w->x_width)
			memcpy(to, x + left * w->x_depth, (uint32_t)w->x_depth);
		else
			memset(to, p->x_zero, (uint32_t)w->x_depth);
	}
	return copy;
}

/* Where the window of the next result lies. */
struct tml_rv_cursor {
	int32_t column, top, left;
};

TML_KERNEL void tml_rv_advance(const struct tml_window *w, struct tml_rv_cursor *at)
{
	at->left += w->stride_x;
	if (++at->column == w->y_width) {
		at->column = 0;
		at->left = -w->pad_left;
		at->top += w->stride_y;
	}
}

/* Packs the windows of four pixels. */
TML_KERNEL void tml_rv_gather4(const struct tml_rv_conv2d_s8 *p, const int8_t *x, struct tml_rv_cursor *at,
			       uint32_t *columns, int8_t *copies)
{
	const struct tml_window *w = &p->window;
	const int32_t segment = w->kernel_width * w->x_depth;
	struct tml_rv_cursor from[4];

	for (int32_t i = 0; i < 4; i++, tml_rv_advance(w, at))
		from[i] = *at;
	for (int32_t j = 0; j < w->kernel_height; j++) {
		const int8_t *rows[4];

		for (int32_t i = 0; i < 4; i++)
			rows[i] = tml_rv_row(p, x, from[i].top + j * w->dilation_y, from[i].left, copies + i * segment);
		columns = tml_rv_pack4(rows, segment, columns);
	}
}

/* Copies the window of one pixel. */
TML_KERNEL void tml_rv_gather1(const struct tml_rv_conv2d_s8 *p, const int8_t *x, struct tml_rv_cursor *at, int8_t *copy)
{
	const struct tml_window *w = &p->window;
	const int32_t segment = w->kernel_width * w->x_depth;

	for (int32_t j = 0; j < w->kernel_height; j++, copy += segment) {
		const int8_t *row = tml_rv_row(p, x, at->top + j * w->dilation_y, at->left, copy);

		if (row != copy)
			memcpy(copy, row, (uint32_t)segment);
	}
	tml_rv_advance(w, at);
}

/* Scratch memory: the columns of four pixels, then from `row_words` on four rows of windows or one window, whichever is
 * more, rounded up to words. Without tile4 all pixels are single. */
TML_KERNEL void tml_rv_conv2d_s8(const struct tml_rv_conv2d_s8 *p, const int8_t *x, const int32_t *stream,
				 uint32_t *scratch, tml_rv_tile *tile4, tml_rv_tile *tile1, int8_t *y)
{
	const struct tml_window *w = &p->window;
	int8_t *copies = (int8_t *)(scratch + p->row_words);

	for (int32_t image = 0; image < w->batch; image++, x += w->x_height * w->x_width * w->x_depth) {
		struct tml_rv_cursor at = {0, -w->pad_top, -w->pad_left};
		int32_t left = w->y_height * w->y_width;

		for (; tile4 && left >= 4; left -= 4, y += 4 * w->y_depth) {
			tml_rv_gather4(p, x, &at, scratch, copies);
			tile4(stream, scratch, y, &p->layer);
		}
		for (; left > 0; left--, y += w->y_depth) {
			tml_rv_gather1(p, x, &at, copies);
			tile1(stream, copies, y, &p->layer);
		}
	}
}

#endif
