// One parameter: which distribution its keys mean, and what the distribution needs.
//
// The forms are W&B's (its schema's param_* entries). Where keys fit no form, but one can be
// sampled, that one is taken and a warning says so; what cannot be sampled is an error.
#include "spec/check.h"

#include "base/mem.h"
#include "base/num.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEY_LIST(X)                                                                                \
    X(VALUE, "value")                                                                              \
    X(VALUES, "values")                                                                            \
    X(PROBABILITIES, "probabilities")                                                              \
    X(MIN, "min")                                                                                  \
    X(MAX, "max")                                                                                  \
    X(MU, "mu")                                                                                    \
    X(SIGMA, "sigma")                                                                              \
    X(A, "a")                                                                                      \
    X(B, "b")                                                                                      \
    X(Q, "q")                                                                                      \
    X(DISTRIBUTION, "distribution")                                                                \
    X(PARAMETERS, "parameters")                                                                    \
    X(WHEN, "when")

enum key {
#define KEY_ENUM(id, word) KEY_##id,
    KEY_LIST(KEY_ENUM)
#undef KEY_ENUM
        KEY_COUNT
};

#define KEY_WORD(id, word) word,
const char *const parameter_keys[] = {KEY_LIST(KEY_WORD) NULL};
#undef KEY_WORD

#define BIT(id) (1u << KEY_##id)
#define ALWAYS  (BIT(DISTRIBUTION) | BIT(WHEN))
#define RANGE   (BIT(MIN) | BIT(MAX))
#define BELL    (BIT(MU) | BIT(SIGMA))
#define SHAPE   (BIT(A) | BIT(B))

// What a distribution needs and may have beside `distribution` and `when`.
static const struct rule {
    unsigned needs, may;
} rules[DIST_COUNT] = {
    [DIST_CONSTANT] = {BIT(VALUE), 0},
    [DIST_CATEGORICAL] = {BIT(VALUES), 0},
    [DIST_CATEGORICAL_P] = {BIT(VALUES) | BIT(PROBABILITIES), 0},
    [DIST_INT_UNIFORM] = {RANGE, 0},
    [DIST_UNIFORM] = {RANGE, 0},
    [DIST_Q_UNIFORM] = {RANGE, BIT(Q)},
    [DIST_LOG_UNIFORM] = {RANGE, 0},
    [DIST_LOG_UNIFORM_VALUES] = {RANGE, 0},
    [DIST_Q_LOG_UNIFORM] = {RANGE, BIT(Q)},
    [DIST_Q_LOG_UNIFORM_VALUES] = {RANGE, BIT(Q)},
    [DIST_INV_LOG_UNIFORM] = {RANGE, 0},
    [DIST_INV_LOG_UNIFORM_VALUES] = {RANGE, 0},
    [DIST_NORMAL] = {0, BELL},
    [DIST_Q_NORMAL] = {0, BELL | BIT(Q)},
    [DIST_LOG_NORMAL] = {0, BELL},
    [DIST_Q_LOG_NORMAL] = {0, BELL | BIT(Q)},
    [DIST_BETA] = {0, SHAPE},
    [DIST_Q_BETA] = {0, SHAPE | BIT(Q)},
};

// A parameter being read.
struct form {
    struct check *c;
    const char *name;
    const struct node *node;
    const struct node *key[KEY_COUNT]; // the values of the keys, NULL where not given
    unsigned given;
};

static bool has(const struct form *form, unsigned keys)
{
    return (form->given & keys) == keys;
}

static void gather(struct form *form)
{
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        form->key[i] = node_get(form->node, parameter_keys[i]);
        if (form->key[i])
            form->given |= 1u << i;
    }
}

bool looks_like_parameter(const struct node *node)
{
    struct form form = {.node = node};
    if (node->kind != NODE_MAPPING)
        return false;
    gather(&form);
    return (form.given & (BIT(VALUE) | BIT(VALUES) | BIT(MIN) | BIT(MAX) | BIT(DISTRIBUTION) |
                          BIT(PARAMETERS))) != 0;
}

