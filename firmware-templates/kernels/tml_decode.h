/* Weights that stand coded in flash: before a layer runs, the stream of constants that its kernel reads is made in
 * scratch memory. The stream is `prefix` words, then for each of `groups` groups of channels `head` words, 4 * `body`
 * bytes of weights, `tail` words. The words stand in `words` as they are, the weights' bytes are coded.
 * Any C99 compiler for a little-endian machine. */
#ifndef TML_DECODE_H
#define TML_DECODE_H

#include "tml_common.h"

struct tml_decode {
	int32_t prefix, groups, head, body, tail;
	int32_t bits; /* of a code of fixed length */
	int32_t dual; /* 1: of two bytes next to each other, the second loses 1 where the first is negative */
};

TML_KERNEL const int32_t *tml_decode_words(const int32_t *words, int32_t count, uint32_t **stream)
{
	for (int32_t i = 0; i < count; i++)
		*(*stream)++ = (uint32_t)*words++;
	return words;
}

/* Four bytes of weights as the kernel wants them. In the dual form halves of a word are c0 + 256 * c1. */
TML_KERNEL uint32_t tml_decode_store(const struct tml_decode *p, uint32_t word)
{
	uint32_t negative = word & 0x00800080u;

	if (!p->dual || negative == 0)
		return word;
	negative <<= 1;
	return ((word - (negative & 0xff000000u)) & 0xffff0000u) | ((word - (negative & 0xff00u)) & 0xffffu);
}

/* Codes of `bits` bits, 6 at most, from the lowest bit of each byte on, are numbers of entries of `table`. */
TML_KERNEL void tml_decode_lookup(const struct tml_decode *p, const int32_t *words, const uint8_t *coded,
				  const uint8_t *table, uint32_t *stream)
{
	const uint32_t mask = (1u << p->bits) - 1u;
	uint32_t bits = 0;
	int32_t count = 0;

	words = tml_decode_words(words, p->prefix, &stream);
	for (int32_t group = 0; group < p->groups; group++) {
		words = tml_decode_words(words, p->head, &stream);
		for (int32_t i = 0; i < p->body; i++) {
			uint32_t word = 0;

			if (p->bits == 4) {
				word = table[coded[0] & 15u] | (uint32_t)table[coded[0] >> 4] << 8 |
				       (uint32_t)table[coded[1] & 15u] << 16 | (uint32_t)table[coded[1] >> 4] << 24;
				coded += 2;
			} else {
				for (; count < 4 * p->bits; count += 8)
					bits |= (uint32_t)*coded++ << count;
				word = table[bits & mask] | (uint32_t)table[bits >> p->bits & mask] << 8 |
				       (uint32_t)table[bits >> 2 * p->bits & mask] << 16 |
				       (uint32_t)table[bits >> 3 * p->bits & mask] << 24;
				bits >>= 4 * p->bits;
				count -= 4 * p->bits;
			}
			*stream++ = tml_decode_store(p, word);
		}
		words = tml_decode_words(words, p->tail, &stream);
	}
}

/* Codes of 1 to 8 bits, from the highest bit of each byte on. `table` has for the next eight bits the code's value, plus
 * 256 times its length; lengths with 0x80 belong to a code that eight bits follow which are the value. Up to four bytes
 * behind the codes are read. */
TML_KERNEL void tml_decode_entropy(const struct tml_decode *p, const int32_t *words, const uint8_t *coded,
				   const int16_t *table, uint32_t *stream)
{
	uint32_t bits = 0;
	int32_t count = 0;

	words = tml_decode_words(words, p->prefix, &stream);
	for (int32_t group = 0; group < p->groups; group++) {
		words = tml_decode_words(words, p->head, &stream);
		for (int32_t i = 0; i < p->body; i++) {
			uint32_t word = 0;

#if defined(__GNUC__)
#pragma GCC unroll 4
#endif
			for (int32_t j = 0; j < 32; j += 8) {
				uint32_t entry, value;
				int32_t length;

				if (count < 16) {
					bits |= ((uint32_t)coded[0] << 8 | coded[1]) << (16 - count);
					coded += 2;
					count += 16;
				}
				entry = (uint16_t)table[bits >> 24];
				length = (int32_t)(entry >> 8 & 15u);
				value = entry & 0xffu;
				bits <<= length;
				count -= length;
				if (entry & 0x8000u) {
					value = bits >> 24;
					bits <<= 8;
					count -= 8;
				}
				word |= value << j;
			}
			*stream++ = tml_decode_store(p, word);
		}
		words = tml_decode_words(words, p->tail, &stream);
	}
}

#endif
