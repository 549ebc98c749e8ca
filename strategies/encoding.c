// Configurations as coordinates, and back.

#include "base/mem.h"
#include "strategies/history.h"

#include <math.h>
#include <stdlib.h>

// A list of numbers is ordered; a list that holds anything else, truth values too, has categories.
static bool is_list_of_numbers(const struct param *param)
{
    for (size_t i = 0; i < param->distinct_count; i++) {
        const struct value *value = &param->values[param->distinct[i]];
        if (value->kind != VALUE_INT && value->kind != VALUE_FLOAT)
            return false;
        if (value->kind == VALUE_FLOAT && isnan(value->number))
            return false;
    }
    return true;
}

struct level {
    double number; // to sort by
    double unit;
};

static int by_number(const void *a, const void *b)
{
    double x = ((const struct level *)a)->number, y = ((const struct level *)b)->number;
    return (x > y) - (x < y);
}

static void list_levels(struct dimension *dimension, const struct param *param)
{
    size_t count = dimension->levels;
    bool listed = param->dist == DIST_CATEGORICAL || param->dist == DIST_CATEGORICAL_P;
    struct level *levels = xcalloc(count, sizeof *levels);
    for (size_t i = 0; i < count; i++) {
        struct value value;
        param_value_at(param, i, &value);
        levels[i].unit = param_to_unit(param, &value);
        levels[i].number = (double)i;
        if (listed && dimension->kind == DIMENSION_ORDERED)
            value_number(&value, &levels[i].number);
        value_release(&value);
    }
    qsort(levels, count, sizeof *levels, by_number);
    dimension->coordinates = xcalloc(count, sizeof *dimension->coordinates);
    dimension->units = xcalloc(count, sizeof *dimension->units);
    for (size_t i = 0; i < count; i++) {
        dimension->units[i] = levels[i].unit;
        dimension->coordinates[i] = dimension->kind == DIMENSION_CATEGORY ? (double)i
                                    : listed ? ((double)i + 0.5) / (double)count
                                             : levels[i].unit;
    }
    free(levels);
}

static void add_dimension(struct encoding *encoding, size_t index)
{
    const struct param *param = space_param(encoding->space, index);
    uint64_t levels = param_cardinality(param);
    if (levels == 1)
        return;
    struct dimension *dimension = &encoding->dimensions[encoding->count++];
    *dimension = (struct dimension){.param = index, .levels = levels, .conditional = param->when != NULL};
    if (param->dist == DIST_CATEGORICAL || param->dist == DIST_CATEGORICAL_P)
        dimension->kind = is_list_of_numbers(param) ? DIMENSION_ORDERED : DIMENSION_CATEGORY;
    else
        dimension->kind = levels > 0 && levels <= DIMENSION_LEVELS_MAX ? DIMENSION_ORDERED : DIMENSION_REAL;
    if (dimension->kind != DIMENSION_REAL && levels <= DIMENSION_LEVELS_MAX)
        list_levels(dimension, param);
}

void encoding_init(struct encoding *encoding, const struct space *space)
{
    size_t count = space_count(space);
    *encoding = (struct encoding){.space = space, .dimensions = xcalloc(count, sizeof *encoding->dimensions)};
    for (size_t i = 0; i < count; i++)
        add_dimension(encoding, i);
}

void encoding_release(struct encoding *encoding)
{
    for (size_t i = 0; i < encoding->count; i++) {
        free(encoding->dimensions[i].coordinates);
        free(encoding->dimensions[i].units);
    }
    free(encoding->dimensions);
    *encoding = (struct encoding){0};
}

static size_t nearest(const double *numbers, size_t count, double x)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (fabs(numbers[i] - x) < fabs(numbers[best] - x))
            best = i;
    return best;
}

// The numbers ascend.
static size_t nearest_sorted(const double *numbers, size_t count, double x)
{
    size_t low = 0, high = count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (numbers[middle] <= x)
            low = middle;
        else
            high = middle;
    }
    return low + 1 < count && numbers[low + 1] - x < x - numbers[low] ? low + 1 : low;
}

void encoding_encode(const struct encoding *encoding, const struct config *config, double *ret)
{
    for (size_t i = 0; i < encoding->count; i++) {
        const struct dimension *dimension = &encoding->dimensions[i];
        const struct param *param = space_param(encoding->space, dimension->param);
        if (!config->active[dimension->param]) {
            ret[i] = (double)NAN;
            continue;
        }
        double unit = param_to_unit(param, &config->values[dimension->param]);
        unit = isnan(unit) ? 0.5 : unit;
        ret[i] = dimension->units ? dimension->coordinates[nearest(dimension->units, dimension->levels, unit)] : unit;
    }
}

double dimension_snap(const struct dimension *dimension, double coordinate)
{
    if (!dimension->coordinates)
        return coordinate;
    return dimension->coordinates[nearest_sorted(dimension->coordinates, dimension->levels, coordinate)];
}

void encoding_decode(const struct encoding *encoding, const double *coordinates, double *units, struct config *view)
{
    for (size_t i = 0; i < encoding->count; i++) {
        const struct dimension *dimension = &encoding->dimensions[i];
        double x = coordinates[i];
        if (isnan(x))
            x = dimension->kind == DIMENSION_CATEGORY ? 0 : 0.5;
        if (dimension->units)
            x = dimension->units[nearest_sorted(dimension->coordinates, dimension->levels, x)];
        units[dimension->param] = x < 0 ? 0 : x < 1 ? x : 0x1.fffffffffffffp-1; // param_from_unit takes [0, 1)
    }
    config_view_unit(encoding->space, units, view);
}
