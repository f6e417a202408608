/* RV32IM: the inner loops of convolution, pointwise convolution and fully connected layers. A channel's sum is its
 * start value plus weight * input over the positions k of the window.
 *
 * Packed form, for tiles of four pixels: a word holds the inputs of two pixels, X = x0 + (x1 << 16), so that one MUL
 * makes two products. T = sum of w * X over a group of positions is S0 + (S1 << 16), where S0 and S1 are the pixels'
 * sums over the group. They are told apart while S0 fits in 16 bits, which holds for any inputs where the group's
 * |w| add up to 255 at most (128 * 255 < 2^15), and so does S1 then. With R = 2^15 added to T, T >> 16 is S1 exactly.
 * h adds up T >> 16 and m adds up T modulo 2^32 over all groups; the pixels' sums are h and m - (h << 16) - groups * R.
 * Start values of h and m take the layer's own start value in, and the groups * R out.
 *
 * A layer's constants are one stream of words, channel pair by channel pair:
 *   h and m to start from, of the first channel and of the second;
 *   rounds of eight positions: a byte that says how they are grouped, then the weights of both channels, position by
 *   position. Groups: 0 two of four; 1 one of eight; -1 four of two. Then, if K modulo 8 is 1 to 4, a round of four:
 *   0 one of four, -1 two of two. Positions past the window have weights of 0. Then 0 to 3 bytes up to a whole word;
 *   requantization of the first channel, that of the second.
 * Single pixels use the same stream without packing.
 * Sparse packed form: rounds of zeros are left out. Each round, and the end of the rounds, has one byte more ahead: how
 * many rounds are left out there.
 *
 * Plain form, for single rows: eight channels at a time: their start values; for each position, K rounded up to four,
 * their weights; their requantizations.
 *
 * Requantization, by form:
 * - linear: ((sum * multiplier) >> 32) + offset, shifted right by the layer's shift: the generator has proved that this
 *   equals TensorFlow Lite's two roundings for every sum that the channel can reach.
 * - exact: the rounding doubling high multiplication is the upper word of 2 * sum * multiplier + 2^31 for |sum| < 2^30;
 *   then, with a mask of -1, negative products lose 1, which takes halves away from zero; then the offset is added and
 *   the channel's own shift made.
 * Offsets contain the zero point, the rounding, and the lowest result taken out, so that one unsigned comparison tells
 * whether a result is in range. */
#ifndef TML_RV_GEMM_H
#define TML_RV_GEMM_H

#include <stdint.h>

#define TML_RV_DENSE 0
#define TML_RV_SPARSE 1
#define TML_RV_LINEAR 0
#define TML_RV_EXACT 1

/* What the functions below need of a layer, at the offsets they know. */
struct tml_rv_layer {
	int32_t depth; /* 0: channels of the result */
	int32_t rounds; /* 4: bytes of columns that whole rounds take: 64 each; or, in the plain form, of positions */
	int32_t half_round; /* 8: 1 where a round of four follows */
	int32_t shift; /* 12: of the linear requantization */
	int32_t low; /* 16: the lowest result */
	int32_t range; /* 20: the highest result less the lowest */
};

/* Computes the results of one tile from its inputs, which are columns (packed) or a row of bytes (single pixel). */
typedef void tml_rv_tile(const int32_t *stream, const void *inputs, int8_t *y, const struct tml_rv_layer *layer);

#define TML_RV_UNUSED __attribute__((unused))
#define TML_RV_TEXT(x) TML_RV_TEXT_(x)
#define TML_RV_TEXT_(x) #x

/* A function of assembly only; the arguments come in a0 to a3. */
#define TML_RV_FUNCTION(name)                                                                                          \
	static __attribute__((naked, noinline, unused)) void name(                                                     \
		const int32_t *stream TML_RV_UNUSED, const void *inputs TML_RV_UNUSED, int8_t *y TML_RV_UNUSED,        \
		const struct tml_rv_layer *layer TML_RV_UNUSED)

#define TML_RV_SAVE                                                                                                    \
	"addi sp, sp, -64\n\t"                                                                                         \
	"sw ra, 0(sp)\n\tsw s0, 4(sp)\n\tsw s1, 8(sp)\n\tsw s2, 12(sp)\n\tsw s3, 16(sp)\n\tsw s4, 20(sp)\n\t"          \
	"sw s5, 24(sp)\n\tsw s6, 28(sp)\n\tsw s7, 32(sp)\n\tsw s8, 36(sp)\n\tsw s9, 40(sp)\n\tsw s10, 44(sp)\n\t"      \
	"sw s11, 48(sp)\n\t"

