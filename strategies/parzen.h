// Parzen estimators: mixtures of product kernels over some dimensions of a history's encoding, one kernel an observation and
// one as wide as the space, the prior.
//
// Numbers have normal kernels truncated to [0, 1]; those of at most PARZEN_LEVELS_MAX levels discretised ones: each level
// has the part of [0, 1] that is nearest to it, the density is constant there, and the parts' masses sum to one. Categories
// have their own value's probability raised. Bandwidths are the larger distance to the neighbours on each axis (J. Bergstra
// et al., "Algorithms for Hyper-Parameter Optimization", 2011), clipped from below by the number of kernels ("magic clip";
// S. Watanabe, "Tree-Structured Parzen Estimator: Understanding Its Algorithm Components", 2023).
//
// A kernel's normalisers are kept and computed anew only when its bandwidth changes; they are a function of place and
// bandwidth alone, so a restored estimator gives the same numbers as one that grew. Pure.
#pragma once

#include "base/rng.h"
#include "strategies/history.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARZEN_LEVELS_MAX 128 // more levels are treated as a continuum

struct parzen_axis {
    const struct dimension *dimension; // borrowed
    double *x;        // by slot: the centre, or the category's code
    double *sigma;    // by slot: the bandwidth
    double *half;     // by slot: 1 / (2 sigma^2)
    double *norm;     // by slot: the log of the kernel's greatest density (categories: its own value's probability)
    uint32_t *order;  // slots but the prior's by x, earlier ones first where equal; not of categories
    double *widths;   // by level: its part of [0, 1]; NULL for categories and continua
    double differs;   // categories: what another value adds to the log density
    double own;       // categories: the probability of a kernel's own value
};

struct parzen {
    struct parzen_axis *axes;
    size_t axis_count;
    size_t count, capacity; // slots; slot 0 is the prior's
    double *weights;        // by slot, not normalised; 0: the kernel is left out
    double *scratch;
};

// Over the dimensions `which` (indices, axis_count of them) of the encoding, which must outlive it. The prior alone.
void parzen_init(struct parzen *parzen, const struct encoding *encoding, const size_t *which, size_t axis_count,
                 double prior_weight);
void parzen_release(struct parzen *parzen);

// The prior alone again.
void parzen_clear(struct parzen *parzen);

// Add a kernel of weight 1 at coordinates (axis_count of them, none NAN). Returns its slot.
size_t parzen_add(struct parzen *parzen, const double *coordinates);

// After adds and changes of weights: bandwidths and normalisers. O(count axis_count).
void parzen_fit(struct parzen *parzen);

// The log density at `count` points (rows of axis_count coordinates) over the axes with use[i] alone (NULL: all); the other
// coordinates are not looked at.
void parzen_log_density(const struct parzen *parzen, const bool *use, const double *points, size_t count, double *ret);

// A draw from the mixture, coordinates of levels where there are levels; from the prior alone with `prior_only`. Draws from
// `rng`: the kernel, then each axis in turn.
void parzen_sample(const struct parzen *parzen, bool prior_only, struct rng *rng, double *ret);
