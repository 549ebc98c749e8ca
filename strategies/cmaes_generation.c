// What a generation of CMA-ES changes.
//
// Everything here is a function of the points given and told, in their order, so that a restored strategy goes on as the one that
// never stopped. What a discrete value hides, where in its interval the sample lay, is drawn again from the present distribution.

#include "strategies/cmaes_impl.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEVIATION_MIN 1e-10 // of the widest variable: the run has converged
#define DEVIATION_MAX 1.0   // wider than the cube says nothing
#define SPREAD_MIN 1e-15    // of a generation's costs, of the best: nothing left to rank
#define GUIDED_SPREAD 0.1   // M. Nomura et al., "Warm Starting CMA-ES for Hyperparameter Optimization", 2021: alpha
#define GUIDED_SHARE 10     // and 1 / gamma

double cmaes_cost(const struct observation *observation)
{
    double cost = observation_cost(observation);
    if (observation->outcome.state == POINT_STOPPED && observation->outcome.value_count == 0 && observation->reported)
        cost = observation->last_cost;
    return isfinite(cost) ? cost : (double)INFINITY;
}

// ---- Starts

struct ranked {
    double cost;
    size_t order;
    const struct observation *observation;
};

static int by_cost(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->cost != y->cost)
        return x->cost < y->cost ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static void start_run(struct cmaes *cmaes, double sigma)
{
    cma_start(&cmaes->cma, sigma);
    for (size_t i = 0; i < cmaes->cma.n; i++)
        cmaes->margin[i] = 1;
    cmaes->started = true;
    cmaes->batch_count = cmaes->fresh = 0;
    cmaes->fence = cmaes->last_point;
    cmaes->generation = cmaes->improved = 0;
    cmaes->run_best = INFINITY;
}

static void even_chances(struct cmaes *cmaes)
{
    const struct encoding *encoding = &cmaes->history.encoding;
    for (size_t i = 0; i < encoding->count; i++)
        for (size_t k = 0; cmaes->chances[i] && k < encoding->dimensions[i].levels; k++)
            cmaes->chances[i][k] = 1 / (double)encoding->dimensions[i].levels;
}

void cmaes_start_from_centre(struct cmaes *cmaes)
{
    for (size_t i = 0; i < cmaes->cma.n; i++)
        cmaes->cma.mean[i] = 0.5;
    even_chances(cmaes);
    start_run(cmaes, cmaes->sigma);
}

// Mean of a coordinate over the best where it is active; its variance is added to *ret_variance.
static double mean_coordinate(const struct ranked *best, size_t count, size_t dimension, double *ret_variance)
{
    double sum = 0, squares = 0, active = 0;
    for (size_t k = 0; k < count; k++) {
        double x = best[k].observation->coordinates[dimension];
        if (isnan(x))
            continue;
        sum += x;
        squares += x * x;
        active++;
    }
    if (active == 0)
        return 0.5;
    double mean = sum / active;
    *ret_variance += fmax(0, squares / active - mean * mean);
    return mean;
}

static void count_categories(struct cmaes *cmaes, const struct ranked *best, size_t count)
{
    const struct encoding *encoding = &cmaes->history.encoding;
    for (size_t i = 0; i < encoding->count; i++) {
        double *chances = cmaes->chances[i];
        size_t levels = (size_t)encoding->dimensions[i].levels;
        double all = (double)levels;
        for (size_t k = 0; chances && k < levels; k++)
            chances[k] = 1;
        for (size_t k = 0; chances && k < count; k++) {
            double x = best[k].observation->coordinates[i];
            if (isnan(x))
                continue;
            chances[(size_t)x]++;
            all++;
        }
        for (size_t k = 0; chances && k < levels; k++)
            chances[k] /= all;
    }
}

