// Random: point i is drawn from stream i of the seed, one number a parameter in the space's order.
// A draw that the constraints refuse is followed by the next of the same stream, so points do not
// depend on each other. As in W&B nothing is remembered: a point may come twice, and the search
// never ends by itself.

#include "base/mem.h"
#include "strategies/strategy_impl.h"

#include <stdlib.h>

struct random_search {
    struct strategy base;
    uint64_t next;
};

static int create(const struct strategy_setup *setup, struct strategy **ret, struct err *err)
{
    (void)setup;
    (void)err;
    struct random_search *random = xcalloc(1, sizeof *random);
    *ret = &random->base;
    return 0;
}

static void destroy(struct strategy *strategy)
{
    free((struct random_search *)strategy);
}

static int ask(struct strategy *strategy, uint64_t point, struct config *ret, struct err *err)
{
    struct random_search *random = (struct random_search *)strategy;
    size_t count = space_count(strategy->space);
    struct rng rng;
    (void)point;
    strategy_search(strategy);
    rng_stream(&rng, strategy->seed, "random", random->next);
    for (int draw = 0; draw < STRATEGY_REJECTS_MAX; draw++) {
        for (size_t i = 0; i < count; i++)
            strategy->units[i] = rng_double(&rng);
        config_view_unit(strategy->space, strategy->units, &strategy->view);
        if (strategy_accepts(strategy)) {
            random->next++;
            config_copy(&strategy->view, ret);
            return 0;
        }
    }
    return strategy_refuse(strategy, err);
}

static uint64_t cursor(const struct strategy *strategy)
{
    return ((const struct random_search *)strategy)->next;
}

static int seek(struct strategy *strategy, uint64_t cursor_, struct err *err)
{
    (void)err;
    ((struct random_search *)strategy)->next = cursor_;
    return 0;
}

const struct strategy_ops random_ops = {
    .create = create, .destroy = destroy, .ask = ask, .cursor = cursor, .seek = seek};
