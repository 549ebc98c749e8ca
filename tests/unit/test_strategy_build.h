// Makes and asks strategies for the tests of strategies/.
#pragma once

#include "test_space_build.h"

#include "strategies/strategy.h"

static inline struct strategy *made(const char *method, const struct strategy_setup *setup)
{
    struct strategy *strategy = NULL;
    struct err err;
    if (strategy_new(method, setup, &strategy, &err) != 0)
        fail_msg("%s", err.text);
    return strategy;
}

static inline struct config asked(struct strategy *strategy, uint64_t point)
{
    struct config config;
    struct err err;
    if (strategy_ask(strategy, point, &config, &err) != 0)
        fail_msg("%s", err.text);
    return config;
}

// A strategy that has gone on by itself and one that sought the cursor give the same next point.
static inline void assert_seek_continues(const char *method, const struct strategy_setup *setup,
                                         uint64_t points)
{
    struct strategy *first = made(method, setup), *second = made(method, setup);
    for (uint64_t i = 0; i < points; i++) {
        uint64_t cursor = strategy_cursor(first);
        struct config config = asked(first, i);
        assert_int_equal(strategy_seek(second, cursor, NULL), 0);
        struct config again = asked(second, i);
        assert_true(config_equal(&config, &again));
        assert_true(strategy_cursor(first) == strategy_cursor(second));
        strategy_tell(second, i, &(struct outcome){.state = POINT_DONE, .value_count = 1, .values = {1.0}}); // ignored, in any order
        strategy_report(second, i, 0, 1.0);
        strategy_restore(second, i, &again);
        config_release(&config);
        config_release(&again);
    }
    strategy_free(first);
    strategy_free(second);
}