void cmaes_start_from_best(struct cmaes *cmaes)
{
    const struct history *history = &cmaes->history;
    struct ranked *ranked = xcalloc(history->count + 1, sizeof *ranked);
    size_t count = 0;
    for (size_t i = 0; i < history->count; i++) {
        const struct observation *observation = history->observations[i];
        if (observation->told && isfinite(cmaes_cost(observation))) {
            ranked[count] = (struct ranked){cmaes_cost(observation), count, observation};
            count++;
        }
    }
    qsort(ranked, count, sizeof *ranked, by_cost);
    size_t best = count < GUIDED_SHARE ? count > 0 : count / GUIDED_SHARE;
    double variance = 0;
    for (size_t i = 0; i < cmaes->cma.n; i++)
        cmaes->cma.mean[i] = mean_coordinate(ranked, best, cmaes->dimension[i], &variance);
    count_categories(cmaes, ranked, best);
    double sigma = cmaes->sigma;
    if (best > 1 && cmaes->cma.n > 0)
        sigma = fmin(sigma, sqrt(GUIDED_SPREAD * GUIDED_SPREAD + variance / (double)cmaes->cma.n));
    start_run(cmaes, sigma);
    free(ranked);
}

// A. Auger, N. Hansen, "A Restart CMA Evolution Strategy With Increasing Population Size", 2005.
static void restart(struct cmaes *cmaes)
{
    struct rng rng;
    cmaes->run++;
    rng_stream(&rng, cmaes->base.seed, "cmaes.restart", cmaes->run);
    for (size_t i = 0; i < cmaes->cma.n; i++)
        cmaes->cma.mean[i] = rng_double(&rng);
    if (cmaes->doublings > 0) {
        cmaes->doublings--;
        cmaes->population *= 2;
    }
    even_chances(cmaes);
    start_run(cmaes, cmaes->sigma);
    cmaes->run_fence = cmaes->last_point;
}

// ---- Discrete numbers. R. Hamano et al., "CMA-ES with Margin", 2022.

static double tail(double z) // P(N > z)
{
    return 0.5 * erfc(z * 0x1.6a09e667f3bcdp-1);
}

