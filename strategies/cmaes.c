// CMA-ES: a normal distribution over the numbers, moved and shaped by what did best, generation by generation.
//
// Numbers live in the history's unit cube, samples are reflected at its faces and learned from where they were evaluated;
// categories have independent distributions. A generation is full when as many results of the present distribution as the
// population has have come; results of older ones, late, count in the same update, and points asked meanwhile come from the
// present distribution. So any number of points may be in flight, and no ask ever waits.

#include "strategies/cmaes_impl.h"

#include "base/mem.h"
#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DRAWS_PLAIN 20    // tries for a new point from the distribution as it is
#define DRAWS_WIDER 400   // and then ever wider
#define WIDER 1.05

static const char *const starts[] = {"sobol", "centre", NULL};

const struct strategy_option cmaes_options[] = {
    {.name = "population",
     .kind = OPTION_INT,
     .default_text = "0",
     .min = 0,
     .max = 100000,
     .help = "points of a generation, at least 4; 0: 4 + 3 ln(parameters)"},
    {.name = "restarts",
     .kind = OPTION_INT,
     .default_text = "9",
     .min = 0,
     .max = 16,
     .help = "how often a restart doubles the population; later restarts keep it"},
    {.name = "sigma",
     .kind = OPTION_FLOAT,
     .default_text = "0.2",
     .min = 1e-6,
     .max = 1,
     .help = "initial step size, of each parameter's range"},
    {.name = "start",
     .kind = OPTION_WORD,
     .default_text = "sobol",
     .words = starts,
     .help = "sobol: from the best of one population of scrambled Sobol points; centre: from the middle"},
    {.name = NULL}};

// ---- Making

static void make_dimensions(struct cmaes *cmaes)
{
    const struct encoding *encoding = &cmaes->history.encoding;
    size_t n = 0;
    cmaes->dimension = xcalloc(encoding->count, sizeof *cmaes->dimension);
    cmaes->chances = xcalloc(encoding->count, sizeof *cmaes->chances);
    for (size_t i = 0; i < encoding->count; i++) {
        if (encoding->dimensions[i].kind != DIMENSION_CATEGORY) {
            cmaes->dimension[n++] = i;
            continue;
        }
        cmaes->chances[i] = xcalloc(encoding->dimensions[i].levels, sizeof(double));
        cmaes->categories++;
    }
    cma_init(&cmaes->cma, n);
    cmaes->margin = xcalloc(n, sizeof *cmaes->margin);
    cmaes->step = xcalloc(n, sizeof *cmaes->step);
    cmaes->coordinates = xcalloc(encoding->count, sizeof *cmaes->coordinates);
}

static int create(const struct strategy_setup *setup, struct strategy **ret, struct err *err)
{
    (void)err;
    struct cmaes *cmaes = xcalloc(1, sizeof *cmaes);
    history_init(&cmaes->history, setup);
    make_dimensions(cmaes);
    size_t count = cmaes->history.encoding.count;
    cmaes->sigma = setting_float(setup, cmaes_options, "sigma");
    cmaes->doublings = (size_t)setting_int(setup, cmaes_options, "restarts");
    cmaes->population = (size_t)setting_int(setup, cmaes_options, "population");
    if (cmaes->population == 0)
        cmaes->population = cma_population(count);
    if (cmaes->population < 4)
        cmaes->population = 4;
    design_init(&cmaes->design, setup->space, setup->seed);
    if (str_equal(setting_word(setup, cmaes_options, "start"), "centre"))
        cmaes_start_from_centre(cmaes);
    else
        cmaes->startup = cmaes->population;
    *ret = &cmaes->base;
    return 0;
}

static void destroy(struct strategy *strategy)
{
    struct cmaes *cmaes = (struct cmaes *)strategy;
    for (size_t i = 0; i < cmaes->history.encoding.count; i++)
        free(cmaes->chances[i]);
    free(cmaes->chances);
    free(cmaes->dimension);
    free(cmaes->margin);
    free(cmaes->step);
    free(cmaes->coordinates);
    free(cmaes->batch);
    free(cmaes->note);
    design_release(&cmaes->design);
    cma_release(&cmaes->cma);
    history_release(&cmaes->history);
    free(cmaes);
}

// ---- Points

static void say(struct cmaes *cmaes, char *text)
{
    free(cmaes->note);
    cmaes->note = text;
}

static bool view_is_new(struct cmaes *cmaes)
{
    return strategy_accepts(&cmaes->base) && !history_has(&cmaes->history, &cmaes->base.view);
}

// Into [0, 1], mirrored at its ends.
static double reflected(double x)
{
    x = fabs(fmod(x, 2));
    return x > 1 ? 2 - x : x;
}

static double draw_category(const double *chances, size_t levels, struct rng *rng, double wider)
{
    if (wider > 1 && rng_double(rng) > 1 / wider)
        return (double)rng_below(rng, levels);
    double u = rng_double(rng);
    size_t k = 0;
    while (k + 1 < levels && u >= chances[k])
        u -= chances[k++];
    return (double)k;
}

