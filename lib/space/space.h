// The search space: typed parameters with distributions, conditions and constraints; and a
// configuration, one point of it.
//
// Parameters are kept in W&B's order: sorted by name at every level of nesting (byte order). A
// nested parameter has its path joined with dots as name ("model.depth"), plus the path's parts, so
// that a dot inside a name ("optimizer.lr" of Hydra) stays what it is.
//
// Pure: reads no clock, environment or file, does not log.
#pragma once

#include "base/err.h"
#include "base/rng.h"
#include "base/str.h"
#include "space/expr.h"
#include "space/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPACE_PARAMS_MAX 10000 // leaves
#define SPACE_DEPTH_MAX 16     // nesting of `parameters:`

// name in a spec, needs which fields
#define DIST_LIST(X)                                                                               \
    X(DIST_CONSTANT, "constant")                                                                   \
    X(DIST_CATEGORICAL, "categorical")                                                             \
    X(DIST_CATEGORICAL_P, "categorical_w_probabilities")                                           \
    X(DIST_INT_UNIFORM, "int_uniform")                                                             \
    X(DIST_UNIFORM, "uniform")                                                                     \
    X(DIST_Q_UNIFORM, "q_uniform")                                                                 \
    X(DIST_LOG_UNIFORM, "log_uniform")                                                             \
    X(DIST_LOG_UNIFORM_VALUES, "log_uniform_values")                                               \
    X(DIST_Q_LOG_UNIFORM, "q_log_uniform")                                                         \
    X(DIST_Q_LOG_UNIFORM_VALUES, "q_log_uniform_values")                                           \
    X(DIST_INV_LOG_UNIFORM, "inv_log_uniform")                                                     \
    X(DIST_INV_LOG_UNIFORM_VALUES, "inv_log_uniform_values")                                       \
    X(DIST_NORMAL, "normal")                                                                       \
    X(DIST_Q_NORMAL, "q_normal")                                                                   \
    X(DIST_LOG_NORMAL, "log_normal")                                                               \
    X(DIST_Q_LOG_NORMAL, "q_log_normal")                                                           \
    X(DIST_BETA, "beta")                                                                           \
    X(DIST_Q_BETA, "q_beta")

enum dist {
#define DIST_ENUM(id, name) id,
    DIST_LIST(DIST_ENUM)
#undef DIST_ENUM
        DIST_COUNT
};

const char *dist_name(enum dist dist);
bool dist_parse(const char *name, enum dist *ret);

// One parameter (a leaf). Built by the spec (or a test), then given to space_add, which takes it over.
struct param {
    char *name;          // path joined with "."
    char **path;         // path parts, path_count of them; path[0] is the top-level name
    size_t path_count;   // 1..SPACE_DEPTH_MAX
    enum dist dist;
    struct value *values; // constant: 1; categorical: value_count, duplicates kept as written
    size_t value_count;
    double *probabilities;  // categorical_w_probabilities: value_count, sum 1; else NULL
    bool bounds_are_int;    // min and max were written as integers
    double min, max;        // uniform family: bounds; v1 log forms: natural-log exponents
    int64_t int_min, int_max; // int_uniform, exact
    double mu, sigma;       // normal family
    double a, b;            // beta family
    double q;               // q_ forms: > 0
    bool q_is_int;          // q was written as an integer: values come out as integers
    struct expr *when;      // NULL: always active; else bound to this space by space_seal
    int line, column;       // where the spec defined it, 0 when it did not
    uint32_t *distinct;     // made by space_add: places in `values` of the distinct ones that can occur
    size_t distinct_count;
};

void param_release(struct param *param);

// The value at u in [0, 1) by the inverse cumulative distribution (reference: W&B's params.py; q_ forms
// give the nearest multiple of q inside the bounds). The caller releases *ret.
void param_from_unit(const struct param *param, double u, struct value *ret);

// The cumulative distribution at `value`, in [0, 1]; for discrete values the middle of the value's
// share, so that param_from_unit(param_to_unit(v)) == v. NaN when `value` is not one of the space.
double param_to_unit(const struct param *param, const struct value *value);

// True when `value` can come out of this parameter.
bool param_contains(const struct param *param, const struct value *value);

