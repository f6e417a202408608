/* Depthwise convolution for RV32IM. One channel at a time is packed into a plane of words with the
 * padding around it: a word holds an input of the upper half of the image and, shifted by 16, the one that many lines
 * below, so that one MUL makes a product for two results (see tml_rv_gemm.h for why, and for the requantization). Where
 * the number of lines is odd both halves compute the middle one. The input zero point is folded into the start values, so
 * stored values are multiplied and the padding holds the zero point.
 *
 * A channel's constants: which of the functions it takes; h and m to start from; its weights, up to a whole word; its
 * requantization. The functions differ in how the weights are grouped: each row of three, pairs, or one by one. */
#ifndef TML_RV_DEPTHWISE_H
#define TML_RV_DEPTHWISE_H

#include "tml_common.h"
#include "tml_rv_gemm.h"

/* What the functions below need of a layer, at the offsets they know; sizes of the plane in bytes. */
struct tml_rv_plane {
	int32_t depth; /* 0: channels of the result */
	int32_t halves; /* 4: from a result of the upper half to that of the lower one, in bytes */
	int32_t lines; /* 8: lines of results in a half */
	int32_t line; /* 12: of the plane, over which the windows of one line of results move */
	int32_t next; /* 16: from the end of that to the start of the next one */
	int32_t shift; /* 20: of the linear requantization */
	int32_t range; /* 24: the highest result less the lowest */
	int32_t row; /* 28: from a row of the window to the next */
};

struct tml_rv_depthwise_s8 {
	struct tml_rv_plane plane;
	struct tml_window window;
	int32_t x_zero;
	int32_t height, width; /* of the plane, in words */
	int32_t lower; /* lines of the image from an upper input to the lower one in its word */
	int32_t stream_words; /* of a channel */
};

/* Computes one channel of the result from its constants and the plane of its input. */
typedef void tml_rv_channel(const int32_t *constants, const uint32_t *plane, int8_t *y, const struct tml_rv_plane *layer);

/* Tap i of the window: starts a group, goes on with it, or is skipped. */
#define TML_RV_TAP(i, first)                                                                                           \
	"lw a4, (" i ") / 3 * .Lrow + (" i ") % 3 * .Ltap(a1)\n\t"                                                     \
	".if " first "\n\tmul a6, a4, s" i "\n\tadd a6, a6, t4\n\t"                                                    \
	".else\n\tmul a5, a4, s" i "\n\tadd a6, a6, a5\n\t.endif\n\t"

/* Ends a group: the first takes the start values. */
#define TML_RV_FIRST_GROUP "srai a5, a6, 16\n\tadd t0, t2, a5\n\tadd t1, t3, a6\n\t"
#define TML_RV_NEXT_GROUP_AT(free) "srai " free ", a6, 16\n\tadd t0, t0, " free "\n\tadd t1, t1, a6\n\t"
#define TML_RV_NEXT_GROUP TML_RV_NEXT_GROUP_AT("a5")

#define TML_RV_THREES                                                                                                  \
	TML_RV_TAP("0", "1") TML_RV_TAP("1", "0") TML_RV_TAP("2", "0") TML_RV_FIRST_GROUP                              \
	TML_RV_TAP("3", "1") TML_RV_TAP("4", "0") TML_RV_TAP("5", "0") TML_RV_NEXT_GROUP                               \
	TML_RV_TAP("6", "1") TML_RV_TAP("7", "0") TML_RV_TAP("8", "0") TML_RV_NEXT_GROUP
#define TML_RV_PAIRS                                                                                                   \
	TML_RV_TAP("0", "1") TML_RV_TAP("1", "0") TML_RV_FIRST_GROUP                                                   \
	TML_RV_TAP("2", "1") TML_RV_TAP("3", "0") TML_RV_NEXT_GROUP                                                    \
	TML_RV_TAP("4", "1") TML_RV_TAP("5", "0") TML_RV_NEXT_GROUP                                                    \
	TML_RV_TAP("6", "1") TML_RV_TAP("7", "0") TML_RV_NEXT_GROUP                                                    \
	TML_RV_TAP("8", "1") TML_RV_NEXT_GROUP
