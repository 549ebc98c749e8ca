// Stopping rules: against W&B's rule computed the long way, and cases worked by hand; and the ranks under them.

#include "strategies/stopping.h"

#include "base/mem.h"
#include "base/rng.h"
#include "strategies/rank.h"
#include "test_base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- Ranks

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void check_ranks(const struct rank_pool *pool, uint32_t root, const double *values, uint32_t count)
{
    double *sorted = xmemdup(values, (count + 1) * sizeof *values);
    qsort(sorted, count, sizeof *sorted, by_value);
    assert_int_equal(rank_count(pool, root), count);
    for (uint32_t i = 0; i < count; i++)
        assert_true(rank_at(pool, root, i) == sorted[i]);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t below = 0;
        for (uint32_t j = 0; j < count; j++)
            below += values[j] < values[i];
        assert_int_equal(rank_below(pool, root, values[i]), below);
    }
    free(sorted);
}

static void test_rank_agrees_with_a_sorted_list_when_values_come_and_go(void **state)
{
    (void)state;
    enum { MOST = 300 };
    double values[MOST + 1];
    uint32_t nodes[MOST], count = 0, root = 0;
    struct rank_pool pool = {0};
    struct rng rng;
    rng_stream(&rng, 5, "rank", 0);
    for (int turn = 0; turn < 2000; turn++) {
        if (count < MOST && (count == 0 || rng_below(&rng, 5) < 3)) {
            values[count] = rng_below(&rng, 10) == 0 ? (double)INFINITY : (double)rng_below(&rng, 40); // many equal ones
            nodes[count] = rank_insert(&pool, &root, values[count]);
            assert_int_not_equal(nodes[count], 0);
            count++;
        } else {
            uint32_t out = (uint32_t)rng_below(&rng, count);
            rank_remove(&pool, &root, nodes[out]);
            values[out] = values[--count];
            nodes[out] = nodes[count];
        }
        if (turn % 50 == 0)
            check_ranks(&pool, root, values, count);
    }
    assert_true(pool.used <= MOST); // removed nodes are used again
    rank_pool_release(&pool);
}

static void test_rank_quantile_is_interpolated_when_it_lies_between_two(void **state)
{
    (void)state;
    struct rank_pool pool = {0};
    uint32_t root = 0;
    static const double values[] = {4, 1, 3, 2};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        rank_insert(&pool, &root, values[i]);
    assert_true(rank_quantile(&pool, root, 0) == 1 && rank_quantile(&pool, root, 1) == 4);
    assert_true(rank_quantile(&pool, root, 0.5) == 2.5);
    assert_true(rank_quantile(&pool, root, 0.25) == 1.75);
    rank_insert(&pool, &root, (double)INFINITY);
    assert_true(rank_quantile(&pool, root, 0.5) == 3);
    assert_true(rank_quantile(&pool, root, 0.9) == 4); // nothing lies between 4 and infinity
    rank_pool_release(&pool);
}

static void test_rank_refuses_a_value_when_the_pool_is_full(void **state)
{
    (void)state;
    struct rank_pool pool = {0};
    uint32_t root = 0;
    uint32_t node = rank_insert(&pool, &root, 1);
    pool.used = RANK_NODES_MAX;
    assert_int_equal(rank_insert(&pool, &root, 2), 0);
    assert_int_equal(rank_count(&pool, root), 1);
    rank_remove(&pool, &root, node);
    assert_int_not_equal(rank_insert(&pool, &root, 3), 0); // room again
    assert_true(rank_at(&pool, root, 0) == 3);
    rank_pool_release(&pool);
}

// ---- What the tests share

static struct stop_rule rule_of(const char *type)
{
    const struct stop_type *found = stop_find(type);
    assert_non_null(found);
    return stop_rule_of(found);
}

static bool report(struct stopping *stopping, uint64_t run, int64_t step, double value)
{
    struct str why = STR_INIT;
    bool stop = stopping_report(stopping, run, step, value, &why);
    assert_true(stop == (why.len > 0)); // a stop says why, and nothing else does
    str_release(&why);
    return stop;
}

