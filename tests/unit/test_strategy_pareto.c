// Dominance, non-dominated sorting, hypervolume, the front: against definitions computed the long way, and known fronts.

#include "strategies/pareto.h"

#include "base/mem.h"
#include "base/rng.h"
#include "strategies/strategy.h"
#include "test_base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Ranks by the definition: peel off what nothing left dominates.
static uint32_t ranks_by_peeling(const double *costs, size_t n, size_t m, uint32_t *ranks)
{
    uint32_t rank = 0;
    size_t left = n;
    for (size_t i = 0; i < n; i++)
        ranks[i] = UINT32_MAX;
    for (; left > 0; rank++) {
        bool *front = xcalloc(n, sizeof *front);
        for (size_t i = 0; i < n; i++) {
            front[i] = ranks[i] == UINT32_MAX;
            for (size_t j = 0; j < n && front[i]; j++)
                if (ranks[j] == UINT32_MAX && pareto_dominates(costs + j * m, costs + i * m, m))
                    front[i] = false;
        }
        for (size_t i = 0; i < n; i++) {
            ranks[i] = front[i] ? rank : ranks[i];
            left -= front[i];
        }
        free(front);
    }
    return rank;
}

// Hypervolume by inclusion and exclusion over all sets of points.
static double volume_by_inclusion(const double *costs, size_t n, size_t m, const double *reference)
{
    double total = 0;
    for (uint32_t set = 1; set < 1u << n; set++) {
        double product = 1;
        int sign = -1;
        for (size_t k = 0; k < m; k++) {
            double corner = -(double)INFINITY;
            for (size_t i = 0; i < n; i++)
                if (set >> i & 1)
                    corner = fmax(corner, costs[i * m + k]);
            product *= fmax(0, reference[k] - corner);
        }
        for (size_t i = 0; i < n; i++)
            sign = set >> i & 1 ? -sign : sign;
        total += sign * product;
    }
    return total;
}

static double volume(const double *costs, size_t n, size_t m, const double *reference)
{
    double got = -1;
    assert_true(pareto_hypervolume(costs, n, m, reference, 0, &got));
    return got;
}

static void fill(struct rng *rng, double *costs, size_t count, uint64_t levels)
{
    for (size_t i = 0; i < count; i++)
        costs[i] = levels ? (double)rng_below(rng, levels) : rng_double(rng);
}

