// The face of all strategies: the table of methods, and what they share.

#include "base/mem.h"
#include "base/str.h"
#include "strategies/strategy_impl.h"

#include <stdlib.h>
#include <string.h>

static const struct strategy_option no_options[] = {{.name = NULL}};

// name, operations, capabilities, options, help
#define METHOD_LIST(X)                                                                             \
    X("grid", grid_ops, STRATEGY_INDEXED | STRATEGY_FINITE, no_options,                            \
      "every combination of the listed values, the last name fastest")                             \
    X("random", random_ops, STRATEGY_INDEXED, no_options,                                          \
      "independent draws from the distributions")                                                  \
    X("sobol", sobol_ops, STRATEGY_INDEXED, sobol_options,                                         \
      "a scrambled Sobol sequence: like random, but spread evenly")                                \
    X("auto", auto_ops, STRATEGY_LEARNS | STRATEGY_SLOW, no_options,                               \
      "bayes or tpe, whichever suits the space, the trials and their number at once")              \
    X("bayes", bayes_ops, STRATEGY_LEARNS | STRATEGY_SLOW, bayes_options,                          \
      "Gaussian processes: few trials, each chosen by what all before it say")                     \
    X("tpe", tpe_ops, STRATEGY_LEARNS | STRATEGY_SLOW, tpe_options,                                \
      "Parzen estimators: many trials, very large or strongly conditional spaces")                   \
    X("cmaes", cmaes_ops, STRATEGY_LEARNS, cmaes_options,                                          \
      "an evolution strategy that learns scales and correlations: for many trials")                \
    X("hyperband", hyperband_ops, STRATEGY_LEARNS, hyperband_options,                              \
      "many runs with a small budget, the best again with more")                                   \
    X("bohb", bohb_ops, STRATEGY_LEARNS | STRATEGY_SLOW, bohb_options,                             \
      "hyperband, its configurations from a model of the results")

static const struct strategy_method methods[] = {
#define METHOD_ROW(word, ops, bits, table, text)                                                   \
    {.name = word, .caps = bits, .options = table, .help = text},
    METHOD_LIST(METHOD_ROW)
#undef METHOD_ROW
        {.name = NULL}};

static const struct strategy_ops *const operations[] = {
#define METHOD_OPS(word, ops, bits, table, text) &ops,
    METHOD_LIST(METHOD_OPS)
#undef METHOD_OPS
};

const struct strategy_method *strategy_methods(void)
{
    return methods;
}

const struct strategy_method *strategy_find(const char *name)
{
    for (const struct strategy_method *method = methods; method->name; method++)
        if (str_equal(method->name, name))
            return method;
    return NULL;
}

static int refuse_method(const char *name, struct err *err)
{
    const char *words[ARRAY_LEN(methods)];
    struct str all = STR_INIT;
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        words[i] = methods[i].name;
        if (words[i])
            str_addf(&all, "%s%s", i ? ", " : "", words[i]);
    }
    const char *near = name ? str_nearest(name, words) : NULL;
    int rc = near ? err_set(err, ERR_NOT_FOUND, "there is no method '%s'; did you mean '%s'?", name,
                            near)
                  : err_set(err, ERR_NOT_FOUND, "there is no method '%s'; there are %s",
                            name ? name : "", str_get(&all));
    str_release(&all);
    return rc;
}

int strategy_new(const char *method, const struct strategy_setup *setup, struct strategy **ret,
                 struct err *err)
{
    struct strategy *strategy;
    const struct strategy_method *found = strategy_find(method);
    if (!found)
        return refuse_method(method, err);
    const struct strategy_ops *ops = operations[found - methods];
    int rc = settings_check(found, setup, err);
    if (rc == 0)
        rc = ops->create(setup, &strategy, err);
    if (rc != 0)
        return rc;
    strategy->method = found;
    strategy->ops = ops;
    strategy->space = setup->space;
    memcpy(strategy->goals, setup->goals, sizeof strategy->goals);
    strategy->objective_count = setup->objective_count ? setup->objective_count : 1;
    strategy->seed = setup->seed;
    strategy->units = xcalloc(space_count(setup->space), sizeof *strategy->units);
    strategy->failures = xcalloc(space_constraint_count(setup->space), sizeof *strategy->failures);
    config_view_init(setup->space, &strategy->view);
    *ret = strategy;
    return 0;
}

void strategy_free(struct strategy *strategy)
{
    if (!strategy)
        return;
    free(strategy->units);
    free(strategy->failures);
    config_view_release(&strategy->view);
    strategy->ops->destroy(strategy);
}

int strategy_ask(struct strategy *strategy, uint64_t point, struct config *ret, struct err *err)
{
    return strategy->ops->ask(strategy, point, ret, err);
}

struct strategy_note strategy_note(const struct strategy *strategy)
{
    return strategy->ops->note ? strategy->ops->note(strategy) : (struct strategy_note){0};
}

struct outcome outcome_of(enum point_state state, double value)
{
    bool counts = state == POINT_DONE || state == POINT_STOPPED;
    return (struct outcome){.state = state, .value_count = counts, .values = {value}};
}

void strategy_tell(struct strategy *strategy, uint64_t point, const struct outcome *outcome)
{
    if (strategy->ops->tell)
        strategy->ops->tell(strategy, point, outcome);
}

void strategy_report(struct strategy *strategy, uint64_t point, int64_t step, double value)
{
    if (strategy->ops->report)
        strategy->ops->report(strategy, point, step, value);
}

void strategy_restore(struct strategy *strategy, uint64_t point, const struct config *config)
{
    if (strategy->ops->restore)
        strategy->ops->restore(strategy, point, config);
}

uint64_t strategy_cursor(const struct strategy *strategy)
{
    return strategy->ops->cursor ? strategy->ops->cursor(strategy) : 0;
}

int strategy_seek(struct strategy *strategy, uint64_t cursor, struct err *err)
{
    if (strategy->ops->seek)
        return strategy->ops->seek(strategy, cursor, err);
    if (cursor == 0)
        return 0;
    return err_set(err, ERR_INVALID, "method %s has no cursor", strategy->method->name);
}

void strategy_search(struct strategy *strategy)
{
    if (strategy->rejects == 0)
        return;
    memset(strategy->failures, 0,
           space_constraint_count(strategy->space) * sizeof *strategy->failures);
    strategy->rejects = 0;
}

bool strategy_accepts(struct strategy *strategy)
{
    size_t failed;
    if (config_feasible(strategy->space, &strategy->view, &failed))
        return true;
    strategy->failures[failed]++;
    strategy->rejects++;
    return false;
}

int strategy_refuse(const struct strategy *strategy, struct err *err)
{
    size_t worst = 0;
    for (size_t i = 1; i < space_constraint_count(strategy->space); i++)
        if (strategy->failures[i] > strategy->failures[worst])
            worst = i;
    return err_set(
        err, ERR_INVALID,
        "no configuration satisfies the constraints: '%s' failed in %.1f %% of %llu tried; "
        "loosen it or widen the parameters it names",
        expr_text(space_constraint(strategy->space, worst)),
        100.0 * (double)strategy->failures[worst] / (double)strategy->rejects,
        (unsigned long long)strategy->rejects);
}