// Whether any but the last of `count` values stops the run, and whether the last does.
static bool report_all(struct stopping *stopping, uint64_t run, const double *values, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++)
        assert_false(report(stopping, run, (int64_t)i, values[i]));
    return report(stopping, run, (int64_t)count - 1, values[count - 1]);
}

#define REPORTS(stopping, run, ...)                                                                                                \
    report_all(stopping, run, (const double[]){__VA_ARGS__}, sizeof((const double[]){__VA_ARGS__}) / sizeof(double))

// ---- W&B's hyperband

static void check_bands(struct stop_rule rule, const int64_t *expected, size_t count)
{
    int64_t bands[STOP_BANDS_MAX];
    size_t found = stop_bands(&rule, bands);
    assert_true(count <= found);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(bands[i], expected[i]);
    for (size_t i = 1; i < found; i++)
        assert_true(bands[i] > bands[i - 1]);
}

static void test_stop_bands_are_wandbs_when_given_by_either_end(void **state)
{
    (void)state;
    struct stop_rule rule = rule_of("hyperband");
    int64_t bands[STOP_BANDS_MAX];
    rule.max_iter = 27;
    rule.s = 2;
    check_bands(rule, (const int64_t[]){3, 9}, 2);
    assert_int_equal(stop_bands(&rule, bands), 2);
    rule.min_iter = 5; // max_iter wins
    check_bands(rule, (const int64_t[]){3, 9}, 2);
    rule.s = 9; // 27 / 3^4 is below 1
    assert_int_equal(stop_bands(&rule, bands), 3);
    rule.max_iter = 2;
    assert_int_equal(stop_bands(&rule, bands), 0);
    rule = rule_of("hyperband");
    rule.min_iter = 2;
    rule.eta = 1.5;
    check_bands(rule, (const int64_t[]){2, 3, 4, 6, 10, 15, 22}, 7);
}

enum { RUNS = 40, LENGTH = 30 };

// W&B's decision for one run that runs now, from the curves of all: values that are not finite are left out, maximize is negated.
static bool wandb_stops(const struct stop_rule *rule, double curves[RUNS][LENGTH], const size_t *lengths, size_t run)
{
    int64_t bands[STOP_BANDS_MAX], band = 0;
    size_t band_count = stop_bands(rule, bands), count = 0;
    double values[RUNS], lowest = INFINITY;
    for (size_t i = 0; i < band_count && bands[i] <= (int64_t)lengths[run]; i++)
        band = bands[i];
    if (!band)
        return false;
    for (size_t i = 0; i < RUNS; i++)
        if ((int64_t)lengths[i] >= band)
            values[count++] = curves[i][band - 1];
    qsort(values, count, sizeof *values, by_value);
    for (size_t i = 0; i < lengths[run]; i++)
        lowest = curves[run][i] < lowest ? curves[run][i] : lowest;
    double threshold = values[(size_t)(1.0 / rule->eta * (double)count)];
    return (rule->strict ? curves[run][band - 1] : lowest) > threshold;
}

static size_t replay(struct stop_rule rule, enum goal goal, uint64_t seed)
{
    static double costs[RUNS][LENGTH];
    size_t lengths[RUNS] = {0}, stops = 0;
    struct stopping *stopping = stopping_new(&rule, goal);
    struct rng rng;
    rng_stream(&rng, seed, "curves", 0);
    for (int i = 0; i < RUNS * 25; i++) {
        size_t run = (size_t)rng_below(&rng, RUNS);
        double cost = floor(8 * rng_normal(&rng)) / 8 + (double)(run % 5); // with equal ones
        if (lengths[run] == LENGTH)
            continue;
        if (rng_below(&rng, 12) == 0) {
            assert_false(report(stopping, run, 0, rng_below(&rng, 2) ? (double)NAN : -(double)INFINITY));
            continue; // no iteration
        }
        costs[run][lengths[run]++] = cost;
        bool expected = wandb_stops(&rule, costs, lengths, run);
        assert_int_equal(report(stopping, run, 0, goal == GOAL_MAXIMIZE ? 0 - cost : cost), expected);
        stops += expected;
    }
    stopping_free(stopping);
    return stops;
}

