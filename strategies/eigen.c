// Eigenvalues and eigenvectors of a real symmetric matrix. Rows of `vectors` are rotated, not columns: they are contiguous.

#include "strategies/eigen.h"

#include "base/err.h"

#include <float.h>
#include <math.h>

#define STEPS_MAX 60 // implicit QR steps for one eigenvalue; two or three are usual

// matrix <- H matrix H with H = I - beta v v^T, over the rows and columns from `at`; p is scratch.
static void reflect(double *matrix, size_t n, size_t at, const double *v, double beta, double *p)
{
    double dot = 0;
    for (size_t i = at; i < n; i++) {
        double sum = 0;
        for (size_t j = at; j < n; j++)
            sum += matrix[i * n + j] * v[j];
        p[i] = beta * sum;
        dot += p[i] * v[i];
    }
    for (size_t i = at; i < n; i++)
        p[i] -= beta / 2 * dot * v[i];
    for (size_t i = at; i < n; i++)
        for (size_t j = at; j < n; j++)
            matrix[i * n + j] -= v[i] * p[j] + p[i] * v[j];
}

// vectors <- H vectors: its rows are the columns of the orthogonal factor.
static void gather(double *vectors, size_t n, size_t at, const double *v, double beta, double *p)
{
    for (size_t j = 0; j < n; j++)
        p[j] = 0;
    for (size_t i = at; i < n; i++)
        for (size_t j = 0; j < n; j++)
            p[j] += v[i] * vectors[i * n + j];
    for (size_t i = at; i < n; i++)
        for (size_t j = 0; j < n; j++)
            vectors[i * n + j] -= beta * v[i] * p[j];
}

// To a tridiagonal T with matrix = vectors^T T vectors; the diagonal into `values`, what is beside it into `beside`.
static void tridiagonalise(double *matrix, size_t n, double *values, double *vectors, double *beside, double *p)
{
    double *v = values; // free until the end
    for (size_t i = 0; i < n * n; i++)
        vectors[i] = i % (n + 1) == 0;
    for (size_t k = 0; k + 2 < n; k++) {
        double tail = 0, first = matrix[(k + 1) * n + k];
        for (size_t i = k + 2; i < n; i++)
            tail += matrix[i * n + k] * matrix[i * n + k];
        beside[k] = first;
        if (tail == 0)
            continue;
        double norm = sqrt(first * first + tail);
        double alpha = first > 0 ? -norm : norm;
        for (size_t i = k + 2; i < n; i++)
            v[i] = matrix[i * n + k];
        v[k + 1] = first - alpha;
        double beta = 2 / (v[k + 1] * v[k + 1] + tail);
        reflect(matrix, n, k + 1, v, beta, p);
        gather(vectors, n, k + 1, v, beta, p);
        beside[k] = alpha;
    }
    if (n > 1)
        beside[n - 2] = matrix[(n - 1) * n + n - 2];
    for (size_t i = 0; i < n; i++)
        values[i] = matrix[i * n + i];
}

static void rotate(double *a, double *b, size_t n, double c, double s)
{
    for (size_t j = 0; j < n; j++) {
        double x = a[j], y = b[j];
        a[j] = c * x + s * y;
        b[j] = c * y - s * x;
    }
}

// One implicit QR step on the block low..high of the tridiagonal (d, e), the rotations applied to the rows of `vectors`.
static void qr_step(double *d, double *e, double *vectors, size_t n, size_t low, size_t high)
{
    double half = (d[high - 1] - d[high]) / 2, off = e[high - 1];
    double shift = d[high] - off * off / (half + copysign(hypot(half, off), half));
    double x = d[low] - shift, z = e[low];
    for (size_t k = low; k < high; k++) {
        double r = hypot(x, z);
        double c = r > 0 ? x / r : 1, s = r > 0 ? z / r : 0;
        if (k > low)
            e[k - 1] = r;
        double a = d[k], b = d[k + 1], f = e[k];
        d[k] = c * c * a + 2 * c * s * f + s * s * b;
        d[k + 1] = s * s * a - 2 * c * s * f + c * c * b;
        e[k] = c * s * (b - a) + (c * c - s * s) * f;
        if (k + 1 < high) {
            x = e[k];
            z = s * e[k + 1];
            e[k + 1] *= c;
        }
        rotate(vectors + k * n, vectors + (k + 1) * n, n, c, s);
    }
}

static int is_small(const double *d, const double *e, size_t k)
{
    return !(fabs(e[k]) > DBL_EPSILON * (fabs(d[k]) + fabs(d[k + 1])) && fabs(e[k]) > DBL_MIN);
}

int symmetric_eigen(double *matrix, size_t n, double *values, double *vectors, double *work)
{
    double *beside = work;
    for (size_t i = 0; i < n * n; i++)
        if (!isfinite(matrix[i]))
            return ERR_INVALID;
    tridiagonalise(matrix, n, values, vectors, beside, work + n);
    unsigned steps = 0;
    for (size_t high = n; high-- > 1;) {
        for (steps = 0; !is_small(values, beside, high - 1); steps++) {
            if (steps == STEPS_MAX)
                return ERR_INVALID;
            size_t low = high - 1;
            while (low > 0 && !is_small(values, beside, low - 1))
                low--;
            qr_step(values, beside, vectors, n, low, high);
        }
    }
    return 0;
}
