// Methods hyperband and bohb: many configurations with a small budget, the best of them again with more, in brackets
// that weigh the two differently (hyperband_brackets.c, hyperband_plan.h). One parameter of the space is the budget, and
// the strategy sets it; hyperband draws the others by lot, bohb asks a model (hyperband_model.c).
//
// A point that was promoted has the configuration of its parent but for the budget, and its note names the parent, so that
// the run may go on from the parent's checkpoint.
//
// An ask gives a promotion where there is one, of the earliest bracket and in it the highest rung; else a new configuration
// for the first bracket that has room. So it never waits but at the end of the last round.

#include "strategies/hyperband_impl.h"

#include "base/mem.h"
#include "base/num.h"

#include <math.h>
#include <stdlib.h>

static const char *const promotion_words[] = {"async", "sync", NULL};
static const char *const sampler_words[] = {"tpe", "bayes", "random", NULL};

#define OPTION_BUDGET                                                                              \
    {.name = "budget", .kind = OPTION_TEXT, .default_text = "", .help = "parameter that holds a run's budget, such as epochs; needed"}
#define OPTION_ETA                                                                                 \
    {.name = "eta", .kind = OPTION_FLOAT, .default_text = "3", .min = 1.5, .max = 100,             \
     .help = "each rung keeps the best 1/eta, with eta times the budget"}
#define OPTION_PROMOTION                                                                           \
    {.name = "promotion", .kind = OPTION_WORD, .default_text = "async", .words = promotion_words,  \
     .help = "async: as soon as a trial is among the best 1/eta of its rung; sync: when the rung is complete"}
#define OPTION_BRACKETS                                                                            \
    {.name = "brackets", .kind = OPTION_INT, .default_text = "0", .min = 0, .max = BUDGET_LEVELS_MAX, \
     .help = "brackets of a round, from the one with the smallest budgets on; 0: all; 1: successive halving"}
#define OPTION_ITERATIONS                                                                          \
    {.name = "iterations", .kind = OPTION_INT, .default_text = "0", .min = 0, .max = 1000000,      \
     .help = "rounds through all brackets; 0: without end"}

const struct strategy_option hyperband_options[] = {OPTION_BUDGET,   OPTION_ETA,        OPTION_PROMOTION,
                                                    OPTION_BRACKETS, OPTION_ITERATIONS, {.name = NULL}};

const struct strategy_option bohb_options[] = {
    OPTION_BUDGET,
    OPTION_ETA,
    OPTION_PROMOTION,
    OPTION_BRACKETS,
    OPTION_ITERATIONS,
    {.name = "sampler",
     .kind = OPTION_WORD,
     .default_text = "tpe",
     .words = sampler_words,
     .help = "model that gives the new configurations"},
    {.name = "random_fraction",
     .kind = OPTION_FLOAT,
     .default_text = "0.3333333333333333",
     .min = 0,
     .max = 1,
     .help = "share of the new configurations that are drawn by lot"},
    {.name = NULL}};

static void destroy(struct strategy *strategy)
{
    struct hyperband *hb = (struct hyperband *)strategy;
    strategy_free(hb->model);
    strategy_free(hb->lot);
    hb_release(hb);
    config_view_release(&hb->rest_view);
    space_free(hb->rest);
    free(hb->note);
    free(hb);
}

static void read_counts(struct hyperband *hb, const struct strategy_setup *setup)
{
    size_t kinds = (size_t)setting_int(setup, hyperband_options, "brackets");
    int64_t rounds = setting_int(setup, hyperband_options, "iterations");
    hb->bracket_kinds = kinds > 0 && kinds < hb->plan.level_count ? kinds : hb->plan.level_count;
    hb->iterations = rounds > 0 ? (uint64_t)rounds : UINT64_MAX;
    hb->sync = str_equal(setting_word(setup, hyperband_options, "promotion"), "sync");
    for (size_t i = 0; i < space_count(hb->rest); i++)
        hb->varying += param_cardinality(space_param(hb->rest, i)) != 1;
}