static void test_stop_hyperband_decides_as_wandb_when_replayed(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct stop_rule rule = rule_of("hyperband");
        rule.strict = i & 1;
        rule.eta = i & 2 ? 3 : 1.5;
        if (i & 4) {
            rule.max_iter = 27;
            rule.s = 3;
        } else {
            rule.min_iter = 2;
        }
        size_t stops = replay(rule, i & 1 ? GOAL_MAXIMIZE : GOAL_MINIMIZE, (uint64_t)i);
        assert_true(stops > 20 && stops < RUNS * 25 - 20); // both answers were compared
    }
}

static void test_stop_hyperband_lets_the_only_run_go_on_when_it_gets_worse(void **state)
{
    (void)state;
    struct stop_rule rule = rule_of("hyperband");
    rule.min_iter = 1;
    struct stopping *stopping = stopping_new(&rule, GOAL_MINIMIZE);
    assert_false(REPORTS(stopping, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9));
    stopping_free(stopping);
}

static void test_stop_hyperband_judges_a_run_again_when_the_threshold_has_sunk(void **state)
{
    (void)state;
    struct stop_rule rule = rule_of("hyperband");
    rule.min_iter = 2;
    struct stopping *stopping = stopping_new(&rule, GOAL_MINIMIZE);
    assert_false(REPORTS(stopping, 1, 9, 5)); // alone at its band
    assert_false(REPORTS(stopping, 2, 9, 4)); // the better of two
    struct str why = STR_INIT;
    assert_true(stopping_report(stopping, 1, 2, 5, &why)); // places 0 and 1 are 4 and 5: int(2 / 3) is 0
    assert_non_null(strstr(str_get(&why), "band 2"));
    assert_non_null(strstr(str_get(&why), "5.0 is above 4.0"));
    assert_non_null(strstr(str_get(&why), "place 1 of the 2 runs"));
    str_release(&why);
    stopping_free(stopping);
}

// ---- ASHA

static struct stopping *asha_at(int64_t min_iter, double eta, int64_t min_trials, bool over_steps, enum goal goal)
{
    struct stop_rule rule = rule_of("asha");
    rule.min_iter = min_iter;
    rule.eta = eta;
    rule.min_trials = min_trials;
    rule.over_steps = over_steps;
    return stopping_new(&rule, goal);
}

static void test_stop_asha_lets_the_best_part_go_on_when_runs_reach_a_rung(void **state)
{
    (void)state;
    struct stopping *stopping = asha_at(2, 2, 1, false, GOAL_MINIMIZE);
    assert_false(REPORTS(stopping, 1, 9, 5));  // the only one: the best
    assert_true(REPORTS(stopping, 2, 1, 6));   // second of 2, one goes on; its first value is not looked at
    assert_false(REPORTS(stopping, 3, 9, 4));  // first of 3
    assert_false(REPORTS(stopping, 4, 9, 4));  // equal to the first: as good
    assert_true(REPORTS(stopping, 5, 9, 4.5)); // third of 5, two go on
    assert_false(report(stopping, 1, 2, 99));  // between rungs nobody is judged
    struct str why = STR_INIT;
    assert_false(stopping_report(stopping, 1, 3, 7, &why)); // rung 4, alone
    assert_false(REPORTS(stopping, 3, 1));
    assert_true(stopping_report(stopping, 3, 3, 8, &why));
    assert_non_null(strstr(str_get(&why), "rung at report 4: its value 8.0 is number 2 of the 2 runs"));
    assert_non_null(strstr(str_get(&why), "the best 1 go on (1/2), up to 7.0"));
    str_release(&why);
    stopping_free(stopping);
}

static void test_stop_asha_waits_for_company_when_min_trials_says_so(void **state)
{
    (void)state;
    struct stopping *stopping = asha_at(1, 2, 4, false, GOAL_MAXIMIZE);
    assert_false(REPORTS(stopping, 1, 3));
    assert_false(REPORTS(stopping, 2, 1));
    assert_false(REPORTS(stopping, 3, 2));
    assert_false(REPORTS(stopping, 4, 2)); // only 3 is better, and two of four go on
    assert_true(REPORTS(stopping, 5, 1.5));
    stopping_free(stopping);
}

