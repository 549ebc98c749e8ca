// Points that no model chooses.

#include "strategies/design.h"

#include "base/mem.h"

#include <stdlib.h>

#define SKIP 4096 // along the sequence: what one point skips to is not the next one's

void design_init(struct design *design, const struct space *space, uint64_t seed)
{
    size_t count = space_count(space);
    *design = (struct design){.params = xcalloc(count, sizeof *design->params)};
    for (size_t i = 0; i < count; i++)
        if (param_cardinality(space_param(space, i)) != 1)
            design->params[design->varying++] = i;
    size_t dimensions = design->varying < sobol_dimensions_max ? design->varying : sobol_dimensions_max;
    design->point = xcalloc(dimensions, sizeof *design->point);
    sobol_sequence_init(&design->sobol, dimensions, true, seed);
}

void design_release(struct design *design)
{
    sobol_sequence_release(&design->sobol);
    free(design->params);
    free(design->point);
    *design = (struct design){0};
}

static bool view_is_new(struct strategy *strategy, const struct history *history)
{
    return strategy_accepts(strategy) && !history_has(history, &strategy->view);
}

bool design_point(struct design *design, struct strategy *strategy, const struct history *history, uint64_t index)
{
    struct rng rng;
    rng_stream(&rng, strategy->seed, "design.beyond", index);
    strategy_search(strategy);
    for (uint64_t skip = 0; skip < DESIGN_DRAWS_MAX; skip++) {
        sobol_sequence_at(&design->sobol, index + skip * SKIP, design->point);
        for (size_t i = 0; i < design->varying; i++)
            strategy->units[design->params[i]] = i < design->sobol.dimensions ? design->point[i] : rng_double(&rng);
        config_view_unit(strategy->space, strategy->units, &strategy->view);
        if (view_is_new(strategy, history))
            return true;
    }
    return false;
}

static bool drawn(struct design *design, struct strategy *strategy, const struct history *history, struct rng *rng,
                  uint64_t draws)
{
    for (uint64_t draw = 0; draw < draws; draw++) {
        for (size_t i = 0; i < design->varying; i++)
            strategy->units[design->params[i]] = rng_double(rng);
        config_view_unit(strategy->space, strategy->units, &strategy->view);
        if (view_is_new(strategy, history))
            return true;
    }
    return false;
}

// Points of a finite space, inactive parameters counted as if they were active; 0: a continuum, or too many to look through.
static uint64_t finite_points(const struct encoding *encoding)
{
    uint64_t points = 1;
    for (size_t i = 0; i < encoding->count; i++) {
        if (!encoding->dimensions[i].coordinates)
            return 0;
        points *= encoding->dimensions[i].levels; // at most DIMENSION_LEVELS_MAX times what passed below
        if (points > DESIGN_SCAN_MAX)
            return 0;
    }
    return points;
}

static bool scanned(struct strategy *strategy, const struct history *history, uint64_t points, uint64_t start)
{
    const struct encoding *encoding = &history->encoding;
    double *coordinates = xcalloc(encoding->count, sizeof *coordinates);
    bool found = false;
    for (uint64_t i = 0; i < points && !found; i++) {
        uint64_t left = (start + i) % points;
        for (size_t k = 0; k < encoding->count; k++) {
            const struct dimension *dimension = &encoding->dimensions[k];
            coordinates[k] = dimension->coordinates[left % dimension->levels];
            left /= dimension->levels;
        }
        encoding_decode(encoding, coordinates, strategy->units, &strategy->view);
        found = view_is_new(strategy, history);
    }
    free(coordinates);
    return found;
}

int design_lot(struct design *design, struct strategy *strategy, const struct history *history, struct rng *rng,
               struct err *err)
{
    strategy_search(strategy);
    if (drawn(design, strategy, history, rng, DESIGN_DRAWS_MAX))
        return 0;
    uint64_t points = finite_points(&history->encoding);
    if (points > 0 && scanned(strategy, history, points, rng_below(rng, points)))
        return 0;
    if (points == 0 && drawn(design, strategy, history, rng, STRATEGY_REJECTS_MAX))
        return 0;
    if (history->count == 0)
        return strategy_refuse(strategy, err);
    if (points == 0 && strategy->rejects > 0)
        return strategy_refuse(strategy, err);
    return err_set(err, ERR_EXHAUSTED, "every configuration of the space was given");
}
