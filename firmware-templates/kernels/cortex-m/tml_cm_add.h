/* Addition of two int8 tensors of one shape for Cortex-M with DSP extension. Of the rescaling of both operands, the
 * zero points, the sum's rescaling and its roundings there remains result = saturate((offset + ma * a + mb * b) >> shift):
 * the generator has compared it with TensorFlow Lite's arithmetic for all 65536 pairs of operands. */
#ifndef TML_CM_ADD_H
#define TML_CM_ADD_H

#include "tml_common.h"

struct tml_cm_add_s8 {
	int32_t count;
	int32_t a_multiplier, b_multiplier; /* 256-fold */
	int32_t offset, shift;
};

/* Values stand in the upper bytes of half words, 256-fold, where SMLAW multiplies them and drops 16 bits. */
TML_KERNEL int32_t tml_cm_add_scaled(int32_t sum, int32_t multiplier, int32_t value)
{
	__asm__("smlawb %0, %1, %2, %0" : "+r"(sum) : "r"(multiplier), "r"(value * 256));
	return sum;
}

/* y may take the place of a or b. */
TML_KERNEL void tml_cm_add_s8(const struct tml_cm_add_s8 *p, const int8_t *a, const int8_t *b, int8_t *y)
{
	const int8_t *end = y + p->count / 4 * 4;

	while (y != end) {
		int32_t x, u, z, v, s0, s1;

		__asm__("ldr %[x], [%[a]], #4\n\t"
			"ldr %[z], [%[b]], #4\n\t"
			"and %[u], %[x], #0xff00ff00\n\t"
			"lsl %[x], %[x], #8\n\t"
			"and %[x], %[x], #0xff00ff00\n\t"
			"smlawb %[s0], %[ma], %[x], %[offset]\n\t"
			"smlawb %[s1], %[ma], %[u], %[offset]\n\t"
			"smlawt %[x], %[ma], %[x], %[offset]\n\t"
			"smlawt %[u], %[ma], %[u], %[offset]\n\t"
			"and %[v], %[z], #0xff00ff00\n\t"
			"lsl %[z], %[z], #8\n\t"
			"and %[z], %[z], #0xff00ff00\n\t"
			"smlawb %[s0], %[mb], %[z], %[s0]\n\t"
			"smlawb %[s1], %[mb], %[v], %[s1]\n\t"
			"smlawt %[x], %[mb], %[z], %[x]\n\t"
			"smlawt %[u], %[mb], %[v], %[u]\n\t"
			"ssat %[s0], #8, %[s0], asr %[shift]\n\t"
			"ssat %[s1], #8, %[s1], asr %[shift]\n\t"
			"ssat %[x], #8, %[x], asr %[shift]\n\t"
			"ssat %[u], #8, %[u], asr %[shift]\n\t"
			"bfi %[s0], %[s1], #8, #8\n\t"
			"bfi %[s0], %[x], #16, #8\n\t"
			"bfi %[s0], %[u], #24, #8\n\t"
			"str %[s0], [%[y]], #4\n\t"
			: [a] "+r"(a), [b] "+r"(b), [y] "+r"(y), [x] "=&r"(x), [u] "=&r"(u), [z] "=&r"(z), [v] "=&r"(v),
			  [s0] "=&r"(s0), [s1] "=&r"(s1)
			: [ma] "r"(p->a_multiplier), [mb] "r"(p->b_multiplier), [offset] "r"(p->offset), [shift] "I"(p->shift)
			: "memory");
	}
	for (int32_t i = 0; i < p->count % 4; i++) {
		int32_t sum = tml_cm_add_scaled(p->offset, p->a_multiplier, a[i]);

		sum = tml_cm_add_scaled(sum, p->b_multiplier, b[i]);
		y[i] = (int8_t)tml_clamp(sum >> p->shift, -128, 127);
	}
}

#endif