static void test_stop_asha_looks_at_steps_when_told_to(void **state)
{
    (void)state;
    struct stopping *stopping = asha_at(10, 10, 1, true, GOAL_MINIMIZE);
    assert_false(report(stopping, 1, 9, 5));
    assert_false(report(stopping, 1, 10, 3));
    assert_false(report(stopping, 2, 0, 9));
    assert_false(report(stopping, 2, 9, 9));
    assert_true(report(stopping, 2, 12, 8)); // past rung 10
    assert_false(report(stopping, 3, 150, 8)); // past two rungs at once: judged at the last, where it is alone
    assert_true(report(stopping, 1, 100, 9));
    stopping_free(stopping);
}

static void test_stop_asha_counts_nan_as_the_worst_when_a_run_diverges(void **state)
{
    (void)state;
    struct stopping *stopping = asha_at(1, 2, 1, false, GOAL_MAXIMIZE);
    assert_false(REPORTS(stopping, 1, -1e300));
    assert_true(REPORTS(stopping, 2, (double)NAN));
    assert_true(REPORTS(stopping, 3, -(double)INFINITY));
    stopping_free(stopping);
}

// ---- Median, percentile

static void test_stop_median_compares_the_best_with_the_others_means_when_enough_came(void **state)
{
    (void)state;
    struct stop_rule rule = rule_of("median");
    rule.min_iter = 2;
    rule.min_trials = 3;
    struct stopping *stopping = stopping_new(&rule, GOAL_MINIMIZE);
    assert_false(REPORTS(stopping, 1, 4, 2));  // mean 3
    assert_false(REPORTS(stopping, 2, 9, 9));  // two are too few to judge by; mean 9
    assert_false(REPORTS(stopping, 3, 6, 4));  // mean 5
    assert_false(REPORTS(stopping, 4, 5, 90)); // best 5, the median of 3, 9, 5 is 5
    struct str why = STR_INIT;
    assert_false(report(stopping, 5, 0, 8)); // before min_iter
    assert_true(stopping_report(stopping, 5, 1, 7.5, &why)); // the median of 3, 5, 9, 47.5 is 7
    assert_non_null(strstr(str_get(&why), "median at report 2: its lowest value so far, 7.5, is above 7.0, the median of the means of the 4 other runs"));
    str_release(&why);
    stopping_free(stopping);
}

static void test_stop_median_leaves_values_that_are_not_finite_out_of_means(void **state)
{
    (void)state;
    struct stop_rule rule = rule_of("median");
    rule.min_iter = 2;
    rule.min_trials = 1;
    struct stopping *stopping = stopping_new(&rule, GOAL_MAXIMIZE);
    assert_false(REPORTS(stopping, 1, (double)NAN, 6)); // mean 6
    assert_false(REPORTS(stopping, 2, 5, 7));
    assert_true(REPORTS(stopping, 3, 5.5, (double)NAN)); // best 5.5, below the median of 6 and 6
    assert_true(REPORTS(stopping, 4, (double)NAN, (double)NAN));
    stopping_free(stopping);
}

static void test_stop_percentile_keeps_that_part_when_others_are_known(void **state)
{
    (void)state;
    struct stop_rule rule = rule_of("percentile");
    rule.percentile = 25;
    rule.interval = 2;
    rule.min_trials = 5;
    struct stopping *stopping = stopping_new(&rule, GOAL_MINIMIZE);
    for (uint64_t run = 1; run <= 5; run++)
        assert_false(report(stopping, run, 0, (double)run)); // 1 to 5: their 25th percentile is 2
    assert_false(report(stopping, 6, 0, 2));
    assert_true(report(stopping, 7, 0, 2.1));
    assert_false(report(stopping, 7, 1, 2.1)); // the next check is at report 3
    stopping_free(stopping);
}

// ---- Threshold, patience

static void test_stop_threshold_stops_what_leaves_the_range_when_warmed_up(void **state)
{
    (void)state;
    struct stop_rule rule = rule_of("threshold");
    rule.above = 10;
    rule.below = -1;
    rule.min_iter = 2;
    struct stopping *stopping = stopping_new(&rule, GOAL_MAXIMIZE);
    struct str why = STR_INIT;
    assert_false(report(stopping, 1, 0, 99)); // before min_iter
    assert_false(report(stopping, 1, 1, 10));
    assert_true(stopping_report(stopping, 1, 2, 11, &why));
    assert_non_null(strstr(str_get(&why), "threshold at report 3: its value is 11.0, above the limit 10.0"));
    assert_true(report(stopping, 1, 3, -2));
    assert_true(report(stopping, 1, 4, (double)NAN));
    assert_true(report(stopping, 1, 5, (double)INFINITY));
    assert_false(report(stopping, 2, 0, (double)NAN)); // each run on its own
    str_release(&why);
    stopping_free(stopping);
}

