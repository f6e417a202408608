/* Depthwise convolution for Cortex-M with DSP extension. One channel at a time is widened to 16 bits into a plane
 * with the padding around it; neighbours in a word are two taps for SMLAD. The input zero point is folded into the
 * start values, so stored values are multiplied and the padding holds the zero point.
 *
 * A channel's constants: the start value of its sums, its weights, and its requantization (see tml_cm_gemm.h). */
#ifndef TML_CM_DEPTHWISE_H
#define TML_CM_DEPTHWISE_H

#include <string.h>

#include "tml_common.h"
#include "tml_cm_gemm.h"

struct tml_cm_depthwise_s8 {
	struct tml_window window;
	int32_t x_zero;
	int32_t plane_height, plane_width; /* all that windows cover; the width is even */
	int32_t stream_words;              /* of a channel */
	int32_t requantization, shift, low, high;
};

/* Computes one channel of the result from `constants` and the plane of its input, from y to y_end. */
typedef void tml_cm_channel(const int32_t *constants, const uint32_t *plane, int8_t *y, const int8_t *y_end,
			    const void *parameters);

/* Widens one channel of the image at x into the plane, at its first pixel inside the border. */
typedef void tml_cm_plane(const int8_t *x, int16_t *plane);

/* Widens `rows` lines of `columns` pixels, two at a time. */
#define TML_CM_PIXELS(rows, columns)                                                                                   \
	".set .Lx, 0\n\t.set .Lto, 0\n\t"                                                                              \
	".rept " TML_CM_TEXT(rows) "\n\t"                                                                              \
	".set .Li, 0\n\t"                                                                                              \
	".rept (" TML_CM_TEXT(columns) ") / 2\n\t"                                                                     \
	"ldrsb r2, [r0, #.Lx + .Li * .Ldepth]\n\tldrsb r3, [r0, #.Lx + (.Li + 1) * .Ldepth]\n\t"                       \
	"strh r2, [r1, #.Lto + .Li * 2]\n\tstrh r3, [r1, #.Lto + .Li * 2 + 2]\n\t"                                     \
	".set .Li, .Li + 2\n\t"                                                                                        \
	".endr\n\t"                                                                                                    \
	".if (" TML_CM_TEXT(columns) ") & 1\n\t"                                                                       \
	"ldrsb r2, [r0, #.Lx + .Li * .Ldepth]\n\tstrh r2, [r1, #.Lto + .Li * 2]\n\t"                                   \
	".endif\n\t"                                                                                                   \
	".set .Lx, .Lx + .Lline\n\t.set .Lto, .Lto + .Lpitch\n\t"                                                      \
	".endr\n\t"

/* Adds a literal that may be too large for one instruction; r2 is free. */
#define TML_CM_ADVANCE(register, distance)                                                                             \
	".if " distance " < 4096\n\taddw " register ", " register ", #" distance "\n\t"                                \
	".else\n\tmovw r2, #(" distance ") & 0xffff\n\tmovt r2, #(" distance ") >> 16\n\t"                             \
	"add " register ", " register ", r2\n\t.endif\n\t"

/* Defines the function `name` that widens a channel: `rounds` times `rows` lines, each in `parts` parts of `columns`
 * pixels and `rest` more; rows is 1 where there are parts. A line of the image has `line` bytes and pixels `depth`, a line
 * of the plane `pitch` bytes. */
#define TML_CM_PLANE(name, rounds, rows, parts, columns, rest, line, depth, pitch)                                     \
	static __attribute__((naked, noinline, unused)) void name(const int8_t *x TML_CM_UNUSED,                       \
								  int16_t *plane TML_CM_UNUSED)                        \
	{                                                                                                              \
		__asm__(TML_CM_SET("line", line) TML_CM_SET("parts", parts) TML_CM_SET("depth", depth)                 \
			TML_CM_SET("pitch", pitch) TML_CM_SET("skip", (rows) * (line) - (parts) * (columns) * (depth)) \
			TML_CM_SET("skipped", (rows) * (pitch) - (parts) * (columns) * 2)                              \
			"push {lr}\n\t"                                                                                \
			"movw r12, #" TML_CM_TEXT(rounds) "\n"                                                         \
			"1:\n\t"                                                                                       \
			".if .Lparts\n\t"                                                                              \
			"movw lr, #.Lparts\n"                                                                          \
			"2:\n\t" TML_CM_PIXELS(1, columns)                                                             \
			"addw r0, r0, #" TML_CM_TEXT((columns) * (depth)) "\n\t"                                       \
			"add r1, r1, #" TML_CM_TEXT((columns) * 2) "\n\t"                                              \
			"subs lr, #1\n\tbne 2b\n\t"                                                                    \
			".endif\n\t" TML_CM_PIXELS(rows, rest)                                                         \
			TML_CM_ADVANCE("r0", ".Lskip") TML_CM_ADVANCE("r1", ".Lskipped")                               \
			"subs r12, #1\n\tbne 1b\n\t"                                                                   \
			"pop {pc}");                                                                                   \
	}