static void draw(struct cmaes *cmaes, struct rng *rng, double wider)
{
    const struct encoding *encoding = &cmaes->history.encoding;
    const struct cma *cma = &cmaes->cma;
    cma_step(&cmaes->cma, rng, cmaes->step);
    for (size_t i = 0; i < cma->n; i++)
        cmaes->coordinates[cmaes->dimension[i]] =
            reflected(cma->mean[i] + fmin(cma->sigma * wider, 1) * cmaes->margin[i] * cmaes->step[i]);
    for (size_t i = 0; i < encoding->count; i++)
        if (cmaes->chances[i])
            cmaes->coordinates[i] = draw_category(cmaes->chances[i], (size_t)encoding->dimensions[i].levels, rng, wider);
    encoding_decode(encoding, cmaes->coordinates, cmaes->base.units, &cmaes->base.view);
}

static bool model_point(struct cmaes *cmaes, struct rng *rng)
{
    double wider = 1;
    for (unsigned i = 0; i < DRAWS_WIDER; i++) {
        if (i >= DRAWS_PLAIN)
            wider *= WIDER;
        draw(cmaes, rng, wider);
        if (view_is_new(cmaes))
            return true;
    }
    return false;
}

// One given before: a noisy objective may gain from it.
static int again(struct cmaes *cmaes, struct rng *rng, struct err *err)
{
    const struct encoding *encoding = &cmaes->history.encoding;
    strategy_search(&cmaes->base);
    for (unsigned i = 0; i < STRATEGY_REJECTS_MAX; i++) {
        if (cmaes->started && i < DRAWS_WIDER) {
            draw(cmaes, rng, 1);
        } else {
            for (size_t k = 0; k < encoding->count; k++)
                cmaes->base.units[encoding->dimensions[k].param] = rng_double(rng);
            config_view_unit(cmaes->base.space, cmaes->base.units, &cmaes->base.view);
        }
        if (strategy_accepts(&cmaes->base))
            return 0;
    }
    return strategy_refuse(&cmaes->base, err);
}

// New if that can be had.
static int any_point(struct cmaes *cmaes, struct rng *rng, struct err *err)
{
    strategy_search(&cmaes->base);
    int rc = cmaes->used_up ? ERR_EXHAUSTED : design_lot(&cmaes->design, &cmaes->base, &cmaes->history, rng, err);
    cmaes->used_up = rc == ERR_EXHAUSTED;
    return cmaes->used_up ? again(cmaes, rng, err) : rc;
}

static int choose(struct cmaes *cmaes, uint64_t point, struct err *err)
{
    struct rng rng;
    rng_stream(&rng, cmaes->base.seed, "cmaes.ask", point);
    strategy_search(&cmaes->base);
    if (cmaes->started ? model_point(cmaes, &rng) : design_point(&cmaes->design, &cmaes->base, &cmaes->history, cmaes->given)) {
        say(cmaes, cmaes->started
                       ? xasprintf("CMA-ES run %llu, generation %llu of %zu points, step size %.3g",
                                   (unsigned long long)cmaes->run + 1, (unsigned long long)cmaes->generation + 1,
                                   cmaes->population, cmaes->cma.sigma)
                       : xasprintf("point %zu of the initial design (scrambled Sobol)", cmaes->given + 1));
        return 0;
    }
    int rc = any_point(cmaes, &rng, err);
    if (rc == 0)
        say(cmaes, xstrdup("by lot: the distribution had nothing new to propose"));
    return rc;
}

static void add(struct cmaes *cmaes, uint64_t point, const struct config *config)
{
    if (!history_add(&cmaes->history, point, config))
        return;
    cmaes->given++;
    if (point > cmaes->last_point)
        cmaes->last_point = point;
}

static int ask(struct strategy *strategy, uint64_t point, struct config *ret, struct err *err)
{
    struct cmaes *cmaes = (struct cmaes *)strategy;
    int rc = choose(cmaes, point, err);
    if (rc != 0)
        return rc;
    config_copy(&strategy->view, ret);
    add(cmaes, point, ret);
    return 0;
}

static void tell(struct strategy *strategy, uint64_t point, const struct outcome *outcome)
{
    struct cmaes *cmaes = (struct cmaes *)strategy;
    struct observation *observation = history_tell(&cmaes->history, point, outcome);
    if (!observation) {
        cmaes->used_up = false; // a cancelled point may be given again
        return;
    }
    cmaes->told++;
    if (isfinite(cmaes_cost(observation)))
        cmaes->finite++;
    if (cmaes->run == 0 || point > cmaes->run_fence) {
        ARRAY_GROW(cmaes->batch, cmaes->batch_count, cmaes->batch_capacity);
        cmaes->batch[cmaes->batch_count++] = observation;
        cmaes->fresh += cmaes->generation == 0 || point > cmaes->fence;
    }
    cmaes_advance(cmaes);
}

static void report(struct strategy *strategy, uint64_t point, int64_t step, double value)
{
    history_report(&((struct cmaes *)strategy)->history, point, step, value);
}

static void restore(struct strategy *strategy, uint64_t point, const struct config *config)
{
    add((struct cmaes *)strategy, point, config);
}

static struct strategy_note note(const struct strategy *strategy)
{
    return (struct strategy_note){.text = ((const struct cmaes *)strategy)->note};
}

const struct strategy_ops cmaes_ops = {.create = create,
                                       .destroy = destroy,
                                       .ask = ask,
                                       .tell = tell,
                                       .report = report,
                                       .restore = restore,
                                       .note = note};
