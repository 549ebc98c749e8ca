// The types of stopping rules: one table of their options, from which the spec, its messages and the docs derive.

#include "strategies/stopping.h"

#include "base/num.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define COUNT_MAX 9e15 // integers that a double holds exactly

static const char *const axes[] = {"reports", "step", NULL};

#define MIN_ITER(least, text)                                                                                          \
    {                                                                                                                  \
        "min_iter", OPTION_INT, "1", least, COUNT_MAX, NULL, text                                                      \
    }
#define MIN_TRIALS(number)                                                                                             \
    {                                                                                                                  \
        "min_trials", OPTION_INT, number, 1, COUNT_MAX, NULL, "runs that must have come that far before one is judged" \
    }
#define INTERVAL                                                                                                       \
    {                                                                                                                  \
        "interval", OPTION_INT, "1", 1, COUNT_MAX, NULL, "reports (steps) between two checks"                          \
    }
#define OVER                                                                                                           \
    {                                                                                                                  \
        "over", OPTION_WORD, "reports", 0, 0, axes, "what is counted: the objective's reports, or the step they name"  \
    }

static const struct strategy_option hyperband_options[] = {
    {"min_iter", OPTION_INT, "none", 1, COUNT_MAX, NULL, "the first band; the others follow by eta"},
    {"max_iter", OPTION_INT, "none", 1, COUNT_MAX, NULL, "bands are max_iter / eta, max_iter / eta^2, ... (s of them)"},
    {"s", OPTION_INT, "none", 1, COUNT_MAX, NULL, "number of bands below max_iter"},
    {"eta", OPTION_FLOAT, "3", 1, COUNT_MAX, NULL, "1/eta of the runs go on (above 1)"},
    {"strict", OPTION_BOOL, "true", 0, 0, NULL, "compare the value at the band (true) or the best so far (false)"},
    {0}};
static const struct strategy_option asha_options[] = {
    MIN_ITER(1, "the first rung"),
    {"max_iter", OPTION_INT, "none", 2, COUNT_MAX, NULL, "rungs lie below it"},
    {"eta", OPTION_FLOAT, "4", 1.1, 1000, NULL, "1/eta of the runs go on from each rung to the next, which is eta times as far"},
    MIN_TRIALS("4"),
    OVER,
    {0}};
static const struct strategy_option median_options[] = {MIN_ITER(0, "no run is judged before it"), INTERVAL, MIN_TRIALS("5"), OVER, {0}};
static const struct strategy_option percentile_options[] = {
    {"percentile", OPTION_FLOAT, "25", 0, 100, NULL, "the best so many per cent go on"},
    MIN_ITER(0, "no run is judged before it"), INTERVAL, MIN_TRIALS("5"), OVER, {0}};
static const struct strategy_option threshold_options[] = {
    {"above", OPTION_FLOAT, "none", -INFINITY, INFINITY, NULL, "a run that reports more is stopped"},
    {"below", OPTION_FLOAT, "none", -INFINITY, INFINITY, NULL, "a run that reports less is stopped"},
    MIN_ITER(0, "no run is judged before it"), OVER, {0}};
static const struct strategy_option patience_options[] = {
    {"patience", OPTION_INT, "10", 1, COUNT_MAX, NULL, "reports (steps) without a better value after which a run is stopped"},
    {"min_delta", OPTION_FLOAT, "0", 0, INFINITY, NULL, "what is better by no more than this is not better"},
    MIN_ITER(0, "no run is judged before it"), OVER, {0}};

static const struct stop_type types[] = {
    {"hyperband", STOP_HYPERBAND, hyperband_options, "W&B's rule: at growing bands the best 1/eta go on"},
    {"asha", STOP_ASHA, asha_options, "asynchronous successive halving: at growing rungs the best 1/eta go on"},
    {"median", STOP_MEDIAN, median_options, "stops runs whose best is worse than the median of the others' means"},
    {"percentile", STOP_PERCENTILE, percentile_options, "as median, for another part than the better half"},
    {"threshold", STOP_THRESHOLD, threshold_options, "stops runs whose value leaves a range, or is NaN"},
    {"patience", STOP_PATIENCE, patience_options, "stops runs that improve no more"},
    {0}};

const struct stop_type *stop_types(void)
{
    return types;
}

const struct stop_type *stop_find(const char *name)
{
    for (const struct stop_type *type = types; type->name; type++)
        if (str_equal(type->name, name))
            return type;
    return NULL;
}

const struct stop_type *stop_type(enum stop_kind kind)
{
    const struct stop_type *type = types;
    while (type->name && type->kind != kind)
        type++;
    assert(type->name);
    return type;
}

static int64_t *integer_of(struct stop_rule *rule, const char *option)
{
    return !strcmp(option, "min_iter")     ? &rule->min_iter
           : !strcmp(option, "max_iter")   ? &rule->max_iter
           : !strcmp(option, "s")          ? &rule->s
           : !strcmp(option, "min_trials") ? &rule->min_trials
           : !strcmp(option, "interval")   ? &rule->interval
           : !strcmp(option, "patience")   ? &rule->patience
                                           : NULL;
}

