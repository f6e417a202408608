/* Fully connected layers for RV32IM where there are few rows: here it is not two inputs that share a word, but four
 * weights, those of four channels at one position, w + 128 each, so that a word is loaded where the plain form loads
 * four bytes. With X the sum of the inputs x over a group of positions, and c = 128 + 128 * 2^16:
 *   E, the word with its odd bytes masked out:   sum of E * x = S0 + (S2 << 16) + c * X                   modulo 2^32
 *   O, the word shifted right by 8:              sum of O * x = S1 + (S2 << 8) + (S3 << 16) + (c + 2^15) * X
 * The corrections are the same for all channels: they are computed once for a row. What remains of E is S0 + (S2 << 16),
 * told apart as in tml_rv_gemm.h; with S2 known, O gives S1 and S3.
 *
 * The stream, for eight channels at a time: h and m to start from, of E and of O, for the first four channels and for
 * the others; a byte for each round of sixteen positions, up to a whole word; two words of weights for each position;
 * eight requantizations. The byte tells how a round is grouped: 0 all sixteen; otherwise, with bit 2 set, in two halves,
 * the first one by pairs if bit 0 is set, the second one if bit 1 is. */
#ifndef TML_RV_QUADS_H
#define TML_RV_QUADS_H

#include <string.h>

#include "tml_common.h"
#include "tml_rv_gemm.h"

/* `rounds` of the layer is the number of positions, rounded up to whole rounds, and `depth` a multiple of eight. */
struct tml_rv_quads_s8 {
	struct tml_rv_layer layer;
	int32_t rows, x_depth, y_depth;
	int32_t result_words; /* where a row of results goes in the scratch memory if y_depth is no multiple of eight */
};

#define TML_RV_QUAD_ROUND 16
#define TML_RV_QUAD_E 0x00800080u /* c */
#define TML_RV_QUAD_O 0x00808080u

/* Corrections of a round less the rounding of 2^15: of all of it, of its first half, of its second, each for E and O. */
#define TML_RV_QUAD_TABLE 6

/* Position k from a0 and a1, for eight channels; the first of a group starts its sums. */
#define TML_RV_QUAD(k, first)                                                                                          \
	"lb a4, " k "(a1)\n\t"                                                                                         \
	"lw a5, 8*(" k ")(a0)\n\tand a6, a5, t0\n\tsrli a5, a5, 8\n\t"                                                 \
	".if " first "\n\tmul s0, a6, a4\n\tmul s1, a5, a4\n\t"                                                        \
	".else\n\tmul a6, a6, a4\n\tmul a5, a5, a4\n\tadd s0, s0, a6\n\tadd s1, s1, a5\n\t.endif\n\t"                  \
	"lw a5, 8*(" k ")+4(a0)\n\tand a6, a5, t0\n\tsrli a5, a5, 8\n\t"                                               \
	".if " first "\n\tmul s2, a6, a4\n\tmul s3, a5, a4\n\t"                                                        \
	".else\n\tmul a6, a6, a4\n\tmul a5, a5, a4\n\tadd s2, s2, a6\n\tadd s3, s3, a5\n\t.endif\n\t"

#define TML_RV_QUADS8(k)                                                                                               \
	TML_RV_QUAD(k, "1") TML_RV_QUAD(k "+1", "0") TML_RV_QUAD(k "+2", "0") TML_RV_QUAD(k "+3", "0")                 \
	TML_RV_QUAD(k "+4", "0") TML_RV_QUAD(k "+5", "0") TML_RV_QUAD(k "+6", "0") TML_RV_QUAD(k "+7", "0")

/* Ends a group of four channels, of which `e` and `o` hold the sums; corrections are in a6 and a7. */
#define TML_RV_QUAD_EXTRACT(e, o, he, ho, me, mo)                                                                      \
	"sub " e ", " e ", a6\n\tsrai a5, " e ", 16\n\tadd " he ", " he ", a5\n\tadd " me ", " me ", " e "\n\t"        \
	"slli a5, a5, 8\n\tsub " o ", " o ", a5\n\tsub " o ", " o ", a7\n\t"                                           \
	"srai a5, " o ", 16\n\tadd " ho ", " ho ", a5\n\tadd " mo ", " mo ", " o "\n\t"

/* Ends a group whose corrections are at `at` of the table. */
#define TML_RV_QUAD_GROUP(at)                                                                                          \
	"lw a6, " at "(t1)\n\tlw a7, " at "+4(t1)\n\t"                                                                 \
	TML_RV_QUAD_EXTRACT("s0", "s1", "s4", "s5", "s8", "s9")                                                        \
	TML_RV_QUAD_EXTRACT("s2", "s3", "s6", "s7", "s10", "s11")