static int make(const struct strategy_setup *setup, struct hyperband **ret, struct err *err)
{
    if (setup->objective_count > 1)
        return err_set(err, ERR_INVALID, "the method ranks trials by one metric, but there are %zu: name one under 'metric:'",
                       setup->objective_count);
    struct hyperband *hb = xcalloc(1, sizeof *hb);
    hb->assigned = true;
    int rc = budget_plan_init(&hb->plan, setup->space, setting_word(setup, hyperband_options, "budget"),
                              setting_float(setup, hyperband_options, "eta"), err);
    if (rc == 0)
        rc = space_without(setup->space, hb->plan.param, &hb->rest, err);
    if (rc == 0) {
        config_view_init(hb->rest, &hb->rest_view);
        rc = strategy_new("random", &(struct strategy_setup){.space = hb->rest, .seed = setup->seed}, &hb->lot, err);
    }
    if (rc != 0) {
        destroy(&hb->base);
        return rc;
    }
    read_counts(hb, setup);
    *ret = hb;
    return 0;
}

static int create_hyperband(const struct strategy_setup *setup, struct strategy **ret, struct err *err)
{
    struct hyperband *hb;
    int rc = make(setup, &hb, err);
    if (rc == 0)
        *ret = &hb->base;
    return rc;
}

static int create_bohb(const struct strategy_setup *setup, struct strategy **ret, struct err *err)
{
    struct hyperband *hb;
    int rc = make(setup, &hb, err);
    if (rc != 0)
        return rc;
    hb->sampler = setting_word(setup, bohb_options, "sampler");
    if (str_equal(hb->sampler, "random"))
        hb->sampler = NULL;
    hb->random_fraction = setting_float(setup, bohb_options, "random_fraction");
    *ret = &hb->base;
    return 0;
}

// ---- Configurations with and without their budget

static void with_budget(struct hyperband *hb, const struct config *rest, int level, struct config *ret)
{
    struct config *view = &hb->base.view;
    for (size_t i = 0; i < view->count; i++) {
        size_t from = i < hb->plan.param ? i : i - 1;
        bool is_budget = i == hb->plan.param;
        view->values[i] = is_budget ? hb->plan.levels[level] : rest->values[from];
        view->active[i] = is_budget || rest->active[from];
    }
    config_copy(view, ret);
}

static void without_budget(struct hyperband *hb, const struct config *config, struct config *ret)
{
    for (size_t i = 0; i < hb->rest_view.count; i++) {
        size_t from = i < hb->plan.param ? i : i + 1;
        hb->rest_view.values[i] = config->values[from];
        hb->rest_view.active[i] = config->active[from];
    }
    config_copy(&hb->rest_view, ret);
}

// ---- Notes

// "bracket 1 of 5 of round 1, rung 2 of 5 with epochs = 3"
static void write_place(struct str *out, const struct hyperband *hb, const struct hb_trial *trial)
{
    const struct bracket *bracket = hb->brackets[trial->bracket];
    str_addf(out, "bracket %zu of %zu of round %llu, rung %zu of %zu with %s = ", trial->bracket % hb->bracket_kinds + 1,
             hb->bracket_kinds, (unsigned long long)bracket->round + 1, trial->rung + 1, bracket->s + 1,
             space_param(hb->base.space, hb->plan.param)->name);
    value_write_plain(out, &hb->plan.levels[trial->level]);
}

static void write_value(struct str *out, const struct hb_trial *trial)
{
    char text[NUM_TEXT_MAX];
    num_format_double(trial->outcome.values[0], text);
    str_add(out, text);
}

static void say_promoted(struct hyperband *hb, const struct hb_trial *trial, size_t rank)
{
    struct str text = STR_INIT;
    const struct hb_trial *parent = trial->parent;
    const struct rung *rung = &hb->brackets[parent->bracket]->rungs[parent->rung];
    write_place(&text, hb, trial);
    str_addf(&text, ": promoted from point %llu, number %zu of %zu that ended with %s = ", (unsigned long long)parent->point, rank,
             rung->ended, space_param(hb->base.space, hb->plan.param)->name);
    value_write_plain(&text, &hb->plan.levels[parent->level]);
    str_add(&text, ", by its value ");
    write_value(&text, parent);
    str_add(&text, rank > 1 ? " (the best is " : " (the best");
    if (rank > 1)
        write_value(&text, rung->ranked[0]);
    if (rank < rung->count) {
        str_addf(&text, "%s number %zu is ", rank > 1 ? "," : ";", rank + 1);
        write_value(&text, rung->ranked[rank]);
    }
    str_add(&text, ")");
    free(hb->note);
    hb->note = str_detach(&text);
    hb->note_parent = parent->point;
}