/* Runs `fill` for each channel of the input and `channel` for each of the result, y pointing at its first element and y_end behind its last row. Scratch
 * memory: the plane and 4 * dilation_x bytes. A channel is read before its results are written, to the same bytes of the pixels:
 * y may take the place of x where y_depth = x_depth and the result is not larger. */
TML_KERNEL void tml_cm_depthwise_s8(const struct tml_cm_depthwise_s8 *p, const int8_t *x, const int32_t *stream,
				    uint32_t *scratch, tml_cm_plane *fill, tml_cm_channel *channel,
				    int8_t *y)
{
	const struct tml_window *w = &p->window;
	const int32_t fan = w->y_depth / w->x_depth;
	const int32_t results = w->y_height * w->y_width * w->y_depth;
	int16_t *inside = (int16_t *)(void *)scratch + w->pad_top * p->plane_width + w->pad_left;
	const uint32_t zeros = ((uint32_t)p->x_zero & 0xFFFFu) * 0x10001u;

	for (int32_t i = 0; i < p->plane_height * p->plane_width / 2; i++)
		scratch[i] = zeros;
	for (int32_t image = 0; image < w->batch; image++, x += w->x_height * w->x_width * w->x_depth, y += results) {
		const int32_t *constants = stream;

		for (int32_t i = 0; i < w->x_depth; i++) {
			fill(x + i, inside);
			for (int32_t j = i * fan; j < i * fan + fan; j++, constants += p->stream_words)
				channel(constants, scratch, y + j, y + j + results, p);
		}
	}
}

/* The result of a sum, from the words behind the channel's weights. */
TML_KERNEL int8_t tml_cm_finish(const struct tml_cm_depthwise_s8 *p, int32_t sum, const int32_t *constants)
{
	const int32_t multiplier = constants[0], offset = constants[1];

	if (p->requantization == TML_CM_EXACT) {
		sum = tml_high_multiply(sum, multiplier);
		sum = (sum + ((sum >> 31) & constants[3]) + offset) >> constants[2];
	} else {
		sum = ((int32_t)(((int64_t)sum * multiplier) >> 32) + offset) >> p->shift;
	}
	return (int8_t)tml_clamp(sum, p->low, p->high);
}

/* A channel with any window: of each row of weights the constants hold pairs of 16 bits, the last one filled with 0. */
TML_KERNEL void tml_cm_channel_any(const int32_t *constants, const uint32_t *plane, int8_t *y, const int8_t *y_end,
				   const void *parameters)
{
	const struct tml_cm_depthwise_s8 *p = parameters;
	const struct tml_window *w = &p->window;
	const int32_t pairs = (w->kernel_width + 1) / 2;
	const int16_t *line = (const int16_t *)(const void *)plane;

	for (; y != y_end; line += w->stride_y * p->plane_width) {
		for (int32_t j = 0; j < w->y_width; j++, y += w->y_depth) {
			const int32_t *weights = constants + 1;
			int32_t sum = constants[0];

#pragma GCC unroll 8
			for (int32_t i = 0; i < w->kernel_height; i++) {
				const int16_t *at = line + j * w->stride_x + i * w->dilation_y * p->plane_width;

#pragma GCC unroll 4
				for (int32_t k = 0; k < pairs; k++, at += 2 * w->dilation_x) {
					uint32_t inputs;

					if (w->dilation_x == 1)
						memcpy(&inputs, at, 4);
					else
						inputs = (uint32_t)(uint16_t)at[0] | (uint32_t)(uint16_t)at[w->dilation_x] << 16;
					__asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(inputs), "r"(*weights++));
				}
			}
			*y = tml_cm_finish(p, sum, weights);
		}
	}
}

/* Loads the last word of a row; in the last row of a full group, which is row 0, r0 moves on to the next. */
#define TML_CM_LAST(offset)                                                                                            \
	".if .Lat == 0 && .Ln == 4\n\tldr r12, [r0, #" offset "]!\n\t"                                                 \
	".else\n\tldr r12, [r0, #.Lat + " offset "]\n\t.endif\n\t"

/* One row of a 3x3 window for up to four results in r8-r11, which go on from the given registers; u holds the weights
 * (0, 1), v (1, 2). Inputs at r0: words x0 = (0, 1), x1 = (2, 3), x2 = (4, 5), of which a result takes three. */
