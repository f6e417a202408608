/* Cortex-M with the DSP extension (M4, M7, M33): the inner loops of convolution, pointwise convolution and fully
 * connected layers. A channel's sum is its start value plus weight * input over the window.
 *
 * A layer's constants are one stream of words, channel pair by channel pair, in the order in which they are used:
 * the start values of both sums, the weights, the requantization of the first channel, that of the second.
 * A word of weights belongs to two positions k of the window, two apart: 0 and 2, 1 and 3, 4 and 6, 5 and 7, ...
 * Inputs are widened to 16 bits in the same order, two to a word, so that SMLAD multiplies and adds both.
 *
 * The weights of the channels c0 and c1 stand in one of two forms:
 * - dual: each half of a word is h = c0 + 256 * c1. SMLAD with the word gives b = S0 + 256 * S1 modulo 2^32, SMLAD with
 *   the sign-extended low bytes (SXTB16, which gives c0) gives a = S0. So b - a = 256 * S1, exact while S1 fits in
 *   24 bits and h in 16. One instruction unpacks for two channels.
 * - plain: the bytes c0, c1 of one position, then c0, c1 of the other; exact for all weights, one unpacking more.
 *
 * Requantization ends in SSAT, which shifts right and saturates to 8 bits:
 * - linear: SSAT((acc * m >> 32) + c, shift): the generator has proved that this equals TensorFlow Lite's two roundings
 *   for every sum that the channel can reach. Of dual weights the second channel's 256 * S1 is taken as it is.
 *   Where all channels have one scale, both m stand once, at the head of the stream, rather than with every pair.
 * - exact: SMMULR(2 * acc, m) is the rounding doubling high multiplication for |acc| < 2^30; then the rounding
 *   shift: add c = 2^(e-1) + zero point * 2^e, shift by e. With a mask of -1, 1 is subtracted from negative
 *   products first, which takes halves away from zero; with 0 halves go up.
 *
 * Everything that varies between layers is a literal; the assembler's .if and .irp pick the instructions. Where the
 * compiler may use an FPU (__ARM_FP), its registers hold what the others have no room for; else it is the stack. */
#ifndef TML_CM_GEMM_H
#define TML_CM_GEMM_H

#include <stdint.h>

#include "tml_cm_text.h"

#define TML_CM_DUAL 0
#define TML_CM_PLAIN 1
#define TML_CM_LINEAR 0
#define TML_CM_EXACT 1
#define TML_CM_LINEAR_SHARED 2

/* Computes one tile: `columns` holds its widened inputs, `y_end` is where the first pixel's results end. */
typedef void tml_cm_tile(const int32_t *stream, const uint32_t *columns, int8_t *y, const int8_t *y_end,
			 const void *columns_end);

/* A function of assembly only; four arguments come in r0 to r3, the fifth on the stack. */
#define TML_CM_FUNCTION(name)                                                                                          \
	static __attribute__((naked, noinline, unused)) void name(                                                     \
		const int32_t *stream TML_CM_UNUSED, const uint32_t *inputs TML_CM_UNUSED, int8_t *y TML_CM_UNUSED,    \
		const int8_t *y_end TML_CM_UNUSED, const void *last TML_CM_UNUSED)

/* Limits \y to a fused activation's range where that is not all of int8. */
#define TML_CM_CLAMP                                                                                                   \
	".if .Llow > -128\n\tcmp \\y, #.Llow\n\tit lt\n\tmovlt \\y, #.Llow\n\t.endif\n\t"                              \
	".if .Lhigh < 127\n\tcmp \\y, #.Lhigh\n\tit gt\n\tmovgt \\y, #.Lhigh\n\t.endif\n\t"

/* Linear requantization of the sums in `registers` by m and c. */
#define TML_CM_LINEARLY(registers, m, c, shift)                                                                        \
	".irp y, " registers "\n\t"                                                                                    \
	"smmla \\y, \\y, " m ", " c "\n\t"                                                                             \
	"ssat \\y, #8, \\y, asr #" TML_CM_TEXT(shift) "\n\t" TML_CM_CLAMP ".endr\n\t"

