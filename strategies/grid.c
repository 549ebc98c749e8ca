// Grid: every combination once, from a cursor; no list of points is kept.
//
// The cursor counts grid indices looked at, feasible or not. Under `order: shuffle` index i is the
// i-th of a seeded permutation. Without it, runs of indices that conditions make repeat one
// configuration are skipped.

#include "base/mem.h"
#include "strategies/permutation.h"
#include "strategies/strategy_impl.h"

#include <stdlib.h>

struct grid {
    struct strategy base;
    uint64_t count; // of indices
    uint64_t next;
    bool shuffle;
    bool
        partial; // began behind the first index, or gave a point: an end without points is no error
    struct permutation permutation;
};

static int create(const struct strategy_setup *setup, struct strategy **ret, struct err *err)
{
    uint64_t count;
    int rc = space_grid_count(setup->space, &count, err);
    if (rc != 0)
        return rc;
    struct grid *grid = xcalloc(1, sizeof *grid);
    grid->count = count;
    grid->shuffle = setup->shuffle;
    permutation_init(&grid->permutation, count, setup->seed);
    *ret = &grid->base;
    return 0;
}

static void destroy(struct strategy *strategy)
{
    free((struct grid *)strategy);
}

// Look at the next index: true when it gives a point, in base.view.
static bool look(struct grid *grid)
{
    struct strategy *base = &grid->base;
    uint64_t after;
    uint64_t index = grid->shuffle ? permutation_at(&grid->permutation, grid->next) : grid->next;
    bool canonical = config_view_grid(base->space, index, &base->view, &after);
    if (grid->shuffle)
        grid->next++;
    else
        grid->next = after < grid->count ? after : grid->count;
    return canonical && strategy_accepts(base);
}

static int ask(struct strategy *strategy, uint64_t point, struct config *ret, struct err *err)
{
    struct grid *grid = (struct grid *)strategy;
    (void)point;
    if (grid->next == 0)
        strategy_search(strategy);
    for (uint64_t scanned = 0; scanned < STRATEGY_SCAN_MAX; scanned++) {
        if (grid->next == grid->count) {
            if (!grid->partial && strategy->rejects > 0)
                return strategy_refuse(strategy, err);
            return err_set(err, ERR_EXHAUSTED, "the grid has no more points");
        }
        if (look(grid)) {
            grid->partial = true;
            config_copy(&strategy->view, ret);
            return 0;
        }
    }
    return err_set(
        err, ERR_AGAIN, "none of %d grid points fits; the search goes on at %llu of %llu",
        STRATEGY_SCAN_MAX, (unsigned long long)grid->next, (unsigned long long)grid->count);
}

static uint64_t cursor(const struct strategy *strategy)
{
    return ((const struct grid *)strategy)->next;
}

static int seek(struct strategy *strategy, uint64_t cursor_, struct err *err)
{
    struct grid *grid = (struct grid *)strategy;
    if (cursor_ > grid->count)
        return err_set(err, ERR_INVALID, "the grid has %llu points, there is no point %llu",
                       (unsigned long long)grid->count, (unsigned long long)cursor_);
    grid->next = cursor_;
    grid->partial = cursor_ > 0;
    return 0;
}

const struct strategy_ops grid_ops = {
    .create = create, .destroy = destroy, .ask = ask, .cursor = cursor, .seek = seek};