// --- which distribution ---

static const char *const dist_words[] = {
#define DIST_WORD(id, word) word,
    DIST_LIST(DIST_WORD)
#undef DIST_WORD
        NULL};

// Words of other libraries, and W&B's internal ones, for what is meant.
static const struct {
    const char *word, *dist;
} foreign_words[] = {
    {"loguniform", "log_uniform_values"},
    {"log-uniform", "log_uniform_values"},
    {"qloguniform", "q_log_uniform_values"},
    {"reciprocal", "log_uniform_values"},
    {"choice", "categorical"},
    {"discrete", "categorical"},
    {"grid", "categorical"},
    {"randint", "int_uniform"},
    {"int", "int_uniform"},
    {"integer", "int_uniform"},
    {"float", "uniform"},
    {"double", "uniform"},
    {"quniform", "q_uniform"},
    {"float_uniform", "uniform"},
    {"gaussian", "normal"},
    {"lognormal", "log_normal"},
    {"fixed", "constant"},
};

static void report_unknown_dist(const struct form *form, const struct node *node)
{
    struct check *c = form->c;
    const char *meant = NULL;
    if (node->kind == NODE_SCALAR) {
        for (size_t i = 0; i < ARRAY_LEN(foreign_words); i++) {
            if (!strcmp(node->text, foreign_words[i].word))
                meant = foreign_words[i].dist;
        }
        if (!meant)
            meant = check_nearest(c, node->text, dist_words);
    }
    struct str list = STR_INIT;
    check_list_words(&list, dist_words, "or");
    check_error(c, node, "parameter '%s' has no distribution %s%s%s%s: use %s",
                check_shown(c, form->name), check_shown_node(c, node),
                meant ? " (did you mean '" : "", meant ? meant : "", meant ? "'?)" : "",
                str_get(&list));
    str_release(&list);
}

// From the keys alone, in the order of W&B's schema; false when they fit nothing.
static bool infer(const struct form *form, enum dist *ret)
{
    if (has(form, BIT(VALUES)))
        *ret = has(form, BIT(PROBABILITIES)) ? DIST_CATEGORICAL_P : DIST_CATEGORICAL;
    else if (has(form, RANGE | BIT(Q)))
        *ret = DIST_Q_UNIFORM;
    else if (has(form, RANGE)) {
        const struct node *min = form->key[KEY_MIN], *max = form->key[KEY_MAX];
        bool ints = min->kind == NODE_SCALAR && max->kind == NODE_SCALAR &&
                    scalar_read(min).kind == SCALAR_INT && scalar_read(max).kind == SCALAR_INT;
        *ret = ints ? DIST_INT_UNIFORM : DIST_UNIFORM;
    } else if (has(form, BIT(VALUE)))
        *ret = DIST_CONSTANT;
    else
        return false;
    return true;
}

static void report_incomplete(const struct form *form)
{
    struct check *c = form->c;
    const char *name = check_shown(c, form->name);
    if (!form->node->count)
        check_error(c, form->node,
                    "parameter '%s' is empty: give it `values: [...]`, `min:` and `max:`, or "
                    "`value:`",
                    name);
    else if (has(form, BIT(MIN)) || has(form, BIT(MAX)))
        check_error(c, form->node, "parameter '%s' has %s but no %s: give both", name,
                    has(form, BIT(MIN)) ? "min" : "max", has(form, BIT(MIN)) ? "max" : "min");
    else if (form->given & BELL)
        check_error(c, form->node,
                    "parameter '%s' has mu or sigma but no `distribution:`: write normal or "
                    "log_normal",
                    name);
    else if (form->given & SHAPE)
        check_error(c, form->node, "parameter '%s' has a or b but no `distribution:`: write beta",
                    name);
    else if (has(form, BIT(PROBABILITIES)))
        check_error(c, form->node, "parameter '%s' has probabilities but no `values:`", name);
    else
        check_error(
            c, form->node,
            "parameter '%s' says nothing that can be sampled: give it `values: [...]`, `min:` and "
            "`max:`, `value:`, or `parameters:` when these are nested parameters",
            name);
}

