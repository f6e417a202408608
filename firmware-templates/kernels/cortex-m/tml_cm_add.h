/* Addition of two int8 tensors of one shape for Cortex-M with DSP extension. Of the rescaling of both operands, the
 * zero points, the sum's rescaling and its roundings there remains result = saturate((offset + ma * a + mb * b) >> shift):
 * the generator has compared it with TensorFlow Lite's arithmetic for all 65536 pairs of operands. */
#ifndef TML_CM_ADD_H
#define TML_CM_ADD_H

#include "tml_cm_text.h"
#include "tml_common.h"

struct tml_cm_add_s8 {
	int32_t a_multiplier, b_multiplier; /* 256-fold */
	int32_t offset;
	int32_t count, shift;
};

/* Adds words of four elements until y reaches its end. */
typedef void tml_cm_add_words(const int8_t *a, const int8_t *b, int8_t *y, const int8_t *y_end,
			      const struct tml_cm_add_s8 *constants);

/* Defines such a function. The elements stand in the upper bytes of half words, 256-fold, where SMLAW multiplies them by
 * 32 bits and drops the lowest 16: 0 and 2 in r7 and r10, 1 and 3 in r8 and r11. */
#define TML_CM_ADD(name, shift)                                                                                        \
	static __attribute__((naked, noinline, unused)) void name(                                                     \
		const int8_t *a TML_CM_UNUSED, const int8_t *b TML_CM_UNUSED, int8_t *y TML_CM_UNUSED,                 \
		const int8_t *y_end TML_CM_UNUSED, const struct tml_cm_add_s8 *constants TML_CM_UNUSED)                \
	{                                                                                                              \
		__asm__("ldr r12, [sp]\n\t"                                                                            \
			"push {r4-r11, lr}\n\t"                                                                        \
			"ldmia r12, {r4-r6}\n"                                                                         \
			"1:\n\t"                                                                                       \
			"ldr r7, [r0], #4\n\t"                                                                         \
			"ldr r10, [r1], #4\n\t"                                                                        \
			"and r8, r7, #0xff00ff00\n\t"                                                                  \
			"lsl r7, r7, #8\n\tand r7, r7, #0xff00ff00\n\t"                                                \
			"and r11, r10, #0xff00ff00\n\t"                                                                \
			"lsl r10, r10, #8\n\tand r10, r10, #0xff00ff00\n\t"                                            \
			"smlawb r9, r4, r7, r6\n\tsmlawb r12, r4, r8, r6\n\t"                                          \
			"smlawt r7, r4, r7, r6\n\tsmlawt r8, r4, r8, r6\n\t"                                           \
			"smlawb r9, r5, r10, r9\n\tsmlawb r12, r5, r11, r12\n\t"                                       \
			"smlawt r7, r5, r10, r7\n\tsmlawt r8, r5, r11, r8\n\t"                                         \
			".irp y, r9,r12,r7,r8\n\tssat \\y, #8, \\y, asr #" TML_CM_TEXT(shift) "\n\t.endr\n\t"          \
			"bfi r9, r12, #8, #8\n\tbfi r9, r7, #16, #8\n\tbfi r9, r8, #24, #8\n\t"                        \
			"str r9, [r2], #4\n\t"                                                                         \
			"cmp r2, r3\n\tbne 1b\n\t"                                                                     \
			"pop {r4-r11, pc}");                                                                           \
	}

/* What SMLAW adds for a value of 8 bits, which is 256-fold: all of the product but its lowest byte. */
TML_KERNEL int32_t tml_cm_scaled(int32_t multiplier, int32_t value)
{
	return (int32_t)(((int64_t)multiplier * value) >> 8);
}

/* y may take the place of a or b. */
TML_KERNEL void tml_cm_add_s8(const struct tml_cm_add_s8 *p, const int8_t *a, const int8_t *b, tml_cm_add_words *words,
			      int8_t *y)
{
	const int32_t whole = p->count / 4 * 4;

	if (whole > 0)
		words(a, b, y, y + whole, p);
	for (int32_t i = whole; i < p->count; i++) {
		int32_t sum = p->offset + tml_cm_scaled(p->a_multiplier, a[i]) + tml_cm_scaled(p->b_multiplier, b[i]);

		y[i] = (int8_t)tml_clamp(sum >> p->shift, -128, 127);
	}
}

#endif