#define TML_RV_RETURN                                                                                                  \
	"lw ra, 0(sp)\n\tlw s0, 4(sp)\n\tlw s1, 8(sp)\n\tlw s2, 12(sp)\n\tlw s3, 16(sp)\n\tlw s4, 20(sp)\n\t"          \
	"lw s5, 24(sp)\n\tlw s6, 28(sp)\n\tlw s7, 32(sp)\n\tlw s8, 36(sp)\n\tlw s9, 40(sp)\n\tlw s10, 44(sp)\n\t"      \
	"lw s11, 48(sp)\n\t"                                                                                           \
	"addi sp, sp, 64\n\tret"

/* Requantizes the sums in `registers`, whose channel has m, c, e and, if exact, a mask; `low` is a register or a number,
 * `t0` a free register. */
#define TML_RV_FINISH(form, registers, m, c, e, mask, range, low, t0)                                                  \
	".irp r, " registers "\n\t"                                                                                    \
	".if " TML_RV_TEXT(form) "\n\t"                                                                                \
	"slli \\r, \\r, 1\n\t"                                                                                         \
	"mulh " t0 ", \\r, " m "\n\t"                                                                                  \
	"mul \\r, \\r, " m "\n\t"                                                                                      \
	"srli \\r, \\r, 31\n\t"                                                                                        \
	"add \\r, \\r, " t0 "\n\t"                                                                                     \
	"srai " t0 ", \\r, 31\n\t"                                                                                     \
	"and " t0 ", " t0 ", " mask "\n\t"                                                                             \
	"add \\r, \\r, " t0 "\n\t"                                                                                     \
	".else\n\t"                                                                                                    \
	"mulh \\r, \\r, " m "\n\t"                                                                                     \
	".endif\n\t"                                                                                                   \
	"add \\r, \\r, " c "\n\t"                                                                                      \
	"sra \\r, \\r, " e "\n\t"                                                                                      \
	"bgeu " range ", \\r, 9f\n\t"                                                                                  \
	"srai \\r, \\r, 31\n\t"                                                                                        \
	"not \\r, \\r\n\t"                                                                                             \
	"and \\r, \\r, " range "\n"                                                                                    \
	"9:\n\t"                                                                                                       \
	"add \\r, \\r, " low "\n\t"                                                                                    \
	".endr\n\t"

/* Words of one channel's requantization: multiplier and offset, then shift and mask. */
#define TML_RV_FINISH_BYTES(form) ".if " TML_RV_TEXT(form) "\n\t.set .Lfinish, 16\n\t.else\n\t.set .Lfinish, 8\n\t.endif\n\t"

/* Position k of a round, for two words of columns and two channels; the first of a group starts its sums. */
#define TML_RV_POSITION(k, first)                                                                                      \
	"lw a4, 8*(" k ")(a1)\n\tlw a5, 8*(" k ")+4(a1)\n\t"                                                           \
	"lb a6, 2*(" k ")+1(a0)\n\tlb a7, 2*(" k ")+2(a0)\n\t"                                                         \
	".if " first "\n\t"                                                                                            \
	"mul s0, a4, a6\n\tmul s1, a5, a6\n\tmul s2, a4, a7\n\tmul s3, a5, a7\n\t"                                     \
	"add s0, s0, t1\n\tadd s1, s1, t1\n\tadd s2, s2, t1\n\tadd s3, s3, t1\n\t"                                     \
	".else\n\t"                                                                                                    \
	"mul t0, a4, a6\n\tmul t6, a5, a6\n\tadd s0, s0, t0\n\tadd s1, s1, t6\n\t"                                     \
	"mul t0, a4, a7\n\tmul t6, a5, a7\n\tadd s2, s2, t0\n\tadd s3, s3, t6\n\t"                                     \
	".endif\n\t"

/* Ends a group. */
#define TML_RV_EXTRACT                                                                                                 \
	"srai t0, s0, 16\n\tsrai t6, s1, 16\n\tadd s4, s4, t0\n\tadd s5, s5, t6\n\t"                                   \
	"srai t0, s2, 16\n\tsrai t6, s3, 16\n\tadd s6, s6, t0\n\tadd s7, s7, t6\n\t"                                   \
	"add s8, s8, s0\n\tadd s9, s9, s1\n\tadd s10, s10, s2\n\tadd s11, s11, s3\n\t"

