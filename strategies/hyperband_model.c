// New configurations of Hyperband: by lot, or by a model as in BOHB (S. Falkner, A. Klein, F. Hutter, "BOHB: Robust and
// Efficient Hyperparameter Optimization at Scale", 2018): a share by lot, the rest from a model of the results of the
// greatest budget that has enough of them.
//
// The model is another strategy over the space without the budget. It is made anew after a tell, from the results of its
// budget in the order of tells and then what is in flight in the order of asks, so that what it suggests is a function of
// what is known and a restored strategy suggests the same. Between tells it is asked on, for many suggestions at once.

#include "strategies/hyperband_impl.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

#define LOT_DRAWS_MAX     10000 // without one that was not given before: the space is taken as used up
#define MODEL_ASKS_MAX    16    // for the same; then by lot
#define MODEL_RESULTS_MAX 1000  // that a model is made from, the latest: bounds its cost

// The points' names inside the model: one point there may be asked for several times.
static uint64_t model_name(uint64_t point, uint64_t attempt)
{
    return point * (MODEL_ASKS_MAX + 1) + attempt;
}

// Results that a model needs: BOHB's d + 1 and the two without which no density has a width.
static bool find_level(const struct hyperband *hb, size_t *ret)
{
    for (size_t level = hb->plan.level_count; level-- > 0;) {
        if (hb->results[level].count >= hb->varying + 2) {
            *ret = level;
            return true;
        }
    }
    return false;
}

// No initial design: there are results.
static void set_startup(struct hyperband *hb, struct strategy_setup *setup)
{
    for (const struct strategy_option *option = strategy_find(hb->sampler)->options; option->name; option++)
        if (str_equal(option->name, "startup")) {
            hb->startup = (struct strategy_setting){"startup", {.kind = VALUE_INT, .integer = 1}};
            setup->settings = &hb->startup;
            setup->setting_count = 1;
        }
}

static int make_model(struct hyperband *hb, size_t level, struct err *err)
{
    struct strategy_setup setup = {.space = hb->rest, .goals = {hb->base.goals[0]}, .objective_count = 1, .seed = hb->base.seed};
    set_startup(hb, &setup);
    int rc = strategy_new(hb->sampler, &setup, &hb->model, err);
    if (rc != 0)
        return rc;
    const struct results *results = &hb->results[level];
    for (size_t i = results->count > MODEL_RESULTS_MAX ? results->count - MODEL_RESULTS_MAX : 0; i < results->count; i++) {
        const struct hb_trial *trial = results->trials[i];
        strategy_restore(hb->model, model_name(trial->point, 0), &trial->config);
        strategy_tell(hb->model, model_name(trial->point, 0), &trial->outcome);
    }
    for (size_t i = 0; i < hb->count; i++) {
        const struct hb_trial *trial = hb->trials[i];
        if (!trial->told && !trial->parent)
            strategy_restore(hb->model, model_name(trial->point, 0), &trial->config);
    }
    hb->model_level = level;
    return 0;
}

static void drop_model(struct hyperband *hb)
{
    strategy_free(hb->model);
    hb->model = NULL;
}

static bool from_model(struct hyperband *hb, uint64_t point, struct config *ret, char **ret_how)
{
    size_t level;
    uint64_t attempt = 1;
    if (!find_level(hb, &level))
        return false;
    if (!hb->model && make_model(hb, level, NULL) != 0)
        return false;
    for (; attempt <= MODEL_ASKS_MAX; attempt++) {
        if (strategy_ask(hb->model, model_name(point, attempt), ret, NULL) != 0)
            break;
        if (!hb_knows(hb, ret)) {
            struct str budget = STR_INIT;
            value_write_plain(&budget, &hb->plan.levels[hb->model_level]);
            const char *text = strategy_note(hb->model).text;
            *ret_how = xasprintf("by the model of %zu results at %s = %s%s%s", hb->results[hb->model_level].count,
                                 space_param(hb->base.space, hb->plan.param)->name, str_get(&budget), text ? ": " : "",
                                 text ? text : "");
            str_release(&budget);
            if (attempt > 1)
                drop_model(hb); // it holds points that were not given
            return true;
        }
        config_release(ret);
    }
    drop_model(hb);
    return false;
}

static int from_lot(struct hyperband *hb, uint64_t point, struct config *ret, struct err *err)
{
    for (uint64_t i = 0; i < LOT_DRAWS_MAX; i++) {
        int rc = strategy_seek(hb->lot, point * LOT_DRAWS_MAX + i, err);
        if (rc == 0)
            rc = strategy_ask(hb->lot, point, ret, err);
        if (rc != 0)
            return rc;
        if (!hb_knows(hb, ret)) {
            if (hb->model) // it is in flight now, as it would be in a model that is made anew
                strategy_restore(hb->model, model_name(point, 0), ret);
            return 0;
        }
        config_release(ret);
    }
    return err_set(err, ERR_EXHAUSTED, "in %d draws there was no configuration that was not given before", LOT_DRAWS_MAX);
}

int hb_new_config(struct hyperband *hb, uint64_t point, struct config *ret, char **ret_how, struct err *err)
{
    struct rng rng;
    rng_stream(&rng, hb->base.seed, "hyperband.new", point);
    if (hb->sampler && rng_double(&rng) >= hb->random_fraction && from_model(hb, point, ret, ret_how))
        return 0;
    int rc = from_lot(hb, point, ret, err);
    if (rc == 0)
        *ret_how = xstrdup("by lot");
    return rc;
}