#define TML_RV_SINGLES                                                                                                 \
	TML_RV_TAP("0", "1") TML_RV_FIRST_GROUP                                                                        \
	TML_RV_TAP("1", "1") TML_RV_NEXT_GROUP TML_RV_TAP("2", "1") TML_RV_NEXT_GROUP                                  \
	TML_RV_TAP("3", "1") TML_RV_NEXT_GROUP TML_RV_TAP("4", "1") TML_RV_NEXT_GROUP                                  \
	TML_RV_TAP("5", "1") TML_RV_NEXT_GROUP TML_RV_TAP("6", "1") TML_RV_NEXT_GROUP                                  \
	TML_RV_TAP("7", "1") TML_RV_NEXT_GROUP TML_RV_TAP("8", "1") TML_RV_NEXT_GROUP

/* Defines the function `name` for one grouping of the weights (TML_RV_THREES, _PAIRS or _SINGLES). `row` and `tap`: from
 * a row of the window to the next, and from a tap to the next; `step`: from a window to the next, all in bytes. */
#define TML_RV_CHANNEL3(name, groups, form, row, tap, step, low)                                                       \
	static __attribute__((naked, noinline, unused)) void name(                                                     \
		const int32_t *constants TML_RV_UNUSED, const uint32_t *plane TML_RV_UNUSED, int8_t *y TML_RV_UNUSED,  \
		const struct tml_rv_plane *layer TML_RV_UNUSED)                                                        \
	{                                                                                                              \
		__asm__(TML_RV_SAVE TML_RV_FINISH_BYTES(form)                                                          \
			".set .Lrow, " TML_RV_TEXT(row) "\n\t.set .Ltap, " TML_RV_TEXT(tap) "\n\t"                     \
			"sw a3, 52(sp)\n\t"                                                                            \
			"lb s0, 12(a0)\n\tlb s1, 13(a0)\n\tlb s2, 14(a0)\n\tlb s3, 15(a0)\n\tlb s4, 16(a0)\n\t"        \
			"lb s5, 17(a0)\n\tlb s6, 18(a0)\n\tlb s7, 19(a0)\n\tlb s8, 20(a0)\n\t"                         \
			"lw t2, 4(a0)\n\tlw t3, 8(a0)\n\tlw t5, 24(a0)\n\tlw t6, 28(a0)\n\tli t4, 0x8000\n\t"          \
			"lw s9, 24(a3)\n\tlw s11, 8(a3)\n\t"                                                           \
			".if .Lfinish == 16\n\tlw ra, 32(a0)\n\tlw a4, 36(a0)\n\tsw a4, 56(sp)\n\t"                    \
			".else\n\tlw ra, 20(a3)\n\t.endif\n\t"                                                         \
			"lw a0, 0(a3)\n\tlw a4, 4(a3)\n\tadd a3, a2, a4\n"                                             \
			"1:\n\t" /* a line of results */                                                               \
			"lw a4, 52(sp)\n\tlw a4, 12(a4)\n\tadd s10, a1, a4\n"                                          \
			"2:\n\t" /* two results */                                                                     \
			groups                                                                                         \
			"slli a4, t0, 16\n\tsub t1, t1, a4\n\t"                                                        \
			".if .Lfinish == 16\n\tlw a7, 56(sp)\n\t.endif\n\t"                                            \
			TML_RV_FINISH(form, "t0, t1", "t5", "t6", "ra", "a7", "s9", TML_RV_TEXT(low), "a4")            \
			"sb t1, 0(a2)\n\tsb t0, 0(a3)\n\t"                                                             \
			"add a2, a2, a0\n\tadd a3, a3, a0\n\taddi a1, a1, " TML_RV_TEXT(step) "\n\t"                   \
			"bne a1, s10, 2b\n\t"                                                                          \
			"lw a4, 52(sp)\n\tlw a4, 16(a4)\n\tadd a1, a1, a4\n\t"                                         \
			"addi s11, s11, -1\n\tbnez s11, 1b\n\t" TML_RV_RETURN);                                        \
	}