#define TML_CM_ROW3(row, u, v, y0, y1, y2, y3)                                                                         \
	".set .Lat, " row " * .Lpitch\n\t"                                                                             \
	"ldrd r12, lr, [r0, #.Lat]\n\t"                                                                                \
	"smlad r8, r12, " u ", " y0 "\n\t"                                                                             \
	"smlabt r8, lr, " v ", r8\n\t"                                                                                 \
	".if .Lstride == 1\n\t"                                                                                        \
	".if .Ln > 1\n\tsmlatb r9, r12, " u ", " y1 "\n\tsmlad r9, lr, " v ", r9\n\t.endif\n\t"                        \
	".if .Ln > 2\n\tsmlad r10, lr, " u ", " y2 "\n\t.endif\n\t"                                                    \
	".if .Ln > 3\n\tsmlatb r11, lr, " u ", " y3 "\n\t.endif\n\t"                                                   \
	".if .Ln > 2\n\t" TML_CM_LAST("8") "smlabt r10, r12, " v ", r10\n\t.endif\n\t"                                 \
	".if .Ln > 3\n\tsmlad r11, r12, " v ", r11\n\t.endif\n\t"                                                      \
	".else\n\t"                                                                                                    \
	".if .Ln > 1\n\t"                                                                                              \
	"smlad r9, lr, " u ", " y1 "\n\t"                                                                              \
	"ldrd r12, lr, [r0, #.Lat + 8]\n\t"                                                                            \
	"smlabt r9, r12, " v ", r9\n\t"                                                                                \
	".endif\n\t"                                                                                                   \
	".if .Ln > 2\n\tsmlad r10, r12, " u ", " y2 "\n\tsmlabt r10, lr, " v ", r10\n\t.endif\n\t"                     \
	".if .Ln > 3\n\t"                                                                                              \
	"smlad r11, lr, " u ", " y3 "\n\t" TML_CM_LAST("16") "smlabt r11, r12, " v ", r11\n\t"                         \
	".endif\n\t"                                                                                                   \
	".endif\n\t"

/* Words kept aside, by number: the start value, y_end, the end of a line's groups, and from 4 on the requantization. An
 * FPU has registers for them (__ARM_FP), else they are on the stack. TML_CM_KEEP_FINISH keeps those at r0; r4-r7 are
 * free for it. */
#if defined(__ARM_FP)
#define TML_CM_KEEP(n, register) "vmov s" n ", " register "\n\t"
#define TML_CM_KEPT(register, n) "vmov " register ", s" n "\n\t"
#define TML_CM_KEPT_LINE "vmov r12, lr, s4, s5\n\t"
#define TML_CM_KEEP_FINISH ".if .Lexact\n\tvldmia r0, {s4-s7}\n\t.else\n\tvldmia r0, {s4-s5}\n\t.endif\n\t"
#define TML_CM_KEEP_START
#define TML_CM_KEEP_END
#else
#define TML_CM_KEEP(n, register) "str " register ", [sp, #4 * " n "]\n\t"
#define TML_CM_KEPT(register, n) "ldr " register ", [sp, #4 * " n "]\n\t"
#define TML_CM_KEPT_LINE "ldrd r12, lr, [sp, #16]\n\t"
#define TML_CM_KEEP_FINISH                                                                                             \
	".if .Lexact\n\tldmia r0, {r4-r7}\n\tstrd r6, r7, [sp, #24]\n\t.else\n\tldmia r0, {r4, r5}\n\t.endif\n\t"           \
	"strd r4, r5, [sp, #16]\n\t"
#define TML_CM_KEEP_START "sub sp, sp, #32\n\t"
#define TML_CM_KEEP_END "add sp, sp, #32\n\t"
#endif

/* Requantizes the first .Ln of r8-r11. */
#define TML_CM_FINISH3(shift)                                                                                          \
	TML_CM_KEPT_LINE                                                                                               \
	".set .Li, 0\n\t"                                                                                              \
	".irp y, r8,r9,r10,r11\n\t"                                                                                    \
	".if .Li < .Ln\n\t"                                                                                            \
	".if .Lexact\n\t"                                                                                              \
	"lsl \\y, \\y, #1\n\t"                                                                                         \
	TML_CM_KEPT("r12", "4") "smmulr \\y, \\y, r12\n\t"                                                             \
	TML_CM_KEPT("r12", "7") "and r12, r12, \\y, asr #31\n\tadd \\y, \\y, r12\n\t"                                  \
	"add \\y, \\y, lr\n\t"                                                                                         \
	TML_CM_KEPT("r12", "6") "asr \\y, \\y, r12\n\t"                                                                \
	"ssat \\y, #8, \\y\n\t"                                                                                        \
	".else\n\t"                                                                                                    \
	"smmla \\y, \\y, r12, lr\n\t"                                                                                  \
	"ssat \\y, #8, \\y, asr #" TML_CM_TEXT(shift) "\n\t"                                                           \
	".endif\n\t" TML_CM_CLAMP ".endif\n\t"                                                                         \
	".set .Li, .Li + 1\n\t"                                                                                        \
	".endr\n\t"

