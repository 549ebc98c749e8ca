// The distribution of CMA-ES and its update.

#include "strategies/cma.h"

#include "base/mem.h"
#include "strategies/eigen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CONDITION_MAX 1e14 // of the covariance

size_t cma_population(size_t n)
{
    return 4 + (n > 1 ? (size_t)floor(3 * log((double)n)) : 0);
}

// Learning rates of the tutorial's table 1; those of the covariance larger where it is diagonal (Ros and Hansen).
static void rates_of(size_t n, double mu_eff, struct cma_rates *ret)
{
    double d = (double)n;
    ret->mu_eff = mu_eff;
    ret->c_sigma = (mu_eff + 2) / (d + mu_eff + 5);
    ret->d_sigma = 1 + 2 * fmax(0, sqrt((mu_eff - 1) / (d + 1)) - 1) + ret->c_sigma;
    ret->c_c = (4 + mu_eff / d) / (d + 4 + 2 * mu_eff / d);
    ret->c_1 = 2 / ((d + 1.3) * (d + 1.3) + mu_eff);
    ret->c_mu = fmin(1 - ret->c_1, 2 * (0.25 + mu_eff + 1 / mu_eff - 2) / ((d + 2) * (d + 2) + mu_eff));
    if (n > CMA_FULL_MAX) {
        ret->c_1 *= (d + 2) / 3;
        ret->c_mu = fmin(1 - ret->c_1, ret->c_mu * (d + 2) / 3);
    }
}

void cma_defaults(size_t n, size_t population, double *mean_weights, double *weights, struct cma_rates *ret)
{
    double sum[2] = {0, 0}, squares[2] = {0, 0}; // of the first half, of the rest
    size_t half = population / 2;
    double below = 0;
    for (size_t i = 0; i < population; i++) {
        double w = weights[i] = log(((double)population + 1) / 2) - log((double)i + 1);
        sum[i >= half] += w;
        squares[i >= half] += w * w;
        below += w < 0 ? -w : 0;
    }
    rates_of(n, sum[0] * sum[0] / squares[0], ret);
    double mu_eff_minus = squares[1] > 0 ? sum[1] * sum[1] / squares[1] : 0;
    double scale = fmin(1 + ret->c_1 / ret->c_mu, 1 + 2 * mu_eff_minus / (ret->mu_eff + 2));
    scale = fmin(scale, (1 - ret->c_1 - ret->c_mu) / ((double)n * ret->c_mu));
    for (size_t i = 0; i < population; i++) {
        weights[i] *= weights[i] >= 0 ? 1 / sum[0] : scale / below;
        mean_weights[i] = i < half ? weights[i] : 0;
    }
}

void cma_init(struct cma *cma, size_t n)
{
    *cma = (struct cma){.n = n, .diagonal = n > CMA_FULL_MAX};
    cma->mean = xcalloc(n, sizeof(double));
    cma->c = xcalloc(cma->diagonal ? n : n * n, sizeof(double));
    cma->axes = cma->diagonal ? NULL : xcalloc(n * n, sizeof(double));
    cma->lengths = xcalloc(n, sizeof(double));
    cma->p_sigma = xcalloc(n, sizeof(double));
    cma->p_c = xcalloc(n, sizeof(double));
    cma->work = xcalloc(4 * n + (cma->diagonal ? 0 : n * n), sizeof(double));
    cma_start(cma, 1);
}

void cma_release(struct cma *cma)
{
    free(cma->mean);
    free(cma->c);
    free(cma->axes);
    free(cma->lengths);
    free(cma->p_sigma);
    free(cma->p_c);
    free(cma->work);
    *cma = (struct cma){0};
}

void cma_start(struct cma *cma, double sigma)
{
    size_t n = cma->n, stride = cma->diagonal ? 1 : n + 1;
    cma->sigma = sigma;
    cma->updates = cma->decomposed = 0;
    memset(cma->p_sigma, 0, n * sizeof(double));
    memset(cma->p_c, 0, n * sizeof(double));
    if (!cma->diagonal) {
        memset(cma->c, 0, n * n * sizeof(double));
        memset(cma->axes, 0, n * n * sizeof(double));
    }
    for (size_t i = 0; i < n; i++) {
        cma->c[i * stride] = cma->lengths[i] = 1;
        if (!cma->diagonal)
            cma->axes[i * stride] = 1;
    }
}

void cma_step(struct cma *cma, struct rng *rng, double *ret)
{
    if (!cma->diagonal)
        memset(ret, 0, cma->n * sizeof(double));
    for (size_t k = 0; k < cma->n; k++) {
        double z = cma->lengths[k] * rng_normal(rng);
        if (cma->diagonal)
            ret[k] = z;
        else
            for (size_t i = 0; i < cma->n; i++)
                ret[i] += z * cma->axes[k * cma->n + i];
    }
}

