// The Gaussian process: covariance, factor, prediction. Fitting is in gp_fit.c.

#include "strategies/gp_impl.h"

#include "base/mem.h"
#include "strategies/vecmath.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define JITTER_TRIES 8

void gp_reset(struct gp *gp, const struct gp_prior *prior)
{
    for (size_t i = 0; i < gp->scale_count; i++)
        gp->log_scales[i] = prior->pull > 0 ? 0 : prior->mu - prior->sigma * prior->sigma; // the mode
    gp->log_signal = 0;
    gp->log_noise = log(1e-3);
    for (size_t i = 0; i < gp->scale_count; i++)
        gp->log_scales[i] = fmin(fmax(gp->log_scales[i], log(0.3)), log(GP_SCALE_MAX));
}

void gp_init(struct gp *gp, const struct feature *features, size_t feature_count, size_t scale_count, size_t capacity,
             const struct gp_prior *prior)
{
    *gp = (struct gp){.features = features,
                      .feature_count = feature_count,
                      .scale_count = scale_count,
                      .capacity = capacity,
                      .log_scales = xcalloc(scale_count, sizeof(double)),
                      .x = xcalloc(feature_count * capacity, sizeof(double)),
                      .y = xcalloc(capacity, sizeof(double)),
                      .weight = xcalloc(capacity, sizeof(double)),
                      .factor = xcalloc(capacity * capacity, sizeof(double)),
                      .inverse = xcalloc(capacity * capacity, sizeof(double)),
                      .alpha = xcalloc(capacity, sizeof(double)),
                      .weights = xcalloc(feature_count, sizeof(double)),
                      .work = xcalloc(capacity * 4, sizeof(double))};
    gp_reset(gp, prior);
}

void gp_release(struct gp *gp)
{
    free(gp->log_scales);
    free(gp->x);
    free(gp->y);
    free(gp->weight);
    free(gp->factor);
    free(gp->inverse);
    free(gp->alpha);
    free(gp->weights);
    free(gp->work);
    *gp = (struct gp){0};
}

void gp_copy_theta(struct gp *gp, const struct gp *from)
{
    memcpy(gp->log_scales, from->log_scales, gp->scale_count * sizeof(double));
    gp->log_signal = from->log_signal;
    gp->log_noise = from->log_noise;
}

void gp_clear(struct gp *gp)
{
    gp->count = 0;
}

static void put_row(struct gp *gp, const double *features, double target, double weight)
{
    size_t row = gp->count++;
    for (size_t f = 0; f < gp->feature_count; f++)
        gp->x[f * gp->capacity + row] = features[f];
    gp->y[row] = target;
    gp->weight[row] = weight;
}

void gp_add(struct gp *gp, const double *features, double target, double weight)
{
    put_row(gp, features, target, weight);
}

void gp_use_theta(struct gp *gp)
{
    for (size_t f = 0; f < gp->feature_count; f++)
        gp->weights[f] = exp(-2 * gp->log_scales[gp->features[f].scale]);
}

// Squared distances of a point to rows first..count-1.
void gp_distances(const struct gp *gp, const double *point, size_t stride, size_t first, double *ret)
{
    size_t count = gp->count - first;
    memset(ret, 0, count * sizeof *ret);
    for (size_t f = 0; f < gp->feature_count; f++) {
        const double *x = gp->x + f * gp->capacity + first;
        if (gp->features[f].kind == FEATURE_CODE)
            vec_add_differs(ret, x, count, point[f * stride], gp->weights[f]);
        else
            vec_add_square(ret, x, count, point[f * stride], gp->weights[f]);
    }
}

static void covariances(const struct gp *gp, const double *point, double *k, double *slope, double *scratch)
{
    double signal = exp(gp->log_signal);
    gp_distances(gp, point, 1, 0, k);
    vec_matern52(k, slope, gp->count, scratch);
    for (size_t i = 0; i < gp->count; i++)
        k[i] *= signal;
    if (slope)
        for (size_t i = 0; i < gp->count; i++)
            slope[i] *= signal;
}