static double *number_of(struct stop_rule *rule, const char *option)
{
    return !strcmp(option, "eta")          ? &rule->eta
           : !strcmp(option, "percentile") ? &rule->percentile
           : !strcmp(option, "above")      ? &rule->above
           : !strcmp(option, "below")      ? &rule->below
           : !strcmp(option, "min_delta")  ? &rule->min_delta
                                           : NULL;
}

void stop_rule_set(struct stop_rule *rule, const char *option, const struct value *value)
{
    double number = 0;
    if (!strcmp(option, "strict")) {
        rule->strict = value->boolean;
    } else if (!strcmp(option, "over")) {
        rule->over_steps = !strcmp(value->text, axes[1]);
    } else if (integer_of(rule, option)) {
        *integer_of(rule, option) = value->integer;
    } else if (value_number(value, &number)) {
        *number_of(rule, option) = number;
    }
}

struct value stop_rule_get(const struct stop_rule *rule, const char *option)
{
    struct stop_rule copy = *rule; // the finders give places to write, too
    if (!strcmp(option, "strict"))
        return (struct value){.kind = VALUE_BOOL, .boolean = rule->strict};
    if (!strcmp(option, "over"))
        return (struct value){.kind = VALUE_STRING, .text = (char *)axes[rule->over_steps]};
    if (integer_of(&copy, option))
        return (struct value){.kind = VALUE_INT, .integer = *integer_of(&copy, option)};
    return (struct value){.kind = VALUE_FLOAT, .number = *number_of(&copy, option)};
}

static void set_default(struct stop_rule *rule, const struct strategy_option *option)
{
    struct value value = {.kind = VALUE_STRING, .text = (char *)option->default_text};
    double number = 0;
    if (!strcmp(option->default_text, "none"))
        return;
    bool is_number = num_parse_double(option->default_text, &number);
    if (option->kind == OPTION_INT)
        value = (struct value){.kind = VALUE_INT, .integer = (int64_t)number};
    else if (option->kind == OPTION_FLOAT)
        value = (struct value){.kind = VALUE_FLOAT, .number = number};
    else if (option->kind == OPTION_BOOL)
        value = (struct value){.kind = VALUE_BOOL, .boolean = str_equal(option->default_text, "true")};
    assert(is_number || option->kind == OPTION_BOOL || option->kind == OPTION_WORD); // the defaults are ours
    (void)is_number;
    stop_rule_set(rule, option->name, &value);
}

struct stop_rule stop_rule_of(const struct stop_type *type)
{
    struct stop_rule rule = {.kind = type->kind,
                             .eta = 3,
                             .strict = true,
                             .min_trials = 1,
                             .interval = 1,
                             .percentile = 50,
                             .above = INFINITY,
                             .below = -INFINITY,
                             .patience = 1};
    for (const struct strategy_option *option = type->options; option->name; option++)
        set_default(&rule, option);
    return rule;
}

bool stop_compares(const struct stop_rule *rule)
{
    return rule->kind == STOP_HYPERBAND || rule->kind == STOP_ASHA || rule->kind == STOP_MEDIAN || rule->kind == STOP_PERCENTILE;
}

// From the first place up, by eta, as far as numbers are exact and below `end`.
static size_t bands_up(const struct stop_rule *rule, double end, int64_t bands[static STOP_BANDS_MAX])
{
    size_t count = 0;
    double band = (double)rule->min_iter;
    for (int i = 0; i < STOP_BANDS_MAX && band < end; i++, band *= rule->eta)
        if (count == 0 || bands[count - 1] < (int64_t)band)
            bands[count++] = (int64_t)band;
    return count;
}

// max_iter / eta, / eta^2, ...: W&B's loop, with its order of divisions.
static size_t bands_down(const struct stop_rule *rule, int64_t bands[static STOP_BANDS_MAX])
{
    size_t count = 0;
    double band = (double)rule->max_iter;
    for (int64_t i = 0; i < rule->s && count < STOP_BANDS_MAX; i++) {
        band /= rule->eta;
        if (band < 1)
            break;
        if (count == 0 || bands[count - 1] > (int64_t)band)
            bands[count++] = (int64_t)band;
    }
    for (size_t i = 0; i < count / 2; i++) {
        int64_t swap = bands[i];
        bands[i] = bands[count - 1 - i];
        bands[count - 1 - i] = swap;
    }
    return count;
}

size_t stop_bands(const struct stop_rule *rule, int64_t bands[static STOP_BANDS_MAX])
{
    if (!(rule->eta > 1))
        return 0;
    if (rule->kind == STOP_HYPERBAND)
        return rule->max_iter ? bands_down(rule, bands) : rule->min_iter > 0 ? bands_up(rule, COUNT_MAX, bands) : 0;
    if (rule->kind == STOP_ASHA)
        return bands_up(rule, rule->max_iter ? (double)rule->max_iter : COUNT_MAX, bands);
    return 0;
}
