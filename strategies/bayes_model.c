// The Gaussian processes of Bayesian optimisation: what they hold and when they are fitted.
//
// Hyperparameters depend on the told trials in their order only, not on when was asked: they are fitted at scheduled
// numbers of trials, each fit starting from the one before. So a restored history gives the same suggestions.

#include "strategies/bayes_impl.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIT_EACH_UNTIL 60   // trials: a fit after each of them up to here, then whenever they grew by
#define FIT_GROWTH 0.1
#define FRESH_UNTIL 40      // fits also start from the prior's mode up to here, then every
#define FRESH_EVERY 8       // fits
#define FIT_STEPS 25        // while there are few of them, then
#define FIT_STEPS_LATER 12
#define PULLED_MIN 8        // dimensions
#define PULLED_MAX 25
#define PULL 0.3
#define NOISY 1e-4          // fitted noise from which observed values are not taken at their word

// Of many parameters most matter little, and the log-normal prior (C. Hvarfner et al., "Vanilla Bayesian Optimization Performs
// Great in High Dimensions", 2024) lets their scales grow; with few the trials themselves tell. Between, the pull to the cube's
// side finds structure sooner.
static struct gp_prior prior_of(size_t dimensions)
{
    struct gp_prior prior = {.mu = fmax(sqrt(2) + 0.5 * log((double)(dimensions ? dimensions : 1)), 2.5), .sigma = sqrt(3)};
    if (dimensions >= PULLED_MIN && dimensions <= PULLED_MAX)
        prior.pull = PULL;
    return prior;
}

void bayes_models_init(struct bayes *bayes, enum warp warp)
{
    size_t dimensions = bayes->history.encoding.count;
    struct gp_prior prior = prior_of(dimensions);
    bayes->model_count = bayes->history.objective_count;
    bayes->models = xcalloc(bayes->model_count, sizeof *bayes->models);
    for (size_t i = 0; i < bayes->model_count; i++) {
        struct model *model = &bayes->models[i];
        *model = (struct model){.objective = i, .warp = warp, .prior = prior};
        gp_init(&model->gp, bayes->features, bayes->feature_count, dimensions, BAYES_ROWS_MAX, &prior);
    }
    gp_init(&bayes->fit, bayes->features, bayes->feature_count, dimensions, BAYES_FIT_MAX, &prior);
    bayes->fit_work = gp_fit_work_new(&bayes->fit);
    bayes->points = xcalloc(BAYES_STARTS * bayes->feature_count, sizeof(double));
    bayes->predict_work = xcalloc((size_t)BAYES_ROWS_MAX * BAYES_BLOCK, sizeof(double));
}

void bayes_models_release(struct bayes *bayes)
{
    for (size_t i = 0; i < bayes->model_count; i++)
        gp_release(&bayes->models[i].gp);
    free(bayes->models);
    gp_release(&bayes->fit);
    gp_fit_work_free(bayes->fit_work);
    free(bayes->points);
    free(bayes->predict_work);
}

void bayes_features(const struct bayes *bayes, const double *coordinates, const bool *active, double *ret)
{
    const struct encoding *encoding = &bayes->history.encoding;
    for (size_t i = 0; i < encoding->count; i++) {
        const struct dimension *dimension = &encoding->dimensions[i];
        if (dimension->kind == DIMENSION_CATEGORY) {
            *ret++ = active[i] ? coordinates[i] : -1;
        } else {
            *ret++ = active[i] ? coordinates[i] : 0.5;
            if (dimension->conditional)
                *ret++ = active[i] ? 0 : 0.5;
        }
    }
}

void bayes_observed_features(const struct bayes *bayes, const struct observation *observation, double *ret)
{
    const struct encoding *encoding = &bayes->history.encoding;
    for (size_t i = 0; i < encoding->count; i++) {
        const struct dimension *dimension = &encoding->dimensions[i];
        double x = observation->coordinates[i];
        bool active = !isnan(x);
        if (dimension->kind == DIMENSION_CATEGORY) {
            *ret++ = active ? x : -1;
        } else {
            *ret++ = active ? x : 0.5;
            if (dimension->conditional)
                *ret++ = active ? 0 : 0.5;
        }
    }
}

static double weight_of(const struct observation *observation)
{
    return observation->outcome.value_count > 1 ? observation->outcome.value_count : 1;
}

// The costs of the first told trials as targets.
static void warp_first(struct bayes *bayes, const struct model *model, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double first = observation_cost(bayes->told[i]); // a number only where it was told values
        bayes->costs[i] = isnan(first) ? first : bayes->told[i]->outcome.values[model->objective];
    }
    warp_costs(model->warp, bayes->costs, count, bayes->targets, bayes->warp_scratch);
}

// ---- Which trials

struct ranked {
    double key;
    size_t index;
};