#define TML_RV_GROUP2(k) TML_RV_POSITION(k, "1") TML_RV_POSITION(k "+1", "0") TML_RV_EXTRACT
#define TML_RV_GROUP4(k)                                                                                               \
	TML_RV_POSITION(k, "1") TML_RV_POSITION(k "+1", "0") TML_RV_POSITION(k "+2", "0") TML_RV_POSITION(k "+3", "0") \
	TML_RV_EXTRACT
#define TML_RV_GROUP8                                                                                                  \
	TML_RV_POSITION("0", "1") TML_RV_POSITION("1", "0") TML_RV_POSITION("2", "0") TML_RV_POSITION("3", "0")        \
	TML_RV_POSITION("4", "0") TML_RV_POSITION("5", "0") TML_RV_POSITION("6", "0") TML_RV_POSITION("7", "0")        \
	TML_RV_EXTRACT

/* Inputs of `bytes` (2^shift) a round at a1, up to t2; the rounds end at label `end`. */
#define TML_RV_ROUNDS(sparse, shift, end)                                                                              \
	".if !(" TML_RV_TEXT(sparse) ")\n\tbeq a1, t2, " end "\n\t.endif\n"                                           \
	"2:\n\t"                                                                                                       \
	".if " TML_RV_TEXT(sparse) "\n\t"                                                                              \
	"lbu t6, 0(a0)\n\tslli t6, t6, " shift "\n\tadd a1, a1, t6\n\taddi a0, a0, 1\n\tbeq a1, t2, " end "\n\t"         \
	".endif\n\t"

/* `end` goes where the rounds end, if that is not what follows. */
#define TML_RV_NEXT_ROUND(sparse, bytes, end)                                                                          \
	"addi a0, a0, 17\n\taddi a1, a1, " bytes "\n\t"                                                                \
	".if " TML_RV_TEXT(sparse) "\n\tj 2b\n\t.else\n\tbne a1, t2, 2b\n\t" end ".endif\n"

/* Defines the function `name` for tiles of four pixels: `inputs` are columns, for each position the words of pixels 0
 * and 1 and of pixels 2 and 3. */
#define TML_RV_TILE4(name, form, sparse)                                                                               \
	TML_RV_FUNCTION(name)                                                                                          \
	{                                                                                                              \
		__asm__(TML_RV_SAVE TML_RV_FINISH_BYTES(form)                                                          \
			"li t1, 0x8000\n\t"                                                                            \
			"mv t3, a1\n\t"                                                                                \
			"lw t2, 4(a3)\n\tadd t2, t2, a1\n\t"                                                           \
			"lw t4, 0(a3)\n\tadd t5, a2, t4\n"                                                             \
			"1:\n\t" /* a pair of channels */                                                              \
			"lw s4, 0(a0)\n\tlw s8, 4(a0)\n\tlw s6, 8(a0)\n\tlw s10, 12(a0)\n\t"                           \
			"addi a0, a0, 16\n\tmv a1, t3\n\t"                                                             \
			"mv s5, s4\n\tmv s9, s8\n\tmv s7, s6\n\tmv s11, s10\n\t"                                       \
			TML_RV_ROUNDS(sparse, "6", "5f")                                                               \
			"lb t6, 0(a0)\n\t"                                                                             \
			"bnez t6, 3f\n\t" TML_RV_GROUP4("0") TML_RV_GROUP4("4")                                        \
			TML_RV_NEXT_ROUND(sparse, "64", "j 5f\n\t")                                                          \
			"3:\n\t"                                                                                       \
			"bltz t6, 4f\n\t" TML_RV_GROUP8                                                                \
			TML_RV_NEXT_ROUND(sparse, "64", "j 5f\n\t")                                                          \
			"4:\n\t" TML_RV_GROUP2("0") TML_RV_GROUP2("2") TML_RV_GROUP2("4") TML_RV_GROUP2("6")           \
			TML_RV_NEXT_ROUND(sparse, "64", "")                                                          \
			"5:\n\t"                                                                                       \
			"lw t6, 8(a3)\n\tbeqz t6, 7f\n\t"                                                              \
			"lb t6, 0(a0)\n\tbltz t6, 6f\n\t" TML_RV_GROUP4("0")                                           \
			"addi a0, a0, 9\n\tj 7f\n"                                                                     \
			"6:\n\t" TML_RV_GROUP2("0") TML_RV_GROUP2("2")                                                 \
			"addi a0, a0, 9\n"                                                                             \
			"7:\n\t"                                                                                       \
			"addi a0, a0, 3\n\tandi a0, a0, -4\n\t"                                                        \
			"slli t0, s4, 16\n\tsub s8, s8, t0\n\tslli t6, s5, 16\n\tsub s9, s9, t6\n\t"                   \
			"lw a6, 0(a0)\n\tlw a7, 4(a0)\n\tlw a4, 16(a3)\n\tlw a5, 20(a3)\n\t"                           \
			".if .Lfinish == 16\n\tlw a1, 8(a0)\n\tlw s0, 12(a0)\n\t.else\n\tlw a1, 12(a3)\n\t.endif\n\t"  \
			TML_RV_FINISH(form, "s8, s4, s9, s5", "a6", "a7", "a1", "s0", "a5", "a4", "t0")          \
			"add s1, a2, t4\n\tadd s2, s1, t4\n\tadd s3, s2, t4\n\t"                                       \
			"sb s8, 0(a2)\n\tsb s4, 0(s1)\n\tsb s9, 0(s2)\n\tsb s5, 0(s3)\n\t"                             \
			"addi a2, a2, 1\n\tbeq a2, t5, 8f\n\t" /* the last pair may lack its second */                 \
			"slli t0, s6, 16\n\tsub s10, s10, t0\n\tslli t6, s7, 16\n\tsub s11, s11, t6\n\t"               \
			"lw a6, .Lfinish(a0)\n\tlw a7, .Lfinish+4(a0)\n\t"                                             \
			".if .Lfinish == 16\n\tlw a1, .Lfinish+8(a0)\n\tlw s0, .Lfinish+12(a0)\n\t.endif\n\t"          \
			TML_RV_FINISH(form, "s10, s6, s11, s7", "a6", "a7", "a1", "s0", "a5", "a4", "t0")        \
			"sb s10, 0(a2)\n\tsb s6, 1(s1)\n\tsb s11, 1(s2)\n\tsb s7, 1(s3)\n\t"                           \
			"addi a0, a0, 2*.Lfinish\n\taddi a2, a2, 1\n\tbne a2, t5, 1b\n"                                \
			"8:\n\t" TML_RV_RETURN);                                                                       \
	}

