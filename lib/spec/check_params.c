// `parameters:` and `constraints:` to a sealed space.
//
// A parameter with an error leaves a constant in its place, so that conditions and constraints that
// name it are still checked; the spec is not usable then anyway.
#include "spec/check.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct leaf {
    struct param param;
    char *when;            // the conditions of all its groups and its own; NULL when there are none
    const struct node *at; // its key
};

// One `when:` as written, and the leaves that it governs.
struct condition {
    const struct node *node;
    struct expr *expr;
};

struct params {
    struct check *c;
    struct leaf *leaves;
    size_t count, capacity;
    struct condition *conditions;
    size_t condition_count, condition_capacity;
    size_t condition_bytes;
    const char *path[SPACE_DEPTH_MAX];
    size_t depth;
    bool full; // one error for all that is too much
};

static void read_parameters(struct params *p, const struct node *map, const char *when);

// --- names ---

static bool is_name_character(char ch, bool first)
{
    bool letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
    return letter || (!first && ((ch >= '0' && ch <= '9') || ch == '.' || ch == '-'));
}

static bool check_name(struct check *c, const struct node *key)
{
    const char *name = key->text;
    if (!*name) {
        check_error(c, key, "a parameter needs a name");
        return false;
    }
    if (strlen(name) > SPEC_NAME_MAX) {
        check_error(c, key, "a parameter's name has %zu bytes: at most %d are allowed",
                    strlen(name), SPEC_NAME_MAX);
        return false;
    }
    for (const char *s = name; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7F) {
            check_error(c, key, "a parameter's name cannot hold line breaks or control characters");
            return false;
        }
    }
    for (const char *s = name; *s; s++) {
        if (!is_name_character(*s, s == name)) {
            check_warning(
                c, key,
                "the name '%s' is not one that W&B takes: begin with a letter or '_', go on with "
                "letters, digits, '_', '-' and '.'",
                check_shown(c, name));
            break;
        }
    }
    return true;
}

static char *joined_path(const struct params *p)
{
    struct str name = STR_INIT;
    for (size_t i = 0; i < p->depth; i++)
        str_addf(&name, "%s%s", i ? "." : "", p->path[i]);
    return str_detach(&name);
}

// --- leaves ---

static void add_leaf(struct params *p, struct param *param, const struct node *at, const char *when)
{
    if (p->count >= SPACE_PARAMS_MAX) {
        if (!p->full)
            check_error(p->c, at, "more than %d parameters: the spec is too large",
                        SPACE_PARAMS_MAX);
        p->full = true;
        param_release(param);
        return;
    }
    ARRAY_GROW(p->leaves, p->count, p->capacity);
    struct leaf *leaf = &p->leaves[p->count++];
    p->condition_bytes += when ? strlen(when) : 0;
    bool fits = p->condition_bytes <= SPEC_CONDITION_BYTES_MAX;
    *leaf = (struct leaf){.param = *param, .when = fits ? xstrdup(when) : NULL, .at = at};
    *param = (struct param){0};
    leaf->param.name = joined_path(p);
    leaf->param.path_count = p->depth;
    leaf->param.path = xcalloc(p->depth, sizeof(*leaf->param.path));
    for (size_t i = 0; i < p->depth; i++)
        leaf->param.path[i] = xstrdup(p->path[i]);
    leaf->param.line = at->line;
    leaf->param.column = at->column;
}

// What stands in for a parameter that has an error.
static struct param placeholder(void)
{
    struct param param = {.dist = DIST_CONSTANT, .value_count = 1};
    param.values = xcalloc(1, sizeof(*param.values));
    return param;
}

