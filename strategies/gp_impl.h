// What the files of the Gaussian process share.
#pragma once

#include "strategies/gp.h"

// LAPACK, which OpenBLAS brings.
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);
void dpotri_(const char *uplo, const int *n, double *a, const int *lda, int *info);

void gp_use_theta(struct gp *gp); // weights from the length scales
void gp_distances(const struct gp *gp, const double *point, size_t stride, size_t first, double *ret);
bool gp_cholesky(double *matrix, size_t count, size_t capacity);
void gp_solve_lower(const struct gp *gp, double *b, bool transposed);
void gp_solve_targets(struct gp *gp);