static int by_key(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static int by_index(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

// `limit` of the first `count` told trials: the best of them, those nearest to the best one, and others by lot.
// In ascending order into `ret`.
static size_t choose_rows(struct bayes *bayes, const struct gp *gp, size_t count, size_t limit, double best_share,
                          double near_share, size_t *ret)
{
    if (count <= limit) {
        for (size_t i = 0; i < count; i++)
            ret[i] = i;
        return count;
    }
    struct ranked *ranked = xcalloc(count, sizeof *ranked);
    bool *taken = xcalloc(count, sizeof *taken);
    size_t used = 0, best = (size_t)(best_share * (double)limit), near = (size_t)(near_share * (double)limit);
    for (size_t i = 0; i < count; i++)
        ranked[i] = (struct ranked){.key = bayes->targets[i], .index = i};
    qsort(ranked, count, sizeof *ranked, by_key);
    size_t centre = ranked[0].index;
    for (size_t i = 0; i < best; i++, used++)
        taken[ret[used] = ranked[i].index] = true;
    if (near > 0) {
        double *centre_row = xcalloc(bayes->feature_count, sizeof *centre_row);
        bayes_observed_features(bayes, bayes->told[centre], centre_row);
        for (size_t i = 0; i < count; i++) {
            bayes_observed_features(bayes, bayes->told[i], bayes->row);
            ranked[i] = (struct ranked){.key = -gp_covariance(gp, centre_row, bayes->row), .index = i};
        }
        free(centre_row);
        qsort(ranked, count, sizeof *ranked, by_key);
        for (size_t i = 0; i < count && used < best + near; i++)
            if (!taken[ranked[i].index])
                taken[ret[used++] = ranked[i].index] = true;
    }
    struct rng rng;
    rng_stream(&rng, bayes->base.seed, "bayes.rows", count);
    while (used < limit) {
        size_t i = (size_t)rng_below(&rng, count);
        if (!taken[i])
            taken[ret[used++] = i] = true;
    }
    qsort(ret, used, sizeof *ret, by_index);
    free(ranked);
    free(taken);
    return used;
}

static void put_rows(struct bayes *bayes, struct gp *gp, const size_t *rows, size_t count)
{
    gp_clear(gp);
    for (size_t i = 0; i < count; i++) {
        const struct observation *observation = bayes->told[rows[i]];
        bayes_observed_features(bayes, observation, bayes->row);
        gp_add(gp, bayes->row, bayes->targets[rows[i]], weight_of(observation));
    }
}

// ---- Hyperparameters

static size_t next_fit(size_t fitted)
{
    if (fitted < FIT_EACH_UNTIL)
        return fitted < 2 ? 2 : fitted + 1;
    return fitted + (size_t)ceil((double)fitted * FIT_GROWTH);
}

static void fit_at(struct bayes *bayes, struct model *model, size_t count)
{
    size_t rows[BAYES_FIT_MAX];
    struct gp *gp = &bayes->fit;
    warp_first(bayes, model, count);
    size_t used = choose_rows(bayes, gp, count, BAYES_FIT_MAX, 0.5, 0, rows);
    put_rows(bayes, gp, rows, used);
    gp_copy_theta(gp, &model->gp);
    bool fresh = count < FRESH_UNTIL || model->fits % FRESH_EVERY == 0;
    gp_fit(gp, &model->prior, bayes->fit_work, count < FIT_EACH_UNTIL ? FIT_STEPS : FIT_STEPS_LATER, fresh);
    gp_copy_theta(&model->gp, gp);
    model->fitted = count;
    model->fits++;
    model->theta++;
}

// ---- Rows

// What was told since the last fit comes behind the rows of the fit, one by one, also after a restore: the same numbers
// in the same order of operations.
static bool fill_whole(struct bayes *bayes, struct model *model)
{
    struct gp *gp = &model->gp;
    if (model->factored != model->theta) {
        size_t rows[BAYES_EXACT_MAX];
        model->rows = choose_rows(bayes, gp, model->fitted, BAYES_EXACT_MAX, 0, 0, rows);
        put_rows(bayes, gp, rows, model->rows);
        if (!gp_factor(gp))
            return false;
        model->factored = model->theta;
    }
    gp_truncate(gp, model->rows); // what was pending goes
    for (; model->rows < bayes->told_count; model->rows++) {
        const struct observation *observation = bayes->told[model->rows];
        bayes_observed_features(bayes, observation, bayes->row);
        gp_append(gp, bayes->row, weight_of(observation));
    }
    gp_retarget(gp, bayes->targets);
    return isfinite(gp->mean);
}

static bool fill_subset(struct bayes *bayes, struct model *model)
{
    size_t rows[BAYES_EXACT_MAX];
    struct gp *gp = &model->gp;
    model->rows = choose_rows(bayes, gp, bayes->told_count, BAYES_EXACT_MAX, 0.25, 0.5, rows);
    put_rows(bayes, gp, rows, model->rows);
    return gp_factor(gp);
}

static void append_pending(struct bayes *bayes, struct model *model, size_t pending)
{
    struct history *history = &bayes->history;
    size_t skip = pending > BAYES_PENDING_MAX ? pending - BAYES_PENDING_MAX : 0;
    for (size_t i = 0, seen = 0; i < history->count && seen < pending; i++) {
        const struct observation *observation = history->observations[i];
        if (observation->told || seen++ < skip)
            continue;
        bayes_observed_features(bayes, observation, bayes->row);
        gp_append(&model->gp, bayes->row, 1);
    }
}

bool bayes_update(struct bayes *bayes, struct model *model, size_t pending, double *ret_best)
{
    struct gp *gp = &model->gp;
    while (next_fit(model->fitted) <= bayes->told_count)
        fit_at(bayes, model, next_fit(model->fitted));
    warp_first(bayes, model, bayes->told_count);
    if (!(bayes->told_count <= BAYES_EXACT_MAX ? fill_whole(bayes, model) : fill_subset(bayes, model)))
        return false;
    double best = (double)INFINITY;
    for (size_t i = 0; i < model->rows; i++) {
        double seen = gp->noise > NOISY ? gp->y[i] - gp->noise / gp->weight[i] * gp->alpha[i] : gp->y[i];
        best = fmin(best, seen);
    }
    *ret_best = best;
    append_pending(bayes, model, pending);
    return true;
}