/* Four weights at offset `at` made signed, times the input in a4, in a6 and a5; c is in ra. */
#define TML_RV_QUAD_SIGNED(at)                                                                                         \
	"lw a5, " at "(a0)\n\tand a6, a5, t0\n\tsub a6, a6, ra\n\tsrli a5, a5, 8\n\tand a5, a5, t0\n\t"                \
	"sub a5, a5, ra\n\tmul a6, a6, a4\n\tmul a5, a5, a4\n\t"

/* The eight positions from a0 and a1 on, by pairs; needs t6, and moves a0 and a1 on. */
#define TML_RV_QUAD_PAIRS                                                                                              \
	"addi t6, a1, 8\n"                                                                                             \
	"6:\n\t"                                                                                                       \
	"lb a4, 0(a1)\n\tlui s3, 8\n\t"                                                                                \
	TML_RV_QUAD_SIGNED("0") "add s0, a6, s3\n\tadd s1, a5, s3\n\t"                                                 \
	TML_RV_QUAD_SIGNED("4") "add s2, a6, s3\n\tadd s3, a5, s3\n\t"                                                 \
	"lb a4, 1(a1)\n\t"                                                                                             \
	TML_RV_QUAD_SIGNED("8") "add s0, s0, a6\n\tadd s1, s1, a5\n\t"                                                 \
	TML_RV_QUAD_SIGNED("12") "add s2, s2, a6\n\tadd s3, s3, a5\n\t"                                                \
	"srai a5, s0, 16\n\tadd s4, s4, a5\n\tadd s8, s8, s0\n\t"                                                      \
	"srai a5, s1, 16\n\tadd s5, s5, a5\n\tadd s9, s9, s1\n\t"                                                      \
	"srai a5, s2, 16\n\tadd s6, s6, a5\n\tadd s10, s10, s2\n\t"                                                    \
	"srai a5, s3, 16\n\tadd s7, s7, a5\n\tadd s11, s11, s3\n\t"                                                    \
	"addi a0, a0, 16\n\taddi a1, a1, 2\n\tbne a1, t6, 6b\n\t"

/* Defines the function `name` for single rows: `inputs` are the row's bytes, to a whole round, then its table. */
#define TML_RV_QUADS(name, form)                                                                                       \
	TML_RV_FUNCTION(name)                                                                                          \
	{                                                                                                              \
		__asm__(TML_RV_SAVE TML_RV_FINISH_BYTES(form)                                                          \
			"li t0, 0x00ff00ff\n\tli ra, 0x00800080\n\t"                                                   \
			"mv t3, a1\n\t"                                                                                \
			"lw t2, 4(a3)\n\tadd t2, t2, a1\n\t"                                                           \
			"lw t5, 0(a3)\n\tadd t5, a2, t5\n"                                                             \
			"1:\n\t" /* eight channels */                                                                  \
			"lw s4, 0(a0)\n\tlw s8, 4(a0)\n\tlw s5, 8(a0)\n\tlw s9, 12(a0)\n\t"                            \
			"lw s6, 16(a0)\n\tlw s10, 20(a0)\n\tlw s7, 24(a0)\n\tlw s11, 28(a0)\n\t"                       \
			"addi t4, a0, 32\n\tmv a1, t3\n\tmv t1, t2\n\t"                                                \
			"sub a0, t2, t3\n\tsrli a0, a0, 4\n\taddi a0, a0, 3\n\tandi a0, a0, -4\n\tadd a0, a0, t4\n"    \
			"2:\n\t" /* a round */                                                                         \
			"lb a4, 0(t4)\n\taddi t4, t4, 1\n\t"                                                           \
			"bnez a4, 4f\n\t" TML_RV_QUADS8("0")                                                           \
			TML_RV_QUAD("8", "0") TML_RV_QUAD("9", "0") TML_RV_QUAD("10", "0") TML_RV_QUAD("11", "0")      \
			TML_RV_QUAD("12", "0") TML_RV_QUAD("13", "0") TML_RV_QUAD("14", "0") TML_RV_QUAD("15", "0")    \
			TML_RV_QUAD_GROUP("0")                                                                         \
			"addi a0, a0, 128\n\taddi a1, a1, 16\n\taddi t1, t1, 24\n\tbne a1, t2, 2b\n\t"                 \
			"j 7f\n"                                                                                       \
			"4:\n\t" /* two halves */                                                                      \
			"andi a4, a4, 1\n\tbnez a4, 8f\n\t" TML_RV_QUADS8("0") TML_RV_QUAD_GROUP("8")                  \
			"4:\n\t"                                                                                       \
			"lb a4, -1(t4)\n\tandi a4, a4, 2\n\tbnez a4, 9f\n\t" TML_RV_QUADS8("8")                        \
			TML_RV_QUAD_GROUP("16")                                                                        \
			"5:\n\t"                                                                                       \
			"addi a0, a0, 128\n\taddi a1, a1, 16\n\taddi t1, t1, 24\n\tbne a1, t2, 2b\n\t"                 \
			"j 7f\n"                                                                                       \
			"8:\n\t" TML_RV_QUAD_PAIRS "addi a0, a0, -64\n\taddi a1, a1, -8\n\tj 4b\n"                     \
			"9:\n\t"                                                                                       \
			"addi a0, a0, 64\n\taddi a1, a1, 8\n\t" TML_RV_QUAD_PAIRS                                      \
			"addi a0, a0, -128\n\taddi a1, a1, -16\n\tj 5b\n"                                              \
			"7:\n\t"                                                                                       \
			"slli s0, s4, 16\n\tsub s8, s8, s0\n\tslli s1, s5, 16\n\tsub s9, s9, s1\n\t"                   \
			"slli s2, s6, 16\n\tsub s10, s10, s2\n\tslli s3, s7, 16\n\tsub s11, s11, s3\n\t"               \
			"lw s0, 16(a3)\n\tlw s1, 20(a3)\n\tlw s2, 12(a3)\n\t"                                          \
			".set .Lat, 0\n\t"                                                                             \
			".irp s, s8, s9, s4, s5, s10, s11, s6, s7\n\t"                                                 \
			"lw a6, .Lat*.Lfinish(a0)\n\tlw a7, .Lat*.Lfinish+4(a0)\n\t"                                   \
			".if .Lfinish == 16\n\t"                                                                       \
			"lw s2, .Lat*.Lfinish+8(a0)\n\tlw s3, .Lat*.Lfinish+12(a0)\n\t.endif\n\t"                      \
			TML_RV_FINISH(form, "\\s", "a6", "a7", "s2", "s3", "s1", "s0", "a4")                           \
			"sb \\s, .Lat(a2)\n\t.set .Lat, .Lat+1\n\t"                                                    \
			".endr\n\t"                                                                                    \
			"addi a2, a2, 8\n\taddi a0, a0, 8*.Lfinish\n\tbne a2, t5, 1b\n\t" TML_RV_RETURN);              \
	}

