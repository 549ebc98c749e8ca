// Costs as targets of a Gaussian process: finite, of mean 0 and variance 1, whatever was reported.
//
// What is not a number, positive infinity and failures count as worse than every cost; minus infinity as the least finite
// cost. All equal gives zeros.
#pragma once

#include <stddef.h>

enum warp {
    WARP_STANDARD,  // shift and scale; costs far above the rest are drawn in (Tukey's outer fence)
    WARP_HALF_RANK, // the better half keeps its shape, the worse half becomes normal quantiles by rank (X. Song et al., "The Vizier
                    // Gaussian Process Bandit Algorithm", 2024)
    WARP_HALF_RANK_LOG, // the same, then logarithmic towards the best, so that small gains near it are seen (ibid.)
    WARP_COUNT
};

// costs[count] to targets ret[count]. `scratch` holds count * 2 numbers. Returns the index of the least cost (0 for none).
size_t warp_costs(enum warp warp, const double *costs, size_t count, double *ret, double *scratch);