// The conditions of the groups and this one's, as one text; the caller frees it.
static char *join_when(struct params *p, const struct node *node, const char *outer)
{
    if (!node)
        return xstrdup(outer);
    char *own = check_when_text(p->c, node);
    if (!own)
        return xstrdup(outer);
    ARRAY_GROW(p->conditions, p->condition_count, p->condition_capacity);
    p->conditions[p->condition_count++] =
        (struct condition){.node = node, .expr = check_expr(p->c, node, "when", own)};
    if (!outer)
        return own;
    char *both = xasprintf("(%s) and (%s)", outer, own);
    free(own);
    if (strlen(both) <= EXPR_LENGTH_MAX)
        return both;
    check_error(p->c, node,
                "the conditions of this parameter and of its groups have more than %d bytes",
                EXPR_LENGTH_MAX);
    free(both);
    return xstrdup(outer);
}

static bool is_parameter_key(const char *word)
{
    for (size_t i = 0; parameter_keys[i]; i++) {
        if (!strcmp(parameter_keys[i], word))
            return true;
    }
    return false;
}

static void report_unknown_key(struct check *c, const char *name, const struct pair *pair)
{
    const char *key = check_shown(c, pair->key->text);
    if (looks_like_parameter(pair->value))
        check_error(c, pair->key,
                    "'%s' stands inside parameter '%s' but looks like a parameter itself: move it "
                    "to the left, "
                    "below `parameters:`",
                    key, check_shown(c, name));
    else
        check_warning(c, pair->key, "parameter '%s' has no key '%s'%s: it is ignored",
                      check_shown(c, name), key,
                      check_did_you_mean(c, pair->key->text, parameter_keys));
}

// A mapping without any key of a parameter: nested parameters without `parameters:`, or misspelt
// keys.
static void report_no_key(struct check *c, const char *name, const struct node *node)
{
    const struct pair *first = &node->pairs[0];
    for (size_t i = 0; i < node->count; i++) {
        const char *meant = check_nearest(c, node->pairs[i].key->text, parameter_keys);
        if (meant) {
            check_error(c, node->pairs[i].key,
                        "parameter '%s' has no key '%s' (did you mean '%s'?)", check_shown(c, name),
                        check_shown(c, node->pairs[i].key->text), meant);
            return;
        }
    }
    check_error(c, node,
                "parameter '%s' has none of `values:`, `min:` and `max:`, `value:`, "
                "`distribution:`: for nested "
                "parameters write `%s: {parameters: {%s: ...}}`",
                check_shown(c, name), check_shown(c, name), check_shown(c, first->key->text));
}

static void report_no_mapping(struct check *c, const char *name, const struct node *node)
{
    const char *shown = check_shown(c, name);
    if (node->kind == NODE_SEQUENCE)
        check_error(c, node, "parameter '%s' is a list: write `%s: {values: [...]}`", shown, shown);
    else if (check_is_null(node))
        check_error(c, node,
                    "parameter '%s' is empty: give it `values: [...]`, `min:` and `max:`, or "
                    "`value:` (indented "
                    "below it)",
                    shown);
    else
        check_error(c, node, "parameter '%s' is a single value: write `%s: {value: %s}`", shown,
                    shown, check_shown(c, node->text));
}

// The keys beside `parameters:` of a group.
static void check_group_keys(struct check *c, const char *name, const struct node *node)
{
    for (size_t i = 0; i < node->count; i++) {
        const struct pair *pair = &node->pairs[i];
        const char *key = pair->key->text;
        if (!strcmp(key, "parameters") || !strcmp(key, "when"))
            continue;
        if (!strcmp(key, "distribution") || !is_parameter_key(key))
            report_unknown_key(c, name, pair);
        else
            check_error(c, pair->key,
                        "parameter '%s' has both `parameters:` and `%s:`: a group of parameters "
                        "has no value "
                        "of its own",
                        check_shown(c, name), key);
    }
}

