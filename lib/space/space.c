// The search space: parameters in order, conditions bound and free of cycles.

#include "space/space_impl.h"

#include "base/mem.h"
#include "space/dist.h"
#include "space/expr_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct space *space_new(void)
{
    return xcalloc(1, sizeof(struct space));
}

void space_free(struct space *space)
{
    if (!space)
        return;
    for (size_t i = 0; i < space->count; i++) {
        param_release(&space->slots[i]->param);
        free(space->slots[i]);
    }
    for (size_t i = 0; i < space->constraint_count; i++)
        expr_free(space->constraints[i]);
    free(space->slots);
    free(space->by_name);
    free(space->constraints);
    free(space->order);
    free(space->radix);
    free(space->decider);
    free(space);
}

// The place of `name` among the sorted names, or where it would be.
static size_t name_place(const struct space *space, const char *name, bool *ret_found)
{
    size_t low = 0, high = space->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(space->by_name[middle]->param.name, name);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = false;
    return low;
}

int space_add(struct space *space, struct param *param, struct err *err)
{
    bool found;
    assert(!space->sealed && param->path_count >= 1 && param->path_count <= SPACE_DEPTH_MAX);
    if (space->count == SPACE_PARAMS_MAX)
        return err_set(err, ERR_LIMIT, "a space has at most %d parameters", SPACE_PARAMS_MAX);
    size_t place = name_place(space, param->name, &found);
    if (found)
        return err_set(err, ERR_INVALID,
                       "parameter '%s' is there twice; rename or remove one of them", param->name);
    size_t slot_count = space->count;
    ARRAY_GROW(space->slots, slot_count, space->capacity);
    ARRAY_GROW(space->by_name, slot_count, space->by_name_capacity);
    struct slot *slot = xcalloc(1, sizeof *slot);
    slot->index = space->count;
    slot->param = *param;
    *param = (struct param){0};
    param_index(&slot->param);
    space->slots[space->count] = slot;
    memmove(&space->by_name[place + 1], &space->by_name[place],
            (space->count - place) * sizeof(struct slot *));
    space->by_name[place] = slot;
    space->count++;
    return 0;
}

int space_add_constraint(struct space *space, struct expr **expr, struct err *err)
{
    (void)err; // the spec's size bounds their number
    assert(!space->sealed);
    ARRAY_GROW(space->constraints, space->constraint_count, space->constraint_capacity);
    space->constraints[space->constraint_count++] = *expr;
    *expr = NULL;
    return 0;
}

static int compare_slots(const void *a, const void *b)
{
    const struct param *x = &(*(struct slot *const *)a)->param;
    const struct param *y = &(*(struct slot *const *)b)->param;
    for (size_t i = 0; i < x->path_count && i < y->path_count; i++) {
        int order = strcmp(x->path[i], y->path[i]);
        if (order != 0)
            return order;
    }
    return x->path_count < y->path_count ? -1 : x->path_count > y->path_count;
}

// A parameter cannot have a value and parameters below it: in this order they are neighbours.
static int check_nesting(const struct space *space, struct err *err)
{
    for (size_t i = 1; i < space->count; i++) {
        const struct param *outer = &space->slots[i - 1]->param, *inner = &space->slots[i]->param;
        size_t same = 0;
        while (same < outer->path_count && same < inner->path_count &&
               strcmp(outer->path[same], inner->path[same]) == 0)
            same++;
        if (same == outer->path_count)
            return err_set(err, ERR_INVALID,
                           "parameter '%s' has a value and also parameters below it ('%s')",
                           outer->name, inner->name);
    }
    return 0;
}

static int resolve(void *context, const char *name)
{
    return space_find(context, name);
}

// The sentence for the first unknown name: the nearest right one, or back-ticks for a name that was
// taken for a difference (`a-b`).
static int unknown_name(const struct space *space, const struct expr *expr, struct err *err)
{
    size_t count, i = 0;
    const char *const *names = expr_names(expr, &count);
    while (i + 1 < count && space_find(space, names[i]) >= 0)
        i++;
    const char **all = xmalloc((space->count + 1) * sizeof *all);
    const char *hyphen = NULL;
    size_t len = strlen(names[i]);
    for (size_t k = 0; k < space->count; k++) {
        all[k] = space->by_name[k]->param.name;
        if (strncmp(all[k], names[i], len) == 0 && all[k][len] == '-' &&
            strstr(expr_text(expr), all[k]))
            hyphen = all[k];
    }
    all[space->count] = NULL;
    const char *near = str_nearest(names[i], all);
    int rc;
    if (hyphen)
        rc = err_set(err, ERR_NOT_FOUND, "'%s' is not a parameter; write `%s` in back-ticks",
                     names[i], hyphen);
    else if (near)
        rc = err_set(err, ERR_NOT_FOUND, "'%s' is not a parameter; did you mean '%s'?", names[i],
                     near);
    else
        rc = err_set(err, ERR_NOT_FOUND, "'%s' is not a parameter", names[i]);
    free(all);
    return rc;
}

static int bind_all(struct space *space, struct err *err)
{
    for (size_t i = 0; i < space->count; i++) {
        struct param *param = &space->slots[i]->param;
        if (!param->when)
            continue;
        space->has_conditions = true;
        if (expr_bind(param->when, resolve, space, NULL) != 0) {
            int rc = unknown_name(space, param->when, err);
            err_prefix(err, "when of '%s'", param->name);
            return rc;
        }
    }
    for (size_t i = 0; i < space->constraint_count; i++) {
        struct expr *constraint = space->constraints[i];
        if (expr_bind(constraint, resolve, space, NULL) != 0) {
            int rc = unknown_name(space, constraint, err);
            err_prefix(err, "constraint '%s'", expr_text(constraint));
            return rc;
        }
    }
    return 0;
}