double gp_covariance(const struct gp *gp, const double *a, const double *b)
{
    double r2 = 0, scratch;
    for (size_t f = 0; f < gp->feature_count; f++)
        r2 += gp->features[f].kind == FEATURE_CODE ? (a[f] == b[f] ? 0 : gp->weights[f])
                                                   : gp->weights[f] * ((a[f] - b[f]) * (a[f] - b[f]));
    vec_matern52(&r2, NULL, 1, &scratch);
    return exp(gp->log_signal) * r2;
}

// The correlations of row j with rows j.. into column j.
static void fill_correlations(struct gp *gp)
{
    for (size_t j = 0; j < gp->count; j++) {
        double *column = gp->factor + j * gp->capacity + j;
        gp_distances(gp, gp->x + j, gp->capacity, j, column);
        vec_matern52(column, NULL, gp->count - j, gp->work);
    }
}

bool gp_cholesky(double *matrix, size_t count, size_t capacity)
{
    int n = (int)count, lda = (int)capacity, info = 0;
    if (count == 0)
        return true;
    dpotrf_("L", &n, matrix, &lda, &info);
    return info == 0;
}

static bool try_factor(struct gp *gp, double noise)
{
    double signal = exp(gp->log_signal);
    fill_correlations(gp);
    for (size_t j = 0; j < gp->count; j++) {
        double *column = gp->factor + j * gp->capacity;
        for (size_t i = j; i < gp->count; i++)
            column[i] *= signal;
        column[j] += noise / gp->weight[j];
        if (!isfinite(column[j]))
            return false;
    }
    return gp_cholesky(gp->factor, gp->count, gp->capacity);
}

void gp_solve_lower(const struct gp *gp, double *b, bool transposed)
{
    if (gp->count > 0)
        cblas_dtrsv(CblasColMajor, CblasLower, transposed ? CblasTrans : CblasNoTrans, CblasNonUnit, (int)gp->count,
                    gp->factor, (int)gp->capacity, b, 1);
}

// The mean by generalised least squares, and alpha.
void gp_solve_targets(struct gp *gp)
{
    size_t count = gp->count;
    double *ones = gp->work, *y = gp->alpha, top = 0, bottom = 0;
    for (size_t i = 0; i < count; i++) {
        ones[i] = 1;
        y[i] = gp->y[i];
    }
    gp_solve_lower(gp, ones, false);
    gp_solve_lower(gp, y, false);
    for (size_t i = 0; i < count; i++) {
        top += ones[i] * y[i];
        bottom += ones[i] * ones[i];
    }
    gp->mean = bottom > 0 ? top / bottom : 0;
    for (size_t i = 0; i < count; i++)
        y[i] -= gp->mean * ones[i];
    gp_solve_lower(gp, y, true);
}

bool gp_factor(struct gp *gp)
{
    double noise = exp(gp->log_noise);
    gp_use_theta(gp);
    for (int i = 0; i < JITTER_TRIES; i++, noise = fmax(noise * 10, GP_NOISE_MIN)) {
        if (try_factor(gp, noise)) {
            gp->noise = noise;
            gp_solve_targets(gp);
            return isfinite(gp->mean);
        }
    }
    return false;
}

void gp_retarget(struct gp *gp, const double *y)
{
    memcpy(gp->y, y, gp->count * sizeof *y);
    gp_solve_targets(gp);
}

// The factor's new row is (L^-1 k, what is left of the variance). With the predicted mean as target its alpha is 0 and the others' stay.
bool gp_append(struct gp *gp, const double *features, double weight)
{
    size_t n = gp->count;
    double *k = gp->work, square = 0, mean = gp->mean;
    if (n == gp->capacity)
        return false;
    covariances(gp, features, k, NULL, gp->work + gp->capacity);
    for (size_t i = 0; i < n; i++)
        mean += k[i] * gp->alpha[i];
    gp_solve_lower(gp, k, false);
    for (size_t i = 0; i < n; i++) {
        square += k[i] * k[i];
        gp->factor[i * gp->capacity + n] = k[i];
    }
    double left = fmax(exp(gp->log_signal) + gp->noise / weight - square, GP_NOISE_MIN);
    gp->factor[n * gp->capacity + n] = sqrt(left);
    put_row(gp, features, mean, weight);
    gp->alpha[n] = 0;
    return true;
}