static void read_group(struct params *p, const char *name, const struct node *node,
                       const char *when)
{
    const struct node *inner = node_get(node, "parameters");
    check_group_keys(p->c, name, node);
    if (inner->kind != NODE_MAPPING || !inner->count) {
        check_error(p->c, inner,
                    "`parameters:` of '%s' must hold at least one parameter, but this is %s",
                    check_shown(p->c, name),
                    inner->kind == NODE_MAPPING ? "empty" : check_shown_node(p->c, inner));
        return;
    }
    if (p->depth >= SPACE_DEPTH_MAX) {
        check_error(p->c, inner, "parameters are nested more than %d levels deep", SPACE_DEPTH_MAX);
        return;
    }
    read_parameters(p, inner, when);
}

static bool read_leaf(struct check *c, const char *name, const struct node *node, struct param *ret)
{
    bool any_known = false;
    if (node->kind != NODE_MAPPING) {
        report_no_mapping(c, name, node);
        return false;
    }
    for (size_t i = 0; i < node->count; i++)
        any_known = any_known || is_parameter_key(node->pairs[i].key->text);
    if (!any_known && node->count) {
        report_no_key(c, name, node);
        return false;
    }
    for (size_t i = 0; i < node->count; i++) {
        if (!is_parameter_key(node->pairs[i].key->text))
            report_unknown_key(c, name, &node->pairs[i]);
    }
    return check_distribution(c, name, node, ret);
}

static void read_parameter(struct params *p, const struct pair *pair, const char *outer)
{
    struct check *c = p->c;
    if (p->full || !check_name(c, pair->key))
        return;
    p->path[p->depth++] = pair->key->text;
    char *name = joined_path(p);
    const struct node *own_when = node_get(pair->value, "when");
    char *when = join_when(p, own_when, outer);
    if (node_get(pair->value, "parameters")) {
        read_group(p, name, pair->value, when);
    } else {
        struct param param;
        if (!read_leaf(c, name, pair->value, &param))
            param = placeholder();
        add_leaf(p, &param, pair->key, when);
    }
    free(when);
    free(name);
    p->depth--;
}

static void read_parameters(struct params *p, const struct node *map, const char *when)
{
    for (size_t i = 0; i < map->count; i++)
        read_parameter(p, &map->pairs[i], when);
}

// --- the whole ---

static int compare_leaves(const void *left, const void *right)
{
    const struct leaf *a = left, *b = right;
    int order = strcmp(a->param.name, b->param.name);
    if (order)
        return order;
    return a->at->line != b->at->line ? a->at->line - b->at->line : a->at->column - b->at->column;
}

static void leaf_release(struct leaf *leaf)
{
    param_release(&leaf->param);
    free(leaf->when);
}

// Sort by name; of two with the same joined name ("a.b", and b in the group a) keep the first.
static void sort_leaves(struct params *p)
{
    size_t kept = 0;
    if (p->count)
        qsort(p->leaves, p->count, sizeof(*p->leaves), compare_leaves);
    for (size_t i = 0; i < p->count; i++) {
        struct leaf *leaf = &p->leaves[i];
        if (kept && !strcmp(p->leaves[kept - 1].param.name, leaf->param.name)) {
            check_error(p->c, leaf->at,
                        "parameter '%s' is there twice (first at line %d): a dotted name and a "
                        "nested one are the same",
                        check_shown(p->c, leaf->param.name), p->leaves[kept - 1].at->line);
            leaf_release(leaf);
            continue;
        }
        p->leaves[kept++] = *leaf;
    }
    p->count = kept;
}

static const char **leaf_names(const struct params *p)
{
    const char **names = xcalloc(p->count + 1, sizeof(*names));
    for (size_t i = 0; i < p->count; i++)
        names[i] = p->leaves[i].param.name;
    return names;
}

static size_t find_leaf(const struct params *p, const char *name)
{
    size_t low = 0, high = p->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(p->leaves[mid].param.name, name);
        if (order == 0)
            return mid;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return p->count;
}

