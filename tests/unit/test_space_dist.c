// Distributions: W&B's formulas, multiples of q inside the bounds, round trips, W&B's grids.

#include "test_space_build.h"

#include "base/stats.h"

#include <math.h>

static double at(const struct param *param, double u)
{
    struct value value;
    double x;
    param_from_unit(param, u, &value);
    assert_true(value_number(&value, &x));
    value_release(&value);
    return x;
}

static void test_dist_parse_reads_every_name_when_printed(void **state)
{
    (void)state;
    for (int i = 0; i < DIST_COUNT; i++) {
        enum dist dist = DIST_COUNT;
        assert_true(dist_parse(dist_name((enum dist)i), &dist));
        assert_int_equal(dist, i);
    }
    enum dist dist;
    assert_false(dist_parse("unifrom", &dist));
}

// The formulas of params.py, at points that are exact.
static void test_param_from_unit_is_wandbs_formula_when_continuous(void **state)
{
    (void)state;
    const double u = 0.3, eps = 1e-12;
    struct param p = range_param("p", DIST_UNIFORM, -2, 8);
    assert_true(fabs(at(&p, u) - 1) < eps);
    p.dist = DIST_LOG_UNIFORM;
    assert_true(fabs(at(&p, u) - exp(1)) < eps);
    p.dist = DIST_INV_LOG_UNIFORM;
    assert_true(fabs(at(&p, u) - exp(-(-2 + (1 - u) * 10))) < eps);
    p.min = 0.01;
    p.max = 100;
    p.dist = DIST_LOG_UNIFORM_VALUES;
    assert_true(fabs(at(&p, u) - exp(log(0.01) + u * (log(100) - log(0.01)))) < eps);
    p.dist = DIST_INV_LOG_UNIFORM_VALUES;
    assert_true(fabs(at(&p, u) - exp(-(-log(100) + (1 - u) * (log(100) - log(0.01))))) < eps);
    p.mu = 5;
    p.sigma = 2;
    p.dist = DIST_NORMAL;
    assert_true(fabs(at(&p, u) - (5 + 2 * norm_inverse_cdf(u))) < eps);
    assert_true(isfinite(at(&p, 0)));
    p.dist = DIST_LOG_NORMAL;
    assert_true(fabs(at(&p, u) / exp(5 + 2 * norm_inverse_cdf(u)) - 1) < eps);
    assert_true(at(&p, 0) > 0);
    p.a = 1;
    p.b = 3;
    p.dist = DIST_BETA; // Beta(1, 3): 1 - (1 - x)^3
    assert_true(fabs(at(&p, u) - (1 - cbrt(1 - u))) < 1e-10);
    param_release(&p);
}

static void test_param_from_unit_stays_inside_when_at_the_ends(void **state)
{
    (void)state;
    static const enum dist dists[] = {DIST_UNIFORM, DIST_LOG_UNIFORM_VALUES,
                                      DIST_INV_LOG_UNIFORM_VALUES};
    for (size_t i = 0; i < ARRAY_LEN(dists); i++) {
        struct param p = range_param("p", dists[i], 0.1, 0.3);
        const double us[] = {0, 0x1p-53, 0.5, 1 - 0x1p-53};
        for (size_t k = 0; k < ARRAY_LEN(us); k++) {
            struct value value;
            param_from_unit(&p, us[k], &value);
            assert_true(value.number >= 0.1 && value.number <= 0.3);
            assert_true(param_contains(&p, &value));
        }
        param_release(&p);
    }
    struct param wide = range_param("p", DIST_UNIFORM, -1.5e308, 1.5e308);
    assert_true(isfinite(at(&wide, 0.9)));
    param_release(&wide);
}

static void test_param_from_unit_gives_even_shares_when_discrete(void **state)
{
    (void)state;
    struct param integer = int_param("n", -2, 5);
    struct param choice = choice_param("c", "[10,20,30,40,50,60,70,80]");
    for (int i = 0; i < 64; i++) {
        assert_true(at(&integer, i / 64.0) == -2 + i / 8);
        assert_true(at(&choice, i / 64.0) == 10 * (i / 8 + 1));
    }
    assert_true(at(&integer, 1 - 0x1p-53) == 5);
    param_release(&integer);
    param_release(&choice);
    struct param all = int_param("n", INT64_MIN, INT64_MAX);
    struct value value;
    param_from_unit(&all, 0, &value);
    assert_true(value.integer == INT64_MIN);
    param_from_unit(&all, 0.5, &value);
    assert_true(value.integer == 0);
    assert_true(param_cardinality(&all) == UINT64_MAX);
    param_release(&all);
}

