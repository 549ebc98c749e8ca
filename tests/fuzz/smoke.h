// Without libFuzzer: run the entry over deterministic mutations of good input.
#pragma once

#include "base/mem.h"
#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#ifdef TRAWL_FUZZ_SMOKE
#define SMOKE_MUTATIONS 20000

static inline void smoke(const unsigned char *seed, size_t size)
{
    struct rng rng;
    rng_stream(&rng, 1, "smoke", size);
    for (int i = 0; i < SMOKE_MUTATIONS; i++) {
        size_t len = i ? (size_t)rng_below(&rng, size + 1) : size;
        unsigned char *copy = xmemdup(seed, size);
        for (uint64_t n = i ? rng_below(&rng, 6) : 0; n > 0 && len > 0; n--)
            copy[rng_below(&rng, len)] = (unsigned char)rng_u64(&rng);
        LLVMFuzzerTestOneInput(copy, len);
        free(copy);
    }
}
#endif
