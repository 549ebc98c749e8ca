// Sobol: published points, even coverage of elementary intervals with and without scrambling,
// discrepancy.

#include "test_strategy_build.h"

#include "strategies/sobol_sequence.h"

#include <math.h>

// The points that the program of Joe and Kuo prints for 10 dimensions.
static void test_sobol_sequence_is_the_published_one_when_not_scrambled(void **state)
{
    (void)state;
    static const double published[][10] = {
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
        {0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5},
        {0.75, 0.25, 0.25, 0.25, 0.75, 0.75, 0.25, 0.75, 0.75, 0.75},
        {0.25, 0.75, 0.75, 0.75, 0.25, 0.25, 0.75, 0.25, 0.25, 0.25},
        {0.375, 0.375, 0.625, 0.875, 0.375, 0.125, 0.375, 0.875, 0.875, 0.625},
        {0.875, 0.875, 0.125, 0.375, 0.875, 0.625, 0.875, 0.375, 0.375, 0.125},
        {0.625, 0.125, 0.875, 0.625, 0.625, 0.875, 0.125, 0.125, 0.125, 0.375},
        {0.125, 0.625, 0.375, 0.125, 0.125, 0.375, 0.625, 0.625, 0.625, 0.875},
    };
    struct sobol_sequence sequence;
    double point[10];
    sobol_sequence_init(&sequence, 10, false, 0);
    for (size_t i = 0; i < ARRAY_LEN(published); i++) {
        sobol_sequence_at(&sequence, i, point);
        for (size_t d = 0; d < 10; d++)
            if (point[d] != published[i][d])
                fail_msg("point %zu, dimension %zu: %.17g", i, d, point[d]);
    }
    sobol_sequence_release(&sequence);
}

// One point in each of 2^m intervals, for every dimension of the table.
static void check_one_dimension(bool scramble)
{
    enum { M = 8, N = 1 << M };
    struct sobol_sequence sequence;
    sobol_sequence_init(&sequence, sobol_dimensions_max, scramble, 7);
    double *points = xcalloc(N * sobol_dimensions_max, sizeof *points);
    for (uint64_t i = 0; i < N; i++)
        sobol_sequence_at(&sequence, i + 3 * N, points + i * sobol_dimensions_max);
    for (size_t d = 0; d < sobol_dimensions_max; d++) {
        bool seen[N] = {false};
        for (size_t i = 0; i < N; i++) {
            double x = points[i * sobol_dimensions_max + d];
            assert_true(x >= 0 && x < 1);
            size_t interval = (size_t)(x * N);
            assert_false(seen[interval]);
            seen[interval] = true;
        }
    }
    free(points);
    sobol_sequence_release(&sequence);
}

static void test_sobol_sequence_fills_each_interval_once_when_in_one_dimension(void **state)
{
    (void)state;
    assert_int_equal(sobol_dimensions_max, 1024);
    check_one_dimension(false);
    check_one_dimension(true);
}

// Dimensions 1 and 2 are a (0, m, 2)-net: one point in each 2^-a by 2^-(m-a) box.
static void test_sobol_sequence_fills_each_box_once_when_in_two_dimensions(void **state)
{
    (void)state;
    enum { M = 10, N = 1 << M };
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct sobol_sequence sequence;
        double points[N][2];
        sobol_sequence_init(&sequence, 2, seed > 0, seed);
        for (uint64_t i = 0; i < N; i++)
            sobol_sequence_at(&sequence, i + N, points[i]);
        for (unsigned a = 0; a <= M; a++) {
            bool seen[N] = {false};
            for (size_t i = 0; i < N; i++) {
                size_t x = (size_t)ldexp(points[i][0], (int)a);
                size_t y = (size_t)ldexp(points[i][1], (int)(M - a));
                size_t box = x << (M - a) | y;
                assert_false(seen[box]);
                seen[box] = true;
            }
        }
        sobol_sequence_release(&sequence);
    }
}

// Star discrepancy in two dimensions, by the corners that the points span (exact up to 1/N).
static double star_discrepancy(double (*points)[2], size_t count)
{
    double worst = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            double x = points[i][0], y = points[k][1];
            size_t inside = 0;
            for (size_t j = 0; j < count; j++)
                inside += points[j][0] < x && points[j][1] < y;
            worst = fmax(worst, fabs((double)inside / (double)count - x * y));
        }
    }
    return worst;
}

static void test_sobol_discrepancy_is_far_below_random_when_scrambled(void **state)
{
    (void)state;
    enum { N = 256 };
    double sobol = 0, random = 0;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct sobol_sequence sequence;
        double points[N][2];
        struct rng rng;
        sobol_sequence_init(&sequence, 2, true, seed);
        for (uint64_t i = 0; i < N; i++)
            sobol_sequence_at(&sequence, i, points[i]);
        sobol += star_discrepancy(points, N);
        rng_stream(&rng, seed, "test", 0);
        for (size_t i = 0; i < N; i++) {
            points[i][0] = rng_double(&rng);
            points[i][1] = rng_double(&rng);
        }
        random += star_discrepancy(points, N);
        sobol_sequence_release(&sequence);
    }
    if (!(sobol < random / 3))
        fail_msg("sobol %.4f, random %.4f", sobol / 4, random / 4);
}