static void test_param_from_unit_follows_probabilities_when_given(void **state)
{
    (void)state;
    static const double weights[] = {0.2, 0, 0.5, 0.3};
    struct param p = choice_param("c", "[1,2,3,4]");
    p.dist = DIST_CATEGORICAL_P;
    p.probabilities = xmemdup(weights, sizeof weights);
    assert_true(at(&p, 0) == 1);
    assert_true(at(&p, 0.1999) == 1);
    assert_true(at(&p, 0.2) == 3);
    assert_true(at(&p, 0.6999) == 3);
    assert_true(at(&p, 0.7001) == 4);
    assert_true(at(&p, 1 - 0x1p-53) == 4);
    struct value never = {.kind = VALUE_INT, .integer = 2};
    assert_false(param_contains(&p, &never));
    assert_true(isnan(param_to_unit(&p, &never)));
    assert_true(param_cardinality(&p) == 3);
    assert_true(param_grid_count(&p) == 0);
    param_release(&p);
}

static void test_param_q_gives_multiples_inside_when_bounds_are_not(void **state)
{
    (void)state;
    struct param p = q_param("p", DIST_Q_UNIFORM, 1, 10, 4, true);
    bool seen[11] = {false};
    for (int i = 0; i < 100; i++) {
        struct value value;
        param_from_unit(&p, i / 100.0, &value);
        assert_int_equal(value.kind, VALUE_INT);
        seen[value.integer] = true;
    }
    for (int i = 0; i <= 10; i++)
        assert_int_equal(seen[i], i == 4 || i == 8);
    assert_true(param_cardinality(&p) == 2);
    param_release(&p);
}

static void test_param_q_gives_the_nearest_bound_when_no_multiple_fits(void **state)
{
    (void)state;
    struct param p = q_param("p", DIST_Q_UNIFORM, 5, 7, 4, true);
    assert_true(at(&p, 0.1) == 5); // towards 4
    assert_true(at(&p, 0.9) == 7); // towards 8
    assert_true(param_cardinality(&p) == 2);
    struct value five = {.kind = VALUE_INT, .integer = 5}, six = {.kind = VALUE_INT, .integer = 6};
    assert_true(param_contains(&p, &five));
    assert_false(param_contains(&p, &six));
    param_release(&p);
}

static void test_param_q_is_the_bound_itself_when_a_multiple_rounds_past_it(void **state)
{
    (void)state;
    struct param p = q_param("p", DIST_Q_UNIFORM, 0.1, 0.3, 0.1, false);
    assert_true(at(&p, 1 - 0x1p-53) == 0.3); // not 0.30000000000000004
    assert_true(at(&p, 0) == 0.1);
    assert_true(param_cardinality(&p) == 3);
    param_release(&p);
    struct param log_q = q_param("p", DIST_Q_LOG_UNIFORM_VALUES, 16, 256, 16, true);
    assert_true(at(&log_q, 0) == 16 && at(&log_q, 0.9999) == 256);
    assert_true(param_cardinality(&log_q) == 16);
    param_release(&log_q);
    struct param beta = q_param("p", DIST_Q_BETA, 0, 0, 0.25, false);
    assert_true(param_cardinality(&beta) == 5);
    param_release(&beta);
    struct param normal = q_param("p", DIST_Q_NORMAL, 0, 0, 2, true);
    assert_true(param_cardinality(&normal) == 0);
    assert_true(at(&normal, 0.5) == 0 && at(&normal, norm_cdf(2.5)) == 2);
    param_release(&normal);
}

static struct param random_param(struct rng *rng, enum dist dist)
{
    double low = rng_double(rng) * 4 + 0.01, high = low + rng_double(rng) * 20 + 0.5;
    if (dist == DIST_INT_UNIFORM)
        return int_param("p", (int64_t)(low * 10) - 100, (int64_t)(high * 10));
    if (dist == DIST_CONSTANT)
        return constant_param("p", "[1,{\"a\":null}]");
    if (dist == DIST_CATEGORICAL || dist == DIST_CATEGORICAL_P) {
        struct param param = choice_param("p", "[1,\"a\",null,true,0.5,[1,2],1.0,{\"k\":\"v\"}]");
        param.dist = dist;
        if (dist == DIST_CATEGORICAL_P) {
            param.probabilities = xcalloc(param.value_count, sizeof(double));
            for (size_t i = 0; i < param.value_count; i++)
                param.probabilities[i] = 1.0 / (double)param.value_count;
        }
        return param;
    }
    struct param param = range_param("p", dist, low, high);
    param.mu = low;
    param.sigma = rng_double(rng) + 0.1;
    param.a = low;
    param.b = rng_double(rng) * 3 + 0.2;
    param.q = dist == DIST_Q_BETA ? 0.05 : 0.25 + 0.25 * floor(rng_double(rng) * 4);
    if (dist == DIST_LOG_UNIFORM || dist == DIST_Q_LOG_UNIFORM || dist == DIST_INV_LOG_UNIFORM)
        param.max = low + 2;
    return param;
}

