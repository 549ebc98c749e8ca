// Distributions as sets: distinct values, how many there are, and W&B's grid over them.

#include "base/mem.h"
#include "space/dist.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// Places of the distinct values that can occur, in listed order, by a hash table with open
// addressing.
static uint32_t *list_distinct(const struct param *param, size_t *ret_count)
{
    size_t size = 16, count = 0;
    while (size < 2 * param->value_count)
        size *= 2;
    uint32_t *table = xcalloc(size, sizeof *table); // place + 1
    uint32_t *distinct = xmalloc(param->value_count * sizeof *distinct);
    for (size_t i = 0; i < param->value_count; i++) {
        if (param->dist == DIST_CATEGORICAL_P && !(param->probabilities[i] > 0))
            continue;
        size_t slot = value_hash(&param->values[i]) & (size - 1);
        while (table[slot] && !value_equal(&param->values[table[slot] - 1], &param->values[i]))
            slot = (slot + 1) & (size - 1);
        if (table[slot])
            continue;
        table[slot] = (uint32_t)i + 1;
        distinct[count++] = (uint32_t)i;
    }
    free(table);
    *ret_count = count;
    return distinct;
}

void param_index(struct param *param)
{
    if (dist_is_categorical(param->dist) && !param->distinct)
        param->distinct = list_distinct(param, &param->distinct_count);
}

static uint64_t distinct_count(const struct param *param)
{
    if (param->distinct)
        return param->distinct_count;
    size_t count; // not in a space yet
    free(list_distinct(param, &count));
    return count;
}

static uint64_t saturate(double count)
{
    return count >= 0x1p64 ? UINT64_MAX : count < 1 ? 0 : (uint64_t)count;
}

uint64_t param_cardinality(const struct param *param)
{
    if (param->dist == DIST_CONSTANT)
        return 1;
    if (dist_is_categorical(param->dist))
        return distinct_count(param);
    if (param->dist == DIST_INT_UNIFORM) {
        uint64_t n = (uint64_t)param->int_max - (uint64_t)param->int_min;
        return n == UINT64_MAX ? n : n + 1;
    }
    if (!dist_is_quantised(param->dist))
        return 0;
    double first, last;
    dist_multiples(param, &first, &last);
    return isfinite(last - first) ? saturate(last - first + 1) : 0;
}

static struct value distinct_value(const struct param *param, uint64_t index)
{
    if (param->distinct)
        return param->values[param->distinct[index]];
    size_t count;
    uint32_t *distinct = list_distinct(param, &count);
    assert(index < count);
    struct value value = param->values[distinct[index]];
    free(distinct);
    return value;
}

static struct value view_at(const struct param *param, uint64_t index)
{
    if (param->dist == DIST_CONSTANT)
        return param->values[0];
    if (dist_is_categorical(param->dist))
        return distinct_value(param, index);
    if (param->dist == DIST_INT_UNIFORM)
        return (struct value){.kind = VALUE_INT,
                              .integer = (int64_t)((uint64_t)param->int_min + index)};
    double first, last;
    dist_multiples(param, &first, &last);
    return dist_multiple(param, first + (double)index);
}

void param_value_at(const struct param *param, uint64_t index, struct value *ret)
{
    assert(index < param_cardinality(param));
    struct value view = view_at(param, index);
    *ret = value_copy(&view);
}

// NumPy's arange: ceil((max - min) / q) values, the i-th min + i * ((min + q) - min).
static struct value step_at(const struct param *param, uint64_t index)
{
    double step = (param->min + param->q) - param->min;
    double x = param->min + (double)index * step;
    if (param->bounds_are_int && param->q_is_int && fabs(x) < 0x1p63)
        return (struct value){.kind = VALUE_INT, .integer = (int64_t)x};
    return (struct value){.kind = VALUE_FLOAT, .number = x};
}

uint64_t param_grid_count(const struct param *param)
{
    if (param->dist == DIST_Q_UNIFORM)
        return saturate(ceil((param->max - param->min) / param->q));
    if (param->dist == DIST_CONSTANT || param->dist == DIST_CATEGORICAL ||
        param->dist == DIST_INT_UNIFORM)
        return param_cardinality(param);
    return 0;
}

struct value param_view_grid(const struct param *param, uint64_t index)
{
    return param->dist == DIST_Q_UNIFORM ? step_at(param, index) : view_at(param, index);
}

void param_grid_value(const struct param *param, uint64_t index, struct value *ret)
{
    struct value view = param_view_grid(param, index);
    *ret = value_copy(&view);
}

void param_release(struct param *param)
{
    for (size_t i = 0; i < param->path_count; i++)
        free(param->path[i]);
    for (size_t i = 0; i < param->value_count; i++)
        value_release(&param->values[i]);
    free(param->name);
    free(param->path);
    free(param->values);
    free(param->probabilities);
    free(param->distinct);
    expr_free(param->when);
    *param = (struct param){0};
}