/* Position k of a round for one pixel. */
#define TML_RV_POSITION1(k)                                                                                            \
	"lb a4, " k "(a1)\n\tlb a6, 2*(" k ")+1(a0)\n\tlb a7, 2*(" k ")+2(a0)\n\t"                                     \
	"mul a6, a6, a4\n\tmul a7, a7, a4\n\tadd s4, s4, a6\n\tadd s6, s6, a7\n\t"

/* Defines the function `name` for single pixels on the stream of the packed form: `inputs` are the bytes of the window,
 * up to three more of which are read. */
#define TML_RV_TILE1(name, form, sparse)                                                                               \
	TML_RV_FUNCTION(name)                                                                                          \
	{                                                                                                              \
		__asm__(TML_RV_SAVE TML_RV_FINISH_BYTES(form)                                                          \
			"mv t3, a1\n\t"                                                                                \
			"lw t2, 4(a3)\n\tsrli t2, t2, 3\n\tadd t2, t2, a1\n\t"                                         \
			"lw t4, 0(a3)\n\tadd t5, a2, t4\n\t"                                                           \
			"lw s1, 8(a3)\n\tlw s2, 16(a3)\n\tlw s3, 20(a3)\n\tlw s5, 12(a3)\n"                            \
			"1:\n\t"                                                                                       \
			"lw s4, 0(a0)\n\tlw s6, 8(a0)\n\taddi a0, a0, 16\n\tmv a1, t3\n\t"                             \
			TML_RV_ROUNDS(sparse, "3", "3f")                                                               \
			TML_RV_POSITION1("0") TML_RV_POSITION1("1") TML_RV_POSITION1("2") TML_RV_POSITION1("3")        \
			TML_RV_POSITION1("4") TML_RV_POSITION1("5") TML_RV_POSITION1("6") TML_RV_POSITION1("7")        \
			TML_RV_NEXT_ROUND(sparse, "8", "")                                                           \
			"3:\n\t"                                                                                       \
			"beqz s1, 4f\n\t"                                                                              \
			TML_RV_POSITION1("0") TML_RV_POSITION1("1") TML_RV_POSITION1("2") TML_RV_POSITION1("3")        \
			"addi a0, a0, 9\n"                                                                             \
			"4:\n\t"                                                                                       \
			"addi a0, a0, 3\n\tandi a0, a0, -4\n\t"                                                        \
			"lw a6, 0(a0)\n\tlw a7, 4(a0)\n\t"                                                             \
			".if .Lfinish == 16\n\tlw s5, 8(a0)\n\tlw s0, 12(a0)\n\t.endif\n\t"                            \
			TML_RV_FINISH(form, "s4", "a6", "a7", "s5", "s0", "s3", "s2", "t0")                      \
			"sb s4, 0(a2)\n\taddi a2, a2, 1\n\tbeq a2, t5, 5f\n\t"                                         \
			"lw a6, .Lfinish(a0)\n\tlw a7, .Lfinish+4(a0)\n\t"                                             \
			".if .Lfinish == 16\n\tlw s5, .Lfinish+8(a0)\n\tlw s0, .Lfinish+12(a0)\n\t.endif\n\t"          \
			TML_RV_FINISH(form, "s6", "a6", "a7", "s5", "s0", "s3", "s2", "t0")                      \
			"sb s6, 0(a2)\n\taddi a2, a2, 1\n\taddi a0, a0, 2*.Lfinish\n\tbne a2, t5, 1b\n"                \
			"5:\n\t" TML_RV_RETURN);                                                                       \
	}

