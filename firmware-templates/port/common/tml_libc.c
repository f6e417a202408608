/* The two library functions that generated code and compilers call: small, and fast enough for tensors. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __ARM_FEATURE_UNALIGNED
/* A word at any address: Cortex-M3 and later load and store it in one instruction. */
struct __attribute__((packed, may_alias)) word {
	uint32_t value;
};
#define BYTES_BEFORE_WORDS(to, from, count) 0u
#else
struct __attribute__((may_alias)) word {
	uint32_t value;
};

/* Bytes to move one by one: up to the next whole word, or all where the two never meet one together. */
static size_t bytes_before_words(uintptr_t to, uintptr_t from, size_t count)
{
	size_t head = -to & 3u;
	return ((to ^ from) & 3u) != 0 || head > count ? count : head;
}
#define BYTES_BEFORE_WORDS(to, from, count) bytes_before_words((uintptr_t)(to), (uintptr_t)(from), count)
#endif

/* Without the attribute the compiler would turn each loop into a call of the function that it is. */
#define NOT_ITSELF __attribute__((optimize("no-tree-loop-distribute-patterns")))

NOT_ITSELF void *memcpy(void *restrict target, const void *restrict source, size_t count)
{
	uint8_t *to = target;
	const uint8_t *from = source;
	for (size_t i = BYTES_BEFORE_WORDS(to, from, count); i > 0; i--, count--)
		*to++ = *from++;
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
	for (size_t i = BYTES_BEFORE_WORDS(to, to, count); i > 0; i--, count--)
		*to++ = (uint8_t)value;
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