/* Defines the function `name` for a channel with a 3x3 window, dilation 1 and `stride` 1 or 2. Of each row of weights the
 * constants hold the bytes 0, 1, 1, 2. A line of the plane has `pitch` bytes; `width` and `depth` (at most 1023) are those
 * of the result. Up to two groups of four results in a line stand in a row, more are a loop. */
#define TML_CM_CHANNEL3(name, stride, width, pitch, requantization, shift, low, high, depth)                           \
	TML_CM_FUNCTION(name)                                                                                          \
	{                                                                                                              \
		__asm__(TML_CM_SET("stride", stride) TML_CM_SET("groups", (width) / 4) TML_CM_SET("tail", (width) % 4) \
			TML_CM_SET("pitch", pitch) TML_CM_SET("exact", requantization) TML_CM_SET("low", low)          \
			TML_CM_SET("high", high) TML_CM_SET("depth", depth)                                            \
			"push {r4-r11, lr}\n\t" TML_CM_KEEP_START                                                      \
			"ldmia r0!, {r8-r11}\n\t"                                                                      \
			TML_CM_KEEP_FINISH                                                                             \
			TML_CM_KEEP("0", "r8") TML_CM_KEEP("1", "r3")                                                  \
			"mov r0, r1\n\tmov r1, r2\n\t"                                                                 \
			"sxtb16 r2, r9\n\tsxtb16 r3, r9, ror #8\n\t"                                                   \
			"sxtb16 r4, r10\n\tsxtb16 r5, r10, ror #8\n\t"                                                 \
			"sxtb16 r6, r11\n\tsxtb16 r7, r11, ror #8\n"                                                   \
			"1:\n\t" /* a line */                                                                          \
			".if .Lgroups > 2\n\tadd r12, r0, #.Lgroups * .Lstride * 8\n\t" TML_CM_KEEP("2", "r12") ".endif\n" \
			"2:\n\t"                                                                                       \
			".irp n, 4, .Ltail\n\t"                                                                        \
			".set .Ln, \\n\n\t"                                                                            \
			".set .Lcopies, 1\n\t"                                                                         \
			".if .Ln == 4 && .Lgroups < 3\n\t.set .Lcopies, .Lgroups\n\t.endif\n\t"                        \
			".if .Ln == 0\n\t.set .Lcopies, 0\n\t.endif\n\t"                                               \
			".rept .Lcopies\n\t"                                                                           \
			TML_CM_KEPT("r11", "0")                                                                        \
			TML_CM_ROW3("2", "r6", "r7", "r11", "r11", "r11", "r11")                                       \
			TML_CM_ROW3("1", "r4", "r5", "r8", "r9", "r10", "r11")                                         \
			TML_CM_ROW3("0", "r2", "r3", "r8", "r9", "r10", "r11")                                         \
			TML_CM_FINISH3(shift)                                                                               \
			"strb r8, [r1]\n\t"                                                                            \
			".if .Ln > 1\n\tstrb r9, [r1, #.Ldepth]\n\t.endif\n\t"                                         \
			".if .Ln > 2\n\tstrb r10, [r1, #2 * .Ldepth]\n\t.endif\n\t"                                    \
			".if .Ln > 3\n\tstrb r11, [r1, #3 * .Ldepth]\n\t.endif\n\t"                                    \
			"addw r1, r1, #.Ln * .Ldepth\n\t"                                                              \
			".endr\n\t"                                                                                    \
			".if .Ln == 4 && .Lgroups > 2\n\t" TML_CM_KEPT("r12", "2") "cmp r0, r12\n\tbne 2b\n\t.endif\n\t" \
			".endr\n\t"                                                                                    \
			TML_CM_KEPT("r12", "1")                                                                        \
			"addw r0, r0, #.Lpitch * .Lstride - .Lgroups * .Lstride * 8\n\t"                \
			"cmp r1, r12\n\tbne 1b\n\t" TML_CM_KEEP_END                                                    \
			"pop {r4-r11, pc}");                                                                           \
	}

#endif