static void say_new(struct hyperband *hb, const struct hb_trial *trial, const char *how)
{
    struct str text = STR_INIT;
    const struct rung *rung = &hb->brackets[trial->bracket]->rungs[0];
    write_place(&text, hb, trial);
    str_addf(&text, ": new configuration %zu of %zu, %s", rung->started, rung->places, how);
    free(hb->note);
    hb->note = str_detach(&text);
    hb->note_parent = 0;
}

// ---- Operations

static void promote(struct hyperband *hb, uint64_t point, struct hb_trial *parent, size_t rank, struct config *ret)
{
    struct config copy;
    config_copy(&parent->config, &copy);
    struct hb_trial *trial = hb_add(hb, point, &copy, parent->level + 1);
    hb_place(hb, trial, parent);
    with_budget(hb, &trial->config, trial->level, ret);
    say_promoted(hb, trial, rank);
}

static int start(struct hyperband *hb, uint64_t point, int level, struct config *ret, struct err *err)
{
    struct config config;
    char *how = NULL;
    int rc = hb_new_config(hb, point, &config, &how, err);
    if (rc != 0)
        return rc;
    struct hb_trial *trial = hb_add(hb, point, &config, level);
    hb_place(hb, trial, NULL);
    with_budget(hb, &trial->config, level, ret);
    say_new(hb, trial, how);
    free(how);
    return 0;
}

static int ask(struct strategy *strategy, uint64_t point, struct config *ret, struct err *err)
{
    struct hyperband *hb = (struct hyperband *)strategy;
    hb_assign(hb);
    for (;;) {
        size_t rank;
        struct hb_trial *parent = hb_candidate(hb, &rank);
        if (parent) {
            promote(hb, point, parent, rank, ret);
            return 0;
        }
        const struct bracket *bracket = hb_next_bracket(hb);
        if (!bracket && hb->pending > 0)
            return err_set(err, ERR_AGAIN, "which trials go on depends on the %zu that have not ended yet", hb->pending);
        if (!bracket)
            return err_set(err, ERR_EXHAUSTED, "every bracket is complete");
        int rc = start(hb, point, (int)(hb->plan.level_count - 1 - bracket->s), ret, err);
        if (rc != ERR_EXHAUSTED)
            return rc;
        hb_exhaust(hb); // the brackets go on with the configurations they have
    }
}

static void tell(struct strategy *strategy, uint64_t point, const struct outcome *outcome)
{
    struct hyperband *hb = (struct hyperband *)strategy;
    struct hb_trial *trial = hb_find(hb, point);
    if (!trial || trial->told)
        return;
    trial->told = true;
    trial->outcome = *outcome;
    bool counts = (outcome->state == POINT_DONE || outcome->state == POINT_STOPPED) && outcome->value_count > 0;
    if (outcome->state == POINT_DONE && !counts)
        trial->outcome.state = POINT_FAILED;
    if (counts && isfinite(outcome->values[0])) {
        trial->cost = strategy->goals[0] == GOAL_MAXIMIZE ? -outcome->values[0] : outcome->values[0];
        if (trial->level >= 0) {
            struct results *results = &hb->results[trial->level];
            ARRAY_GROW(results->trials, results->count, results->capacity);
            results->trials[results->count++] = trial;
        }
    }
    if (hb->assigned)
        hb_end(hb, trial);
    strategy_free(hb->model);
    hb->model = NULL;
}

static void restore(struct strategy *strategy, uint64_t point, const struct config *config)
{
    struct hyperband *hb = (struct hyperband *)strategy;
    if (hb_find(hb, point))
        return;
    struct config rest;
    without_budget(hb, config, &rest);
    const struct value *budget = &config->values[hb->plan.param];
    hb_add(hb, point, &rest, config->active[hb->plan.param] ? budget_plan_level(&hb->plan, budget) : -1);
    hb->assigned = false;
    strategy_free(hb->model);
    hb->model = NULL;
}

static struct strategy_note note(const struct strategy *strategy)
{
    const struct hyperband *hb = (const struct hyperband *)strategy;
    return (struct strategy_note){.text = hb->note, .parent = hb->note_parent};
}

const struct strategy_ops hyperband_ops = {
    .create = create_hyperband, .destroy = destroy, .ask = ask, .tell = tell, .restore = restore, .note = note};
const struct strategy_ops bohb_ops = {
    .create = create_bohb, .destroy = destroy, .ask = ask, .tell = tell, .restore = restore, .note = note};
