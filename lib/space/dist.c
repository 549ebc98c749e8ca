// Distributions: unit interval to value and back.
//
// Every numeric family is a quantile function over a support; a q_ form rounds what comes out to
// the nearest multiple of q that lies in the support. The formulas are those of W&B's params.py,
// with two changes: a share is half-open at its upper end ([k/n, (k+1)/n) is the k-th of n values),
// and q_ forms stay inside.

#include "space/dist.h"

#include "base/mem.h"
#include "base/stats.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

enum family {
    FAMILY_DISCRETE,
    FAMILY_UNIFORM,
    FAMILY_LOG,
    FAMILY_NORMAL,
    FAMILY_LOG_NORMAL,
    FAMILY_BETA
};

static const struct {
    enum family family;
    bool quantised;
} traits[DIST_COUNT] = {
    [DIST_CONSTANT] = {FAMILY_DISCRETE, false},
    [DIST_CATEGORICAL] = {FAMILY_DISCRETE, false},
    [DIST_CATEGORICAL_P] = {FAMILY_DISCRETE, false},
    [DIST_INT_UNIFORM] = {FAMILY_DISCRETE, false},
    [DIST_UNIFORM] = {FAMILY_UNIFORM, false},
    [DIST_Q_UNIFORM] = {FAMILY_UNIFORM, true},
    [DIST_LOG_UNIFORM] = {FAMILY_LOG, false},
    [DIST_LOG_UNIFORM_VALUES] = {FAMILY_LOG, false},
    [DIST_Q_LOG_UNIFORM] = {FAMILY_LOG, true},
    [DIST_Q_LOG_UNIFORM_VALUES] = {FAMILY_LOG, true},
    [DIST_INV_LOG_UNIFORM] = {FAMILY_LOG, false},
    [DIST_INV_LOG_UNIFORM_VALUES] = {FAMILY_LOG, false},
    [DIST_NORMAL] = {FAMILY_NORMAL, false},
    [DIST_Q_NORMAL] = {FAMILY_NORMAL, true},
    [DIST_LOG_NORMAL] = {FAMILY_LOG_NORMAL, false},
    [DIST_Q_LOG_NORMAL] = {FAMILY_LOG_NORMAL, true},
    [DIST_BETA] = {FAMILY_BETA, false},
    [DIST_Q_BETA] = {FAMILY_BETA, true},
};

static const char *const names[DIST_COUNT] = {
#define DIST_NAME(id, name) [id] = name,
    DIST_LIST(DIST_NAME)
#undef DIST_NAME
};

const char *dist_name(enum dist dist)
{
    return names[dist];
}

bool dist_parse(const char *name, enum dist *ret)
{
    for (int i = 0; i < DIST_COUNT; i++) {
        if (str_equal(names[i], name)) {
            *ret = (enum dist)i;
            return true;
        }
    }
    return false;
}

bool dist_is_categorical(enum dist dist)
{
    return dist == DIST_CATEGORICAL || dist == DIST_CATEGORICAL_P;
}