// Distinct values: 1 for a constant, the number of distinct listed values, max-min+1, the multiples of a
// bounded q_ form; 0 when continuous or unbounded; UINT64_MAX when more than fits.
uint64_t param_cardinality(const struct param *param);

// The index-th distinct value, in listed or ascending order; index < param_cardinality. q_uniform in a
// grid has W&B's np.arange(min, max, q) (max excluded): that is what param_grid_* give.
void param_value_at(const struct param *param, uint64_t index, struct value *ret);

// Grid: count (0: not possible in a grid: continuous or with probabilities) and value, in W&B's order.
uint64_t param_grid_count(const struct param *param);
void param_grid_value(const struct param *param, uint64_t index, struct value *ret);

struct space;

struct space *space_new(void);
void space_free(struct space *space);

// Take over *param (zeroed on success). ERR_INVALID for a name that is there already, ERR_LIMIT.
int space_add(struct space *space, struct param *param, struct err *err);

// Add a constraint, an expression that every configuration must satisfy; taken over, *expr set to NULL.
int space_add_constraint(struct space *space, struct expr **expr, struct err *err);

// Sort, bind conditions and constraints, find cycles among `when:`. Call once, after the last add.
// ERR_NOT_FOUND for an unknown name (with the nearest), ERR_INVALID for a cycle.
int space_seal(struct space *space, struct err *err);

size_t space_count(const struct space *space);
const struct param *space_param(const struct space *space, size_t index);
int space_find(const struct space *space, const char *name); // index, or -1
size_t space_constraint_count(const struct space *space);
const struct expr *space_constraint(const struct space *space, size_t index);
bool space_has_conditions(const struct space *space);

// A copy without the parameter at `index`, in the same order; the caller's to free. ERR_INVALID, naming which, when a
// condition or a constraint names that parameter.
int space_without(const struct space *space, size_t index, struct space **ret, struct err *err);

// Points of the grid, conditions and constraints not applied (duplicate listed values collapsed).
// ERR_INVALID naming the first parameter that a grid cannot have; UINT64_MAX in *ret when it is more.
int space_grid_count(const struct space *space, uint64_t *ret, struct err *err);

// One configuration: values[i] belongs to space_param(space, i); active[i] is false where `when:` does
// not hold, and values[i] is then VALUE_NULL. Plain data, made by the functions below.
struct config {
    struct value *values;
    bool *active;
    size_t count;
};

void config_release(struct config *config);
void config_copy(const struct config *config, struct config *ret);

// From one u in [0, 1) a parameter (units[space_count]); conditions applied, constraints not checked.
void config_from_unit(const struct space *space, const double *units, struct config *ret);

// From a grid index < space_grid_count: the last name varies fastest. *ret_canonical (may be NULL) is
// false when an inactive parameter's digit is not 0: such an index repeats another one's configuration.
void config_from_grid(const struct space *space, uint64_t index, struct config *ret,
                      bool *ret_canonical);

// For searches that look at many points: a configuration that is filled again and again, whose texts are
// borrowed from the space. config_copy makes one of the caller's own. config_view_grid returns whether the index
// is canonical; where it is not, *ret_next (may be NULL) gets a larger one before which none is (UINT64_MAX
// when that is past the end), else index + 1.
void config_view_init(const struct space *space, struct config *ret);
void config_view_unit(const struct space *space, const double *units, struct config *view);
bool config_view_grid(const struct space *space, uint64_t index, struct config *view,
                      uint64_t *ret_next);
void config_view_release(struct config *view);

// True when all constraints hold; one that inactive parameters leave open (neither true nor false whatever
// their values were) excludes nothing. *ret_failed (may be NULL) gets the index of the first that does not.
bool config_feasible(const struct space *space, const struct config *config, size_t *ret_failed);

// Append as JSON: nested as the spec nests, names sorted, inactive ones absent:
// {"lr":0.1,"model":{"depth":3}}.
void config_write_json(struct str *out, const struct space *space, const struct config *config);

// From that JSON. ERR_INVALID names what does not fit the space (unknown or missing name, a value outside).
int config_from_json(const struct space *space, const struct json_object *json, struct config *ret,
                     struct err *err);

bool config_equal(const struct config *a, const struct config *b);
uint64_t config_hash(const struct config *config);