static inline uint32_t tml_rv_sum8(const int8_t *x)
{
	return (uint32_t)(x[0] + x[1] + x[2] + x[3] + x[4] + x[5] + x[6] + x[7]);
}

TML_KERNEL void tml_rv_quad_table(const int8_t *x, int32_t positions, uint32_t *table)
{
	for (const int8_t *end = x + positions; x != end; x += TML_RV_QUAD_ROUND, table += TML_RV_QUAD_TABLE) {
		uint32_t first = tml_rv_sum8(x), second = tml_rv_sum8(x + 8);

		table[0] = (first + second) * TML_RV_QUAD_E - 0x8000u;
		table[1] = (first + second) * TML_RV_QUAD_O - 0x8000u;
		table[2] = first * TML_RV_QUAD_E - 0x8000u;
		table[3] = first * TML_RV_QUAD_O - 0x8000u;
		table[4] = second * TML_RV_QUAD_E - 0x8000u;
		table[5] = second * TML_RV_QUAD_O - 0x8000u;
	}
}

/* Scratch memory: a row of inputs up to whole rounds, its table, and a row of results where needed. A row is copied before its results are written: y
 * may take the place of x where it is not longer. What follows the row's last input has weights of 0. */
TML_KERNEL void tml_rv_quads_s8(const struct tml_rv_quads_s8 *p, const int8_t *x, const int32_t *stream,
				uint32_t *scratch, tml_rv_tile *quads, int8_t *y)
{
	const int32_t positions = p->layer.rounds;
	const int32_t whole = p->y_depth == p->layer.depth;
	int8_t *row = (int8_t *)scratch, *results = (int8_t *)(scratch + p->result_words);

	memset(row + positions - TML_RV_QUAD_ROUND, 0, TML_RV_QUAD_ROUND);
	for (int32_t i = 0; i < p->rows; i++, x += p->x_depth, y += p->y_depth) {
		memcpy(row, x, (uint32_t)p->x_depth);
		tml_rv_quad_table(row, positions, scratch + positions / 4);
		quads(stream, row, whole ? y : results, &p->layer);
		if (!whole)
			memcpy(y, results, (uint32_t)p->y_depth);
	}
}

#endif