static void report_missing(const struct form *form, enum dist dist)
{
    struct str missing = STR_INIT;
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        if ((rules[dist].needs & ~form->given & (1u << i)) != 0)
            str_addf(&missing, "%s`%s:`", missing.len ? " and " : "", parameter_keys[i]);
    }
    check_error(form->c, form->node, "parameter '%s': distribution %s needs %s",
                check_shown(form->c, form->name), dist_name(dist), str_get(&missing));
    str_release(&missing);
}

// The distribution by its word, corrected where the keys say something else that can be sampled.
static bool choose(const struct form *form, enum dist *ret)
{
    const struct node *node = form->key[KEY_DISTRIBUTION];
    enum dist inferred;
    if (!node || check_is_null(node)) {
        if (infer(form, ret))
            return true;
        report_incomplete(form);
        return false;
    }
    if (node->kind != NODE_SCALAR || !dist_parse(node->text, ret)) {
        report_unknown_dist(form, node);
        return false;
    }
    if (*ret == DIST_CATEGORICAL && has(form, BIT(VALUES) | BIT(PROBABILITIES))) {
        check_warning(form->c, node,
                      "parameter '%s' has probabilities: categorical_w_probabilities is taken, "
                      "write that",
                      check_shown(form->c, form->name));
        *ret = DIST_CATEGORICAL_P;
        return true;
    }
    if (has(form, rules[*ret].needs))
        return true;
    bool lists =
        infer(form, &inferred) && (inferred == DIST_CONSTANT || inferred == DIST_CATEGORICAL ||
                                   inferred == DIST_CATEGORICAL_P);
    if (!lists) {
        report_missing(form, *ret);
        return false;
    }
    check_warning(form->c, node,
                  "parameter '%s' has no keys of %s: %s is taken, since it has `%s:`",
                  check_shown(form->c, form->name), dist_name(*ret), dist_name(inferred),
                  inferred == DIST_CONSTANT ? "value" : "values");
    *ret = inferred;
    return true;
}

static void warn_extra_keys(const struct form *form, enum dist dist)
{
    unsigned extra =
        form->given & ~(rules[dist].needs | rules[dist].may | ALWAYS | BIT(PARAMETERS));
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        if ((extra & (1u << i)) == 0)
            continue;
        const struct pair *pair = node_get_pair(form->node, parameter_keys[i]);
        check_warning(form->c, pair->key, "parameter '%s': %s takes no `%s:`, it is ignored",
                      check_shown(form->c, form->name), dist_name(dist), parameter_keys[i]);
    }
    if (dist == DIST_Q_UNIFORM && !form->key[KEY_DISTRIBUTION])
        check_warning(form->c, form->node,
                      "parameter '%s' has min, max and q: q_uniform is taken, add "
                      "`distribution: q_uniform`",
                      check_shown(form->c, form->name));
}

// --- reading the numbers ---

static bool read_number(const struct form *form, enum key key, double standard, struct scalar *ret)
{
    if (!form->key[key]) {
        *ret = (struct scalar){.kind = SCALAR_FLOAT, .number = standard};
        return true;
    }
    struct str what = STR_INIT;
    str_addf(&what, "%s of parameter '%s'", parameter_keys[key], check_shown(form->c, form->name));
    bool ok = check_number(form->c, form->key[key], str_get(&what), ret);
    str_release(&what);
    return ok;
}

static bool read_q(const struct form *form, struct param *param)
{
    struct scalar q;
    if (!read_number(form, KEY_Q, 1, &q))
        return false;
    if (q.number <= 0) {
        check_error(form->c, form->key[KEY_Q], "q of parameter '%s' must be greater than 0",
                    check_shown(form->c, form->name));
        return false;
    }
    param->q = q.number;
    param->q_is_int = q.kind == SCALAR_INT;
    return true;
}