static void test_sobol_scramble_differs_when_the_seed_does(void **state)
{
    (void)state;
    struct space *space = space_new();
    add(space, range_param("x", DIST_UNIFORM, 0, 1));
    add(space, constant_param("c", "1"));
    add(space, range_param("y", DIST_UNIFORM, 0, 1));
    seal(space);
    assert_seek_continues("sobol", &(struct strategy_setup){.space = space, .seed = 9}, 100);
    struct strategy *a = made("sobol", &(struct strategy_setup){.space = space, .seed = 1});
    struct strategy *b = made("sobol", &(struct strategy_setup){.space = space, .seed = 2});
    struct config first = asked(a, 0), second = asked(b, 0);
    assert_false(config_equal(&first, &second));
    config_release(&first);
    config_release(&second);
    strategy_free(a);
    strategy_free(b);
    struct strategy_setting plain = {.name = "scramble",
                                     .value = {.kind = VALUE_BOOL, .boolean = false}};
    a = made("sobol",
             &(struct strategy_setup){.space = space, .settings = &plain, .setting_count = 1});
    assert_int_equal(strategy_seek(a, 2, NULL), 0);
    first = asked(a, 0); // constants take no dimension
    assert_config(space, &first, "{\"c\":1,\"x\":0.75,\"y\":0.25}");
    config_release(&first);
    strategy_free(a);
    space_free(space);
}

static void test_sobol_fills_choices_evenly_when_categorical(void **state)
{
    (void)state;
    struct space *space = space_new();
    add(space, choice_param("a", "[0,1,2,3]"));
    add(space, int_param("b", 0, 7));
    seal(space);
    struct strategy *strategy = made("sobol", &(struct strategy_setup){.space = space, .seed = 3});
    int counts[4][8] = {{0}};
    for (uint64_t i = 0; i < 64; i++) {
        struct config config = asked(strategy, i);
        counts[config.values[0].integer][config.values[1].integer]++;
        config_release(&config);
    }
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < 8; b++)
            assert_int_equal(counts[a][b], 2);
    strategy_free(strategy);
    space_free(space);
}

static void test_sobol_passes_over_points_when_constrained(void **state)
{
    (void)state;
    struct space *space = space_new();
    add(space, range_param("x", DIST_UNIFORM, 0, 1));
    add(space, range_param("y", DIST_UNIFORM, 0, 1));
    constrain(space, "x < y");
    seal(space);
    assert_seek_continues("sobol", &(struct strategy_setup){.space = space, .seed = 9}, 100);
    struct strategy *strategy = made("sobol", &(struct strategy_setup){.space = space, .seed = 9});
    for (uint64_t i = 0; i < 512; i++) {
        struct config config = asked(strategy, i);
        assert_true(config.values[0].number < config.values[1].number);
        config_release(&config);
    }
    uint64_t cursor = strategy_cursor(strategy);
    assert_true(cursor > 1000 && cursor < 1050); // half of the square
    strategy_free(strategy);
    space_free(space);
}

static void test_sobol_draws_the_rest_when_beyond_the_table(void **state)
{
    (void)state;
    struct space *space = space_new();
    for (int i = 0; i < 1030; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%04d", i);
        add(space, range_param(name, DIST_UNIFORM, 0, 1));
    }
    seal(space);
    assert_seek_continues("sobol", &(struct strategy_setup){.space = space, .seed = 9}, 3);
    struct strategy *strategy = made("sobol", &(struct strategy_setup){.space = space, .seed = 9});
    double sum = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        struct config config = asked(strategy, i);
        sum += config.values[1029].number;
        config_release(&config);
    }
    assert_true(fabs(sum / 1000 - 0.5) < 0.05); // 5.5 standard errors
    strategy_free(strategy);
    space_free(space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sobol_sequence_is_the_published_one_when_not_scrambled),
        cmocka_unit_test(test_sobol_sequence_fills_each_interval_once_when_in_one_dimension),
        cmocka_unit_test(test_sobol_sequence_fills_each_box_once_when_in_two_dimensions),
        cmocka_unit_test(test_sobol_discrepancy_is_far_below_random_when_scrambled),
        cmocka_unit_test(test_sobol_scramble_differs_when_the_seed_does),
        cmocka_unit_test(test_sobol_fills_choices_evenly_when_categorical),
        cmocka_unit_test(test_sobol_passes_over_points_when_constrained),
        cmocka_unit_test(test_sobol_draws_the_rest_when_beyond_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
