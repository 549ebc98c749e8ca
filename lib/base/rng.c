// Distributions on top of the generator's bits.

#include "base/rng.h"

#include "base/stats.h"

double rng_double(struct rng *rng)
{
    return (double)(rng_u64(rng) >> 11) * 0x1p-53;
}

// Lemire, "Fast random integer generation in an interval", 2019: reject the few low products that would bias.
uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    __extension__ typedef unsigned __int128 wide;
    uint64_t threshold = -bound % bound;
    for (;;) {
        wide product = (wide)rng_u64(rng) * bound;
        if ((uint64_t)product >= threshold)
            return (uint64_t)(product >> 64);
    }
}

double rng_normal(struct rng *rng)
{
    double u = rng_double(rng);
    return norm_inverse_cdf(u > 0 ? u : 0x1p-54);
}