static bool check_order_of_bounds(const struct form *form, double min, double max)
{
    const char *name = check_shown(form->c, form->name);
    if (min < max)
        return true;
    const char *low = check_shown(form->c, form->key[KEY_MIN]->text);
    const char *high = check_shown(form->c, form->key[KEY_MAX]->text);
    if (min > max)
        check_error(form->c, form->key[KEY_MIN],
                    "parameter '%s': min %s is not less than max %s: swap them", name, low, high);
    else
        check_error(
            form->c, form->key[KEY_MIN],
            "parameter '%s': min %s is not less than max %s: for a fixed value write `value: %s`",
            name, low, high, low);
    return false;
}

// int_uniform with bounds such as 2.0 or 0.5: the whole numbers inside.
static bool round_bounds(const struct form *form, const struct scalar *min,
                         const struct scalar *max, struct param *param)
{
    double low = min->kind == SCALAR_INT ? min->number : ceil(min->number);
    double high = max->kind == SCALAR_INT ? max->number : floor(max->number);
    if (fabs(low) > 9e15 || fabs(high) > 9e15 || low > high) {
        check_error(form->c, form->key[KEY_MIN],
                    "parameter '%s': int_uniform has no usable whole number between %s and %s",
                    check_shown(form->c, form->name),
                    check_shown(form->c, form->key[KEY_MIN]->text),
                    check_shown(form->c, form->key[KEY_MAX]->text));
        return false;
    }
    param->int_min = min->kind == SCALAR_INT ? min->integer : (int64_t)low;
    param->int_max = max->kind == SCALAR_INT ? max->integer : (int64_t)high;
    check_warning(
        form->c, form->key[min->kind == SCALAR_INT ? KEY_MAX : KEY_MIN],
        "parameter '%s': int_uniform wants whole numbers, %lld to %lld is taken; for real numbers "
        "write `distribution: uniform`",
        check_shown(form->c, form->name), (long long)param->int_min, (long long)param->int_max);
    return true;
}

static bool read_int_bounds(const struct form *form, const struct scalar *min,
                            const struct scalar *max, struct param *param)
{
    if (min->kind == SCALAR_INT && max->kind == SCALAR_INT) {
        param->int_min = min->integer;
        param->int_max = max->integer;
    } else if (!round_bounds(form, min, max, param)) {
        return false;
    }
    param->bounds_are_int = true;
    param->min = (double)param->int_min;
    param->max = (double)param->int_max;
    return true;
}

static bool is_exponent_form(enum dist dist)
{
    return dist == DIST_LOG_UNIFORM || dist == DIST_Q_LOG_UNIFORM || dist == DIST_INV_LOG_UNIFORM;
}

static bool is_log_values(enum dist dist)
{
    return dist == DIST_LOG_UNIFORM_VALUES || dist == DIST_Q_LOG_UNIFORM_VALUES ||
           dist == DIST_INV_LOG_UNIFORM_VALUES;
}

// The smallest and largest value that the bounds allow.
static void limits_of(const struct param *param, double *ret_low, double *ret_high)
{
    *ret_low = param->min;
    *ret_high = param->max;
    if (param->dist == DIST_INV_LOG_UNIFORM) {
        *ret_low = exp(-param->max);
        *ret_high = exp(-param->min);
    } else if (is_exponent_form(param->dist)) {
        *ret_low = exp(param->min);
        *ret_high = exp(param->max);
    }
}

static bool check_exponents(const struct form *form, const struct param *param)
{
    double low, high;
    limits_of(param, &low, &high);
    if (!isfinite(high)) {
        check_error(
            form->c, form->key[KEY_MAX],
            "parameter '%s': min and max of %s are exponents of e, and e^%g is too large: use "
            "%s_values",
            check_shown(form->c, form->name), dist_name(param->dist),
            param->dist == DIST_INV_LOG_UNIFORM ? -param->min : param->max, dist_name(param->dist));
        return false;
    }
    check_notice(
        form->c, form->node,
        "parameter '%s': %s is deprecated, its min and max are exponents of e (values from %.4g to "
        "%.4g); use %s_values with the limits themselves",
        check_shown(form->c, form->name), dist_name(param->dist), low, high,
        dist_name(param->dist));
    return true;
}

