// Configurations: made from units and grid indices, checked, compared.
//
// A configuration is one block of memory (values, then flags) plus the texts of its strings.

#include "base/mem.h"
#include "base/num.h"
#include "space/dist.h"
#include "space/expr_impl.h"
#include "space/space_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void allocate(size_t count, struct config *ret)
{
    struct value *values = xmalloc(count * (sizeof *values + sizeof(bool)));
    *ret = (struct config){.values = values, .active = (bool *)(values + count), .count = count};
}

void config_release(struct config *config)
{
    for (size_t i = 0; i < config->count; i++)
        free(config->values[i].text);
    config_view_release(config);
}

void config_copy(const struct config *config, struct config *ret)
{
    struct config copy;
    allocate(config->count, &copy);
    memcpy(copy.values, config->values, config->count * sizeof *copy.values);
    memcpy(copy.active, config->active, config->count * sizeof *copy.active);
    for (size_t i = 0; i < config->count; i++)
        copy.values[i].text = xstrdup(copy.values[i].text);
    *ret = copy;
}

void config_view_init(const struct space *space, struct config *ret)
{
    allocate(space->count, ret);
    memset(ret->values, 0, space->count * sizeof *ret->values);
    memset(ret->active, 0, space->count * sizeof *ret->active);
}

void config_view_release(struct config *view)
{
    free(view->values);
    *view = (struct config){0};
}

static void drop_inactive(struct config *view)
{
    for (size_t i = 0; i < view->count; i++)
        if (!view->active[i])
            view->values[i] = (struct value){.kind = VALUE_NULL};
}

void config_view_unit(const struct space *space, const double *units, struct config *view)
{
    for (size_t i = 0; i < space->count; i++)
        view->values[i] = param_view_unit(&space->slots[i]->param, units[i]);
    space_activate(space, view->values, view->active);
    if (space->has_conditions)
        drop_inactive(view);
}

__extension__ typedef unsigned __int128 wide;

// The first index above `index` with another digit at `place` or before: all between are alike up
// to there.
static uint64_t skip_past(const struct space *space, uint64_t index, size_t place)
{
    wide stride = 1;
    for (size_t i = place + 1; i < space->count && stride <= UINT64_MAX; i++)
        stride *= space->radix[i];
    wide next = stride > UINT64_MAX ? stride : (index / stride + 1) * stride;
    return next > UINT64_MAX ? UINT64_MAX : (uint64_t)next;
}

// Indices repeat a configuration when an inactive parameter's digit is not 0. That lasts until a
// digit changes that can activate the parameter, or one before it.
static bool check_canonical(const struct space *space, uint64_t index, const bool *active,
                            uint64_t *ret_next)
{
    bool canonical = true;
    uint64_t rest = index, furthest = index + 1;
    for (size_t i = space->count; i-- > 0;) {
        uint64_t digit = rest % space->radix[i];
        rest /= space->radix[i];
        if (active[i] || digit == 0)
            continue;
        canonical = false;
        long decider = space->decider[i];
        uint64_t next = skip_past(space, index, decider > (long)i ? (size_t)decider : i - 1);
        if (next > furthest)
            furthest = next;
    }
    *ret_next = furthest;
    return canonical;
}

bool config_view_grid(const struct space *space, uint64_t index, struct config *view,
                      uint64_t *ret_next)
{
    uint64_t rest = index, next = index + 1;
    for (size_t i = space->count; i-- > 0;) {
        view->values[i] = param_view_grid(&space->slots[i]->param, rest % space->radix[i]);
        rest /= space->radix[i];
    }
    bool canonical = true;
    space_activate(space, view->values, view->active);
    if (space->has_conditions) {
        canonical = check_canonical(space, index, view->active, &next);
        drop_inactive(view);
    }
    if (ret_next)
        *ret_next = next;
    return canonical;
}

void config_from_unit(const struct space *space, const double *units, struct config *ret)
{
    struct config view;
    config_view_init(space, &view);
    config_view_unit(space, units, &view);
    config_copy(&view, ret);
    config_view_release(&view);
}

void config_from_grid(const struct space *space, uint64_t index, struct config *ret,
                      bool *ret_canonical)
{
    struct config view;
    config_view_init(space, &view);
    bool canonical = config_view_grid(space, index, &view, NULL);
    config_copy(&view, ret);
    config_view_release(&view);
    if (ret_canonical)
        *ret_canonical = canonical;
}

bool config_feasible(const struct space *space, const struct config *config, size_t *ret_failed)
{
    for (size_t i = 0; i < space->constraint_count; i++) {
        if (expr_judge_point(space->constraints[i], config->values, config->active) != EXPR_FALSE)
            continue;
        if (ret_failed)
            *ret_failed = i;
        return false;
    }
    return true;
}

bool config_equal(const struct config *a, const struct config *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->active[i] != b->active[i] || !value_equal(&a->values[i], &b->values[i]))
            return false;
    return true;
}

uint64_t config_hash(const struct config *config)
{
    uint64_t hash = config->count;
    for (size_t i = 0; i < config->count; i++) {
        uint64_t value = config->active[i] ? value_hash(&config->values[i]) : 0;
        hash = hash64(&value, sizeof value, hash);
    }
    return hash;
}
