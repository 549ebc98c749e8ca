// Hyperparameters of maximum posterior density, by gradients.

#include "strategies/gp_impl.h"

#include "base/mem.h"
#include "strategies/lbfgs.h"
#include "strategies/vecmath.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct gp_fit_work {
    double *correlation, *slope, *inverse; // lower triangles, capacity * capacity
    double *products;            // capacity
    double *differences;         // capacity
    double *theta, *low, *high, *gradient, *first;
};

struct gp_fit_work *gp_fit_work_new(const struct gp *gp)
{
    struct gp_fit_work *work = xcalloc(1, sizeof *work);
    size_t square = gp->capacity * gp->capacity, count = gp->scale_count + 2;
    work->correlation = xcalloc(square, sizeof(double));
    work->slope = xcalloc(square, sizeof(double));
    work->inverse = xcalloc(square, sizeof(double));
    work->products = xcalloc(gp->capacity, sizeof(double));
    work->differences = xcalloc(gp->capacity, sizeof(double));
    work->theta = xcalloc(count * 5, sizeof(double));
    work->low = work->theta + count;
    work->high = work->low + count;
    work->gradient = work->high + count;
    work->first = work->gradient + count;
    return work;
}

void gp_fit_work_free(struct gp_fit_work *work)
{
    if (!work)
        return;
    free(work->correlation);
    free(work->slope);
    free(work->inverse);
    free(work->products);
    free(work->differences);
    free(work->theta);
    free(work);
}

static void fill(struct gp *gp, struct gp_fit_work *work)
{
    double signal = exp(gp->log_signal), noise = exp(gp->log_noise);
    for (size_t j = 0; j < gp->count; j++) {
        double *correlation = work->correlation + j * gp->capacity + j, *column = gp->factor + j * gp->capacity + j;
        size_t rows = gp->count - j;
        gp_distances(gp, gp->x + j, gp->capacity, j, correlation);
        vec_matern52(correlation, work->slope + j * gp->capacity + j, rows, gp->work);
        for (size_t i = 0; i < rows; i++)
            column[i] = signal * correlation[i];
        column[0] += noise / gp->weight[j];
    }
}

// Minus the logarithm of the prior density, with its derivatives added.
static double prior_loss(const struct gp *gp, const struct gp_prior *prior, double *gradient)
{
    double loss = 0, signal = exp(gp->log_signal), noise = exp(gp->log_noise);
    for (size_t i = 0; i < gp->scale_count; i++) {
        double z = (gp->log_scales[i] - prior->mu) / prior->sigma, square = exp(2 * gp->log_scales[i]);
        loss += prior->pull > 0 ? prior->pull * (square + 1 / square) : 0.5 * z * z + gp->log_scales[i];
        if (gradient)
            gradient[i] += prior->pull > 0 ? 2 * prior->pull * (square - 1 / square) : z / prior->sigma + 1;
    }
    loss += signal - gp->log_signal;           // Gamma(2, 1)
    loss += 30 * noise - 0.1 * gp->log_noise;  // Gamma(1.1, 30)
    if (gradient) {
        gradient[gp->scale_count] += signal - 1;
        gradient[gp->scale_count + 1] += 30 * noise - 0.1;
    }
    return loss;
}

// Half the sum over all pairs of (K^-1 - alpha alpha')_ij times dK_ij, column by column.
static void loss_gradient(struct gp *gp, struct gp_fit_work *work, double *gradient)
{
    double signal = exp(gp->log_signal), noise = exp(gp->log_noise);
    double by_signal = 0, by_noise = 0;
    for (size_t j = 0; j < gp->count; j++) {
        size_t rows = gp->count - j;
        const double *inverse = work->inverse + j * gp->capacity + j, *alpha = gp->alpha + j, *x = gp->x + j;
        const double *correlation = work->correlation + j * gp->capacity + j, *slope = work->slope + j * gp->capacity + j;
        double own = inverse[0] - alpha[0] * alpha[0];
        by_noise += 0.5 * own * noise / gp->weight[j];
        by_signal += 0.5 * own * signal;
        double *products = work->products, sum = 0;
        products[0] = 0; // a point is at no distance from itself
        for (size_t i = 1; i < rows; i++) {
            double w = signal * (inverse[i] - alpha[i] * alpha[0]);
            sum += w * correlation[i];
            products[i] = w * slope[i];
        }
        by_signal += sum;
        for (size_t f = 0; f < gp->feature_count; f++, x += gp->capacity) {
            double *differences = work->differences;
            memset(differences, 0, rows * sizeof *differences);
            if (gp->features[f].kind == FEATURE_CODE)
                vec_add_differs(differences, x, rows, x[0], gp->weights[f]);
            else
                vec_add_square(differences, x, rows, x[0], gp->weights[f]);
            gradient[gp->features[f].scale] += -2 * cblas_ddot((int)rows, products, 1, differences, 1);
        }
    }
    gradient[gp->scale_count] += by_signal;
    gradient[gp->scale_count + 1] += by_noise;
}