/* Exact requantization; the registers hold twice the sums. */
#define TML_CM_EXACTLY(registers, m, c, e, mask, free)                                                                 \
	".irp y, " registers "\n\t"                                                                                    \
	"smmulr \\y, \\y, " m "\n\t"                                                                                   \
	"and " free ", " mask ", \\y, asr #31\n\t"                                                                     \
	"add \\y, \\y, " free "\n\t"                                                                                   \
	"add \\y, \\y, " c "\n\t"                                                                                      \
	"asr \\y, \\y, " e "\n\t"                                                                                      \
	"ssat \\y, #8, \\y\n\t" TML_CM_CLAMP ".endr\n\t"

/* Makes twice the sums from the plain form's sums and from the dual form's 256-fold ones. */
#define TML_CM_TWICE_A(registers) ".irp y, " registers "\n\tlsl \\y, \\y, #1\n\t.endr\n\t"
#define TML_CM_TWICE_B(registers)                                                                                      \
	".irp y, " registers "\n\t.if .Lplain\n\tlsl \\y, \\y, #1\n\t.else\n\tasr \\y, \\y, #7\n\t.endif\n\t.endr\n\t"

/* A block of weights for TML_CM_STEP4 from r12, and r12 behind it. With an FPU the block waits in its registers, so that
 * there is one for each of the four pixels' inputs, and r12's place is in the first word of the stack meanwhile. */
#if defined(__ARM_FP)
#define TML_CM_BLOCK_START(last) "vldmia r12!, {s0-s" TML_CM_TEXT(last) "}\n\tstr r12, [sp]\n\t"
#define TML_CM_BLOCK_END "ldr r12, [sp]\n\t"
#define TML_CM_SAVE_BLOCK ".if .Llast > 15\n\tvpush {s16-s31}\n\t.endif\n\t"
#define TML_CM_RESTORE_BLOCK ".if .Llast > 15\n\tvpop {s16-s31}\n\t.endif\n\t"
#else
#define TML_CM_BLOCK_START(last)
#define TML_CM_BLOCK_END
#define TML_CM_SAVE_BLOCK
#define TML_CM_RESTORE_BLOCK
#endif

/* Two positions of the window for four pixels: sums of the first channel in r0-r3, of the second (dual: of both) in
 * r4-r7; they go on from the given registers. The word of weights is number i of the block, the inputs are at lr. */
#if defined(__ARM_FP)
#define TML_CM_STEP4(i, a0, a1, a2, a3, b0, b1, b2, b3)                                                                \
	"vmov r8, s" i "\n\t"                                                                                          \
	"ldmia lr!, {r9-r12}\n\t"                                                                                      \
	".if .Lplain\n\tsxtb16 r8, r8, ror #8\n\t.endif\n\t"                                                           \
	"smlad r4, r8, r9, " b0 "\n\tsmlad r5, r8, r10, " b1 "\n\t"                                                    \
	"smlad r6, r8, r11, " b2 "\n\tsmlad r7, r8, r12, " b3 "\n\t"                                                   \
	".if .Lplain\n\tvmov r8, s" i "\n\t.endif\n\t"                                                                 \
	"sxtb16 r8, r8\n\t"                                                                                            \
	"smlad r0, r8, r9, " a0 "\n\tsmlad r1, r8, r10, " a1 "\n\t"                                                    \
	"smlad r2, r8, r11, " a2 "\n\tsmlad r3, r8, r12, " a3 "\n\t"
#else
#define TML_CM_STEP4(i, a0, a1, a2, a3, b0, b1, b2, b3)                                                                \
	"ldr r8, [r12], #4\n\t"                                                                                        \
	"ldrd r9, r10, [lr], #8\n\t"                                                                                   \
	"sxtb16 r11, r8\n\t"                                                                                           \
	".if .Lplain\n\tsxtb16 r8, r8, ror #8\n\t.endif\n\t"                                                           \
	"smlad r4, r8, r9, " b0 "\n\tsmlad r5, r8, r10, " b1 "\n\t"                                                    \
	"smlad r0, r11, r9, " a0 "\n\tsmlad r1, r11, r10, " a1 "\n\t"                                                  \
	"ldrd r9, r10, [lr], #8\n\t"                                                                                   \
	"smlad r6, r8, r9, " b2 "\n\tsmlad r7, r8, r10, " b3 "\n\t"                                                    \
	"smlad r2, r11, r9, " a2 "\n\tsmlad r3, r11, r10, " a3 "\n\t"
