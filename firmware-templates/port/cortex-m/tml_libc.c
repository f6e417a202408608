/* The two library functions that generated code and compilers call: small, and fast enough for tensors. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A word at any address: Cortex-M3 and later load and store it in one instruction. */
struct __attribute__((packed, may_alias)) word {
	uint32_t value;
};

/* Without the attribute the compiler would turn each loop into a call of the function that it is. */
#define NOT_ITSELF __attribute__((optimize("no-tree-loop-distribute-patterns")))

NOT_ITSELF void *memcpy(void *restrict target, const void *restrict source, size_t count)
{
	uint8_t *to = target;
	const uint8_t *from = source;
	for (; count >= 16; count -= 16, to += 16, from += 16) {
		struct word *words = (void *)to;
		const struct word *values = (const void *)from;
		uint32_t a = values[0].value, b = values[1].value, c = values[2].value, d = values[3].value;
		words[0].value = a;
		words[1].value = b;
		words[2].value = c;
		words[3].value = d;
	}
	for (; count > 0; count--)
		*to++ = *from++;
	return target;
}

NOT_ITSELF void *memset(void *target, int value, size_t count)
{
	uint8_t *to = target;
	uint32_t pattern = (uint8_t)value * 0x01010101u;
	for (; count >= 16; count -= 16, to += 16) {
		struct word *words = (void *)to;
		words[0].value = pattern;
		words[1].value = pattern;
		words[2].value = pattern;
		words[3].value = pattern;
	}
	for (; count > 0; count--)
		*to++ = (uint8_t)value;
	return target;
}
