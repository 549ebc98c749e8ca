// Distribution functions and the random streams on top of them. Expected values were computed with 50 digits.

#include "test_base.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/stats.h"

#include <float.h>
#include <math.h>
#include <string.h>

static void close_to(double value, double expected, double tolerance, const char *what)
{
    if (!(fabs(value - expected) <= tolerance * fabs(expected)))
        fail_msg("%s: %.17g instead of %.17g", what, value, expected);
}

static void test_norm_cdf_keeps_its_digits_when_the_tail_is_far(void **state)
{
    (void)state;
    static const double cases[][2] = {{-37, 5.72557122252457682e-300}, {-20, 2.7536241186062337e-89},
                                      {-8, 6.22096057427178412e-16},   {-1, 0.158655253931457051},
                                      {0, 0.5},                        {0.5, 0.691462461274013104},
                                      {3, 0.998650101968369905}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        close_to(norm_cdf(cases[i][0]), cases[i][1], 1e-15, "norm_cdf");
    assert_true(norm_cdf((double)INFINITY) == 1 && norm_cdf(-(double)INFINITY) == 0 && norm_cdf(-1e300) == 0);
    assert_true(isnan(norm_cdf((double)NAN)));
}

static void test_norm_inverse_cdf_is_exact_to_the_last_digits_when_u_is_in_each_range(void **state)
{
    (void)state;
    static const double cases[][2] = {{1e-300, -37.0470962993611992}, {1e-20, -9.26234008979840758},
                                      {0.001, -3.09023230616781354},  {0.025, -1.95996398454005421},
                                      {0.075, -1.43953147093845593},  {0.3, -0.524400512708040816},
                                      {0.5, 0},                       {0.925, 1.43953147093845623},
                                      {0.999, 3.09023230616781328}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        close_to(norm_inverse_cdf(cases[i][0]), cases[i][1], 1e-15, "norm_inverse_cdf");
}

static void test_norm_inverse_cdf_names_the_case_when_u_is_at_or_over_the_edge(void **state)
{
    (void)state;
    assert_true(norm_inverse_cdf(0) == -(double)INFINITY && norm_inverse_cdf(1) == (double)INFINITY);
    assert_true(isnan(norm_inverse_cdf(-0.1)) && isnan(norm_inverse_cdf(1.1)) && isnan(norm_inverse_cdf((double)NAN)));
    assert_true(isfinite(norm_inverse_cdf(5e-324)) && isfinite(norm_inverse_cdf(1 - DBL_EPSILON / 2)));
}

static void test_norm_inverse_cdf_rises_when_u_does(void **state)
{
    (void)state;
    double last = -(double)INFINITY;
    for (int i = 1; i < 4096; i++) {
        double x = norm_inverse_cdf(i / 4096.0);
        assert_true(x > last);
        assert_true(x == -norm_inverse_cdf(1 - i / 4096.0));
        last = x;
    }
}

static void test_beta_cdf_agrees_with_the_integral_when_shapes_vary(void **state)
{
    (void)state;
    static const double cases[][5] = {{0.25, 2, 5, 0.466064453125, 1e-14},
                                      {0.1, 0.5, 0.5, 0.204832764699133458, 1e-14},
                                      {1e-9, 2, 5, 1.49999999600000019e-17, 1e-14},
                                      {0.9, 5, 1, 0.590490000000000073, 1e-14},
                                      {0.003, 3, 1000, 0.57849076213047357, 1e-12},
                                      {0.5, 300, 300, 0.5, 1e-12},
                                      {1e-50, 0.01, 0.01, 0.158139519546859734, 1e-14}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        close_to(beta_cdf(cases[i][0], cases[i][1], cases[i][2]), cases[i][3], cases[i][4], "beta_cdf");
    assert_true(beta_cdf(0, 2, 3) == 0 && beta_cdf(1, 2, 3) == 1 && beta_cdf(-1, 2, 3) == 0 && beta_cdf(2, 2, 3) == 1);
    assert_true(isnan(beta_cdf((double)NAN, 2, 3)));
}

static void test_beta_inverse_cdf_finds_the_point_when_it_is_next_to_zero(void **state)
{
    (void)state;
    static const double cases[][5] = {{0.5, 2, 5, 0.264449983295659962, 1e-14},
                                      {0.1, 0.5, 0.5, 0.0244717418524232166, 1e-14},
                                      {0.25, 0.01, 1, 6.22301527786115967e-61, 1e-12},
                                      {0.05, 0.01, 0.01, 9.83918061493619463e-101, 1e-12},
                                      {0.9, 3, 1000, 0.00530289719187953085, 1e-12}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        close_to(beta_inverse_cdf(cases[i][0], cases[i][1], cases[i][2]), cases[i][3], cases[i][4], "beta_inverse_cdf");
    assert_true(beta_inverse_cdf(0.1, 0.001, 1) == 0); // 1e-1000
    assert_true(beta_inverse_cdf(0, 2, 3) == 0 && beta_inverse_cdf(1, 2, 3) == 1);
    assert_true(isnan(beta_inverse_cdf((double)NAN, 2, 3)));
}

static void test_beta_inverse_cdf_is_undone_by_beta_cdf_when_shapes_are_random(void **state)
{
    (void)state;
    struct rng rng;
    rng_stream(&rng, 3, "beta", 0);
    for (int i = 0; i < 5000; i++) {
        double a = exp(8 * rng_double(&rng) - 2), b = exp(8 * rng_double(&rng) - 2), u = rng_double(&rng);
        double x = beta_inverse_cdf(u, a, b);
        assert_true(x >= 0 && x <= 1);
        // x is rounded: the point before and the point behind hold u between them
        double below = beta_cdf(nextafter(x, 0), a, b), above = beta_cdf(nextafter(x, 1), a, b);
        if (!(below - 1e-11 <= u && u <= above + 1e-11))
            fail_msg("u %.17g a %.17g b %.17g: x %.17g", u, a, b, x);
    }
}

// Computed from the published definitions of PCG64 (XSL-RR 128/64), SplitMix64 and FNV-1a by a program in another
// language: the numbers of a stream are the same on every machine and in every version.
static void test_rng_stream_gives_the_stored_numbers_when_versions_change(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed;
        const char *name;
        uint64_t index, draws[3];
    } cases[] = {
        {0, "", 0, {0x3415028c0a145971u, 0x468240c7d62b8c0du, 0x1095bb5b61f379cfu}},
        {7, "sample", 0, {0x090613003721943eu, 0xa2c8041320fb4b58u, 0x8f15f21fa388cc3bu}},
        {7, "sample", 1, {0x234fd6f98119882au, 0x8ae54933d8436464u, 0xae634890edb54b99u}},
        {UINT64_MAX, "sobol", UINT64_MAX, {0x08bb782bb972f673u, 0x8ba6ebfdf73aa999u, 0x245a67b697558149u}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rng rng;
        rng_stream(&rng, cases[i].seed, cases[i].name, cases[i].index);
        for (size_t k = 0; k < 3; k++)
            assert_true(rng_u64(&rng) == cases[i].draws[k]);
    }
}

static void test_rng_goes_on_alike_when_it_is_copied(void **state)
{
    (void)state;
    struct rng rng;
    rng_stream(&rng, 5, "copy", 2);
    rng_u64(&rng);
    struct rng copy = rng;
    for (int i = 0; i < 10; i++)
        assert_true(rng_u64(&rng) == rng_u64(&copy));
}

static void test_rng_streams_differ_when_any_part_of_the_name_does(void **state)
{
    (void)state;
    enum { COUNT = 4000 };
    static uint64_t first[COUNT];
    for (uint64_t i = 0; i < COUNT; i++) {
        struct rng rng;
        rng_stream(&rng, i % 2, i % 4 < 2 ? "a" : "b", i / 4);
        first[i] = rng_u64(&rng);
        for (uint64_t k = 0; k < i; k++)
            assert_true(first[k] != first[i]);
    }
}

static void test_rng_first_draws_are_uniform_when_streams_are_neighbours(void **state)
{
    (void)state;
    enum { BINS = 64, COUNT = 64000 };
    size_t bins[BINS] = {0};
    for (uint64_t i = 0; i < COUNT; i++) {
        struct rng rng;
        rng_stream(&rng, 11, "trial", i);
        double u = rng_double(&rng);
        assert_true(u >= 0 && u < 1);
        bins[(size_t)(u * BINS)]++;
    }
    double chi2 = 0;
    for (size_t i = 0; i < BINS; i++)
        chi2 += ((double)bins[i] - 1000) * ((double)bins[i] - 1000) / 1000;
    assert_true(chi2 > 30 && chi2 < 110); // 63 degrees of freedom: both ends beyond 1 in 5,000
}

static void test_rng_below_is_unbiased_when_the_bound_is_no_power_of_two(void **state)
{
    (void)state;
    struct rng rng;
    rng_stream(&rng, 2, "below", 0);
    size_t counts[6] = {0};
    for (int i = 0; i < 60000; i++)
        counts[rng_below(&rng, 6)]++;
    for (size_t i = 0; i < 6; i++)
        assert_true(counts[i] > 9600 && counts[i] < 10400);
    const uint64_t bound = (UINT64_C(1) << 63) + 1; // plain scaling would give every second value twice
    size_t low = 0;
    for (int i = 0; i < 20000; i++) {
        uint64_t draw = rng_below(&rng, bound);
        assert_true(draw < bound);
        low += draw < bound / 2;
        assert_int_equal(rng_below(&rng, 1), 0);
    }
    assert_true(low > 9600 && low < 10400);
}

static void test_rng_normal_has_its_moments_when_drawn_often(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct rng rng;
    rng_stream(&rng, 4, "normal", 0);
    double sum = 0, squares = 0, fourths = 0;
    for (int i = 0; i < COUNT; i++) {
        double x = rng_normal(&rng);
        sum += x;
        squares += x * x;
        fourths += x * x * x * x;
    }
    assert_true(fabs(sum / COUNT) < 0.015 && fabs(squares / COUNT - 1) < 0.02 && fabs(fourths / COUNT - 3) < 0.15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_norm_cdf_keeps_its_digits_when_the_tail_is_far),
        cmocka_unit_test(test_norm_inverse_cdf_is_exact_to_the_last_digits_when_u_is_in_each_range),
        cmocka_unit_test(test_norm_inverse_cdf_names_the_case_when_u_is_at_or_over_the_edge),
        cmocka_unit_test(test_norm_inverse_cdf_rises_when_u_does),
        cmocka_unit_test(test_beta_cdf_agrees_with_the_integral_when_shapes_vary),
        cmocka_unit_test(test_beta_inverse_cdf_finds_the_point_when_it_is_next_to_zero),
        cmocka_unit_test(test_beta_inverse_cdf_is_undone_by_beta_cdf_when_shapes_are_random),
        cmocka_unit_test(test_rng_stream_gives_the_stored_numbers_when_versions_change),
        cmocka_unit_test(test_rng_goes_on_alike_when_it_is_copied),
        cmocka_unit_test(test_rng_streams_differ_when_any_part_of_the_name_does),
        cmocka_unit_test(test_rng_first_draws_are_uniform_when_streams_are_neighbours),
        cmocka_unit_test(test_rng_below_is_unbiased_when_the_bound_is_no_power_of_two),
        cmocka_unit_test(test_rng_normal_has_its_moments_when_drawn_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
