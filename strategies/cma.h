// The covariance matrix adaptation evolution strategy over the real numbers: the distribution and its update. N. Hansen,
// "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772 (2023), with negative weights; with injected samples,
// N. Hansen, "Injecting External Solutions Into CMA-ES", arXiv 1110.4181. No randomness of its own but what the caller's stream gives.
//
// Above CMA_FULL_MAX variables the covariance is diagonal (R. Ros, N. Hansen, "A Simple Modification in CMA-ES Achieving Linear
// Time and Space Complexity", 2008): to learn a full one takes about 10 n^2 samples, more than a sweep has.
#pragma once

#include "base/rng.h"

#include <stdbool.h>
#include <stddef.h>

#define CMA_FULL_MAX 128

// Learning rates for n variables and a population.
struct cma_rates {
    double mu_eff;
    double c_sigma, d_sigma; // of the step size
    double c_c, c_1, c_mu;   // of the covariance
};

// 4 + floor(3 ln n); 4 for n < 1.
size_t cma_population(size_t n);

// The weights of a population of 2 or more by rank, the best first: `half` of them that are positive, with sum 1 (for the mean);
// all, negative ones too, for the covariance. Each array holds `population`. n >= 1.
void cma_defaults(size_t n, size_t population, double *mean_weights, double *weights, struct cma_rates *ret);

struct cma {
    size_t n;         // variables; may be 0
    bool diagonal;
    double sigma;
    double *mean;     // n
    double *c;        // covariance: n x n, or n when diagonal
    double *axes;     // its eigenvectors, by row (NULL when diagonal)
    double *lengths;  // square roots of its eigenvalues (of its entries when diagonal)
    double *p_sigma, *p_c;
    uint64_t updates; // since cma_start
    uint64_t decomposed; // at which update the axes are of
    double *work;     // private
};

void cma_init(struct cma *cma, size_t n);
void cma_release(struct cma *cma);

// Anew: covariance I, no paths. The mean is the caller's to fill in.
void cma_start(struct cma *cma, double sigma);

// A step y with covariance C, n numbers.
void cma_step(struct cma *cma, struct rng *rng, double *ret);

// The length of a step where C is the unit: |C^-1/2 y|.
double cma_length(struct cma *cma, const double *step);

// What the longest step may be that is believed; longer ones are not of this distribution.
double cma_length_max(const struct cma *cma);

// The standard deviation of a variable.
double cma_deviation(const struct cma *cma, size_t variable);

// From `count` steps (count rows of n, shortened to cma_length_max in place; sampled point = mean + sigma * step) and their
// weights (not by rank: one a row). False: the matrix is past use, start again.
bool cma_update(struct cma *cma, double *steps, size_t count, const double *mean_weights, const double *weights,
                const struct cma_rates *rates);
