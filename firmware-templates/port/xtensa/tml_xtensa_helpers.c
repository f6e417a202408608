/* What compilers for Xtensa call by name and the library of the compiler at hand leaves to the ESP8266's ROM. The LX6
 * has instructions for it that the assembler at hand does not know: they are written as bytes (Xtensa ISA manual, RRR
 * format). A division by zero is an exception, as for every core with this option. */
#include <stdint.h>

#define FUNCTION(name, body) \
	__asm__(".section .text." name ", \"ax\"\n" \
		"	.balign 4\n" \
		"	.global " name "\n" \
		"	.type " name ", @function\n" name ":\n" body "	ret.n\n" \
		"	.size " name ", . - " name "\n" \
		"	.text\n");

FUNCTION("__udivsi3", "	.byte 0x30, 0x22, 0xC2\n") /* quou a2, a2, a3 */
FUNCTION("__divsi3", "	.byte 0x30, 0x22, 0xD2\n") /* quos a2, a2, a3 */
FUNCTION("__umodsi3", "	.byte 0x30, 0x22, 0xE2\n") /* remu a2, a2, a3 */
FUNCTION("__modsi3", "	.byte 0x30, 0x22, 0xF2\n") /* rems a2, a2, a3 */
FUNCTION("__umulsidi3",
	 "	.byte 0x30, 0x42, 0xA2\n" /* muluh a4, a2, a3 */
	 "	mull a2, a2, a3\n"
	 "	mov.n a3, a4\n")
FUNCTION("__mulsidi3",
	 "	.byte 0x30, 0x42, 0xB2\n" /* mulsh a4, a2, a3 */
	 "	mull a2, a2, a3\n"
	 "	mov.n a3, a4\n")
FUNCTION("__muldi3",
	 "	.byte 0x40, 0x62, 0xA2\n" /* muluh a6, a2, a4 */
	 "	mull a7, a3, a4\n"
	 "	add.n a6, a6, a7\n"
	 "	mull a7, a2, a5\n"
	 "	add.n a3, a6, a7\n"
	 "	mull a2, a2, a4\n")

/* Through the core's own single precision unit, which start-up switches on. */
#define FLOATS(operation) \
	"	.byte 0x50, 0x02, 0xFA\n" /* wfr f0, a2 */ \
	"	.byte 0x50, 0x13, 0xFA\n" /* wfr f1, a3 */ \
	operation \
	"	.byte 0x40, 0x20, 0xFA\n" /* rfr a2, f0 */

FUNCTION("__addsf3", FLOATS("	.byte 0x10, 0x00, 0x0A\n")) /* add.s f0, f0, f1 */
FUNCTION("__subsf3", FLOATS("	.byte 0x10, 0x00, 0x1A\n")) /* sub.s f0, f0, f1 */
FUNCTION("__mulsf3", FLOATS("	.byte 0x10, 0x00, 0x2A\n")) /* mul.s f0, f0, f1 */
FUNCTION("__floatsisf",
	 "	.byte 0x00, 0x02, 0xCA\n" /* float.s f0, a2, 0 */
	 "	.byte 0x40, 0x20, 0xFA\n")
FUNCTION("__floatunsisf",
	 "	.byte 0x00, 0x02, 0xDA\n" /* ufloat.s f0, a2, 0 */
	 "	.byte 0x40, 0x20, 0xFA\n")

uint64_t __udivmoddi4(uint64_t dividend, uint64_t divisor, uint64_t *rest);
uint64_t __udivdi3(uint64_t dividend, uint64_t divisor);
uint64_t __umoddi3(uint64_t dividend, uint64_t divisor);
int64_t __divdi3(int64_t dividend, int64_t divisor);

uint64_t __udivdi3(uint64_t dividend, uint64_t divisor)
{
	return __udivmoddi4(dividend, divisor, 0);
}

uint64_t __umoddi3(uint64_t dividend, uint64_t divisor)
{
	uint64_t rest;
	(void)__udivmoddi4(dividend, divisor, &rest);
	return rest;
}

static uint64_t size_of(int64_t value)
{
	return value < 0 ? 0u - (uint64_t)value : (uint64_t)value;
}

int64_t __divdi3(int64_t dividend, int64_t divisor)
{
	uint64_t quotient = __udivmoddi4(size_of(dividend), size_of(divisor), 0);
	return (int64_t)((dividend < 0) != (divisor < 0) ? 0u - quotient : quotient);
}
