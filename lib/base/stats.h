// Distribution functions that the search space and the random numbers need.
#pragma once

// Standard normal: P(X <= x), and its inverse (-inf at 0, inf at 1, NaN outside [0, 1]). Relative error near 1e-15.
double norm_cdf(double x);
double norm_inverse_cdf(double u);

// Beta(a, b), a and b > 0: regularised incomplete beta function at x in [0, 1] (0 and 1 beyond), and its inverse. NaN
// gives NaN. Relative error near 1e-15 for a and b of a few units, 1e-12 for a and b up to 1000.
double beta_cdf(double x, double a, double b);
double beta_inverse_cdf(double u, double a, double b);
