// Random: points depend on seed and index alone, follow their distributions, and satisfy the
// constraints.

#include "test_strategy_build.h"

#include <math.h>

static struct space *mixed_space(void)
{
    struct space *space = space_new();
    add(space, range_param("lr", DIST_LOG_UNIFORM_VALUES, 1e-5, 1));
    add(space, int_param("layers", 1, 4));
    add(space, choice_param("act", "[\"relu\",\"tanh\",\"gelu\"]"));
    add(space, when(range_param("momentum", DIST_UNIFORM, 0, 1), "act == 'tanh'"));
    add(space, constant_param("epochs", "10"));
    constrain(space, "lr * layers < 0.5");
    seal(space);
    return space;
}

static void test_random_point_depends_on_seed_and_index_when_asked_anywhere(void **state)
{
    (void)state;
    struct space *space = mixed_space();
    assert_seek_continues("random", &(struct strategy_setup){.space = space, .seed = 9}, 200);
    struct strategy *a = made("random", &(struct strategy_setup){.space = space, .seed = 9});
    struct strategy *b = made("random", &(struct strategy_setup){.space = space, .seed = 10});
    struct config first = asked(a, 0), other = asked(b, 0);
    assert_false(config_equal(&first, &other));
    assert_int_equal(strategy_seek(a, 1000000007, NULL), 0);
    struct config far = asked(a, 1);
    assert_int_equal(strategy_cursor(a), 1000000008);
    assert_int_equal(strategy_seek(a, 0, NULL), 0);
    struct config again = asked(a, 2);
    assert_true(config_equal(&first, &again));
    assert_false(config_equal(&first, &far));
    config_release(&first);
    config_release(&other);
    config_release(&far);
    config_release(&again);
    strategy_free(a);
    strategy_free(b);
    space_free(space);
}

// The first points of a seed are part of the contract: stored sweeps resume with them.
static void test_random_points_never_change_when_versions_do(void **state)
{
    (void)state;
    struct space *space = space_new();
    add(space, int_param("n", 0, 999999));
    seal(space);
    struct strategy *strategy = made("random", &(struct strategy_setup){.space = space, .seed = 1});
    for (uint64_t i = 0; i < 3; i++) {
        struct rng rng;
        rng_stream(&rng, 1, "random", i);
        int64_t expected = (int64_t)(rng_double(&rng) * 1e6);
        struct config config = asked(strategy, i);
        assert_int_equal(config.values[0].integer, expected);
        config_release(&config);
    }
    strategy_free(strategy);
    space_free(space);
}

// Kolmogorov-Smirnov: sqrt(n) D is above 2.2 in about one of 8,000 cases.
static void test_random_follows_its_distributions_when_drawn_often(void **state)
{
    (void)state;
    enum { N = 4000 };
    struct space *space = space_new();
    add(space, range_param("u", DIST_UNIFORM, -3, 5));
    add(space, range_param("l", DIST_LOG_UNIFORM_VALUES, 1e-4, 10));
    add(space, named_param("n", DIST_NORMAL));
    struct param beta = named_param("b", DIST_BETA);
    beta.a = 2;
    beta.b = 5;
    add(space, beta);
    seal(space);
    struct strategy *strategy = made("random", &(struct strategy_setup){.space = space, .seed = 4});
    static double units[4][N];
    for (uint64_t i = 0; i < N; i++) {
        struct config config = asked(strategy, i);
        for (size_t k = 0; k < 4; k++)
            units[k][i] = param_to_unit(space_param(space, k), &config.values[k]);
        config_release(&config);
    }
    for (size_t k = 0; k < 4; k++) {
        enum { BINS = 200 };
        size_t counts[BINS] = {0}, below = 0;
        double furthest = 0;
        for (size_t i = 0; i < N; i++)
            counts[(size_t)(units[k][i] * (BINS - 1e-9))]++;
        for (size_t bin = 0; bin < BINS; bin++) {
            below += counts[bin];
            furthest = fmax(furthest, fabs((double)below / N - (double)(bin + 1) / BINS));
        }
        assert_true(sqrt(N) * furthest < 2.2);
    }
    strategy_free(strategy);
    space_free(space);
}

static void test_random_satisfies_constraints_when_they_are_tight(void **state)
{
    (void)state;
    struct space *space = space_new();
    add(space, range_param("x", DIST_UNIFORM, 0, 1));
    add(space, range_param("y", DIST_UNIFORM, 0, 1));
    constrain(space, "x + y < 0.05");
    seal(space);
    struct strategy *strategy = made("random", &(struct strategy_setup){.space = space, .seed = 4});
    for (uint64_t i = 0; i < 50; i++) {
        struct config config = asked(strategy, i);
        assert_true(config.values[0].number + config.values[1].number < 0.05);
        assert_int_equal(strategy_cursor(strategy), i + 1);
        config_release(&config);
    }
    strategy_free(strategy);
    space_free(space);
}

static void test_random_names_the_worst_constraint_when_unsatisfiable(void **state)
{
    (void)state;
    static const char *const methods[] = {"random", "sobol"};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        struct space *space = space_new();
        add(space, range_param("x", DIST_UNIFORM, 0, 1));
        constrain(space, "x < 0.75");
        constrain(space, "x > 2");
        seal(space);
        struct strategy *strategy = made(methods[i], &(struct strategy_setup){.space = space});
        struct config config;
        struct err err = {0};
        for (int again = 0; again < 2; again++) {
            assert_int_equal(strategy_ask(strategy, 0, &config, &err), ERR_INVALID);
            if (!strstr(err.text, "'x > 2' failed in 7") || !strstr(err.text, "of 100000 tried"))
                fail_msg("%s", err.text);
            assert_int_equal(strategy_cursor(strategy), 0);
        }
        strategy_free(strategy);
        space_free(space);
    }
}

static void test_random_goes_on_when_the_space_has_one_point(void **state)
{
    (void)state;
    struct space *space = space_new();
    add(space, constant_param("x", "1"));
    seal(space);
    static const char *const methods[] = {"random", "sobol"};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        struct strategy *strategy = made(methods[i], &(struct strategy_setup){.space = space});
        for (uint64_t k = 0; k < 3; k++) {
            struct config config = asked(strategy, k);
            assert_config(space, &config, "{\"x\":1}");
            config_release(&config);
        }
        strategy_free(strategy);
    }
    space_free(space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_point_depends_on_seed_and_index_when_asked_anywhere),
        cmocka_unit_test(test_random_points_never_change_when_versions_do),
        cmocka_unit_test(test_random_follows_its_distributions_when_drawn_often),
        cmocka_unit_test(test_random_satisfies_constraints_when_they_are_tight),
        cmocka_unit_test(test_random_names_the_worst_constraint_when_unsatisfiable),
        cmocka_unit_test(test_random_goes_on_when_the_space_has_one_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
