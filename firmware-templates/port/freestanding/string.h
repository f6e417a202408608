/* The two library functions there are: compilers for bare RISC-V and Xtensa come without a C library, and need none. */
#ifndef TML_STRING_H
#define TML_STRING_H

#include <stddef.h>

void *memcpy(void *restrict target, const void *restrict source, size_t count);
void *memset(void *target, int value, size_t count);

#endif
