// A Feistel network over the next even-bit power of two, with cycle walking: a result past the end
// is put in again until it is inside. (M. Luby and C. Rackoff, "How to construct pseudorandom
// permutations from pseudorandom functions", SIAM J. Comput. 17, 1988; J. Black and P. Rogaway,
// "Ciphers with arbitrary finite domains", CT-RSA 2002.) The domain is below 4 n (64 for small n),
// so four walks are the mean at most.

#include "strategies/permutation.h"

#include "base/rng.h"

#include <assert.h>
#include <stddef.h>

#define HALF_BITS_MIN 3 // fewer leave a network too little to mix

void permutation_init(struct permutation *permutation, uint64_t n, uint64_t seed)
{
    struct rng rng;
    assert(n >= 1);
    permutation->n = n;
    permutation->half_bits = HALF_BITS_MIN;
    while (permutation->half_bits < 32 && (n - 1) >> (2 * permutation->half_bits) != 0)
        permutation->half_bits++;
    rng_stream(&rng, seed, "grid.shuffle", n);
    for (size_t i = 0; i < PERMUTATION_ROUNDS; i++)
        permutation->keys[i] = rng_u64(&rng);
}

// The finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
// generators", 2014).
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint64_t permutation_at(const struct permutation *permutation, uint64_t index)
{
    const unsigned bits = permutation->half_bits;
    const uint64_t mask = ((uint64_t)1 << bits) - 1;
    assert(index < permutation->n);
    do {
        uint64_t left = index >> bits, right = index & mask;
        for (size_t i = 0; i < PERMUTATION_ROUNDS; i++) {
            uint64_t next = left ^ (mix(right ^ permutation->keys[i]) & mask);
            left = right;
            right = next;
        }
        index = left << bits | right;
    } while (index >= permutation->n);
    return index;
}
