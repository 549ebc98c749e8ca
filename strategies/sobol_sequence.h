// The Sobol sequence (I. M. Sobol, 1967), in Gray-code order (I. A. Antonov and V. M. Saleev,
// 1979), any point directly by its index.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOBOL_COLUMNS 64

struct sobol_sequence {
    size_t dimensions;
    uint64_t (
        *columns)[SOBOL_COLUMNS]; // by dimension: the generator matrix, most significant bit first
    uint64_t *shift;              // by dimension: the digital shift
};

// The largest number of dimensions with published direction numbers.
extern const size_t sobol_dimensions_max;

// dimensions <= sobol_dimensions_max. With `scramble`, each dimension's matrix is multiplied by a
// random lower triangular one and its points are shifted digitally (J. Matousek, "On the
// L2-discrepancy for anchored boxes", J. Complexity 14, 1998): every elementary interval keeps its
// number of points, each point is uniform.
void sobol_sequence_init(struct sobol_sequence *sequence, size_t dimensions, bool scramble,
                         uint64_t seed);
void sobol_sequence_release(struct sobol_sequence *sequence);

// Point `index`: sequence->dimensions numbers in [0, 1), multiples of 2^-53.
void sobol_sequence_at(const struct sobol_sequence *sequence, uint64_t index, double *ret);
