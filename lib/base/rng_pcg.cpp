// The C face of Debian's header-only PCG library: PCG64 (XSL-RR, 128-bit state and stream).

#include "base/rng.h"

#include <cstddef>
#include <cstring>
#include <pcg_random.hpp>

static_assert(sizeof(pcg64) == sizeof(struct rng), "the opaque state is the generator's own");

namespace
{

// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014): spreads a seed over words.
uint64_t spread(uint64_t &state)
{
    uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

} // namespace

// base/num.h is C only (array bounds in parameters)
extern "C" uint64_t hash64(const void *data, size_t len, uint64_t seed);

extern "C" void rng_stream(struct rng *rng, uint64_t seed, const char *name, uint64_t index)
{
    uint64_t a = hash64(name, std::strlen(name), seed);
    uint64_t b = a ^ (index * 0xD1342543DE82EF95u + 0x2545F4914F6CDD1Du);
    pcg_extras::pcg128_t state = spread(b);
    state = (state << 64) | spread(b);
    pcg_extras::pcg128_t stream = spread(a);
    stream = (stream << 64) | spread(b);
    pcg64 generator(state, stream);
    std::memcpy(rng->opaque, &generator, sizeof generator);
}

extern "C" uint64_t rng_u64(struct rng *rng)
{
    pcg64 generator;
    std::memcpy(static_cast<void *>(&generator), rng->opaque, sizeof generator);
    uint64_t value = generator();
    std::memcpy(rng->opaque, &generator, sizeof generator);
    return value;
}
