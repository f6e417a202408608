/* The two library functions there are: a compiler for bare RISC-V comes without a C library, and needs none. */
#ifndef TML_STRING_H
#define TML_STRING_H

#include <stddef.h>

void *memcpy(void *restrict target, const void *restrict source, size_t count);
void *memset(void *target, int value, size_t count);

#endif