/* Tap j of a row at a5: its product in a4; the weight is that of tap .Lw of the window. */
#define TML_RV_PRODUCT(to, j)                                                                                          \
	"lw a4, (" j ") * .Ltap(a5)\n\tlb a7, .Lw(a0)\n\tmul " to ", a4, a7\n\t.set .Lw, .Lw+1\n\t"

/* Defines the function `name` for windows of any size, whose weights are grouped by `group` in each row: 2 or 1. */
#define TML_RV_CHANNEL_ANY(name, group, form, rows, taps, tap, step, low)                                              \
	static __attribute__((naked, noinline, unused)) void name(                                                     \
		const int32_t *constants TML_RV_UNUSED, const uint32_t *plane TML_RV_UNUSED, int8_t *y TML_RV_UNUSED,  \
		const struct tml_rv_plane *layer TML_RV_UNUSED)                                                        \
	{                                                                                                              \
		__asm__(TML_RV_SAVE TML_RV_FINISH_BYTES(form)                                                          \
			".set .Ltap, " TML_RV_TEXT(tap) "\n\t"                                                         \
			".set .Lend, 12 + (" TML_RV_TEXT(rows) "*" TML_RV_TEXT(taps) " + 3) / 4 * 4\n\t"               \
			"mv s3, a3\n\t"                                                                                \
			"lw t2, 4(a0)\n\tlw t3, 8(a0)\n\tli t4, 0x8000\n\t"                                            \
			"lw t5, .Lend(a0)\n\tlw t6, .Lend+4(a0)\n\t"                                                   \
			".if .Lfinish == 16\n\tlw ra, .Lend+8(a0)\n\tlw s2, .Lend+12(a0)\n\t"                          \
			".else\n\tlw ra, 20(a3)\n\t.endif\n\t"                                                         \
			"lw s0, 0(a3)\n\tlw s1, 28(a3)\n\tlw s9, 24(a3)\n\tlw s11, 8(a3)\n\t"                          \
			"lw a4, 4(a3)\n\tadd a3, a2, a4\n\taddi a0, a0, 12\n"                                          \
			"1:\n\t" /* a line of results */                                                               \
			"lw a4, 12(s3)\n\tadd s10, a1, a4\n"                                                           \
			"2:\n\t" /* two results */                                                                     \
			"mv a5, a1\n\tmv t0, t2\n\tmv t1, t3\n\t"                                                      \
			".set .Lw, 0\n\t"                                                                              \
			".rept " TML_RV_TEXT(rows) "\n\t"                                                              \
			".set .Lj, 0\n\t"                                                                              \
			".rept " TML_RV_TEXT(taps) " / " TML_RV_TEXT(group) "\n\t"                                     \
			TML_RV_PRODUCT("a6", ".Lj") "add a6, a6, t4\n\t"                                               \
			".if " TML_RV_TEXT(group) " == 2\n\t" TML_RV_PRODUCT("a7", ".Lj+1")                            \
			"add a6, a6, a7\n\t.endif\n\t" TML_RV_NEXT_GROUP_AT("a4")                                      \
			".set .Lj, .Lj + " TML_RV_TEXT(group) "\n\t"                                                   \
			".endr\n\t"                                                                                    \
			".if .Lj < " TML_RV_TEXT(taps) "\n\t"                                                          \
			TML_RV_PRODUCT("a6", ".Lj") "add a6, a6, t4\n\t" TML_RV_NEXT_GROUP_AT("a4")                    \
			".endif\n\t"                                                                                   \
			"add a5, a5, s1\n\t"                                                                           \
			".endr\n\t"                                                                                    \
			"slli a4, t0, 16\n\tsub t1, t1, a4\n\t"                                                        \
			TML_RV_FINISH(form, "t0, t1", "t5", "t6", "ra", "s2", "s9", TML_RV_TEXT(low), "a4")            \
			"sb t1, 0(a2)\n\tsb t0, 0(a3)\n\t"                                                             \
			"add a2, a2, s0\n\tadd a3, a3, s0\n\taddi a1, a1, " TML_RV_TEXT(step) "\n\t"                   \
			"bne a1, s10, 2b\n\t"                                                                          \
			"lw a4, 16(s3)\n\tadd a1, a1, a4\n\t"                                                          \
			"addi s11, s11, -1\n\tbnez s11, 1b\n\t" TML_RV_RETURN);                                        \
	}