// The z in [0, 40] with tail(z) = p, p <= 1/2.
static double tail_inverse(double p)
{
    double low = 0, high = 40;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (tail(middle) > p)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

static size_t level_of(const struct dimension *dimension, double x)
{
    size_t low = 0, high = (size_t)dimension->levels - 1;
    while (low < high) { // the first threshold that is not below x
        size_t middle = (low + high) / 2;
        if ((dimension->coordinates[middle] + dimension->coordinates[middle + 1]) / 2 < x)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// The thresholds about a level; the outermost at infinity.
static void interval_of(const struct dimension *dimension, size_t level, double *ret_low, double *ret_high)
{
    const double *x = dimension->coordinates;
    *ret_low = level == 0 ? -(double)INFINITY : (x[level - 1] + x[level]) / 2;
    *ret_high = level + 1 == dimension->levels ? (double)INFINITY : (x[level] + x[level + 1]) / 2;
}

// Each discrete number leaves its mean's level with a probability of at least alpha.
static void correct_margin(struct cmaes *cmaes, size_t variable, double alpha)
{
    const struct dimension *dimension = &cmaes->history.encoding.dimensions[cmaes->dimension[variable]];
    if (!dimension->coordinates)
        return;
    double *mean = &cmaes->cma.mean[variable], low, high;
    double deviation = cma_deviation(&cmaes->cma, variable), wide = deviation * cmaes->margin[variable];
    interval_of(dimension, level_of(dimension, *mean), &low, &high);
    if (isinf(low) || isinf(high)) { // at an end: the mean moves to the only threshold
        double threshold = isinf(low) ? high : low, reach = wide * tail_inverse(alpha);
        if (fabs(*mean - threshold) > reach)
            *mean = threshold + (isinf(low) ? -reach : reach);
        return;
    }
    double p_low = tail((*mean - low) / wide), p_high = tail((high - *mean) / wide), p_middle = 1 - p_low - p_high;
    if (p_low >= alpha / 2 && p_high >= alpha / 2)
        return;
    double a = fmax(p_low, alpha / 2), b = fmax(p_high, alpha / 2);
    double excess = (1 - a - b - p_middle) / (a + b + p_middle - 1.5 * alpha);
    double z_low = tail_inverse(fmin(a + excess * (a - alpha / 2), 0.499));
    double z_high = tail_inverse(fmin(b + excess * (b - alpha / 2), 0.499));
    *mean = (low * z_high + high * z_low) / (z_low + z_high);
    cmaes->margin[variable] = (high - low) / ((z_low + z_high) * deviation);
}

// A normal number under the condition that it lies in low..high.
static double draw_within(struct rng *rng, double mean, double deviation, double low, double high)
{
    double p_low = tail((low - mean) / deviation), p_high = tail((high - mean) / deviation);
    double p = p_high + rng_double(rng) * (p_low - p_high);
    double nearest = fmin(fmax(mean, low), high);
    if (!(p_low - p_high > 1e-12))
        return nearest;
    double z = p <= 0.5 ? tail_inverse(p) : -tail_inverse(1 - p);
    return fmin(fmax(mean + deviation * z, low), high);
}

// The step that led to a point from the present mean; what is inactive or hidden by rounding is drawn.
static void step_of(const struct cmaes *cmaes, const struct observation *observation, double *ret)
{
    struct rng rng;
    rng_stream(&rng, cmaes->base.seed, "cmaes.latent", observation->point);
    for (size_t i = 0; i < cmaes->cma.n; i++) {
        const struct dimension *dimension = &cmaes->history.encoding.dimensions[cmaes->dimension[i]];
        double x = observation->coordinates[cmaes->dimension[i]], mean = cmaes->cma.mean[i], low, high;
        double wide = cma_deviation(&cmaes->cma, i) * cmaes->margin[i];
        if (isnan(x)) {
            x = mean + wide * rng_normal(&rng);
        } else if (dimension->coordinates) {
            interval_of(dimension, level_of(dimension, x), &low, &high);
            x = draw_within(&rng, mean, wide, fmax(low, 0), fmin(high, 1));
        }
        ret[i] = (x - mean) / (cmaes->cma.sigma * cmaes->margin[i]);
    }
}

// ---- Categories. R. Hamano et al., "CatCMA: Stochastic Optimization for Mixed-Category Problems", 2024: its margin; the rate is
// that of an incremental learner whose memory grows with the number of dimensions and values.

static void learn_categories(struct cmaes *cmaes, const struct ranked *ranked, const double *mean_weights, double mu_eff)
{
    const struct encoding *encoding = &cmaes->history.encoding;
    for (size_t i = 0; i < encoding->count; i++) {
        double *chances = cmaes->chances[i], all = 0;
        if (!chances)
            continue;
        size_t levels = (size_t)encoding->dimensions[i].levels;
        double rate = mu_eff / (mu_eff + (double)encoding->count + (double)levels);
        double least = (1 - pow(0.73, 1 / (double)cmaes->categories)) / (double)(levels - 1);
        least = fmin(least, 0.5 / (double)levels);
        double *gain = xcalloc(levels, sizeof *gain);
        for (size_t k = 0; k < cmaes->batch_count; k++)
            if (!isnan(ranked[k].observation->coordinates[i])) {
                gain[(size_t)ranked[k].observation->coordinates[i]] += mean_weights[k];
                all += mean_weights[k];
            }
        double sum = 0;
        for (size_t k = 0; k < levels; k++) {
            chances[k] = fmax(chances[k] + rate * (gain[k] - all * chances[k]), least);
            sum += chances[k];
        }
        for (size_t k = 0; k < levels; k++) // what is above the least pays for the floor
            chances[k] = least + (chances[k] - least) * (1 - (double)levels * least) / fmax(sum - (double)levels * least, 1e-300);
        free(gain);
    }
}

// ---- A generation

// Those of one cost share their weights: nothing tells them apart.
static void share_weights(const struct ranked *ranked, size_t count, double *weights)
{
    for (size_t i = 0, end; i < count; i = end) {
        double sum = 0;
        for (end = i; end < count && ranked[end].cost == ranked[i].cost; end++)
            sum += weights[end];
        for (size_t k = i; k < end; k++)
            weights[k] = sum / (double)(end - i);
    }
}

static void note_best(struct cmaes *cmaes, double best)
{
    if (best < cmaes->run_best) {
        cmaes->run_best = best;
        cmaes->improved = cmaes->generation;
    }
    cmaes->generation++;
}

static bool is_over(const struct cmaes *cmaes, double best, double worst)
{
    double widest = 0;
    for (size_t i = 0; i < cmaes->cma.n; i++)
        widest = fmax(widest, cma_deviation(&cmaes->cma, i));
    double patience = 60 + 30 * (double)cmaes->history.encoding.count / (double)cmaes->population;
    if ((double)(cmaes->generation - cmaes->improved) > patience)
        return true;
    if (cmaes->cma.n > 0 && !(widest > DEVIATION_MIN))
        return true;
    return worst > best && worst - best < SPREAD_MIN * fabs(best);
}

// A mean that left the cube and a step that has become too wide are put right.
static void keep_inside(struct cmaes *cmaes)
{
    double widest = 0;
    for (size_t i = 0; i < cmaes->cma.n; i++) {
        cmaes->cma.mean[i] = fmin(fmax(cmaes->cma.mean[i], 0), 1);
        widest = fmax(widest, cma_deviation(&cmaes->cma, i));
    }
    if (widest > DEVIATION_MAX)
        cmaes->cma.sigma *= DEVIATION_MAX / widest;
}

// The update itself. False: the distribution is past use.
static bool learn(struct cmaes *cmaes, const struct ranked *ranked, double *steps)
{
    size_t count = cmaes->batch_count, n = cmaes->cma.n;
    double *mean_weights = xcalloc(2 * count, sizeof *mean_weights), *weights = mean_weights + count;
    struct cma_rates rates;
    cma_defaults(n > 0 ? n : 1, count, mean_weights, weights, &rates);
    share_weights(ranked, count, mean_weights);
    share_weights(ranked, count, weights);
    learn_categories(cmaes, ranked, mean_weights, rates.mu_eff);
    bool usable = cma_update(&cmaes->cma, steps, count, mean_weights, weights, &rates);
    keep_inside(cmaes);
    double alpha = 1 / ((double)cmaes->history.encoding.count * (double)cmaes->population);
    for (size_t i = 0; i < n && usable; i++)
        correct_margin(cmaes, i, alpha);
    free(mean_weights);
    return usable;
}

// Rank, learn, begin the next generation.
static void generation(struct cmaes *cmaes)
{
    size_t count = cmaes->batch_count, n = cmaes->cma.n, foreign = 0;
    struct ranked *ranked = xcalloc(count, sizeof *ranked);
    double *steps = xcalloc(count * n, sizeof *steps);
    for (size_t k = 0; k < count; k++)
        ranked[k] = (struct ranked){cmaes_cost(cmaes->batch[k]), k, cmaes->batch[k]};
    qsort(ranked, count, sizeof *ranked, by_cost);
    double best = ranked[0].cost, worst = ranked[count - 1].cost;
    for (size_t k = 0; k < count; k++) {
        step_of(cmaes, ranked[k].observation, steps + k * n);
        foreign += n > 0 && cma_length(&cmaes->cma, steps + k * n) > cma_length_max(&cmaes->cma);
    }
    bool usable = true;
    note_best(cmaes, best);
    if (best == worst) { // a plain, or nothing but failures: look further
        cmaes->cma.sigma *= exp(0.2);
        keep_inside(cmaes);
    } else if (2 * foreign > count) { // not drawn from here: imported, most likely
        cmaes_start_from_best(cmaes);
    } else {
        usable = learn(cmaes, ranked, steps);
    }
    cmaes->batch_count = cmaes->fresh = 0;
    cmaes->fence = cmaes->last_point;
    if (!usable || is_over(cmaes, best, worst))
        restart(cmaes);
    free(steps);
    free(ranked);
}

void cmaes_advance(struct cmaes *cmaes)
{
    if (cmaes->history.encoding.count == 0)
        return;
    if (!cmaes->started) {
        if (cmaes->told >= cmaes->startup && cmaes->finite > 0)
            cmaes_start_from_best(cmaes);
    } else if (cmaes->fresh >= cmaes->population) {
        generation(cmaes);
    }
}
