/* Widening of inputs for the inner loops in tml_cm_gemm.h: 4 bytes become the words (0, 2) and (1, 3) of 16 bits. */
#ifndef TML_CM_COLUMNS_H
#define TML_CM_COLUMNS_H

#include <stdint.h>
#include <string.h>

#include "tml_common.h"

/* Four pixels, `stride` bytes apart, from x at any address: words of one position lie together. Returns the end. */
TML_SHARED uint32_t *tml_cm_widen4(const int8_t *x, int32_t stride, int32_t words, uint32_t *columns)
{
	int32_t thrice = 3 * stride;

	__asm__ volatile("1:\n\t"
			 "ldr r5, [%[x], %[stride]]\n\t"
			 "ldr r6, [%[x], %[stride], lsl #1]\n\t"
			 "ldr r7, [%[x], %[thrice]]\n\t"
			 "ldr r4, [%[x]], #4\n\t"
			 "sxtb16 r8, r4, ror #8\n\t"
			 "sxtb16 r9, r5, ror #8\n\t"
			 "sxtb16 r10, r6, ror #8\n\t"
			 "sxtb16 r11, r7, ror #8\n\t"
			 "sxtb16 r4, r4\n\t"
			 "sxtb16 r5, r5\n\t"
			 "sxtb16 r6, r6\n\t"
			 "sxtb16 r7, r7\n\t"
			 "stmia %[columns]!, {r4-r11}\n\t"
			 "subs %[words], #1\n\t"
			 "bne 1b\n\t"
			 : [x] "+r"(x), [words] "+r"(words), [columns] "+r"(columns)
			 : [stride] "r"(stride), [thrice] "r"(thrice)
			 : "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "cc", "memory");
	return columns;
}

/* One pixel. */
TML_SHARED void tml_cm_widen1(const int8_t *x, int32_t words, uint32_t *columns)
{
	__asm__ volatile("1:\n\t"
			 "ldr r4, [%[x]], #4\n\t"
			 "sxtb16 r5, r4, ror #8\n\t"
			 "sxtb16 r4, r4\n\t"
			 "strd r4, r5, [%[columns]], #8\n\t"
			 "subs %[words], #1\n\t"
			 "bne 1b\n\t"
			 : [x] "+r"(x), [words] "+r"(words), [columns] "+r"(columns)
			 :
			 : "r4", "r5", "cc", "memory");
}

#endif