#endif

/* Stores one channel of four pixels, r9 and 3 * r9 = r10 bytes apart, and advances to the next channel. */
#define TML_CM_STORE4(y0, y1, y2, y3)                                                                                  \
	"strb " y1 ", [lr, r9]\n\tstrb " y2 ", [lr, r9, lsl #1]\n\t"                                                   \
	"strb " y3 ", [lr, r10]\n\tstrb " y0 ", [lr], #1\n\t"

/* Start of a function for tiles of four pixels, up to its pairs of channels, with r12 at the stream. */
#define TML_CM_TILE4_ENTER                                                                                             \
	"ldr r12, [sp]\n\t"                                                                                            \
	"push {r4-r11, lr}\n\t"                                                                                        \
	TML_CM_SAVE_BLOCK                                                                                              \
	"sub r4, r3, r2\n\t"                                                                                           \
	"add r5, r4, r4, lsl #1\n\t"                                                                                   \
	".if .Lshared\n\tldmia r0!, {r6, r7}\n\tpush {r6, r7}\n\t.endif\n\t"                                           \
	"push {r0-r5, r12}\n\t" /* stream, columns, y and its end, depth, 3 * depth, end of columns */                 \
	"mov r12, r0\n"

/* The start values, in r3 and r7, for all four pixels. */
#define TML_CM_SPREAD4                                                                                                 \
	"mov r0, r3\n\tmov r1, r3\n\tmov r2, r3\n\tmov r4, r7\n\tmov r5, r7\n\tmov r6, r7\n"

/* Results of a pair from its sums, the next pair, and the end of the function. */
#define TML_CM_TILE4_LEAVE(shift_a, shift_b)                                                                           \
	".if !.Lplain\n\t"                                                                                             \
	"sub r4, r4, r0\n\tsub r5, r5, r1\n\tsub r6, r6, r2\n\tsub r7, r7, r3\n\t"                                     \
	".endif\n\t"                                                                                                   \
	".if .Lshared\n\tldmia r12!, {r9, r11}\n\tldrd r8, r10, [sp, #28]\n\t"                                         \
	".else\n\tldmia r12!, {r8-r11}\n\t.endif\n\t"                                                                  \
	".if .Lexact\n\t"                                                                                              \
	TML_CM_TWICE_A("r0,r1,r2,r3") TML_CM_EXACTLY("r0,r1,r2,r3", "r8", "r9", "r10", "r11", "lr")                    \
	"ldmia r12!, {r8-r11}\n\t"                                                                                     \
	TML_CM_TWICE_B("r4,r5,r6,r7") TML_CM_EXACTLY("r4,r5,r6,r7", "r8", "r9", "r10", "r11", "lr")                    \
	".else\n\t"                                                                                                    \
	TML_CM_LINEARLY("r0,r1,r2,r3", "r8", "r9", shift_a)                                                            \
	TML_CM_LINEARLY("r4,r5,r6,r7", "r10", "r11", shift_b)                                                          \
	".endif\n\t"                                                                                                   \
	"ldrd lr, r8, [sp, #8]\n\tldrd r9, r10, [sp, #16]\n\t"                                                         \
	TML_CM_STORE4("r0", "r1", "r2", "r3")                                                                          \
	".if .Lodd\n\tcmp lr, r8\n\tbeq 3f\n\t.endif\n\t"                                                              \
	TML_CM_STORE4("r4", "r5", "r6", "r7")                                                                          \
	"str lr, [sp, #8]\n\t"                                                                                         \
	"cmp lr, r8\n\tbne 1b\n"                                                                                      \
	"3:\n\t"                                                                                                       \
	"add sp, sp, #28 + 8 * .Lshared\n\t"                                                                           \
	TML_CM_RESTORE_BLOCK                                                                                           \
	"pop {r4-r11, pc}"

