// Eigenvalues and eigenvectors of a real symmetric matrix.
#pragma once

#include <stddef.h>

// matrix = sum_k values[k] v_k v_k^T, where v_k is row k of `vectors` (orthonormal); values in no order. Row-major n x n;
// only plain IEEE arithmetic in a fixed order, so that the result is the same on every machine. `matrix` is used up.
// Householder tridiagonalisation, then implicit QR steps with Wilkinson's shift (G. H. Golub, C. F. Van Loan, "Matrix
// Computations", algorithms 8.3.1 to 8.3.3). 0; ERR_INVALID where it does not converge (entries that are not finite).
// `work` holds 2 n numbers.
int symmetric_eigen(double *matrix, size_t n, double *values, double *vectors, double *work);