static void test_stop_patience_ends_a_run_when_it_improves_no_more(void **state)
{
    (void)state;
    struct stop_rule rule = rule_of("patience");
    rule.patience = 2;
    rule.min_delta = 0.5;
    struct stopping *stopping = stopping_new(&rule, GOAL_MAXIMIZE);
    struct str why = STR_INIT;
    assert_false(REPORTS(stopping, 1, 1, 1.4, 1.6, 2));
    assert_true(stopping_report(stopping, 1, 4, 2.1, &why)); // 1.6 was the last that was better by more than 0.5
    assert_non_null(strstr(str_get(&why), "no value better than 1.6 by more than 0.5 for 2 reports"));
    assert_false(report(stopping, 1, 5, 2.2)); // better by 0.6
    assert_true(REPORTS(stopping, 2, (double)NAN, (double)NAN));
    str_release(&why);
    stopping_free(stopping);
}

static void test_stop_patience_counts_steps_when_told_to(void **state)
{
    (void)state;
    struct stop_rule rule = rule_of("patience");
    rule.patience = 100;
    rule.over_steps = true;
    rule.min_iter = 700;
    struct stopping *stopping = stopping_new(&rule, GOAL_MINIMIZE);
    assert_false(report(stopping, 1, 500, 1));
    assert_false(report(stopping, 1, 650, 1)); // 150 without, but before min_iter
    assert_false(report(stopping, 1, 700, 0.5));
    assert_false(report(stopping, 1, 799, 0.5));
    assert_false(report(stopping, 1, 0, 0.5)); // a step that goes back
    assert_true(report(stopping, 1, 800, 0.5));
    stopping_free(stopping);
}

// ---- Beginning anew, restoring

static void test_stop_forgets_a_run_when_it_begins_anew(void **state)
{
    (void)state;
    struct stopping *stopping = asha_at(1, 2, 1, false, GOAL_MINIMIZE);
    assert_false(REPORTS(stopping, 1, 1));
    assert_true(REPORTS(stopping, 2, 2));
    stopping_restart(stopping, 1);
    stopping_restart(stopping, 7); // never seen
    assert_false(report(stopping, 3, 0, 1.5)); // the better of 2 and 1.5
    assert_true(report(stopping, 1, 0, 1.7));  // its first report again, and not the best
    stopping_free(stopping);
}

static void test_stop_keeps_what_ended_runs_reported_when_they_are_over(void **state)
{
    (void)state;
    struct stopping *stopping = asha_at(1, 2, 1, false, GOAL_MINIMIZE);
    assert_false(REPORTS(stopping, 1, 1));
    stopping_end(stopping, 1);
    assert_true(REPORTS(stopping, 2, 2));
    stopping_restart(stopping, 1); // run again by hand: its old value goes
    stopping_end(stopping, 1);
    assert_false(REPORTS(stopping, 3, 1.5));
    stopping_free(stopping);
}

// Every rule says the same after the curves were told run by run instead of as they came.
static void test_stop_decides_the_same_when_restored_in_another_order(void **state)
{
    (void)state;
    for (const struct stop_type *type = stop_types(); type->name; type++) {
        struct stop_rule rule = stop_rule_of(type);
        struct rng rng;
        double values[RUNS][LENGTH];
        size_t stops = 0;
        rule.min_iter = rule.min_iter ? rule.min_iter : 1;
        rule.above = 2;
        rng_stream(&rng, 11, type->name, 0);
        struct stopping *live = stopping_new(&rule, GOAL_MINIMIZE), *restored = stopping_new(&rule, GOAL_MINIMIZE);
        struct str why = STR_INIT, again = STR_INIT;
        for (size_t step = 0; step < LENGTH; step++) {
            for (size_t run = 0; run < RUNS; run++) {
                values[run][step] = rng_normal(&rng);
                stopping_report(live, run, (int64_t)step, values[run][step], &why);
            }
        }
        for (size_t run = RUNS; run-- > 0;)
            for (size_t step = 0; step < LENGTH; step++)
                stopping_report(restored, run, (int64_t)step, values[run][step], &again);
        for (size_t i = 0; i < 200; i++) {
            uint64_t run = rng_below(&rng, RUNS + 20);
            double value = rng_normal(&rng);
            str_clear(&why);
            str_clear(&again);
            stops += stopping_report(live, run, 0, value, &why);
            stopping_report(restored, run, 0, value, &again);
            assert_string_equal(str_get(&why), str_get(&again));
        }
        assert_true(stops > 0);
        str_release(&why);
        str_release(&again);
        stopping_free(live);
        stopping_free(restored);
    }
}

