// Functions over arrays. Loops without calls or branches, for the compiler to vectorise.

#include "strategies/vecmath.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

// Where the linker can choose by the processor, wider vectors are used; elementwise, so with the same results.
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    !defined(__clang__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

#define LOG2_E 0x1.71547652b82fep+0
#define LN2_HIGH 0x1.62e42fefa3800p-1 // 44 bits: its product with a small whole number is exact
#define LN2_LOW 0x1.ef35793c76730p-45
#define ROUNDER 0x1.8p52 // adding it leaves the nearest whole number in the low bits

// exp(r) = 1 + r + r^2 (1/2 + r (1/6 + ...)), Taylor's series on |r| <= ln(2) / 2, where the term after the last is
// below 2e-17; exp(x) = 2^n exp(x - n ln 2).
static inline double exp_one(double x)
{
    double inside = x < -708 ? -708 : x;
    double shifted = inside * LOG2_E + ROUNDER;
    double n = shifted - ROUNDER;
    double r = (inside - n * LN2_HIGH) - n * LN2_LOW;
    double p = 1.0 / 6227020800.0;
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * (r * r) + r;
    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return x < -708 ? 0 : power + power * p;
}

WIDE void vec_exp(double *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = exp_one(x[i]);
}

WIDE void vec_add_square(double *restrict sum, const double *restrict x, size_t count, double centre, double weight)
{
    for (size_t i = 0; i < count; i++)
        sum[i] += weight * ((x[i] - centre) * (x[i] - centre));
}

WIDE void vec_add_differs(double *restrict sum, const double *restrict x, size_t count, double code, double weight)
{
    for (size_t i = 0; i < count; i++)
        sum[i] += x[i] == code ? 0 : weight;
}

WIDE void vec_matern52(double *restrict r2, double *restrict slope, size_t count, double *restrict scratch)
{
    for (size_t i = 0; i < count; i++)
        scratch[i] = __builtin_sqrt(5 * r2[i]);
    for (size_t i = 0; i < count; i++)
        r2[i] = exp_one(-scratch[i]);
    if (slope)
        for (size_t i = 0; i < count; i++)
            slope[i] = -5.0 / 6.0 * (1 + scratch[i]) * r2[i];
    for (size_t i = 0; i < count; i++)
        r2[i] = (1 + scratch[i] * (1 + scratch[i] * (1.0 / 3.0))) * r2[i];
}

WIDE void vec_add(double *restrict sum, const double *restrict x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sum[i] += x[i];
}

WIDE void vec_sub_squares(double *restrict sum, const double *restrict x, const double *restrict weights, size_t count,
                          double centre)
{
    for (size_t i = 0; i < count; i++)
        sum[i] -= weights[i] * ((x[i] - centre) * (x[i] - centre));
}

#define LANES 8 // of a reduction: more than a vector is wide

WIDE double vec_max(const double *x, size_t count)
{
    double lanes[LANES], max = -(double)INFINITY;
    for (size_t k = 0; k < LANES; k++)
        lanes[k] = -(double)INFINITY;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            lanes[k] = lanes[k] > x[i + k] ? lanes[k] : x[i + k];
    for (; i < count; i++)
        max = max > x[i] ? max : x[i];
    for (size_t k = 0; k < LANES; k++)
        max = max > lanes[k] ? max : lanes[k];
    return max;
}

WIDE double vec_sum_exp(double *restrict x, const double *restrict weights, size_t count, double shift)
{
    for (size_t i = 0; i < count; i++)
        x[i] = weights[i] * exp_one(x[i] - shift);
    double lanes[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            lanes[k] += x[i + k];
    for (; i < count; i++)
        sum += x[i];
    for (size_t k = 0; k < LANES; k++)
        sum += lanes[k];
    return sum;
}
