// A seeded bijection of [0, n) without a table.
#pragma once

#include <stdint.h>

#define PERMUTATION_ROUNDS 8

struct permutation {
    uint64_t n;
    unsigned half_bits; // the network works on 2 * half_bits bits
    uint64_t keys[PERMUTATION_ROUNDS];
};

// n >= 1.
void permutation_init(struct permutation *permutation, uint64_t n, uint64_t seed);

// Where index < n goes: another index below n, each exactly once.
uint64_t permutation_at(const struct permutation *permutation, uint64_t index);
