// What a strategy is told of a point: one pure function of its repeats, whatever the order in which they ended.

#include "controller/core/change.h"

#include "base/mem.h"
#include "base/rng.h"
#include "test_base.h"

#include <float.h>
#include <math.h>
#include <string.h>

static struct repeat done(uint32_t number, double first, double second)
{
    return (struct repeat){.number = number, .state = TRIAL_DONE, .values = {.has = {true, true}, .at = {first, second}}};
}

static void test_outcome_has_mean_and_sample_variance_of_each_objective_when_repeats_are_done(void **state)
{
    (void)state;
    struct repeat repeats[] = {done(2, 4, -1), done(0, 1, -1), done(1, 1, -1)};
    struct outcome outcome = repeats_outcome(repeats, 3, 2);
    assert_int_equal(outcome.state, POINT_DONE);
    assert_int_equal(outcome.value_count, 3);
    assert_true(outcome.values[0] == 2 && outcome.variances[0] == 3);
    assert_true(outcome.values[1] == -1 && outcome.variances[1] == 0);
    assert_true(outcome.values[2] == 0 && outcome.variances[2] == 0);
}

static void test_outcome_is_the_same_to_the_bit_when_repeats_end_in_any_order(void **state)
{
    (void)state;
    enum { COUNT = 17 };
    struct repeat repeats[COUNT];
    struct rng rng;
    rng_stream(&rng, 1, "test outcome", 0);
    for (uint32_t i = 0; i < COUNT; i++)
        repeats[i] = done(i, exp(40 * rng_double(&rng)), rng_double(&rng) - 0.5);
    struct outcome first = repeats_outcome(repeats, COUNT, 2);
    double other_order = 0;
    for (size_t i = COUNT; i-- > 0;)
        other_order += repeats[i].values.at[0];
    assert_true(other_order / COUNT != first.values[0]); // so the order does matter here
    for (int round = 0; round < 50; round++) {
        for (size_t i = COUNT; i-- > 1;) {
            size_t j = rng_below(&rng, i + 1);
            struct repeat swap = repeats[i];
            repeats[i] = repeats[j];
            repeats[j] = swap;
        }
        struct outcome again = repeats_outcome(repeats, COUNT, 2);
        assert_memory_equal(again.values, first.values, sizeof first.values);
        assert_memory_equal(again.variances, first.variances, sizeof first.variances);
    }
}

static void test_outcome_leaves_out_repeats_when_they_failed_or_lack_an_objective(void **state)
{
    (void)state;
    struct repeat repeats[] = {done(0, 1, 10), done(1, 5, 50), done(2, 3, 20), done(3, 7, 70), done(4, 9, 90)};
    repeats[1].state = TRIAL_FAILED;
    repeats[3].values.has[1] = false;
    repeats[3].state = TRIAL_STOPPED;
    repeats[4].state = TRIAL_CANCELLED;
    struct outcome outcome = repeats_outcome(repeats, 5, 2);
    assert_int_equal(outcome.state, POINT_STOPPED);
    assert_int_equal(outcome.value_count, 2);
    assert_true(outcome.values[0] == 2 && outcome.values[1] == 15 && outcome.variances[0] == 2 && outcome.variances[1] == 50);
}

static void test_outcome_is_finite_in_variance_when_values_are_not(void **state)
{
    (void)state;
    static const struct {
        double a, b, mean, variance;
    } cases[] = {
        {1, NAN, NAN, 0},
        {1, INFINITY, INFINITY, 0},
        {INFINITY, -INFINITY, NAN, 0},
        {-INFINITY, -INFINITY, -INFINITY, 0},
        {DBL_MAX, DBL_MAX, DBL_MAX, 0}, // the sum is no number
        {DBL_MAX, -DBL_MAX, 0, DBL_MAX},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct repeat repeats[] = {done(0, cases[i].a, 0), done(1, cases[i].b, 0)};
        struct outcome outcome = repeats_outcome(repeats, 2, 1);
        assert_int_equal(outcome.value_count, 2);
        assert_true(outcome.variances[0] == cases[i].variance);
        assert_true(isnan(cases[i].mean) ? isnan(outcome.values[0]) : outcome.values[0] == cases[i].mean);
    }
}

static void test_outcome_has_the_state_that_tells_most_when_no_repeat_counts(void **state)
{
    (void)state;
    static const struct {
        enum trial_state a, b;
        size_t objective_count;
        enum point_state expected;
    } cases[] = {
        {TRIAL_FAILED, TRIAL_FAILED, 1, POINT_FAILED},   {TRIAL_FAILED, TRIAL_CANCELLED, 1, POINT_CANCELLED},
        {TRIAL_STOPPED, TRIAL_FAILED, 1, POINT_STOPPED}, {TRIAL_DONE, TRIAL_FAILED, 0, POINT_DONE},
        {TRIAL_FAILED, TRIAL_FAILED, 0, POINT_FAILED},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct repeat repeats[] = {{.number = 0, .state = cases[i].a}, {.number = 1, .state = cases[i].b}};
        struct outcome outcome = repeats_outcome(repeats, 2, cases[i].objective_count);
        assert_int_equal(outcome.state, cases[i].expected);
        assert_int_equal(outcome.value_count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcome_has_mean_and_sample_variance_of_each_objective_when_repeats_are_done),
        cmocka_unit_test(test_outcome_is_the_same_to_the_bit_when_repeats_end_in_any_order),
        cmocka_unit_test(test_outcome_leaves_out_repeats_when_they_failed_or_lack_an_objective),
        cmocka_unit_test(test_outcome_is_finite_in_variance_when_values_are_not),
        cmocka_unit_test(test_outcome_has_the_state_that_tells_most_when_no_repeat_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
