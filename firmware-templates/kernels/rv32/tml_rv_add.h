/* Addition of two int8 tensors of one shape for RV32IM. Of the rescaling of both operands, the zero points, the sum's
 * rescaling and its roundings there remains result = clamp((offset + ma * a + mb * b) >> shift): the generator has
 * compared it with TensorFlow Lite's arithmetic for all 65536 pairs of operands. */
#ifndef TML_RV_ADD_H
#define TML_RV_ADD_H

#include "tml_common.h"

struct tml_rv_add_s8 {
	int32_t a_multiplier, b_multiplier, offset;
	int32_t count, shift, low, high;
};

/* One comparison tells that a result is in range, which most are. */
TML_KERNEL int8_t tml_rv_sum(const struct tml_rv_add_s8 *p, int32_t a, int32_t b)
{
	int32_t result = (p->offset + p->a_multiplier * a + p->b_multiplier * b) >> p->shift;

	if ((uint32_t)(result - p->low) > (uint32_t)(p->high - p->low))
		result = result < p->low ? p->low : p->high;
	return (int8_t)result;
}

/* y may take the place of a or b. */
TML_KERNEL void tml_rv_add_s8(const struct tml_rv_add_s8 *p, const int8_t *a, const int8_t *b, int8_t *y)
{
	const int8_t *end = y + (p->count & ~3);

	for (; y != end; a += 4, b += 4, y += 4) {
		int32_t a1 = a[1], a2 = a[2], a3 = a[3], b1 = b[1], b2 = b[2], b3 = b[3];

		y[0] = tml_rv_sum(p, a[0], b[0]);
		y[1] = tml_rv_sum(p, a1, b1);
		y[2] = tml_rv_sum(p, a2, b2);
		y[3] = tml_rv_sum(p, a3, b3);
	}
	for (end += p->count & 3; y != end; a++, b++, y++)
		*y = tml_rv_sum(p, *a, *b);
}

#endif
