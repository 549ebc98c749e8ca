// The budgets and brackets of Hyperband.

#include "strategies/hyperband_plan.h"

#include "base/num.h"

#include <math.h>

#define SLACK 1e-12 // relative: what powers and logarithms may be off, so that log 81 / log 3 is 4

static bool is_list(enum dist dist)
{
    return dist == DIST_CATEGORICAL || dist == DIST_CATEGORICAL_P;
}

static double number_of(const struct value *value)
{
    double x = (double)NAN;
    return value->kind != VALUE_BOOL && value_number(value, &x) ? x : (double)NAN;
}

static double number_at(const struct param *param, uint64_t index)
{
    struct value value;
    param_value_at(param, index, &value);
    double x = number_of(&value);
    value_release(&value);
    return x;
}

// A bound of a continuous parameter, as it can have it: exp and log may leave it just outside.
static double inside(const struct param *param, double bound, double towards)
{
    for (int i = 0; i < 4; i++) {
        const struct value value = {.kind = VALUE_FLOAT, .number = bound};
        if (param_contains(param, &value))
            break;
        bound = nextafter(bound, towards);
    }
    return bound;
}

static void list_bounds(const struct param *param, double *ret_low, double *ret_high)
{
    *ret_low = (double)INFINITY;
    *ret_high = -(double)INFINITY;
    for (uint64_t i = 0; i < param_cardinality(param); i++) {
        double x = number_at(param, i);
        if (isnan(x)) { // text among them
            *ret_low = *ret_high = x;
            return;
        }
        *ret_low = fmin(*ret_low, x);
        *ret_high = fmax(*ret_high, x);
    }
}

// The least and the greatest value; NAN where it has none.
static void bounds_of(const struct param *param, double *ret_low, double *ret_high)
{
    uint64_t values = param_cardinality(param);
    double low = (double)NAN, high = (double)NAN;
    switch (param->dist) {
    case DIST_CATEGORICAL:
    case DIST_CATEGORICAL_P:
        list_bounds(param, &low, &high);
        break;
    case DIST_INT_UNIFORM:
        low = (double)param->int_min;
        high = (double)param->int_max;
        break;
    case DIST_Q_UNIFORM:
    case DIST_Q_LOG_UNIFORM:
    case DIST_Q_LOG_UNIFORM_VALUES:
        if (values > 0 && values < UINT64_MAX) {
            low = number_at(param, 0);
            high = number_at(param, values - 1);
        }
        break;
    case DIST_UNIFORM:
    case DIST_LOG_UNIFORM_VALUES:
    case DIST_INV_LOG_UNIFORM_VALUES:
        low = param->min;
        high = param->max;
        break;
    case DIST_LOG_UNIFORM:
        low = exp(param->min);
        high = exp(param->max);
        break;
    case DIST_INV_LOG_UNIFORM:
        low = exp(-param->max);
        high = exp(-param->min);
        break;
    case DIST_CONSTANT:
    case DIST_NORMAL:
    case DIST_Q_NORMAL:
    case DIST_LOG_NORMAL:
    case DIST_Q_LOG_NORMAL:
    case DIST_BETA:
    case DIST_Q_BETA:
    case DIST_COUNT:
        break;
    }
    if (values == 0 && low < high) {
        low = inside(param, low, high);
        high = inside(param, high, low);
    }
    *ret_low = low;
    *ret_high = high;
}

// The index of the listed value nearest to x; the values of a q_ form ascend.
static uint64_t nearest_index(const struct param *param, double x)
{
    uint64_t count = param_cardinality(param), best = 0;
    if (is_list(param->dist)) {
        for (uint64_t i = 1; i < count; i++)
            if (fabs(number_at(param, i) - x) < fabs(number_at(param, best) - x))
                best = i;
        return best;
    }
    uint64_t low = 0, high = count - 1; // number_at(low) <= x <= number_at(high), or x is outside
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (number_at(param, middle) <= x)
            low = middle;
        else
            high = middle;
    }
    return fabs(number_at(param, high) - x) < fabs(number_at(param, low) - x) ? high : low;
}