void gp_truncate(struct gp *gp, size_t count)
{
    gp->count = count < gp->count ? count : gp->count;
}

void gp_predict(const struct gp *gp, const double *points, size_t m, double *mean, double *variance, double *work)
{
    size_t n = gp->count;
    double signal = exp(gp->log_signal);
    for (size_t j = 0; j < m; j++) {
        double *k = work + j * gp->capacity;
        covariances(gp, points + j * gp->feature_count, k, NULL, gp->work);
        mean[j] = gp->mean + (n ? cblas_ddot((int)n, k, 1, gp->alpha, 1) : 0);
        variance[j] = signal;
    }
    if (n == 0 || m == 0)
        return;
    cblas_dtrsm(CblasColMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, (int)n, (int)m, 1, gp->factor,
                (int)gp->capacity, work, (int)gp->capacity);
    for (size_t j = 0; j < m; j++) {
        const double *v = work + j * gp->capacity;
        variance[j] = fmax(signal - cblas_ddot((int)n, v, 1, v, 1), 1e-12 * signal);
    }
}

void gp_invert(struct gp *gp)
{
    int n = (int)gp->count, lda = (int)gp->capacity, info = 0;
    for (size_t j = 0; j < gp->count; j++)
        memcpy(gp->inverse + j * gp->capacity + j, gp->factor + j * gp->capacity + j, (gp->count - j) * sizeof(double));
    if (n > 0)
        dpotri_("L", &n, gp->inverse, &lda, &info); // cannot fail: the factor has no zero on its diagonal
    for (size_t j = 0; j < gp->count; j++)
        for (size_t i = j + 1; i < gp->count; i++)
            gp->inverse[i * gp->capacity + j] = gp->inverse[j * gp->capacity + i];
}

void gp_predict_slopes(const struct gp *gp, const double *points, size_t m, double *mean, double *variance,
                       double *work, struct gp_slopes *ret)
{
    size_t n = gp->count, block = gp->capacity * m;
    double signal = exp(gp->log_signal);
    *ret = (struct gp_slopes){.k = work, .slope = work + block, .v = work + 2 * block};
    for (size_t j = 0; j < m; j++)
        covariances(gp, points + j * gp->feature_count, ret->k + j * gp->capacity, ret->slope + j * gp->capacity, gp->work);
    if (n > 0 && m > 0)
        cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, (int)n, (int)m, (int)n, 1, gp->inverse, (int)gp->capacity, ret->k,
                    (int)gp->capacity, 0, ret->v, (int)gp->capacity);
    for (size_t j = 0; j < m; j++) {
        const double *k = ret->k + j * gp->capacity;
        mean[j] = gp->mean + (n ? cblas_ddot((int)n, k, 1, gp->alpha, 1) : 0);
        variance[j] = signal - (n ? cblas_ddot((int)n, k, 1, ret->v + j * gp->capacity, 1) : 0);
        variance[j] = fmax(variance[j], 1e-12 * signal);
    }
}

void gp_gradient(const struct gp *gp, const struct gp_slopes *slopes, size_t j, const double *point, double by_mean,
                 double by_variance, double *ret, double *scratch)
{
    size_t n = gp->count;
    const double *slope = slopes->slope + j * gp->capacity, *v = slopes->v + j * gp->capacity;
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        scratch[i] = slope[i] * (by_mean * gp->alpha[i] - 2 * by_variance * v[i]);
        total += scratch[i];
    }
    for (size_t f = 0; f < gp->feature_count; f++) {
        if (gp->features[f].kind == FEATURE_CODE) {
            ret[f] = 0;
            continue;
        }
        double sum = n ? cblas_ddot((int)n, scratch, 1, gp->x + f * gp->capacity, 1) : 0;
        ret[f] = 2 * gp->weights[f] * (point[f] * total - sum);
    }
}