/* Packs `count` inputs of a channel, `depth` bytes apart; one that lies outside of the image is the zero point. */
TML_KERNEL void tml_rv_pack_line(const int8_t *upper, const int8_t *lower, int32_t zero, int32_t count, int32_t depth,
				 uint32_t *line)
{
	const uint32_t *end = line + count;

	if (upper && lower) {
		for (; end - line >= 4; line += 4, upper += 4 * depth, lower += 4 * depth) {
			line[0] = (uint32_t)upper[0] + ((uint32_t)lower[0] << 16);
			line[1] = (uint32_t)upper[depth] + ((uint32_t)lower[depth] << 16);
			line[2] = (uint32_t)upper[2 * depth] + ((uint32_t)lower[2 * depth] << 16);
			line[3] = (uint32_t)upper[3 * depth] + ((uint32_t)lower[3 * depth] << 16);
		}
		for (; line != end; line++, upper += depth, lower += depth)
			*line = (uint32_t)*upper + ((uint32_t)*lower << 16);
	} else if (upper) {
		for (; line != end; line++, upper += depth)
			*line = (uint32_t)*upper + ((uint32_t)zero << 16);
	} else if (lower) {
		for (; line != end; line++, lower += depth)
			*line = (uint32_t)zero + ((uint32_t)*lower << 16);
	}
}

/* Packs one channel of the image at x into the plane; words with two zero points are there already. */
TML_KERNEL void tml_rv_pack_plane(const struct tml_rv_depthwise_s8 *p, const int8_t *x, uint32_t *plane)
{
	const struct tml_window *w = &p->window;
	const int32_t line = w->x_width * w->x_depth;
	const int32_t count = tml_min(w->x_width, p->width - w->pad_left);

	plane += w->pad_left;
	for (int32_t row = -w->pad_top; row < p->height - w->pad_top; row++, plane += p->width) {
		int32_t below = row + p->lower;
		const int8_t *upper = (uint32_t)row < (uint32_t)w->x_height ? x + row * line : 0;
		const int8_t *lower = (uint32_t)below < (uint32_t)w->x_height ? x + below * line : 0;

		tml_rv_pack_line(upper, lower, p->x_zero, count, w->x_depth, plane);
	}
}

/* Scratch memory: the plane. y may take the place of x where they have as many channels and there is one image: a
 * channel's inputs are copied before its results are written. */
TML_KERNEL void tml_rv_depthwise_s8(const struct tml_rv_depthwise_s8 *p, const int8_t *x, const int32_t *stream,
				    uint32_t *scratch, tml_rv_channel *threes, tml_rv_channel *pairs,
				    tml_rv_channel *singles, int8_t *y)
{
	const struct tml_window *w = &p->window;
	tml_rv_channel *const functions[] = {threes, pairs, singles};
	const int32_t fan = w->y_depth / w->x_depth;

	for (int32_t i = 0; i < p->height * p->width; i++)
		scratch[i] = (uint32_t)p->x_zero + ((uint32_t)p->x_zero << 16);
	for (int32_t image = 0; image < w->batch; image++) {
		const int32_t *constants = stream;

		for (int32_t channel = 0; channel < w->y_depth; channel++, constants += p->stream_words) {
			if (channel % fan == 0)
				tml_rv_pack_plane(p, x + channel / fan, scratch);
			functions[constants[0]](constants, scratch, y + channel, &p->plane);
		}
		x += w->x_height * w->x_width * w->x_depth;
		y += w->y_height * w->y_width * w->y_depth;
	}
}

#endif