bool dist_is_quantised(enum dist dist)
{
    return traits[dist].quantised;
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

// Logarithms of the bounds. W&B's inverse forms are the same distribution; in their first version
// the exponents count down from -min to -max.
static void log_bounds(const struct param *param, double *ret_low, double *ret_high)
{
    if (param->dist == DIST_INV_LOG_UNIFORM) {
        *ret_low = -param->max;
        *ret_high = -param->min;
    } else if (param->dist == DIST_LOG_UNIFORM || param->dist == DIST_Q_LOG_UNIFORM) {
        *ret_low = param->min;
        *ret_high = param->max;
    } else {
        *ret_low = log(param->min);
        *ret_high = log(param->max);
    }
}

void dist_bounds(const struct param *param, double *ret_low, double *ret_high)
{
    double low = -(double)INFINITY, high = (double)INFINITY;
    bool exponents = param->dist == DIST_LOG_UNIFORM || param->dist == DIST_Q_LOG_UNIFORM ||
                     param->dist == DIST_INV_LOG_UNIFORM;
    switch (traits[param->dist].family) {
    case FAMILY_UNIFORM:
    case FAMILY_LOG:
        low = param->min;
        high = param->max;
        if (exponents) {
            log_bounds(param, &low, &high);
            low = exp(low);
            high = exp(high);
        }
        break;
    case FAMILY_LOG_NORMAL:
        low = 0;
        break;
    case FAMILY_BETA:
        low = 0;
        high = 1;
        break;
    case FAMILY_NORMAL:
    case FAMILY_DISCRETE:
        break;
    }
    *ret_low = low;
    *ret_high = high;
}

// The inverse cumulative distribution, before rounding to multiples of q.
static double quantile(const struct param *param, double u)
{
    double low, high, inner = u > 0 ? u : 0x1p-54; // unbounded families have no value at 0
    switch (traits[param->dist].family) {
    case FAMILY_UNIFORM:
        low = param->min;
        high = param->max;
        u = high - low <= DBL_MAX ? low + u * (high - low) : (1 - u) * low + u * high;
        return clamp(u, low, high);
    case FAMILY_LOG: {
        double log_low, log_high;
        log_bounds(param, &log_low, &log_high);
        dist_bounds(param, &low, &high);
        return clamp(exp(log_low + u * (log_high - log_low)), low, high);
    }
    case FAMILY_NORMAL:
        return param->mu + param->sigma * norm_inverse_cdf(inner);
    case FAMILY_LOG_NORMAL:
        return exp(param->mu + param->sigma * norm_inverse_cdf(inner));
    case FAMILY_BETA:
        return clamp(beta_inverse_cdf(u, param->a, param->b), 0, 1);
    case FAMILY_DISCRETE:
        break;
    }
    return (double)NAN;
}

static double ratio(double x, double low, double high)
{
    return high > low ? clamp((x - low) / (high - low), 0, 1) : 0.5;
}

static double normal_cdf(const struct param *param, double x)
{
    if (param->sigma > 0)
        return norm_cdf((x - param->mu) / param->sigma);
    return x < param->mu ? 0 : x > param->mu ? 1 : 0.5;
}

// The cumulative distribution, before rounding.
static double cumulative(const struct param *param, double x)
{
    double low, high;
    switch (traits[param->dist].family) {
    case FAMILY_UNIFORM:
        if (param->max - param->min <= DBL_MAX)
            return ratio(x, param->min, param->max);
        return ratio(x / 4, param->min / 4, param->max / 4);
    case FAMILY_LOG:
        log_bounds(param, &low, &high);
        return x > 0 ? ratio(log(x), low, high) : 0;
    case FAMILY_NORMAL:
        return normal_cdf(param, x);
    case FAMILY_LOG_NORMAL:
        return x > 0 ? normal_cdf(param, log(x)) : 0;
    case FAMILY_BETA:
        return clamp(beta_cdf(x, param->a, param->b), 0, 1);
    case FAMILY_DISCRETE:
        break;
    }
    return (double)NAN;
}

// A bound that is a multiple of q up to rounding (0.3 of 0.1) counts as one.
void dist_multiples(const struct param *param, double *ret_low, double *ret_high)
{
    double low, high, slack = 1e-9;
    dist_bounds(param, &low, &high);
    low /= param->q;
    high /= param->q;
    double first = ceil(low - slack), last = floor(high + slack);
    if (first > last) { // none inside: the bounds stand for the multiples around them
        first = rint(low);
        last = rint(high);
    }
    *ret_low = first;
    *ret_high = last;
}

struct value dist_multiple(const struct param *param, double k)
{
    double low, high;
    dist_bounds(param, &low, &high);
    double x = clamp(k * param->q, low, high) + 0.0; // no negative zero
    if (param->q_is_int && fabs(x) < 0x1p63 && x == floor(x))
        return (struct value){.kind = VALUE_INT, .integer = (int64_t)x};
    return (struct value){.kind = VALUE_FLOAT, .number = x};
}

// floor(u * n) without rounding, for n up to 2^64 (given as 0).
static uint64_t share_index(double u, uint64_t n)
{
    uint64_t bits = (uint64_t)ldexp(clamp(u, 0, 1 - DBL_EPSILON / 2), 64);
    return n == 0 ? bits : (uint64_t)((wide)bits * n >> 64);
}

static size_t weighted_index(const struct param *param, double u)
{
    double sum = 0;
    size_t last = 0;
    for (size_t i = 0; i < param->value_count; i++) {
        sum += param->probabilities[i];
        if (u < sum)
            return i;
        if (param->probabilities[i] > 0)
            last = i;
    }
    return last; // the sum fell short of 1 by rounding
}

struct value param_view_unit(const struct param *param, double u)
{
    if (param->dist == DIST_CONSTANT)
        return param->values[0];
    if (param->dist == DIST_CATEGORICAL)
        return param->values[share_index(u, param->value_count)];
    if (param->dist == DIST_CATEGORICAL_P)
        return param->values[weighted_index(param, u)];
    if (param->dist == DIST_INT_UNIFORM) {
        uint64_t n = (uint64_t)param->int_max - (uint64_t)param->int_min + 1;
        uint64_t integer = (uint64_t)param->int_min + share_index(u, n);
        return (struct value){.kind = VALUE_INT, .integer = (int64_t)integer};
    }
    double x = quantile(param, u);
    if (!dist_is_quantised(param->dist))
        return (struct value){.kind = VALUE_FLOAT, .number = x};
    double first, last;
    dist_multiples(param, &first, &last);
    return dist_multiple(param, clamp(rint(x / param->q), first, last));
}

void param_from_unit(const struct param *param, double u, struct value *ret)
{
    struct value view = param_view_unit(param, u);
    *ret = value_copy(&view);
}

static bool as_number(const struct value *value, double *ret)
{
    return value->kind != VALUE_BOOL && value_number(value, ret) && isfinite(*ret);
}

static bool as_integer(const struct value *value, int64_t *ret)
{
    double x;
    if (value->kind == VALUE_INT) {
        *ret = value->integer;
        return true;
    }
    if (value->kind != VALUE_FLOAT || !as_number(value, &x) || x != floor(x) || fabs(x) >= 0x1p63)
        return false;
    *ret = (int64_t)x;
    return true;
}

// The place of an equal value that can occur.
static bool find_value(const struct param *param, const struct value *value, size_t *ret)
{
    size_t count = param->dist == DIST_CONSTANT ? 1 : param->value_count;
    for (size_t i = 0; i < count; i++) {
        if (param->dist == DIST_CATEGORICAL_P && !(param->probabilities[i] > 0))
            continue;
        if (value_equal(&param->values[i], value)) {
            *ret = i;
            return true;
        }
    }
    return false;
}

// The multiple that x is, up to rounding in its text.
static bool find_multiple(const struct param *param, double x, double *ret)
{
    double first, last, at;
    dist_multiples(param, &first, &last);
    double k = clamp(rint(x / param->q), first, last);
    struct value nearest = dist_multiple(param, k);
    value_number(&nearest, &at);
    *ret = k;
    return fabs(x - at) <= 1e-9 * param->q;
}

// A point of W&B's grid over q_uniform, np.arange(min, max, q), need not be a multiple of q.
static bool find_step(const struct param *param, double x, struct value *ret)
{
    if (param->dist != DIST_Q_UNIFORM)
        return false;
    uint64_t count = param_grid_count(param);
    double place = rint((x - param->min) / param->q), at;
    if (!(place >= 0) || count == 0 || place > (double)(count - 1))
        return false;
    param_grid_value(param, (uint64_t)place, ret);
    value_number(ret, &at);
    return fabs(x - at) <= 1e-9 * param->q;
}

bool param_normalise(const struct param *param, const struct value *value, struct value *ret)
{
    double x, k, low, high;
    size_t place;
    int64_t integer;
    if (param->dist == DIST_CONSTANT || dist_is_categorical(param->dist)) {
        if (!find_value(param, value, &place))
            return false;
        *ret = param->values[place];
        return true;
    }
    if (param->dist == DIST_INT_UNIFORM) {
        if (!as_integer(value, &integer) || integer < param->int_min || integer > param->int_max)
            return false;
        *ret = (struct value){.kind = VALUE_INT, .integer = integer};
        return true;
    }
    if (!as_number(value, &x))
        return false;
    if (dist_is_quantised(param->dist)) {
        if (!find_multiple(param, x, &k))
            return find_step(param, x, ret);
        *ret = dist_multiple(param, k);
        return true;
    }
    dist_bounds(param, &low, &high);
    if (!(x >= low && x <= high))
        return false;
    *ret = (struct value){.kind = VALUE_FLOAT, .number = x};
    return true;
}

bool param_contains(const struct param *param, const struct value *value)
{
    struct value found;
    return param_normalise(param, value, &found);
}

static double middle_of_value(const struct param *param, size_t place)
{
    if (param->dist == DIST_CONSTANT)
        return 0.5;
    if (param->dist == DIST_CATEGORICAL)
        return ((double)place + 0.5) / (double)param->value_count;
    double before = 0;
    for (size_t i = 0; i < place; i++)
        before += param->probabilities[i];
    return clamp(before + 0.5 * param->probabilities[place], 0, 1);
}

static double middle_of_multiple(const struct param *param, double k)
{
    double first, last;
    dist_multiples(param, &first, &last);
    double below = k <= first ? 0 : cumulative(param, (k - 0.5) * param->q);
    double above = k >= last ? 1 : cumulative(param, (k + 0.5) * param->q);
    return 0.5 * (below + above);
}

double param_to_unit(const struct param *param, const struct value *value)
{
    struct value found;
    size_t place = 0;
    double x, k;
    if (!param_normalise(param, value, &found))
        return (double)NAN;
    if (param->dist == DIST_CONSTANT || dist_is_categorical(param->dist)) {
        bool there = find_value(param, value, &place);
        assert(there);
        (void)there;
        return middle_of_value(param, place);
    }
    if (param->dist == DIST_INT_UNIFORM) {
        uint64_t n = (uint64_t)param->int_max - (uint64_t)param->int_min; // one less than there are
        uint64_t index = (uint64_t)found.integer - (uint64_t)param->int_min;
        return ((double)index + 0.5) / ((double)n + 1);
    }
    value_number(&found, &x);
    if (dist_is_quantised(param->dist) && find_multiple(param, x, &k))
        return middle_of_multiple(param, k);
    return cumulative(param, x);
}
