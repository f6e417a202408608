/* What all kernels share: inlining, windows, fixed-point arithmetic. A kernel is a static inline function of a
 * constant parameter struct; called with literals, the compiler specialises it. */
#ifndef TML_COMMON_H
#define TML_COMMON_H

#include <stdint.h>

#if defined(__GNUC__)
#define TML_KERNEL static inline __attribute__((always_inline, unused))
#define TML_SHARED static __attribute__((noinline))
#define TML_ALIGN(bytes) __attribute__((aligned(bytes)))
/* At the start of a function that works on the arena. GCC 12 writes the address of one tensor as that of another plus
 * a difference, with a null pointer as its base, takes that for an access through a null pointer, which ends all, and
 * so the function for one without effects, whose calls it drops. This is an effect, of no instruction. */
#define TML_EFFECT() __asm__ volatile("" ::: "memory")
#else
#define TML_KERNEL static inline
#define TML_SHARED static
#define TML_ALIGN(bytes)
#define TML_EFFECT() ((void)0)
#endif

/* A window sliding over an NHWC tensor. */
struct tml_window {
	int32_t batch;
	int32_t x_height, x_width, x_depth;
	int32_t y_height, y_width, y_depth;
	int32_t kernel_height, kernel_width;
	int32_t stride_y, stride_x;
	int32_t dilation_y, dilation_x;
	int32_t pad_top, pad_left;
};

static inline int32_t tml_min(int32_t a, int32_t b)
{
	return a < b ? a : b;
}

static inline int32_t tml_max(int32_t a, int32_t b)
{
	return a > b ? a : b;
}

static inline int32_t tml_clamp(int32_t x, int32_t low, int32_t high)
{
	return tml_min(tml_max(x, low), high);
}

/* a + b and x * 2^shift, wrapping like the hardware. */
static inline int32_t tml_add_wrap(int32_t a, int32_t b)
{
	return (int32_t)((uint32_t)a + (uint32_t)b);
}

static inline int32_t tml_shift_left(int32_t x, int32_t shift)
{
	return (int32_t)((uint32_t)x << shift);
}

/* round(a * b / 2^31), halves up; b is a multiplier of 31 bits, not negative. */
static inline int32_t tml_high_multiply(int32_t a, int32_t b)
{
	return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

/* x / 2^shift to the nearest integer, halves away from zero; 0 <= shift <= 31. */
static inline int32_t tml_shift_right_away(int32_t x, int32_t shift)
{
	int32_t mask = (int32_t)((1u << shift) - 1u);
	int32_t threshold = (mask >> 1) + (x < 0);
	return (x >> shift) + ((x & mask) > threshold);
}

/* x / 2^shift to the nearest integer, halves up; 0 <= shift <= 31. */
static inline int32_t tml_shift_right_up(int32_t x, int32_t shift)
{
	return shift == 0 ? x : ((x >> (shift - 1)) + 1) >> 1;
}

/* x * multiplier * 2^(shift - 31), rounded after the multiplication and after the shift right. */
static inline int32_t tml_multiply_away(int32_t x, int32_t multiplier, int32_t shift)
{
	if (shift > 0)
		return tml_high_multiply(tml_shift_left(x, shift), multiplier);
	return tml_shift_right_away(tml_high_multiply(x, multiplier), -shift);
}

static inline int32_t tml_multiply_up(int32_t x, int32_t multiplier, int32_t shift)
{
	if (shift > 0)
		return tml_high_multiply(tml_shift_left(x, shift), multiplier);
	return tml_shift_right_up(tml_high_multiply(x, multiplier), -shift);
}

/* First tap of a window that lies inside, and one past the last. `start` is the position of tap 0. */
static inline int32_t tml_first_tap(int32_t start, int32_t dilation)
{
	return start >= 0 ? 0 : (dilation - 1 - start) / dilation;
}

static inline int32_t tml_end_tap(int32_t start, int32_t taps, int32_t dilation, int32_t size)
{
	return start + (taps - 1) * dilation < size ? taps : (size - start + dilation - 1) / dilation;
}

#endif