/* Position k of four, for eight channels. */
#define TML_RV_POSITION8(k)                                                                                            \
	"lb t0, " k "(a1)\n\t"                                                                                         \
	"lb a4, 8*" k "(a0)\n\tlb a5, 8*" k "+1(a0)\n\tlb a6, 8*" k "+2(a0)\n\tlb a7, 8*" k "+3(a0)\n\t"               \
	"mul a4, a4, t0\n\tmul a5, a5, t0\n\tmul a6, a6, t0\n\tmul a7, a7, t0\n\t"                                     \
	"add s0, s0, a4\n\tadd s1, s1, a5\n\tadd s2, s2, a6\n\tadd s3, s3, a7\n\t"                                     \
	"lb a4, 8*" k "+4(a0)\n\tlb a5, 8*" k "+5(a0)\n\tlb a6, 8*" k "+6(a0)\n\tlb a7, 8*" k "+7(a0)\n\t"             \
	"mul a4, a4, t0\n\tmul a5, a5, t0\n\tmul a6, a6, t0\n\tmul a7, a7, t0\n\t"                                     \
	"add s4, s4, a4\n\tadd s5, s5, a5\n\tadd s6, s6, a6\n\tadd s7, s7, a7\n\t"

/* Defines the function `name` for single rows in the plain form: `inputs` are the row's bytes, up to three more of
 * which are read. */
#define TML_RV_ROW8(name, form)                                                                                        \
	TML_RV_FUNCTION(name)                                                                                          \
	{                                                                                                              \
		__asm__(TML_RV_SAVE TML_RV_FINISH_BYTES(form)                                                          \
			"mv t3, a1\n\t"                                                                                \
			"lw t2, 4(a3)\n\tadd t2, t2, a1\n\t"                                                           \
			"lw t5, 0(a3)\n\tadd t5, a2, t5\n\t"                                                           \
			"lw s8, 16(a3)\n\tlw s9, 20(a3)\n\tlw s10, 12(a3)\n"                                           \
			"1:\n\t" /* eight channels */                                                                  \
			"lw s0, 0(a0)\n\tlw s1, 4(a0)\n\tlw s2, 8(a0)\n\tlw s3, 12(a0)\n\t"                            \
			"lw s4, 16(a0)\n\tlw s5, 20(a0)\n\tlw s6, 24(a0)\n\tlw s7, 28(a0)\n\t"                         \
			"addi a0, a0, 32\n\tmv a1, t3\n"                                                               \
			"2:\n\t"                                                                                       \
			TML_RV_POSITION8("0") TML_RV_POSITION8("1") TML_RV_POSITION8("2") TML_RV_POSITION8("3")        \
			"addi a0, a0, 32\n\taddi a1, a1, 4\n\tbne a1, t2, 2b\n\t"                                      \
			".irp s, s0, s1, s2, s3, s4, s5, s6, s7\n\t"                                                   \
			"lw a6, 0(a0)\n\tlw a7, 4(a0)\n\t"                                                             \
			".if .Lfinish == 16\n\tlw s10, 8(a0)\n\tlw s11, 12(a0)\n\t.endif\n\t"                          \
			TML_RV_FINISH(form, "\\s", "a6", "a7", "s10", "s11", "s9", "s8", "a4")                   \
			"sb \\s, 0(a2)\n\taddi a2, a2, 1\n\taddi a0, a0, .Lfinish\n\tbeq a2, t5, 8f\n\t"               \
			".endr\n\t"                                                                                    \
			"j 1b\n"                                                                                       \
			"8:\n\t" TML_RV_RETURN);                                                                       \
	}

#endif