/* What of a layer is literal in its functions. */
#define TML_CM_SET_LAYER(form, requantization, low, high, odd)                                                         \
	TML_CM_SET("plain", form) TML_CM_SET("exact", (requantization) & 1) TML_CM_SET("shared", (requantization) >> 1) \
	TML_CM_SET("low", low) TML_CM_SET("high", high) TML_CM_SET("odd", odd)

/* Defines the function `name` for tiles of four pixels. The weights of a pair are one block of last + 1 words, at most
 * 32, or, where `looped` is 1, several blocks. `columns` holds, for each word of weights, the inputs of the four pixels. `odd` is 1
 * where the last pair lacks its second channel. */
#define TML_CM_TILE4(name, last, looped, form, requantization, shift_a, shift_b, low, high, odd)                       \
	TML_CM_FUNCTION(name)                                                                                          \
	{                                                                                                              \
		__asm__(TML_CM_SET("last", last) TML_CM_SET("looped", looped)                                          \
			TML_CM_SET_LAYER(form, requantization, low, high, odd)                                         \
			TML_CM_TILE4_ENTER                                                                             \
			"1:\n\t" /* a pair of channels */                                                              \
			"ldr lr, [sp, #4]\n\t"                                                                         \
			"ldmia r12!, {r3, r7}\n\t"                                                                     \
			".if .Llooped\n\t" TML_CM_SPREAD4                                                              \
			"2:\n\t"                                                                                       \
			".endif\n\t"                                                                                   \
			TML_CM_BLOCK_START(last)                                                                       \
			".if !.Llooped\n\t"                                                                            \
			TML_CM_STEP4("0", "r3", "r3", "r3", "r3", "r7", "r7", "r7", "r7")                              \
			".endif\n\t"                                                                                   \
			".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n\t" \
			".if \\i <= .Llast && (\\i > 0 || .Llooped)\n\t"                                               \
			TML_CM_STEP4("\\i", "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7")                            \
			".endif\n\t"                                                                                   \
			".endr\n\t"                                                                                    \
			TML_CM_BLOCK_END                                                                               \
			".if .Llooped\n\tldr r8, [sp, #24]\n\tcmp lr, r8\n\tbne 2b\n\t.endif\n\t"                      \
			TML_CM_TILE4_LEAVE(shift_a, shift_b));                                                         \
	}

/* Sparse weights: of the blocks of two words (two channels by four positions of the window) only some are stored, in
 * chunks of four. A pair's weights are the number of bytes of all its chunks; a chunk is a word with four bytes, each the
 * distance of a block behind the one before it in bytes of the columns of four pixels, then the blocks' words.
 * In TML_CM_CHUNK_START the word of distances is read; TML_CM_SKIP4 moves lr to block i of the chunk. */
#if defined(__ARM_FP)
#define TML_CM_CHUNK_START TML_CM_BLOCK_START(8)
#define TML_CM_SKIP4(i) "vmov r8, s0\n\tuxtab lr, lr, r8, ror #8 * " i "\n\t"
#else
#define TML_CM_CHUNK_START "ldr r8, [r12], #4\n\tstr r8, [sp]\n\t"
#define TML_CM_SKIP4(i) "ldrb r8, [sp, #" i "]\n\tadd lr, lr, r8\n\t"
#endif