// value → unit → value is the identity; unit → value → unit is where the value is continuous.
static void test_param_units_round_trip_when_any_distribution(void **state)
{
    (void)state;
    struct rng rng;
    rng_stream(&rng, 1, "test", 0);
    for (int i = 0; i < DIST_COUNT * 400; i++) {
        enum dist dist = (enum dist)(i % DIST_COUNT);
        struct param param = random_param(&rng, dist);
        double u = 0.001 + 0.998 * rng_double(&rng);
        struct value value, again;
        param_from_unit(&param, u, &value);
        assert_true(param_contains(&param, &value));
        double unit = param_to_unit(&param, &value);
        assert_true(unit >= 0 && unit <= 1);
        param_from_unit(&param, unit, &again);
        double x = 0, y = 1;
        if (param_cardinality(&param) > 0 || dist == DIST_Q_NORMAL || dist == DIST_Q_LOG_NORMAL) {
            if (!value_equal(&value, &again))
                fail_msg("%s at %.17g: unit %.17g", dist_name(dist), u, unit);
        } else {
            assert_true(fabs(unit - u) < 1e-9);
            assert_true(value_number(&value, &x) && value_number(&again, &y));
            assert_true(fabs(x - y) <= 1e-8 * fabs(x) + 1e-300);
        }
        value_release(&value);
        value_release(&again);
        param_release(&param);
    }
}

static void test_param_contains_refuses_when_outside(void **state)
{
    (void)state;
    static const struct {
        enum dist dist;
        const char *json;
        bool inside;
    } cases[] = {
        {DIST_UNIFORM, "2", true},        {DIST_UNIFORM, "4.5", false},
        {DIST_UNIFORM, "true", false},    {DIST_UNIFORM, "\"2\"", false},
        {DIST_UNIFORM, "NaN", false},     {DIST_UNIFORM, "null", false},
        {DIST_NORMAL, "-1e9", true},      {DIST_NORMAL, "Infinity", false},
        {DIST_LOG_NORMAL, "-1", false},   {DIST_BETA, "0.5", true},
        {DIST_BETA, "1.5", false},        {DIST_Q_UNIFORM, "1.5", true},
        {DIST_Q_UNIFORM, "1.6", false},   {DIST_Q_UNIFORM, "4.5", false},
        {DIST_LOG_UNIFORM, "54.0", true}, {DIST_LOG_UNIFORM, "55.0", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct param p = q_param("p", cases[i].dist, 1, 4, 0.5, false);
        struct value value = json_value(cases[i].json);
        if (param_contains(&p, &value) != cases[i].inside)
            fail_msg("%s %s", dist_name(cases[i].dist), cases[i].json);
        assert_int_equal(!isnan(param_to_unit(&p, &value)), cases[i].inside);
        value_release(&value);
        param_release(&p);
    }
}

static void test_param_grid_is_arange_when_q_uniform(void **state)
{
    (void)state;
    static const struct {
        double min, max, q;
        bool ints;
        const char *expected;
    } cases[] = {
        {1, 10, 4, true, "1 5 9 "},
        {0, 10, 5, true, "0 5 "},
        {0, 0.3, 0.1, false, "0.0 0.1 0.2 "},
        {1, 1.3, 0.1, false, "1.0 1.1 1.2000000000000002 1.3000000000000003 "}, // as NumPy has it
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct param p =
            q_param("p", DIST_Q_UNIFORM, cases[i].min, cases[i].max, cases[i].q, cases[i].ints);
        struct str text = STR_INIT;
        for (uint64_t k = 0; k < param_grid_count(&p); k++) {
            struct value value;
            param_grid_value(&p, k, &value);
            value_write_python(&text, &value);
            str_addch(&text, ' ');
            assert_true(param_contains(&p, &value));
        }
        assert_string_equal(str_get(&text), cases[i].expected);
        str_release(&text);
        param_release(&p);
    }
}

static void test_param_cardinality_collapses_when_values_repeat(void **state)
{
    (void)state;
    struct param p = choice_param("c", "[1,\"1\",1.0,true,3000000,3e6,null,NaN,NaN,[1],[1.0]]");
    static const char *const expected[] = {"1", "\"1\"", "true", "3000000", "null", "NaN", "[1]"};
    assert_true(param_cardinality(&p) == ARRAY_LEN(expected));
    assert_true(param_grid_count(&p) == ARRAY_LEN(expected));
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        struct value value;
        struct str text = STR_INIT;
        param_value_at(&p, i, &value);
        value_write_json(&text, &value);
        assert_string_equal(str_get(&text), expected[i]);
        str_release(&text);
        value_release(&value);
    }
    param_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dist_parse_reads_every_name_when_printed),
        cmocka_unit_test(test_param_from_unit_is_wandbs_formula_when_continuous),
        cmocka_unit_test(test_param_from_unit_stays_inside_when_at_the_ends),
        cmocka_unit_test(test_param_from_unit_gives_even_shares_when_discrete),
        cmocka_unit_test(test_param_from_unit_follows_probabilities_when_given),
        cmocka_unit_test(test_param_q_gives_multiples_inside_when_bounds_are_not),
        cmocka_unit_test(test_param_q_gives_the_nearest_bound_when_no_multiple_fits),
        cmocka_unit_test(test_param_q_is_the_bound_itself_when_a_multiple_rounds_past_it),
        cmocka_unit_test(test_param_units_round_trip_when_any_distribution),
        cmocka_unit_test(test_param_contains_refuses_when_outside),
        cmocka_unit_test(test_param_grid_is_arange_when_q_uniform),
        cmocka_unit_test(test_param_cardinality_collapses_when_values_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