// A bounded q_ form needs a multiple of q between its limits, to which its values are rounded.
static bool check_multiples(const struct form *form, const struct param *param)
{
    double low, high;
    limits_of(param, &low, &high);
    if (floor(high / param->q * (1 + 1e-12)) >= ceil(low / param->q * (1 - 1e-12)) ||
        floor(high / param->q + 1e-9) >= ceil(low / param->q - 1e-9))
        return true;
    check_error(form->c, form->key[KEY_Q] ? form->key[KEY_Q] : form->node,
                "parameter '%s': no multiple of q (%g) lies between %g and %g: choose a smaller q",
                check_shown(form->c, form->name), param->q, low, high);
    return false;
}

static bool read_range(const struct form *form, struct param *param)
{
    struct scalar min, max;
    bool ok = read_number(form, KEY_MIN, 0, &min);
    ok = read_number(form, KEY_MAX, 0, &max) && ok;
    bool quantised = (rules[param->dist].may & BIT(Q)) != 0;
    if (quantised)
        ok = read_q(form, param) && ok;
    if (!ok || !check_order_of_bounds(form, min.number, max.number))
        return false;
    if (min.kind == SCALAR_INT && max.kind == SCALAR_INT && min.integer >= max.integer)
        return false; // equal only as doubles: cannot be, the order was checked
    if (param->dist == DIST_INT_UNIFORM)
        return read_int_bounds(form, &min, &max, param);
    param->min = min.number;
    param->max = max.number;
    param->bounds_are_int = min.kind == SCALAR_INT && max.kind == SCALAR_INT;
    if (!isfinite(param->max - param->min)) {
        check_error(form->c, form->key[KEY_MIN],
                    "parameter '%s': the range from min to max is too large",
                    check_shown(form->c, form->name));
        return false;
    }
    if (is_log_values(param->dist) && param->min <= 0) {
        check_error(form->c, form->key[KEY_MIN],
                    "parameter '%s': min of %s must be greater than 0, a logarithm is taken of it",
                    check_shown(form->c, form->name), dist_name(param->dist));
        return false;
    }
    if (is_exponent_form(param->dist) && !check_exponents(form, param))
        return false;
    return !quantised || check_multiples(form, param);
}

static bool read_bell(const struct form *form, struct param *param)
{
    struct scalar mu, sigma;
    bool ok = read_number(form, KEY_MU, 0, &mu);
    ok = read_number(form, KEY_SIGMA, 1, &sigma) && ok;
    if ((rules[param->dist].may & BIT(Q)) != 0)
        ok = read_q(form, param) && ok;
    if (ok && sigma.number <= 0) {
        check_error(
            form->c, form->key[KEY_SIGMA],
            "sigma of parameter '%s' must be greater than 0 (for a fixed value write `value:`)",
            check_shown(form->c, form->name));
        return false;
    }
    if (!ok)
        return false;
    param->mu = mu.number;
    param->sigma = sigma.number;
    return true;
}

static bool read_shape(const struct form *form, struct param *param)
{
    struct scalar a, b;
    bool ok = read_number(form, KEY_A, 1, &a);
    ok = read_number(form, KEY_B, 1, &b) && ok;
    if ((rules[param->dist].may & BIT(Q)) != 0)
        ok = read_q(form, param) && ok;
    if (ok && (a.number <= 0 || b.number <= 0)) {
        check_error(form->c, form->key[a.number <= 0 ? KEY_A : KEY_B],
                    "a and b of parameter '%s' must be greater than 0",
                    check_shown(form->c, form->name));
        return false;
    }
    if (!ok)
        return false;
    param->a = a.number;
    param->b = b.number;
    return true;
}

// --- reading the lists ---

static bool read_constant(const struct form *form, struct param *param)
{
    struct value value;
    if (!check_value(form->c, form->key[KEY_VALUE], "the value", &value))
        return false;
    param->values = xcalloc(1, sizeof(*param->values));
    param->values[0] = value;
    param->value_count = 1;
    return true;
}