struct visit {
    size_t param;
    size_t next; // of the names in its condition
};

static int report_cycle(const struct space *space, const struct visit *stack, size_t depth,
                        size_t param, struct err *err)
{
    struct str path = STR_INIT;
    size_t start = 0;
    while (stack[start].param != param)
        start++;
    for (size_t i = start; i < depth; i++)
        str_addf(&path, "'%s' needs ", space->slots[stack[i].param]->param.name);
    int rc = err_set(err, ERR_INVALID, "conditions go in a circle: %s'%s'", str_get(&path),
                     space->slots[param]->param.name);
    str_release(&path);
    return rc;
}

// Depth-first order with a stack of its own: a chain of conditions may be as long as the space.
static int order_conditions(struct space *space, struct err *err)
{
    enum { NEW, OPEN, DONE };
    unsigned char *state = xcalloc(space->count, 1);
    struct visit *stack = xcalloc(space->count + 1, sizeof *stack);
    size_t placed = 0;
    int rc = 0;
    space->order = xcalloc(space->count, sizeof *space->order);
    for (size_t root = 0; rc == 0 && root < space->count; root++) {
        size_t depth = 0;
        if (state[root] == NEW) {
            stack[depth++] = (struct visit){.param = root};
            state[root] = OPEN;
        }
        while (rc == 0 && depth > 0) {
            struct visit *top = &stack[depth - 1];
            const struct expr *when = space->slots[top->param]->param.when;
            size_t count = 0;
            const int *bound = when ? expr_bound(when, &count) : NULL;
            if (top->next == count) {
                state[top->param] = DONE;
                space->order[placed++] = top->param;
                depth--;
                continue;
            }
            size_t needs = (size_t)bound[top->next++];
            if (state[needs] == OPEN) {
                rc = report_cycle(space, stack, depth, needs, err);
            } else if (state[needs] == NEW) {
                state[needs] = OPEN;
                stack[depth++] = (struct visit){.param = needs};
            }
        }
    }
    free(state);
    free(stack);
    return rc;
}

static void prepare_grid(struct space *space)
{
    space->radix = xcalloc(space->count, sizeof *space->radix);
    space->decider = xcalloc(space->count, sizeof *space->decider);
    for (size_t i = 0; i < space->count; i++) {
        size_t index = space->order[i], count = 0;
        const struct param *param = &space->slots[index]->param;
        const int *bound = param->when ? expr_bound(param->when, &count) : NULL;
        space->radix[index] = param_grid_count(param);
        space->decider[index] = -1;
        for (size_t k = 0; k < count; k++) {
            long direct = bound[k], indirect = space->decider[bound[k]];
            long last = direct > indirect ? direct : indirect;
            if (last > space->decider[index])
                space->decider[index] = last;
        }
    }
}

int space_seal(struct space *space, struct err *err)
{
    assert(!space->sealed);
    if (space->count > 1)
        qsort(space->slots, space->count, sizeof *space->slots, compare_slots);
    for (size_t i = 0; i < space->count; i++)
        space->slots[i]->index = i;
    space->sealed = true;
    int rc = check_nesting(space, err);
    if (rc == 0)
        rc = bind_all(space, err);
    if (rc == 0)
        rc = order_conditions(space, err);
    if (rc == 0)
        prepare_grid(space);
    return rc;
}

size_t space_count(const struct space *space)
{
    return space->count;
}

const struct param *space_param(const struct space *space, size_t index)
{
    return &space->slots[index]->param;
}

int space_find(const struct space *space, const char *name)
{
    bool found;
    size_t place = name_place(space, name, &found);
    return found ? (int)space->by_name[place]->index : -1;
}

size_t space_constraint_count(const struct space *space)
{
    return space->constraint_count;
}

const struct expr *space_constraint(const struct space *space, size_t index)
{
    return space->constraints[index];
}

bool space_has_conditions(const struct space *space)
{
    return space->has_conditions;
}

int space_grid_count(const struct space *space, uint64_t *ret, struct err *err)
{
    uint64_t product = 1;
    for (size_t i = 0; i < space->count; i++) {
        const struct param *param = &space->slots[i]->param;
        uint64_t count = param_grid_count(param);
        if (count == 0 && param->dist == DIST_CATEGORICAL_P)
            return err_set(err, ERR_INVALID,
                           "a grid cannot have '%s': its values have probabilities; remove "
                           "'probabilities' or use method: random",
                           param->name);
        if (count == 0)
            return err_set(err, ERR_INVALID,
                           "a grid cannot have '%s': %s has no list of values; give it 'values', "
                           "integer bounds or q_uniform, or use method: random",
                           param->name, dist_name(param->dist));
        product = product > UINT64_MAX / count ? UINT64_MAX : product * count;
    }
    *ret = product;
    return 0;
}

void space_activate(const struct space *space, const struct value *values, bool *active)
{
    memset(active, 1, space->count);
    if (!space->has_conditions)
        return;
    for (size_t i = 0; i < space->count; i++) {
        size_t index = space->order[i];
        const struct expr *when = space->slots[index]->param.when;
        if (when)
            active[index] = expr_judge_point(when, values, active) == EXPR_TRUE;
    }
}
