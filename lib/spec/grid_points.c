// How many configurations a space has, and whether it has any.
#include "spec/check.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

// Work that counting under conditions or constraints may cost: grid points times their cost.
#define POINTS_MAX 2000000u
#define WORK_MAX   40000000u

// Work of the look at whether the constraints leave anything, done whenever a spec is read.
#define FEASIBLE_POINTS_MAX 20000u
#define FEASIBLE_WORK_MAX   200000u
#define FEASIBLE_DRAWS      500u

// What one configuration costs to make and to judge, in units of about a parameter.
static size_t cost_of(const struct space *space)
{
    size_t cost = space_count(space) + 1;
    for (size_t i = 0; i < space_constraint_count(space); i++)
        cost += 1 + strlen(expr_text(space_constraint(space, i))) / 4;
    return cost;
}

static uint64_t count_feasible(const struct space *space, uint64_t total)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < total; i++) {
        struct config config = {0};
        bool canonical = false;
        config_from_grid(space, i, &config, &canonical);
        count += canonical && config_feasible(space, &config, NULL);
        config_release(&config);
    }
    return count;
}

bool spec_grid_points(const struct spec *spec, uint64_t *ret)
{
    uint64_t total;
    const struct space *space = spec->space;
    if (!str_equal(spec->strategy, "grid") || space_grid_count(space, &total, NULL) != 0 ||
        total == UINT64_MAX)
        return false;
    if (!space_has_conditions(space) && !space_constraint_count(space)) {
        *ret = total;
        return true;
    }
    if (total > POINTS_MAX ||
        total * (space_count(space) + space_constraint_count(space)) > WORK_MAX)
        return false;
    *ret = count_feasible(space, total);
    return true;
}

// Draws of which none is feasible; the constraint that failed most often in *ret_worst.
static bool none_is_feasible(const struct space *space, size_t draws, size_t *ret_worst)
{
    size_t params = space_count(space), constraints = space_constraint_count(space), found = 0;
    double *units = xcalloc(params, sizeof *units);
    size_t *failures = xcalloc(constraints, sizeof *failures);
    struct rng rng;
    rng_stream(&rng, 0, "feasible", 0);
    for (size_t i = 0; i < draws && !found; i++) {
        struct config config = {0};
        size_t failed = 0;
        for (size_t j = 0; j < params; j++)
            units[j] = rng_double(&rng);
        config_from_unit(space, units, &config);
        if (config_feasible(space, &config, &failed))
            found++;
        else
            failures[failed]++;
        config_release(&config);
    }
    *ret_worst = 0;
    for (size_t i = 1; i < constraints; i++) {
        if (failures[i] > failures[*ret_worst])
            *ret_worst = i;
    }
    free(failures);
    free(units);
    return !found;
}

void check_feasible(struct check *c, const struct node *constraints)
{
    const struct space *space = c->spec->space;
    if (!constraints || !space_constraint_count(space))
        return;
    size_t cost = cost_of(space), worst;
    uint64_t total;
    if (c->is_grid && space_grid_count(space, &total, NULL) == 0 && total <= FEASIBLE_POINTS_MAX &&
        total * cost <= FEASIBLE_WORK_MAX) {
        if (!count_feasible(space, total))
            check_error(
                c, constraints,
                "no configuration of the grid satisfies all constraints: relax one of them");
        return;
    }
    size_t draws =
        FEASIBLE_WORK_MAX / cost < FEASIBLE_DRAWS ? FEASIBLE_WORK_MAX / cost : FEASIBLE_DRAWS;
    if (draws >= FEASIBLE_DRAWS / 4 && none_is_feasible(space, draws, &worst))
        check_warning(c, constraints,
                      "none of %zu random configurations satisfies the constraints; most fail '%s'",
                      draws, check_shown(c, expr_text(space_constraint(space, worst))));
}