static bool read_values(const struct form *form, struct param *param)
{
    const struct node *list = form->key[KEY_VALUES];
    const char *name = check_shown(form->c, form->name);
    if (list->kind != NODE_SEQUENCE) {
        check_error(form->c, list,
                    "values of parameter '%s' must be a list such as `[1, 2, 3]`, but this is "
                    "%s%s",
                    name, check_shown_node(form->c, list),
                    list->kind == NODE_SCALAR ? ": for one value write `value:`" : "");
        return false;
    }
    if (!list->count) {
        check_error(form->c, list,
                    "values of parameter '%s' is an empty list: nothing can be chosen", name);
        return false;
    }
    bool ok = true;
    param->values = xcalloc(list->count, sizeof(*param->values));
    for (size_t i = 0; i < list->count; i++) {
        struct value value;
        if (check_value(form->c, list->items[i], "a value", &value))
            param->values[param->value_count++] = value;
        else
            ok = false;
    }
    return ok;
}

static bool read_probability_list(const struct form *form, const struct node *list, double *ret,
                                  double *ret_sum)
{
    bool ok = true;
    *ret_sum = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct scalar scalar;
        if (!check_number(form->c, list->items[i], "a probability", &scalar)) {
            ok = false;
        } else if (scalar.number < 0) {
            check_error(form->c, list->items[i], "a probability of parameter '%s' is negative",
                        check_shown(form->c, form->name));
            ok = false;
        } else {
            ret[i] = scalar.number;
            *ret_sum += scalar.number;
        }
    }
    return ok;
}

static bool read_probabilities(const struct form *form, struct param *param)
{
    const struct node *list = form->key[KEY_PROBABILITIES], *values = form->key[KEY_VALUES];
    const char *name = check_shown(form->c, form->name);
    if (list->kind != NODE_SEQUENCE) {
        check_error(form->c, list, "probabilities of parameter '%s' must be a list, but this is %s",
                    name, check_shown_node(form->c, list));
        return false;
    }
    if (values->kind == NODE_SEQUENCE && list->count != values->count) {
        check_error(form->c, list,
                    "parameter '%s' has %zu values and %zu probabilities: give one for each", name,
                    values->count, list->count);
        return false;
    }
    double sum;
    param->probabilities = xcalloc(list->count + 1, sizeof(*param->probabilities));
    if (!read_probability_list(form, list, param->probabilities, &sum))
        return false;
    if (!(fabs(sum - 1) <= 1e-8 + 1e-5)) { // numpy.isclose(sum, 1), as W&B checks it
        check_error(form->c, list, "probabilities of parameter '%s' sum to %.9g, not to 1", name,
                    sum);
        return false;
    }
    for (size_t i = 0; i < list->count; i++)
        param->probabilities[i] /= sum;
    return true;
}

static bool read_keys(const struct form *form, struct param *param)
{
    unsigned keys = rules[param->dist].needs | rules[param->dist].may;
    if ((keys & BIT(VALUE)) != 0)
        return read_constant(form, param);
    if ((keys & BIT(VALUES)) != 0) {
        bool ok = read_values(form, param);
        if ((keys & BIT(PROBABILITIES)) == 0)
            return ok;
        return read_probabilities(form, param) && ok;
    }
    if ((keys & RANGE) != 0)
        return read_range(form, param);
    return (keys & BELL) != 0 ? read_bell(form, param) : read_shape(form, param);
}

bool check_distribution(struct check *c, const char *name, const struct node *node,
                        struct param *ret)
{
    struct form form = {.c = c, .name = name, .node = node};
    struct param param = {0};
    gather(&form);
    if (!choose(&form, &param.dist))
        return false;
    warn_extra_keys(&form, param.dist);
    bool ok = read_keys(&form, &param);
    if (!ok) {
        param_release(&param);
        return false;
    }
    *ret = param;
    return true;
}
