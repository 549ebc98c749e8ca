// The Sobol sequence from the direction numbers of Joe and Kuo.

#include "strategies/sobol_sequence.h"

#include "base/mem.h"
#include "base/rng.h"
#include "strategies/sobol_directions.h"

#include <assert.h>
#include <stdlib.h>

const size_t sobol_dimensions_max = SOBOL_DIMENSIONS;

static unsigned degree_of(uint16_t polynomial)
{
    unsigned degree = 0;
    while (polynomial >> (degree + 1) != 0)
        degree++;
    return degree;
}

// Columns of one dimension: the given first ones, then the recurrence of its polynomial
// x^s + a_1 x^(s-1) + ... + a_(s-1) x + 1:
// v_k = a_1 v_(k-1) ^ ... ^ a_(s-1) v_(k-s+1) ^ v_(k-s) ^ (v_(k-s) >> s), with v_k = m_k / 2^k in
// binary.
static void fill_columns(uint64_t columns[static SOBOL_COLUMNS], uint16_t polynomial,
                         const uint16_t *initial)
{
    unsigned degree = degree_of(polynomial);
    for (unsigned k = 0; k < SOBOL_COLUMNS; k++) {
        if (k < degree) {
            columns[k] = (uint64_t)initial[k] << (63 - k);
            continue;
        }
        uint64_t column = columns[k - degree] ^ (columns[k - degree] >> degree);
        for (unsigned i = 1; i < degree; i++)
            if (polynomial >> (degree - i) & 1)
                column ^= columns[k - i];
        columns[k] = column;
    }
}

static uint64_t parity(uint64_t bits)
{
    for (unsigned width = 32; width > 0; width /= 2)
        bits ^= bits >> width;
    return bits & 1;
}

// Multiply by a lower triangular matrix with ones on its diagonal; row r mixes the bits above bit r
// into it.
static void scramble_columns(uint64_t columns[static SOBOL_COLUMNS], struct rng *rng)
{
    uint64_t scrambled[SOBOL_COLUMNS] = {0};
    for (unsigned r = 0; r < 64; r++) {
        uint64_t diagonal = (uint64_t)1 << (63 - r);
        uint64_t row = (rng_u64(rng) & ~(diagonal | (diagonal - 1))) | diagonal;
        for (unsigned k = 0; k < SOBOL_COLUMNS; k++)
            scrambled[k] |= parity(row & columns[k]) << (63 - r);
    }
    for (unsigned k = 0; k < SOBOL_COLUMNS; k++)
        columns[k] = scrambled[k];
}

void sobol_sequence_init(struct sobol_sequence *sequence, size_t dimensions, bool scramble,
                         uint64_t seed)
{
    const uint16_t *initial = sobol_initial;
    assert(dimensions <= SOBOL_DIMENSIONS);
    sequence->dimensions = dimensions;
    sequence->columns = xcalloc(dimensions, sizeof *sequence->columns);
    sequence->shift = xcalloc(dimensions, sizeof *sequence->shift);
    for (size_t d = 0; d < dimensions; d++) {
        if (d == 0) {
            for (unsigned k = 0; k < SOBOL_COLUMNS; k++)
                sequence->columns[0][k] = (uint64_t)1 << (63 - k);
        } else {
            fill_columns(sequence->columns[d], sobol_polynomials[d - 1], initial);
            initial += degree_of(sobol_polynomials[d - 1]);
        }
        if (scramble) {
            struct rng rng;
            rng_stream(&rng, seed, "sobol.scramble", d);
            scramble_columns(sequence->columns[d], &rng);
            sequence->shift[d] = rng_u64(&rng);
        }
    }
}

void sobol_sequence_release(struct sobol_sequence *sequence)
{
    free(sequence->columns);
    free(sequence->shift);
    *sequence = (struct sobol_sequence){0};
}

void sobol_sequence_at(const struct sobol_sequence *sequence, uint64_t index, double *ret)
{
    uint64_t gray = index ^ (index >> 1);
    for (size_t d = 0; d < sequence->dimensions; d++) {
        const uint64_t *column = sequence->columns[d];
        uint64_t bits = sequence->shift[d];
        for (uint64_t rest = gray; rest != 0; rest >>= 1, column++)
            bits ^= *column & -(rest & 1);
        ret[d] = (double)(bits >> 11) * 0x1p-53;
    }
}