static void test_stop_options_keep_what_is_set_when_read_back(void **state)
{
    (void)state;
    for (const struct stop_type *type = stop_types(); type->name; type++) {
        struct stop_rule rule = stop_rule_of(type);
        for (const struct strategy_option *option = type->options; option->name; option++) {
            struct value value = {.kind = VALUE_INT, .integer = 7};
            if (option->kind == OPTION_FLOAT)
                value = (struct value){.kind = VALUE_FLOAT, .number = 7.5};
            else if (option->kind == OPTION_BOOL)
                value = (struct value){.kind = VALUE_BOOL, .boolean = false};
            else if (option->kind == OPTION_WORD)
                value = (struct value){.kind = VALUE_STRING, .text = (char *)option->words[1]};
            stop_rule_set(&rule, option->name, &value);
        }
        for (const struct strategy_option *option = type->options; option->name; option++) {
            struct value value = stop_rule_get(&rule, option->name);
            assert_true(option->kind != OPTION_INT || (value.kind == VALUE_INT && value.integer == 7));
            assert_true(option->kind != OPTION_FLOAT || (value.kind == VALUE_FLOAT && value.number == 7.5));
            assert_true(option->kind != OPTION_BOOL || (value.kind == VALUE_BOOL && !value.boolean));
            assert_true(option->kind != OPTION_WORD || strcmp(value.text, option->words[1]) == 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rank_agrees_with_a_sorted_list_when_values_come_and_go),
        cmocka_unit_test(test_rank_quantile_is_interpolated_when_it_lies_between_two),
        cmocka_unit_test(test_rank_refuses_a_value_when_the_pool_is_full),
        cmocka_unit_test(test_stop_bands_are_wandbs_when_given_by_either_end),
        cmocka_unit_test(test_stop_hyperband_decides_as_wandb_when_replayed),
        cmocka_unit_test(test_stop_hyperband_lets_the_only_run_go_on_when_it_gets_worse),
        cmocka_unit_test(test_stop_hyperband_judges_a_run_again_when_the_threshold_has_sunk),
        cmocka_unit_test(test_stop_asha_lets_the_best_part_go_on_when_runs_reach_a_rung),
        cmocka_unit_test(test_stop_asha_waits_for_company_when_min_trials_says_so),
        cmocka_unit_test(test_stop_asha_looks_at_steps_when_told_to),
        cmocka_unit_test(test_stop_asha_counts_nan_as_the_worst_when_a_run_diverges),
        cmocka_unit_test(test_stop_median_compares_the_best_with_the_others_means_when_enough_came),
        cmocka_unit_test(test_stop_median_leaves_values_that_are_not_finite_out_of_means),
        cmocka_unit_test(test_stop_percentile_keeps_that_part_when_others_are_known),
        cmocka_unit_test(test_stop_threshold_stops_what_leaves_the_range_when_warmed_up),
        cmocka_unit_test(test_stop_patience_ends_a_run_when_it_improves_no_more),
        cmocka_unit_test(test_stop_patience_counts_steps_when_told_to),
        cmocka_unit_test(test_stop_forgets_a_run_when_it_begins_anew),
        cmocka_unit_test(test_stop_keeps_what_ended_runs_reported_when_they_are_over),
        cmocka_unit_test(test_stop_decides_the_same_when_restored_in_another_order),
        cmocka_unit_test(test_stop_options_keep_what_is_set_when_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
