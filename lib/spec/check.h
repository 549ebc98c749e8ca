// The checks of a spec: a tree in, struct spec and problems out. Private to lib/spec.
//
// Each check reports every problem it sees and goes on with the best reading it has, so that one
// pass shows them all. Pure: no clock, file or environment.
#pragma once

#include "spec/problems.h"
#include "spec/scalar.h"
#include "spec/spec.h"
#include "spec/yaml_tree.h"

#define SHOWN_MAX 80 // bytes of the user's text in a message
#define SPEC_VALUE_DEPTH_MAX                                                                       \
    24 // nesting of a value that is a list or a mapping; below JSON_DEPTH_MAX with the
       // configuration around it

#define STAND_IN_METHOD "sobol" // runs what the method itself cannot

// Bounds of what a spec can make of little text: each leaf of a group gets the group's condition.
#define SPEC_NAME_MAX            256    // bytes of one part of a parameter's name
#define SPEC_CONDITION_BYTES_MAX 262144 // text of all `when:` of all leaves
#define SPEC_CONSTRAINTS_MAX     1000

#define SPEC_COMMAND_ITEMS_MAX 4096

// What helpful messages may cost: words compared for the nearest one, values compared for
// conditions.
#define NEAREST_WORK_MAX   200000
#define CONDITION_WORK_MAX 1000000

struct check {
    struct spec *spec;
    struct problems *problems;
    const struct node *root;
    bool is_grid;         // the grid strategy runs it
    bool is_fallback;     // another strategy stands in for the method
    bool goal_is_unclear; // metric.goal is no word like minimize or maximize
    char shown[6][SHOWN_MAX + 8];
    unsigned shown_next;
    size_t nearest_work, condition_work;
};

// --- reporting (check.c) ---

void check_error(struct check *c, const struct node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void check_warning(struct check *c, const struct node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void check_notice(struct check *c, const struct node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// The user's text for a message: shortened, in one of a few buffers of `c` that are used in turn.
const char *check_shown(struct check *c, const char *text);
// What a node is, for "..., but this is <it>": 'abc', 3, a list, a mapping, nothing.
const char *check_shown_node(struct check *c, const struct node *node);

// The nearest of `words` whatever the case of the letters, NULL when none is near (or when there
// are so many problems that nobody reads it).
const char *check_nearest(struct check *c, const char *word, const char *const *words);
// " (did you mean 'x'?)" or "", in a buffer of `c`.
const char *check_did_you_mean(struct check *c, const char *word, const char *const *words);
// "a, b, c or d", with `last` ("or", "and") before the last.
void check_list_words(struct str *out, const char *const *words, const char *last);

// --- typed readings (check.c): false with an error that names `what` when the node is something
// else ---

bool check_is_null(const struct node *node);
// Text; a number or boolean is taken as written with a warning; null and collections: false (null
// warns).
bool check_text(struct check *c, const struct node *node, const char *what, char **ret);
bool check_int(struct check *c, const struct node *node, const char *what, int64_t min, int64_t max,
               int64_t *ret);
bool check_number(struct check *c, const struct node *node, const char *what, struct scalar *ret);
bool check_bool(struct check *c, const struct node *node, const char *what, bool *ret);
bool check_duration(struct check *c, const struct node *node, const char *what, uint64_t *ret_ms);
bool check_mapping(struct check *c, const struct node *node, const char *what, const char *example);

// Warn about keys that are none of `keys` (NULL-terminated).
void check_keys(struct check *c, const struct node *map, const char *where,
                const char *const *keys);

// A value of a parameter, also lists and mappings (as JSON, keys sorted). False with errors.
bool check_value(struct check *c, const struct node *node, const char *what, struct value *ret);

// The value of an option as its table says; *ret is the caller's to release.
bool check_option(struct check *c, const struct node *node, const struct strategy_option *option,
                  struct value *ret); // check_goal.c

// --- sections; each takes the value of its key ---

void check_method(struct check *c, const struct node *node); // check_goal.c
void check_metric(struct check *c, const struct node *node); // check_metric.c
void check_metrics(struct check *c, const struct node *node);
bool check_method_learns(const struct spec *spec); // whether results decide which configurations come next
void check_goal_needs(struct check *c); // after metric and early_terminate: what the method needs
void check_early_terminate(struct check *c, const struct node *node); // check_stop.c
void check_strategy(struct check *c, const struct node *node);
void check_searchable(struct check *c); // after all others, when there are no errors
void check_scheduler(struct check *c, const struct node *node);

// Report a space in which the constraints leave nothing. After space_seal.
void check_feasible(struct check *c, const struct node *constraints); // grid_points.c

void check_parameters(struct check *c, const struct node *parameters,
                      const struct node *constraints);

void check_command(struct check *c, const struct node *node); // check_launch.c, after parameters
void check_program(struct check *c, const struct node *node);
void check_env(struct check *c, const struct node *node);
void check_working_dir(struct check *c, const struct node *node);
void check_resources(struct check *c, const struct node *node);

void check_run_cap(struct check *c, const struct node *node); // check_plan.c
void check_budget(struct check *c, const struct node *node);
void check_seed(struct check *c, const struct node *node);
void check_order(struct check *c, const struct node *node);
void check_retry(struct check *c, const struct node *node);
void check_repeats(struct check *c, const struct node *node);
void check_timeout(struct check *c, const struct node *node);
void check_grace(struct check *c, const struct node *node);
void check_parallel(struct check *c, const struct node *node);
void check_on_isolation(struct check *c, const struct node *node);

// --- one parameter (check_dist.c) ---

// The keys of a parameter (NULL-terminated).
extern const char *const parameter_keys[];

// True when the mapping has keys that only a parameter has.
bool looks_like_parameter(const struct node *node);

// Read the sampled part of a parameter's mapping into dist, values, bounds; `name` is for messages.
// False with errors, and *ret then holds nothing to release.
bool check_distribution(struct check *c, const char *name, const struct node *node,
                        struct param *ret);

// --- conditions (check_when.c) ---

// The expression text of a `when:`, checked by itself; NULL with errors. The caller frees it.
char *check_when_text(struct check *c, const struct node *node);
// Parse `text`, which stands at `node`; an error points into it. NULL with errors.
struct expr *check_expr(struct check *c, const struct node *node, const char *what,
                        const char *text);
// Names in `expr` that are not among `names` (sorted, `count`): one error each. True when all are
// known.
bool check_expr_names(struct check *c, const struct node *node, const struct expr *expr,
                      const char *const *names, size_t count);
// Warn where a mapping form compares a parameter with a value that it never has. After space_seal.
void check_when_values(struct check *c, const struct node *node);

// --- results ---

uint64_t spec_fingerprint(const struct spec *spec); // fingerprint.c
