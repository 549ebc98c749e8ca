// What a point is worth looking at, from the model's mean and variance there. To be maximised.
#pragma once

enum acquisition_kind {
    ACQUISITION_CONFIDENCE, // beta * deviation - mean (N. Srinivas et al., "Gaussian Process Optimization in the Bandit Setting", 2010)
    ACQUISITION_LOG_EI,     // logarithm of the expected improvement (S. Ament et al., "Unexpected Improvements to Expected Improvement", 2023)
};

struct acquisition {
    enum acquisition_kind kind;
    double beta;   // confidence: deviations
    double best;   // expected improvement below this
};

// The value, and its derivatives by mean and variance (NULL: not wanted). variance > 0. Sound however far from the best.
double acquisition_value(const struct acquisition *acquisition, double mean, double variance, double *by_mean,
                         double *by_variance);

// log(phi(z) + z Phi(z)), and its derivative in *ret_slope.
double log_h(double z, double *ret_slope);