// C^-1/2 y
static void whiten(const struct cma *cma, const double *y, double *ret)
{
    memset(ret, 0, cma->n * sizeof(double));
    for (size_t k = 0; k < cma->n; k++) {
        if (cma->diagonal) {
            ret[k] = y[k] / cma->lengths[k];
            continue;
        }
        const double *axis = cma->axes + k * cma->n;
        double dot = 0;
        for (size_t i = 0; i < cma->n; i++)
            dot += axis[i] * y[i];
        for (size_t i = 0; i < cma->n; i++)
            ret[i] += dot / cma->lengths[k] * axis[i];
    }
}

static double norm(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

double cma_length(struct cma *cma, const double *step)
{
    whiten(cma, step, cma->work);
    return norm(cma->work, cma->n);
}

double cma_length_max(const struct cma *cma)
{
    double n = (double)cma->n;
    return sqrt(n) + 2 * n / (n + 2);
}

double cma_deviation(const struct cma *cma, size_t variable)
{
    return cma->sigma * sqrt(cma->c[variable * (cma->diagonal ? 1 : cma->n + 1)]);
}

// c <- keep * c + gain * y y^T
static void add_rank_one(struct cma *cma, double keep, double gain, const double *y)
{
    size_t n = cma->n;
    for (size_t i = 0; i < n; i++) {
        if (cma->diagonal)
            cma->c[i] = keep * cma->c[i] + gain * y[i] * y[i];
        else
            for (size_t j = 0; j < n; j++)
                cma->c[i * n + j] = keep * cma->c[i * n + j] + gain * (y[i] * y[j]);
    }
}

static bool decompose(struct cma *cma)
{
    size_t n = cma->n;
    double least = INFINITY, most = 0;
    cma->decomposed = cma->updates;
    if (cma->diagonal) {
        memcpy(cma->lengths, cma->c, n * sizeof(double));
    } else {
        memcpy(cma->work + 4 * n, cma->c, n * n * sizeof(double));
        if (symmetric_eigen(cma->work + 4 * n, n, cma->lengths, cma->axes, cma->work) != 0)
            return false;
    }
    for (size_t i = 0; i < n; i++) {
        least = fmin(least, cma->lengths[i]);
        most = fmax(most, cma->lengths[i]);
        cma->lengths[i] = sqrt(cma->lengths[i]);
    }
    return least > 0 && most < least * CONDITION_MAX;
}

// The paths and the step size, from the weighted mean of the steps. Returns h_sigma: false while the path is so long that the step
// size is far too small, when p_c stalls.
static bool follow_paths(struct cma *cma, const double *shift, const struct cma_rates *rates)
{
    size_t n = cma->n;
    double d = (double)n, expected = sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d));
    double *white = cma->work + n;
    whiten(cma, shift, white);
    double gain = sqrt(rates->c_sigma * (2 - rates->c_sigma) * rates->mu_eff);
    for (size_t i = 0; i < n; i++)
        cma->p_sigma[i] = (1 - rates->c_sigma) * cma->p_sigma[i] + gain * white[i];
    double length = norm(cma->p_sigma, n);
    double settled = sqrt(1 - pow(1 - rates->c_sigma, 2 * (double)(cma->updates + 1)));
    bool moves = length / settled < (1.4 + 2 / (d + 1)) * expected;
    gain = moves ? sqrt(rates->c_c * (2 - rates->c_c) * rates->mu_eff) : 0;
    for (size_t i = 0; i < n; i++)
        cma->p_c[i] = (1 - rates->c_c) * cma->p_c[i] + gain * shift[i];
    cma->sigma *= exp(fmin(1, rates->c_sigma / rates->d_sigma * (length / expected - 1)));
    return moves;
}

bool cma_update(struct cma *cma, double *steps, size_t count, const double *mean_weights, const double *weights,
                const struct cma_rates *rates)
{
    size_t n = cma->n;
    if (n == 0)
        return true;
    double *shift = cma->work + 2 * n, *lengths = xcalloc(count, sizeof *lengths), most = cma_length_max(cma), sum = 0;
    memset(shift, 0, n * sizeof(double));
    for (size_t k = 0; k < count; k++) {
        double *y = steps + k * n;
        lengths[k] = cma_length(cma, y);
        double scale = lengths[k] > most ? most / lengths[k] : 1;
        lengths[k] *= scale;
        for (size_t i = 0; i < n; i++) {
            y[i] *= scale;
            shift[i] += mean_weights[k] * y[i];
        }
        sum += weights[k];
    }
    for (size_t i = 0; i < n; i++)
        cma->mean[i] += cma->sigma * shift[i];
    bool moves = follow_paths(cma, shift, rates);
    double stalled = moves ? 0 : rates->c_1 * rates->c_c * (2 - rates->c_c);
    add_rank_one(cma, 1 - rates->c_1 - rates->c_mu * sum + stalled, rates->c_1, cma->p_c);
    for (size_t k = 0; k < count; k++) {
        double weight = weights[k];
        if (weight < 0)
            weight *= (double)n / fmax(lengths[k] * lengths[k], 1e-20);
        if (weight != 0)
            add_rank_one(cma, 1, rates->c_mu * weight, steps + k * n);
    }
    free(lengths);
    cma->updates++;
    double age = (double)(cma->updates - cma->decomposed);
    return age * (rates->c_1 + rates->c_mu) * (double)n * 10 < 1 || decompose(cma);
}
