// Functions over arrays, for the inner loops of the learning strategies.
//
// Each element is computed by itself in plain IEEE arithmetic, so that the results are the same at
// every optimisation level and vector width.
#pragma once

#include <stddef.h>

// x[i] = exp(x[i]) for x <= 709; relative error below 3e-16. Under -708 it is 0.
void vec_exp(double *x, size_t count);

// sum[i] += weight * (x[i] - centre)^2
void vec_add_square(double *sum, const double *x, size_t count, double centre, double weight);

// sum[i] += x[i] == code ? 0 : weight
void vec_add_differs(double *sum, const double *x, size_t count, double code, double weight);

// In place, from squared scaled distances to Matérn 5/2 correlations (1 + a + a^2/3) exp(-a), a = sqrt(5 r2).
// `slope` (may be NULL) gets the derivative by r2: -5/6 (1 + a) exp(-a). `scratch` holds `count` numbers.
void vec_matern52(double *r2, double *slope, size_t count, double *scratch);

// sum[i] += x[i]
void vec_add(double *sum, const double *x, size_t count);

// sum[i] -= weights[i] * (x[i] - centre)^2
void vec_sub_squares(double *sum, const double *x, const double *weights, size_t count, double centre);

// The greatest; minus infinity of none.
double vec_max(const double *x, size_t count);

// The sum of weights[i] * exp(x[i] - shift), shift at least the greatest x; in eight interleaved sums, so in the same order
// at every vector width. x is overwritten.
double vec_sum_exp(double *x, const double *weights, size_t count, double shift);