static void test_pareto_dominates_as_defined_when_equal_better_or_not_a_number(void **state)
{
    (void)state;
    static const struct {
        double a[2], b[2];
        bool expected;
    } cases[] = {
        {{1, 2}, {1, 2}, false},        {{1, 2}, {1, 3}, true},
        {{1, 3}, {1, 2}, false},        {{0, 4}, {1, 2}, false},
        {{0, NAN}, {1, NAN}, true},     {{NAN, 0}, {1, 2}, false},
        {{1, 2}, {NAN, 2}, true},       {{-INFINITY, 2}, {1, 2}, true},
        {{0.0, 1}, {-0.0, 1}, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(pareto_dominates(cases[i].a, cases[i].b, 2), cases[i].expected);
}

static void test_pareto_ranks_are_those_of_peeling_when_points_are_random(void **state)
{
    (void)state;
    struct rng rng;
    rng_stream(&rng, 1, "test pareto ranks", 0);
    for (size_t m = 1; m <= OBJECTIVES_MAX; m++)
        for (int round = 0; round < 30; round++) {
            size_t n = 1 + rng_below(&rng, 120);
            double *costs = xcalloc(n * m, sizeof *costs);
            uint32_t *ranks = xcalloc(n, sizeof *ranks), *expected = xcalloc(n, sizeof *expected);
            fill(&rng, costs, n * m, round % 3 ? 1 + rng_below(&rng, 9) : 0); // few levels: many equal points
            if (round % 5 == 0)
                costs[rng_below(&rng, n * m)] = round % 2 ? (double)NAN : -(double)INFINITY;
            assert_int_equal(pareto_ranks(costs, n, m, ranks), ranks_by_peeling(costs, n, m, expected));
            assert_memory_equal(ranks, expected, n * sizeof *ranks);
            free(costs);
            free(ranks);
            free(expected);
        }
}

static void test_pareto_ranks_count_shells_when_there_are_a_hundred_thousand(void **state)
{
    (void)state;
    // 100 fronts of 1000 points each on lines x + y = c: each point of a line is dominated by one of the line below.
    size_t n = 100000;
    double *costs = xcalloc(2 * n, sizeof *costs);
    uint32_t *ranks = xcalloc(n, sizeof *ranks);
    for (size_t i = 0; i < n; i++) {
        size_t at = i * 7919 % n; // not in order
        costs[2 * at] = (double)(i % 1000) + (double)(i / 1000);
        costs[2 * at + 1] = 1000.0 - (double)(i % 1000) + (double)(i / 1000);
    }
    assert_int_equal(pareto_ranks(costs, n, 2, ranks), 100);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(ranks[i * 7919 % n], i / 1000);
    assert_int_equal(pareto_ranks(costs, 0, 2, ranks), 0);
    free(costs);
    free(ranks);
}

static void test_pareto_hypervolume_is_known_when_the_front_is(void **state)
{
    (void)state;
    const double stairs[] = {1, 3, 2, 2, 3, 1, 3, 3, 2, 2}, reference[] = {4, 4, 4, 4, 4, 4, 4, 4};
    assert_true(volume(stairs, 5, 2, reference) == 6);       // 3 + 2 + 1
    assert_true(volume(stairs, 10, 1, reference) == 3);      // the least is 1
    assert_true(volume(stairs, 0, 2, reference) == 0);
    const double cube[] = {1, 1, 3, 1, 3, 1, 3, 1, 1};
    assert_true(volume(cube, 3, 3, reference) == 19);        // 27 - 8: three of 9, minus three of 3, plus 1
    const double outside[] = {4, 0, 5, 0, NAN, 0, 3, 3, 0, INFINITY};
    assert_true(volume(outside, 5, 2, reference) == 1);
    const double endless[] = {-INFINITY, 0, 1, 1};
    assert_true(isinf(volume(endless, 2, 2, reference)));
    const double edge[] = {-INFINITY, 4};
    assert_true(volume(edge, 1, 2, reference) == 0);
}

static void test_pareto_hypervolume_is_that_of_inclusion_and_exclusion_when_points_are_random(void **state)
{
    (void)state;
    struct rng rng;
    const double reference[] = {1, 1, 1, 0.9, 1, 1, 1, 1};
    rng_stream(&rng, 1, "test pareto volume", 0);
    for (size_t m = 1; m <= OBJECTIVES_MAX; m++)
        for (int round = 0; round < 20; round++) {
            double costs[12 * OBJECTIVES_MAX];
            size_t n = 1 + rng_below(&rng, 12);
            fill(&rng, costs, n * m, 0);
            for (size_t i = 0; round % 2 && i < n * m; i++)
                costs[i] = floor(costs[i] * 4) / 4; // equal coordinates
            double expected = volume_by_inclusion(costs, n, m, reference);
            double got = volume(costs, n, m, reference);
            if (fabs(got - expected) > 1e-12)
                fail_msg("m %zu, n %zu: %.17g instead of %.17g", m, n, got, expected);
        }
}

static void test_pareto_hypervolume_meets_monte_carlo_when_there_are_many_points(void **state)
{
    (void)state;
    enum { N = 60, DRAWS = 200000 };
    struct rng rng;
    const double reference[] = {1, 1, 1, 1, 1};
    rng_stream(&rng, 1, "test pareto draws", 0);
    for (size_t m = 3; m <= 5; m++) {
        double costs[N * 5], draw[5];
        uint32_t inside = 0;
        fill(&rng, costs, N * m, 0);
        for (int i = 0; i < DRAWS; i++) {
            bool hit = false;
            fill(&rng, draw, m, 0);
            for (size_t p = 0; p < N && !hit; p++)
                hit = pareto_dominates(costs + p * m, draw, m);
            inside += hit;
        }
        assert_true(fabs(volume(costs, N, m, reference) - (double)inside / DRAWS) < 5 * 0.5 / sqrt(DRAWS));
    }
}

static void test_pareto_hypervolume_nears_the_integral_when_the_front_is_zdt1s(void **state)
{
    (void)state;
    // ZDT1: f2 = 1 - sqrt(f1); below (1.1, 1.1) lies 1.21 without the 1/3 under the curve: 0.87666...
    double exact = 1.1 * 1.1 - (1.0 - 2.0 / 3.0), *costs = xcalloc(2 * 20001, sizeof *costs);
    const double reference[] = {1.1, 1.1};
    double last = 0;
    for (size_t n = 20; n <= 20000; n *= 10) {
        for (size_t i = 0; i <= n; i++) {
            costs[2 * i] = (double)i / (double)n;
            costs[2 * i + 1] = 1 - sqrt(costs[2 * i]);
        }
        double got = volume(costs, n + 1, 2, reference);
        assert_true(got > last && got < exact);
        last = got;
    }
    assert_true(exact - last < 1e-4);
    free(costs);
}

static void test_pareto_hypervolume_gives_up_when_it_would_work_too_long(void **state)
{
    (void)state;
    enum { N = 200, M = 8 };
    struct rng rng;
    double *costs = xcalloc(N * M, sizeof *costs), got = -1, reference[M];
    rng_stream(&rng, 1, "test pareto work", 0);
    fill(&rng, costs, N * M, 0);
    for (size_t k = 0; k < M; k++)
        reference[k] = 1;
    assert_false(pareto_hypervolume(costs, N, M, reference, 100000, &got));
    assert_true(got == -1);
    assert_true(pareto_hypervolume(costs, 10, M, reference, 10000000, &got));
    assert_true(got > 0 && got < 1);
    free(costs);
}

static void test_pareto_front_holds_rank_zero_when_points_come_one_by_one(void **state)
{
    (void)state;
    struct rng rng;
    rng_stream(&rng, 1, "test pareto front", 0);
    for (size_t m = 1; m <= 4; m++) {
        double costs[200 * 4];
        uint32_t ranks[200];
        struct pareto_front front;
        pareto_front_init(&front, m);
        fill(&rng, costs, 200 * m, 12); // some equal: the first of them stays
        for (size_t i = 0; i < 200; i++)
            pareto_front_add(&front, i, costs + i * m);
        pareto_ranks(costs, 200, m, ranks);
        size_t expected = 0;
        for (size_t i = 0; i < 200; i++) {
            bool first = ranks[i] == 0;
            for (size_t j = 0; j < i && first; j++)
                first = memcmp(costs + i * m, costs + j * m, m * sizeof *costs) != 0;
            if (!first)
                continue;
            assert_true(expected < front.count && front.ids[expected] == i);
            assert_memory_equal(front.costs + expected * m, costs + i * m, m * sizeof *costs);
            expected++;
        }
        assert_int_equal(front.count, expected);
        assert_int_equal(front.seen, 200);
        assert_true(front.worst[0] == 11);
        pareto_front_release(&front);
    }
}

static void test_pareto_front_takes_no_point_when_it_is_not_a_number(void **state)
{
    (void)state;
    struct pareto_front front;
    pareto_front_init(&front, 2);
    assert_false(pareto_front_add(&front, 1, (const double[]){NAN, 0}));
    assert_int_equal(front.count, 0);
    assert_true(pareto_front_add(&front, 2, (const double[]){INFINITY, 0}));
    assert_true(isinf(front.worst[0]) && front.worst[0] < 0 && front.worst[1] == 0);
    assert_true(pareto_front_add(&front, 3, (const double[]){5, 0}));
    assert_int_equal(front.count, 1);
    assert_int_equal(front.ids[0], 3);
    pareto_front_release(&front);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pareto_dominates_as_defined_when_equal_better_or_not_a_number),
        cmocka_unit_test(test_pareto_ranks_are_those_of_peeling_when_points_are_random),
        cmocka_unit_test(test_pareto_ranks_count_shells_when_there_are_a_hundred_thousand),
        cmocka_unit_test(test_pareto_hypervolume_is_known_when_the_front_is),
        cmocka_unit_test(test_pareto_hypervolume_is_that_of_inclusion_and_exclusion_when_points_are_random),
        cmocka_unit_test(test_pareto_hypervolume_meets_monte_carlo_when_there_are_many_points),
        cmocka_unit_test(test_pareto_hypervolume_nears_the_integral_when_the_front_is_zdt1s),
        cmocka_unit_test(test_pareto_hypervolume_gives_up_when_it_would_work_too_long),
        cmocka_unit_test(test_pareto_front_holds_rank_zero_when_points_come_one_by_one),
        cmocka_unit_test(test_pareto_front_takes_no_point_when_it_is_not_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
