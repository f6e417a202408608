/* Functions of one int8 value as a table of 256 results, indexed by the value's bits. */
#ifndef TML_LOOKUP_H
#define TML_LOOKUP_H

#include "tml_common.h"

/* Elements from .. from + count - 1 of both tensors. */
struct tml_lookup {
	int32_t from, count;
};

TML_KERNEL void tml_lookup_s8(const struct tml_lookup *p, const int8_t *x, const int8_t *table, int8_t *y)
{
	for (int32_t i = p->from; i < p->from + p->count; i++)
		y[i] = table[(uint8_t)x[i]];
}

TML_KERNEL void tml_lookup_f32(const struct tml_lookup *p, const int8_t *x, const float *table, float *y)
{
	for (int32_t i = p->from; i < p->from + p->count; i++)
		y[i] = table[(uint8_t)x[i]];
}

#endif
