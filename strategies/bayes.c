// Bayesian optimisation with Gaussian processes.
//
// An initial design of scrambled Sobol points, then the maximum of an acquisition over the space. docs/search.md has the mathematics, the sources
// and the measurements behind each choice.

#include "strategies/bayes_impl.h"

#include "base/mem.h"
#include "base/str.h"
#include "strategies/pareto.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FRONT_BETA 1.0    // deviations of the confidence bound with several objectives

const struct strategy_option bayes_options[] = {
    {.name = "startup",
     .kind = OPTION_INT,
     .default_text = "0",
     .min = 0,
     .max = 1000000,
     .help = "points of the initial design (scrambled Sobol); 0: the number of parameters + 3, at most 10"},
    {.name = "acquisition",
     .kind = OPTION_WORD,
     .default_text = "confidence",
     .words = (const char *const[]){"confidence", "improvement", NULL},
     .help = "what makes a point worth a trial: a lower confidence bound, or the logarithm of the expected improvement"},
    {.name = "costs",
     .kind = OPTION_WORD,
     .default_text = "half-rank",
     .words = (const char *const[]){"half-rank", "half-rank-log", "standard", NULL},
     .help = "the form that results are modelled in: the worse half by rank, the same and logarithmic towards the best, or as they are"},
    {.name = NULL}};

// Deviations of the confidence bound, in turns: two asks that mostly look near the best, one that looks further.
static const double betas[] = {1.8, 1.8, 3.0};

// ---- Making

static void make_features(struct bayes *bayes)
{
    const struct encoding *encoding = &bayes->history.encoding;
    bayes->features = xcalloc(2 * encoding->count, sizeof *bayes->features);
    for (size_t i = 0; i < encoding->count; i++) {
        const struct dimension *dimension = &encoding->dimensions[i];
        bool category = dimension->kind == DIMENSION_CATEGORY;
        bayes->features[bayes->feature_count++] = (struct feature){.kind = category ? FEATURE_CODE : FEATURE_NUMBER, .scale = i};
        if (!category && dimension->conditional) // whether it is there: half a side away from all that are
            bayes->features[bayes->feature_count++] = (struct feature){.kind = FEATURE_NUMBER, .scale = i};
    }
}

static int create(const struct strategy_setup *setup, struct strategy **ret, struct err *err)
{
    (void)err;
    struct bayes *bayes = xcalloc(1, sizeof *bayes);
    history_init(&bayes->history, setup);
    make_features(bayes);
    design_init(&bayes->design, setup->space, setup->seed);
    size_t dimensions = bayes->history.encoding.count;
    bayes->has_conditions = space_has_conditions(setup->space);
    bayes->has_constraints = space_constraint_count(setup->space) > 0;
    bayes->startup = (size_t)setting_int(setup, bayes_options, "startup");
    if (bayes->startup == 0)
        bayes->startup = dimensions + 3 < 10 ? dimensions + 3 : 10;
    bayes->row = xcalloc(bayes->feature_count, sizeof *bayes->row);
    const char *costs = setting_word(setup, bayes_options, "costs");
    bayes->acquisition = str_equal(setting_word(setup, bayes_options, "acquisition"), "confidence") ? ACQUISITION_CONFIDENCE
                                                                                                   : ACQUISITION_LOG_EI;
    bayes_models_init(bayes, str_equal(costs, "standard")        ? WARP_STANDARD
                             : str_equal(costs, "half-rank-log") ? WARP_HALF_RANK_LOG
                                                                  : WARP_HALF_RANK);
    *ret = &bayes->base;
    return 0;
}

static void destroy(struct strategy *strategy)
{
    struct bayes *bayes = (struct bayes *)strategy;
    bayes_models_release(bayes);
    bayes_pool_release(bayes);
    history_release(&bayes->history);
    design_release(&bayes->design);
    free(bayes->features);
    free(bayes->told);
    free(bayes->costs);
    free(bayes->targets);
    free(bayes->warp_scratch);
    free(bayes->row);
    free(bayes->note);
    free(bayes);
}

// ---- Points without a model

static void say(struct bayes *bayes, char *text)
{
    free(bayes->note);
    bayes->note = text;
}

// ---- Points of the model

static int single_point(struct bayes *bayes, struct rng *rng)
{
    struct model *model = &bayes->models[0];
    double best, value, beta = betas[bayes->told_count % ARRAY_LEN(betas)];
    if (bayes->run >= BAYES_PICKS_AFTER && bayes->history.pending >= bayes->run) {
        int rc = bayes_pick(bayes, model);
        if (rc == 0)
            say(bayes, xasprintf("Gaussian process of %zu trials: one of many asked for at once, by lower confidence bound", model->rows));
        return rc;
    }
    if (!bayes_update(bayes, model, bayes->history.pending, &best))
        return ERR_NOT_FOUND;
    struct wish wish = {.models = {model}, .count = 1, .acquisition = {.kind = bayes->acquisition, .beta = beta, .best = best}};
    int rc = bayes_search(bayes, &wish, rng, &value);
    if (rc != 0)
        return rc;
    char *how = bayes->acquisition == ACQUISITION_CONFIDENCE ? xasprintf("lower confidence bound at %.1f deviations", beta)
                                                             : xstrdup("log expected improvement");
    say(bayes, xasprintf("Gaussian process of %zu trials and %zu pending ones, %s", model->rows, model->gp.count - model->rows, how));
    free(how);
    return 0;
}

