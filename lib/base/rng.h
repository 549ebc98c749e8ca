// Random numbers: PCG64 (M. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good
// Algorithms for Random Number Generation", 2014) in named streams of a seed.
//
// The order of draws is part of every caller's contract: the same (seed, name, index) gives the same
// numbers on every machine and in every version.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rng {
    uint64_t opaque[4]; // 128-bit state and 128-bit increment; plain data, copy freely
};

// Start the stream `name` number `index` of `seed`. Streams with different names or indices are
// independent for every practical purpose (state and increment are hashed from all three).
void rng_stream(struct rng *rng, uint64_t seed, const char *name, uint64_t index);

uint64_t rng_u64(struct rng *rng);

// Uniform in [0, 1), 53 bits.
double rng_double(struct rng *rng);

// Uniform in [0, bound) without bias; bound >= 1.
uint64_t rng_below(struct rng *rng, uint64_t bound);

// Standard normal (inverse cumulative distribution, one draw).
double rng_normal(struct rng *rng);

#ifdef __cplusplus
}
#endif