double gp_loss(struct gp *gp, const struct gp_prior *prior, struct gp_fit_work *work, double *gradient)
{
    double loss = 0;
    gp_use_theta(gp);
    fill(gp, work);
    if (!gp_cholesky(gp->factor, gp->count, gp->capacity))
        return (double)INFINITY;
    gp_solve_targets(gp);
    for (size_t i = 0; i < gp->count; i++)
        loss += 0.5 * (gp->y[i] - gp->mean) * gp->alpha[i] + log(gp->factor[i * gp->capacity + i]);
    if (gradient) {
        int n = (int)gp->count, lda = (int)gp->capacity, info = 0;
        memset(gradient, 0, (gp->scale_count + 2) * sizeof *gradient);
        for (size_t j = 0; j < gp->count; j++)
            memcpy(work->inverse + j * gp->capacity + j, gp->factor + j * gp->capacity + j, (gp->count - j) * sizeof(double));
        if (n > 0)
            dpotri_("L", &n, work->inverse, &lda, &info);
        loss_gradient(gp, work, gradient);
    }
    return loss + prior_loss(gp, prior, gradient);
}

static void set_theta(struct gp *gp, const double *theta)
{
    memcpy(gp->log_scales, theta, gp->scale_count * sizeof *theta);
    gp->log_signal = theta[gp->scale_count];
    gp->log_noise = theta[gp->scale_count + 1];
}

static void get_theta(const struct gp *gp, double *theta)
{
    memcpy(theta, gp->log_scales, gp->scale_count * sizeof *theta);
    theta[gp->scale_count] = gp->log_signal;
    theta[gp->scale_count + 1] = gp->log_noise;
}

// From where the hyperparameters are; leaves them at the end of the descent.
static double descend(struct gp *gp, const struct gp_prior *prior, struct gp_fit_work *work, unsigned iterations)
{
    struct lbfgs search;
    size_t count = gp->scale_count + 2;
    get_theta(gp, work->theta);
    lbfgs_init(&search, count, work->theta, work->low, work->high, iterations, 1e-2);
    double value;
    do {
        set_theta(gp, search.x);
        value = gp_loss(gp, prior, work, work->gradient);
    } while (lbfgs_step(&search, value, work->gradient));
    set_theta(gp, search.x);
    value = search.value;
    lbfgs_release(&search);
    return value;
}

double gp_fit(struct gp *gp, const struct gp_prior *prior, struct gp_fit_work *work, unsigned iterations, bool fresh)
{
    size_t count = gp->scale_count + 2;
    for (size_t i = 0; i < count; i++) {
        work->low[i] = log(GP_SCALE_MIN);
        work->high[i] = log(GP_SCALE_MAX);
    }
    work->low[count - 2] = log(0.01);
    work->high[count - 2] = log(100.0);
    work->low[count - 1] = log(GP_NOISE_MIN);
    work->high[count - 1] = log(GP_NOISE_MAX);
    double loss = descend(gp, prior, work, iterations);
    if (fresh) {
        get_theta(gp, work->first);
        gp_reset(gp, prior);
        double other = descend(gp, prior, work, iterations);
        if (!(other < loss))
            set_theta(gp, work->first);
        else
            loss = other;
    }
    if (!isfinite(loss))
        gp_reset(gp, prior);
    gp_factor(gp);
    return loss;
}