// What the parameter can have nearest to x, which is inside its bounds.
static struct value nearest_value(const struct param *param, double x)
{
    struct value value;
    if (param->dist == DIST_INT_UNIFORM)
        return (struct value){.kind = VALUE_INT, .integer = (int64_t)round(x)};
    if (param_cardinality(param) == 0)
        return (struct value){.kind = VALUE_FLOAT, .number = x};
    param_value_at(param, nearest_index(param, x), &value);
    return value;
}

static int check_param(const struct param *param, double low, double high, struct err *err)
{
    if (param->when)
        return err_set(err, ERR_INVALID, "the budget parameter '%s' has a condition, but every run needs its budget: remove its 'when:'",
                       param->name);
    if (param->dist == DIST_CONSTANT || low == high)
        return err_set(err, ERR_INVALID, "the budget parameter '%s' has one value only: give it 'min:' and 'max:', the least and the greatest budget of a run",
                       param->name);
    if (isnan(low) || isnan(high))
        return err_set(err, ERR_INVALID, "the budget parameter '%s' must be a number with 'min:' and 'max:' or a list of numbers", param->name);
    // Beyond 2^53 a double does not hold every integer.
    if (low <= 0 || high > 9e15)
        return err_set(err, ERR_INVALID, "the budget parameter '%s' must be above 0 and at most 9e15 everywhere", param->name);
    return 0;
}

int budget_plan_init(struct budget_plan *plan, const struct space *space, const char *name, double eta, struct err *err)
{
    if (!*name)
        return err_set(err, ERR_INVALID,
                       "the method needs the parameter that holds the budget of a run: add `strategy: {budget: NAME}`, such as the number of epochs");
    int index = space_find(space, name);
    if (index < 0)
        return err_set(err, ERR_INVALID, "option 'budget' names '%s', but there is no such parameter", name);
    const struct param *param = space_param(space, (size_t)index);
    double low, high;
    bounds_of(param, &low, &high);
    int rc = check_param(param, low, high, err);
    if (rc != 0)
        return rc;
    *plan = (struct budget_plan){.param = (size_t)index, .eta = eta};
    double s_max = floor(log(high / low) / log(eta) * (1 + SLACK));
    if (s_max >= BUDGET_LEVELS_MAX)
        return err_set(err, ERR_INVALID, "from %g to %g by factors of %g, the budget parameter '%s' has more than %d budgets: increase eta or narrow its bounds",
                       low, high, eta, name, BUDGET_LEVELS_MAX);
    for (double s = s_max; s >= 0; s--) {
        struct value value = nearest_value(param, fmax(low, high * pow(eta, -s)));
        if (budget_plan_level(plan, &value) < 0)
            plan->levels[plan->level_count++] = value;
    }
    if (plan->level_count < 2)
        return err_set(err, ERR_INVALID, "from %g to %g there is no second budget by a factor of %g: widen the bounds of '%s' or decrease eta",
                       low, high, eta, name);
    if (pow(eta, (double)(plan->level_count - 1)) > BUDGET_PLACES_MAX)
        return err_set(err, ERR_INVALID, "the first bracket would have more than %d configurations: raise the least budget of '%s'",
                       BUDGET_PLACES_MAX, name);
    return 0;
}

size_t budget_plan_places(const struct budget_plan *plan, size_t s, size_t rung)
{
    double n = ceil((double)plan->level_count / (double)(s + 1) * pow(plan->eta, (double)s) * (1 - SLACK));
    double places = floor(n * pow(plan->eta, -(double)rung) * (1 + SLACK));
    return places < 1 ? 1 : (size_t)places;
}

int budget_plan_level(const struct budget_plan *plan, const struct value *value)
{
    for (size_t i = 0; i < plan->level_count; i++)
        if (value_equal(&plan->levels[i], value))
            return (int)i;
    return -1;
}