// True when all names in all conditions are known.
static bool check_condition_names(struct params *p, const char *const *names)
{
    bool ok = true;
    for (size_t i = 0; i < p->condition_count; i++) {
        const struct condition *condition = &p->conditions[i];
        if (!condition->expr ||
            !check_expr_names(p->c, condition->node, condition->expr, names, p->count))
            ok = false;
    }
    return ok;
}

static void parse_conditions(struct params *p)
{
    for (size_t i = 0; i < p->count; i++) {
        struct leaf *leaf = &p->leaves[i];
        if (leaf->when)
            leaf->param.when = check_expr(p->c, leaf->at, "when", leaf->when);
    }
}

// A leaf on the way of the depth-first walk along conditions, and which of its names comes next.
struct step {
    size_t leaf, next;
};

enum mark { MARK_NEW, MARK_OPEN, MARK_DONE };

// Walk from `start`; p->count, or a leaf that is reached from itself.
static size_t find_cycle(const struct params *p, size_t start, unsigned char *marks,
                         struct step *stack)
{
    size_t depth = 1;
    stack[0] = (struct step){.leaf = start};
    marks[start] = MARK_OPEN;
    while (depth > 0) {
        struct step *top = &stack[depth - 1];
        size_t used = 0;
        const struct expr *when = p->leaves[top->leaf].param.when;
        const char *const *names = when ? expr_names(when, &used) : NULL;
        if (top->next >= used) {
            marks[top->leaf] = MARK_DONE;
            depth--;
            continue;
        }
        size_t other = find_leaf(p, names[top->next++]);
        if (other >= p->count || marks[other] == MARK_DONE)
            continue;
        if (marks[other] == MARK_OPEN)
            return other;
        marks[other] = MARK_OPEN;
        stack[depth++] = (struct step){.leaf = other}; // at most count open leaves
    }
    return p->count;
}

// True when no condition depends on itself.
static bool check_cycles(const struct params *p)
{
    unsigned char *marks = xcalloc(p->count + 1, 1);
    struct step *stack = xcalloc(p->count + 1, sizeof *stack);
    size_t found = p->count;
    for (size_t i = 0; i < p->count && found == p->count; i++) {
        if (marks[i] == MARK_NEW)
            found = find_cycle(p, i, marks, stack);
    }
    if (found < p->count)
        check_error(p->c, p->leaves[found].at,
                    "the condition of parameter '%s' depends on the parameter "
                    "itself, directly or through others: break the circle",
                    check_shown(p->c, p->leaves[found].param.name));
    free(stack);
    free(marks);
    return found == p->count;
}

// What a grid cannot enumerate: the whole search falls back, since W&B's files have such grids.
static void check_grid(struct params *p, const struct node *method)
{
    struct check *c = p->c;
    struct str names = STR_INIT;
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct param *param = &p->leaves[i].param;
        if (param->dist == DIST_CATEGORICAL_P || param_grid_count(param))
            continue;
        if (count++ < 3)
            str_addf(&names, "%s'%s' (%s)", count > 1 ? ", " : "", check_shown(c, param->name),
                     dist_name(param->dist));
    }
    if (count > 3)
        str_addf(&names, " and %zu more", count - 3);
    if (count) {
        check_warning(
            c, method,
            "a grid cannot list %s: a scrambled Sobol sequence is used, which has no end of its "
            "own; "
            "give %s `values: [...]`, int_uniform or q_uniform, or write `method: random`",
            str_get(&names), count > 1 ? "them" : "it");
        free(c->spec->strategy);
        c->spec->strategy = xstrdup(STAND_IN_METHOD);
        c->is_grid = false;
        c->is_fallback = true;
    }
    for (size_t i = 0; !count && i < p->count; i++) {
        struct param *param = &p->leaves[i].param;
        if (param->dist != DIST_CATEGORICAL_P)
            continue;
        check_warning(c, p->leaves[i].at,
                      "a grid tries every value of parameter '%s' once: probabilities are ignored",
                      check_shown(c, param->name));
        free(param->probabilities);
        param->probabilities = NULL;
        param->dist = DIST_CATEGORICAL;
    }
    str_release(&names);
}

