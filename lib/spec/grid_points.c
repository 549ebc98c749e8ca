// How many runs a grid has.
#include "spec/spec.h"

#include "base/num.h"

#include <stdlib.h>

// Work that counting under conditions or constraints may cost: grid points times parameters.
#define POINTS_MAX 2000000u
#define WORK_MAX   40000000u

static bool count_feasible(const struct space *space, uint64_t total, uint64_t *ret)
{
    size_t params = space_count(space) ? space_count(space) : 1;
    if (total > POINTS_MAX || total * params > WORK_MAX)
        return false;
    uint64_t count = 0;
    for (uint64_t i = 0; i < total; i++) {
        struct config config = {0};
        bool canonical = false;
        config_from_grid(space, i, &config, &canonical);
        count += canonical && config_feasible(space, &config, NULL);
        config_release(&config);
    }
    *ret = count;
    return true;
}

bool spec_grid_points(const struct spec *spec, uint64_t *ret)
{
    uint64_t total;
    if (!str_equal(spec->strategy, "grid") || space_grid_count(spec->space, &total, NULL) != 0 ||
        total == UINT64_MAX)
        return false;
    if (space_has_conditions(spec->space) || space_constraint_count(spec->space))
        return count_feasible(spec->space, total, ret);
    *ret = total;
    return true;
}