// The worst of the front's targets in each objective, and a tenth of their range more.
static void set_references(struct wish *wish)
{
    size_t m = wish->count, n = wish->models[0]->rows;
    struct pareto_front front;
    double *costs = xcalloc(m, sizeof *costs);
    pareto_front_init(&front, m);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < m; k++)
            costs[k] = wish->models[k]->gp.y[i];
        pareto_front_add(&front, i, costs);
    }
    for (size_t k = 0; k < m; k++) {
        double low = (double)INFINITY, high = -(double)INFINITY;
        for (size_t i = 0; i < front.count; i++) {
            low = fmin(low, front.costs[i * m + k]);
            high = fmax(high, front.costs[i * m + k]);
        }
        wish->reference[k] = front.count ? high + 0.1 * fmax(high - low, 0.1) : 0;
    }
    pareto_front_release(&front);
    free(costs);
}

// Several objectives: a direction by lot, and the point that gains most hypervolume along it.
static int front_point(struct bayes *bayes, struct rng *rng)
{
    struct wish wish = {.count = bayes->model_count, .acquisition = {.kind = ACQUISITION_CONFIDENCE, .beta = FRONT_BETA}};
    double best, value, length = 0;
    for (size_t k = 0; k < wish.count; k++) {
        wish.models[k] = &bayes->models[k];
        if (!bayes_update(bayes, wish.models[k], bayes->history.pending, &best))
            return ERR_NOT_FOUND;
        wish.weight[k] = fabs(rng_normal(rng)) + 1e-3;
        length += wish.weight[k] * wish.weight[k];
    }
    for (size_t k = 0; k < wish.count; k++)
        wish.weight[k] /= sqrt(length);
    set_references(&wish);
    int rc = bayes_search(bayes, &wish, rng, &value);
    if (rc == 0)
        say(bayes, xasprintf("Gaussian processes of %zu objectives over %zu trials and %zu pending ones, hypervolume along a direction by lot",
                             wish.count, wish.models[0]->rows, wish.models[0]->gp.count - wish.models[0]->rows));
    return rc;
}

static int model_point(struct bayes *bayes, struct rng *rng)
{
    return bayes->model_count == 1 ? single_point(bayes, rng) : front_point(bayes, rng);
}

static int choose(struct bayes *bayes, uint64_t point, struct err *err)
{
    struct rng rng;
    rng_stream(&rng, bayes->base.seed, "bayes.ask", point);
    bool design = bayes->given < bayes->startup || bayes->value_count < 2;
    strategy_search(&bayes->base);
    if (design && design_point(&bayes->design, &bayes->base, &bayes->history, bayes->given)) {
        say(bayes, xasprintf("point %llu of the initial design (scrambled Sobol)", (unsigned long long)bayes->given + 1));
        return 0;
    }
    if (!design && bayes->history.encoding.count > 0 && model_point(bayes, &rng) == 0)
        return 0;
    strategy_search(&bayes->base);
    int rc = design_lot(&bayes->design, &bayes->base, &bayes->history, &rng, err);
    if (rc == 0)
        say(bayes, xstrdup("by lot: the model had nothing new to propose"));
    return rc;
}

static int ask(struct strategy *strategy, uint64_t point, struct config *ret, struct err *err)
{
    struct bayes *bayes = (struct bayes *)strategy;
    int rc = choose(bayes, point, err);
    if (rc != 0)
        return rc;
    config_copy(&strategy->view, ret);
    history_add(&bayes->history, point, ret);
    bayes->given++;
    bayes->run++;
    return 0;
}

static void tell(struct strategy *strategy, uint64_t point, const struct outcome *outcome)
{
    struct bayes *bayes = (struct bayes *)strategy;
    bool known = history_find(&bayes->history, point) != NULL;
    struct observation *observation = history_tell(&bayes->history, point, outcome);
    if (known)
        bayes->run = 0;
    if (!observation)
        return;
    if (bayes->told_count == bayes->told_capacity) {
        ARRAY_GROW(bayes->told, bayes->told_count, bayes->told_capacity);
        bayes->costs = xreallocarray(bayes->costs, bayes->told_capacity, sizeof(double));
        bayes->targets = xreallocarray(bayes->targets, bayes->told_capacity, sizeof(double));
        bayes->warp_scratch = xreallocarray(bayes->warp_scratch, bayes->told_capacity, 2 * sizeof(double));
    }
    bayes->told[bayes->told_count++] = observation;
    if (isfinite(observation_cost(observation)))
        bayes->value_count++;
}

static void report(struct strategy *strategy, uint64_t point, int64_t step, double value)
{
    history_report(&((struct bayes *)strategy)->history, point, step, value);
}

static void restore(struct strategy *strategy, uint64_t point, const struct config *config)
{
    struct bayes *bayes = (struct bayes *)strategy;
    if (!history_add(&bayes->history, point, config))
        return;
    bayes->given++;
    bayes->run++;
}

static struct strategy_note note(const struct strategy *strategy)
{
    return (struct strategy_note){.text = ((const struct bayes *)strategy)->note};
}

const struct strategy_ops bayes_ops = {.create = create,
                                       .destroy = destroy,
                                       .ask = ask,
                                       .tell = tell,
                                       .report = report,
                                       .restore = restore,
                                       .note = note};