/* Defines the function `name` for tiles of four pixels, on sparse weights. */
#define TML_CM_SPARSE4(name, form, requantization, shift_a, shift_b, low, high, odd)                                   \
	TML_CM_FUNCTION(name)                                                                                          \
	{                                                                                                              \
		__asm__(TML_CM_SET("last", 8) TML_CM_SET_LAYER(form, requantization, low, high, odd)                   \
			TML_CM_TILE4_ENTER                                                                             \
			"1:\n\t" /* a pair of channels */                                                              \
			"ldr lr, [sp, #4]\n\t"                                                                         \
			"ldmia r12!, {r3, r7, r8}\n\t"                                                                 \
			"add r8, r8, r12\n\tstr r8, [sp, #24]\n\t" TML_CM_SPREAD4                                      \
			"2:\n\t" TML_CM_CHUNK_START                                                                    \
			".irp i, 0,1,2,3\n\t"                                                                          \
			TML_CM_SKIP4("\\i")                                                                            \
			".irp j, 1,2,3,4,5,6,7,8\n\t"                                                                  \
			".if (\\j - 1) >> 1 == \\i\n\t"                                                               \
			TML_CM_STEP4("\\j", "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7")                            \
			".endif\n\t.endr\n\t.endr\n\t"                                                               \
			TML_CM_BLOCK_END                                                                               \
			"ldr r8, [sp, #24]\n\tcmp r12, r8\n\tbne 2b\n\t"                                              \
			TML_CM_TILE4_LEAVE(shift_a, shift_b));                                                         \
	}

/* Two positions of the window for one pixel: sums in r0 and r1. */
#define TML_CM_STEP1(w, x)                                                                                             \
	".if .Lplain\n\tsxtb16 r2, " w ", ror #8\n\tsmlad r1, r2, " x ", r1\n\t"                                       \
	".else\n\tsmlad r1, " w ", " x ", r1\n\t.endif\n\t"                                                            \
	"sxtb16 " w ", " w "\n\t"                                                                                      \
	"smlad r0, " w ", " x ", r0\n\t"

#define TML_CM_STEPS1                                                                                                  \
	"ldmia r12!, {r4-r7}\n\tldmia lr!, {r8-r11}\n\t"                                                               \
	TML_CM_STEP1("r4", "r8") TML_CM_STEP1("r5", "r9") TML_CM_STEP1("r6", "r10") TML_CM_STEP1("r7", "r11")

/* Both multipliers of a layer that shares them: from the head of the stream at r0 to where r4 and r6 get them. */
#if defined(__ARM_FP)
#define TML_CM_HOLD_SHARED ".if .Lshared\n\tvldmia r0!, {s0, s1}\n\t.endif\n\tpush {r1-r11, lr}\n\t"
#define TML_CM_GET_SHARED "vmov r4, r6, s0, s1\n\t"
#define TML_CM_DROP_SHARED
#else
#define TML_CM_HOLD_SHARED                                                                                             \
	"push {r4-r11, lr}\n\t.if .Lshared\n\tldmia r0!, {r4, r5}\n\tpush {r4, r5}\n\t.endif\n\tpush {r1-r3}\n\t"
#define TML_CM_GET_SHARED "ldrd r4, r6, [sp, #12]\n\t"
#define TML_CM_DROP_SHARED ".if .Lshared\n\tadd sp, sp, #8\n\t.endif\n\t"
#endif

/* Start and end of a function for single pixels. */
#define TML_CM_TILE1_ENTER "ldr r12, [sp]\n\t" TML_CM_HOLD_SHARED

#define TML_CM_TILE1_LEAVE(shift_a, shift_b)                                                                           \
	".if !.Lplain\n\tsub r1, r1, r0\n\t.endif\n\t"                                                                 \
	".if .Lexact\n\t"                                                                                              \
	"ldmia r12!, {r4-r11}\n\t"                                                                                     \
	TML_CM_TWICE_A("r0") TML_CM_EXACTLY("r0", "r4", "r5", "r6", "r7", "lr")                                        \
	TML_CM_TWICE_B("r1") TML_CM_EXACTLY("r1", "r8", "r9", "r10", "r11", "lr")                                      \
	".else\n\t"                                                                                                    \
	".if .Lshared\n\tldmia r12!, {r5, r7}\n\t" TML_CM_GET_SHARED                                                   \
	".else\n\tldmia r12!, {r4-r7}\n\t.endif\n\t"                                                                   \
	TML_CM_LINEARLY("r0", "r4", "r5", shift_a) TML_CM_LINEARLY("r1", "r6", "r7", shift_b)                          \
	".endif\n\t"                                                                                                   \
	"ldrd r2, lr, [sp, #4]\n\t"                                                                                    \
	"strb r0, [r2], #1\n\t"                                                                                        \
	".if .Lodd\n\tcmp r2, lr\n\tbeq 3f\n\t.endif\n\t"                                                              \
	"strb r1, [r2], #1\n\t"                                                                                        \
	"str r2, [sp, #4]\n\t"                                                                                         \
	"cmp r2, lr\n\tbne 1b\n"                                                                                      \
	"3:\n\t"                                                                                                       \
	"add sp, sp, #12\n\t" TML_CM_DROP_SHARED                                                                       \
	"pop {r4-r11, pc}"

