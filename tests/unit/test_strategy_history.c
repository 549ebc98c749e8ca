// The history of a learning strategy: encoding there and back, what is told, what was given before.

#include "test_strategy_build.h"

#include "base/json.h"
#include "base/mem.h"
#include "spec/spec.h"
#include "strategies/history.h"

#include <math.h>
#include <string.h>

static const char text[] = "method: random\n"
                           "parameters:\n"
                           "  act: {values: [relu, gelu, tanh]}\n"
                           "  batch: {values: [128, 32, 64]}\n"
                           "  deg: {min: 2, max: 5, when: {act: relu}}\n"
                           "  lr: {distribution: log_uniform_values, min: 1.0e-4, max: 1.0}\n"
                           "  one: {value: 3}\n";

struct world {
    struct spec *spec;
    struct history history;
};

static int setup(void **state)
{
    struct world *world = xcalloc(1, sizeof *world);
    struct problems problems = {0};
    assert_int_equal(spec_parse(text, strlen(text), &world->spec, &problems), 0);
    problems_release(&problems);
    history_init(&world->history,
                 &(struct strategy_setup){.space = world->spec->space, .goals = {GOAL_MAXIMIZE}});
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    history_release(&world->history);
    spec_free(world->spec);
    free(world);
    return 0;
}

static struct config from_json(struct world *world, const char *json)
{
    struct config config;
    struct json_object *object = NULL;
    assert_int_equal(json_parse(json, strlen(json), &object, NULL), 0);
    struct err err;
    assert_int_equal(config_from_json(world->spec->space, object, &config, &err), 0);
    json_object_put(object);
    return config;
}

static void test_encoding_has_a_dimension_for_each_parameter_that_can_vary(void **state)
{
    struct world *world = *state;
    const struct encoding *encoding = &world->history.encoding;
    assert_int_equal(encoding->count, 4);
    assert_int_equal(encoding->dimensions[0].kind, DIMENSION_CATEGORY);
    assert_int_equal(encoding->dimensions[1].kind, DIMENSION_ORDERED);
    assert_int_equal(encoding->dimensions[2].kind, DIMENSION_ORDERED);
    assert_true(encoding->dimensions[2].conditional);
    assert_int_equal(encoding->dimensions[3].kind, DIMENSION_REAL);
    assert_int_equal(encoding->dimensions[3].levels, 0);
}

static void test_encoding_orders_numbers_and_counts_categories(void **state)
{
    struct world *world = *state;
    double x[4];
    struct config config = from_json(world, "{\"act\":\"tanh\",\"batch\":128,\"lr\":0.01,\"one\":3}");
    encoding_encode(&world->history.encoding, &config, x);
    assert_true(x[0] == 2);
    assert_true(fabs(x[1] - 2.5 / 3) < 1e-12); // 128 is the greatest of three
    assert_true(isnan(x[2]));                  // inactive
    assert_true(fabs(x[3] - 0.5) < 1e-12);     // half way on the log scale
    config_release(&config);
}

static void test_decoding_gives_the_configuration_back(void **state)
{
    struct world *world = *state;
    struct config config = from_json(world, "{\"act\":\"relu\",\"batch\":32,\"deg\":4,\"lr\":0.25,\"one\":3}"), view;
    double x[4], units[5] = {0};
    encoding_encode(&world->history.encoding, &config, x);
    config_view_init(world->spec->space, &view);
    encoding_decode(&world->history.encoding, x, units, &view);
    for (size_t i = 0; i < 3; i++)
        assert_true(value_equal(&view.values[i], &config.values[i]));
    double lr = 0;
    assert_true(value_number(&view.values[3], &lr));
    assert_true(fabs(lr - 0.25) < 1e-12);
    config_view_release(&view);
    config_release(&config);
}

static void test_snap_gives_the_nearest_level(void **state)
{
    struct world *world = *state;
    const struct dimension *batch = &world->history.encoding.dimensions[1];
    assert_true(dimension_snap(batch, -3) == batch->coordinates[0]);
    assert_true(dimension_snap(batch, 0.34) == batch->coordinates[1] || dimension_snap(batch, 0.34) == batch->coordinates[0]);
    assert_true(dimension_snap(batch, 0.55) == batch->coordinates[1]);
    assert_true(dimension_snap(batch, 7) == batch->coordinates[2]);
}

static void test_history_keeps_costs_and_finds_configurations(void **state)
{
    struct world *world = *state;
    struct history *history = &world->history;
    struct config a = from_json(world, "{\"act\":\"tanh\",\"batch\":128,\"lr\":0.01,\"one\":3}");
    struct config b = from_json(world, "{\"act\":\"tanh\",\"batch\":64,\"lr\":0.01,\"one\":3}");
    assert_non_null(history_add(history, 1, &a));
    assert_null(history_add(history, 1, &b));
    assert_true(history_has(history, &a));
    assert_false(history_has(history, &b));
    struct outcome outcome = outcome_of(POINT_DONE, 5);
    assert_non_null(history_tell(history, 1, &outcome));
    assert_null(history_tell(history, 1, &outcome));
    assert_null(history_tell(history, 7, &outcome));
    assert_true(observation_cost(history_find(history, 1)) == -5); // maximized
    assert_int_equal(history->pending, 0);
    assert_int_equal(history->done, 1);
    config_release(&a);
    config_release(&b);
}

static void test_history_forgets_what_was_cancelled(void **state)
{
    struct world *world = *state;
    struct history *history = &world->history;
    struct config a = from_json(world, "{\"act\":\"tanh\",\"batch\":128,\"lr\":0.01,\"one\":3}");
    for (uint64_t point = 1; point <= 3; point++)
        history_add(history, point, &a); // the same three times
    struct outcome outcome = {.state = POINT_CANCELLED};
    history_tell(history, 1, &outcome);
    assert_true(history_has(history, &a));
    history_tell(history, 3, &outcome);
    assert_true(history_has(history, &a));
    history_tell(history, 2, &outcome);
    assert_false(history_has(history, &a));
    assert_int_equal(history->count, 0);
    config_release(&a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_encoding_has_a_dimension_for_each_parameter_that_can_vary),
        TEST(test_encoding_orders_numbers_and_counts_categories),
        TEST(test_decoding_gives_the_configuration_back),
        TEST(test_snap_gives_the_nearest_level),
        TEST(test_history_keeps_costs_and_finds_configurations),
        TEST(test_history_forgets_what_was_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