static void add_constraint(struct params *p, const struct node *node, const char *const *names)
{
    struct check *c = p->c;
    struct err err = {0};
    if (node->kind != NODE_SCALAR || check_is_null(node)) {
        check_error(
            c, node,
            "a constraint must be an expression such as \"width * layers <= 4096\", but this "
            "is %s",
            check_shown_node(c, node));
        return;
    }
    struct expr *expr = check_expr(c, node, "constraint", node->text);
    if (!expr)
        return;
    size_t used;
    expr_names(expr, &used);
    if (!used)
        check_warning(c, node, "this constraint names no parameter: it holds always or never");
    if (check_expr_names(c, node, expr, names, p->count) &&
        space_add_constraint(c->spec->space, &expr, &err) != 0)
        check_error(c, node, "%s", err.text);
    expr_free(expr);
}

static void add_constraints(struct params *p, const struct node *node, const char *const *names)
{
    if (!node)
        return;
    if (node->kind == NODE_SCALAR) {
        add_constraint(p, node, names);
        return;
    }
    if (node->kind == NODE_MAPPING || !node->count || node->count > SPEC_CONSTRAINTS_MAX) {
        check_error(p->c, node,
                    "constraints must be a list of 1 to %d expressions such as "
                    "`constraints: [\"width * layers <= 4096\"]`, but this is %s",
                    SPEC_CONSTRAINTS_MAX, node->count ? "something else" : "empty");
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        add_constraint(p, node->items[i], names);
}

// Move the leaves into the space and seal it.
static void build_space(struct params *p, const struct node *at)
{
    struct check *c = p->c;
    struct err err = {0};
    for (size_t i = 0; i < p->count; i++) {
        if (space_add(c->spec->space, &p->leaves[i].param, &err) != 0)
            check_error(c, p->leaves[i].at, "%s", err.text);
    }
    if (space_seal(c->spec->space, &err) != 0) {
        check_error(c, at, "%s", err.text);
        return;
    }
    for (size_t i = 0; i < p->condition_count; i++)
        check_when_values(c, p->conditions[i].node);
    if (!c->problems->error_count)
        check_feasible(c, node_get(c->root, "constraints"));
}

static void params_release(struct params *p)
{
    for (size_t i = 0; i < p->count; i++)
        leaf_release(&p->leaves[i]);
    free(p->leaves);
    for (size_t i = 0; i < p->condition_count; i++)
        expr_free(p->conditions[i].expr);
    free(p->conditions);
}

void check_parameters(struct check *c, const struct node *parameters,
                      const struct node *constraints)
{
    struct params p = {.c = c};
    const struct node *method = node_get(c->root, "method");
    if (parameters->kind != NODE_MAPPING || !parameters->count) {
        check_error(
            c, parameters,
            "parameters must be a mapping of at least one parameter, such as `parameters: {lr: "
            "{values: [0.1, 0.01]}}`, but this is %s",
            parameters->kind == NODE_MAPPING ? "empty" : check_shown_node(c, parameters));
        return;
    }
    read_parameters(&p, parameters, NULL);
    sort_leaves(&p);
    const char **names = leaf_names(&p);
    if (p.condition_bytes > SPEC_CONDITION_BYTES_MAX)
        check_error(c, parameters, "the conditions of all parameters have more than %d bytes",
                    SPEC_CONDITION_BYTES_MAX);
    else if (check_condition_names(&p, names)) {
        parse_conditions(&p);
        if (!check_cycles(&p)) {
            for (size_t i = 0; i < p.count; i++) {
                expr_free(p.leaves[i].param.when);
                p.leaves[i].param.when = NULL;
            }
        }
    }
    if (c->is_grid && method && !c->problems->error_count)
        check_grid(&p, method);
    add_constraints(&p, constraints, names);
    build_space(&p, parameters);
    free(names);
    params_release(&p);
}