/* Defines the function `name` for single pixels, on the same stream. A pair has `rounds` times 16 words of weights, where
 * 2 stands for any larger number too, and `rest` more, an even number; `columns` as many. */
#define TML_CM_TILE1(name, rounds, rest, form, requantization, shift_a, shift_b, low, high, odd)                       \
	TML_CM_FUNCTION(name)                                                                                          \
	{                                                                                                              \
		__asm__(TML_CM_SET("rounds", rounds) TML_CM_SET("rest", rest)                                          \
			TML_CM_SET_LAYER(form, requantization, low, high, odd)                                         \
			TML_CM_TILE1_ENTER                                                                             \
			"sub r3, r12, #.Lrest * 4\n\t"                                                                 \
			"mov r12, r0\n"                                                                                \
			"1:\n\t" /* a pair of channels */                                                              \
			"ldr lr, [sp]\n\t"                                                                             \
			"ldmia r12!, {r0, r1}\n\t"                                                                     \
			".if .Lrounds > 0\n"                                                                           \
			"2:\n\t"                                                                                       \
			".rept 4\n\t" TML_CM_STEPS1 ".endr\n\t"                                                        \
			".if .Lrounds > 1\n\tcmp lr, r3\n\tbne 2b\n\t.endif\n\t"                                       \
			".endif\n\t"                                                                                   \
			".rept .Lrest / 4\n\t" TML_CM_STEPS1 ".endr\n\t"                                               \
			".if .Lrest & 2\n\t"                                                                           \
			"ldmia r12!, {r4, r5}\n\tldmia lr!, {r8, r9}\n\t"                                              \
			TML_CM_STEP1("r4", "r8") TML_CM_STEP1("r5", "r9")                                              \
			".endif\n\t"                                                                                   \
			TML_CM_TILE1_LEAVE(shift_a, shift_b));                                                         \
	}

/* Defines the function `name` for single pixels, on sparse weights. A pixel's columns are a quarter as long as those
 * that the distances are told in. */
#define TML_CM_SPARSE1(name, form, requantization, shift_a, shift_b, low, high, odd)                                   \
	TML_CM_FUNCTION(name)                                                                                          \
	{                                                                                                              \
		__asm__(TML_CM_SET_LAYER(form, requantization, low, high, odd)                                         \
			TML_CM_TILE1_ENTER                                                                             \
			"mov r12, r0\n"                                                                                \
			"1:\n\t" /* a pair of channels */                                                              \
			"ldr lr, [sp]\n\t"                                                                             \
			"ldmia r12!, {r0, r1, r7}\n\t"                                                                 \
			"add r7, r7, r12\n"                                                                            \
			"2:\n\t"                                                                                       \
			"ldr r10, [r12], #4\n\t"                                                                       \
			".irp i, 0,1,2,3\n\t"                                                                          \
			"uxtb r11, r10, ror #8 * \\i\n\tadd lr, lr, r11, lsr #2\n\t"                                  \
			"ldmia r12!, {r4, r5}\n\tldmia lr!, {r8, r9}\n\t"                                              \
			TML_CM_STEP1("r4", "r8") TML_CM_STEP1("r5", "r9")                                              \
			".endr\n\t"                                                                                    \
			"cmp r12, r7\n\tbne 2b\n\t"                                                                   \
			TML_CM_TILE1_LEAVE(shift_a, shift_b));                                                         \
	}

#endif
