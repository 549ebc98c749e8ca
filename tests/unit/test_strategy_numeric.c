// Arrays of exponentials and Matérn correlations against libm; projected L-BFGS on functions with known minima.

#include "test_space_build.h"

#include "strategies/lbfgs.h"
#include "strategies/vecmath.h"

#include <math.h>

static void test_vec_exp_agrees_with_libm(void **state)
{
    (void)state;
    double x[1001];
    for (int i = 0; i <= 1000; i++)
        x[i] = -700 + i * 1.4;
    vec_exp(x, 1001);
    for (int i = 0; i <= 1000; i++) {
        double expected = exp(-700 + i * 1.4);
        assert_true(fabs(x[i] - expected) <= 4e-16 * expected);
    }
}

static void test_vec_exp_is_zero_when_it_would_underflow(void **state)
{
    (void)state;
    double x[3] = {-709, -1e300, -(double)INFINITY};
    vec_exp(x, 3);
    for (int i = 0; i < 3; i++)
        assert_true(x[i] == 0);
}

static void test_vec_matern52_agrees_with_its_formula_and_slope(void **state)
{
    (void)state;
    double r2[50], slope[50], scratch[50];
    for (int i = 0; i < 50; i++)
        r2[i] = 0.01 * i * i;
    vec_matern52(r2, slope, 50, scratch);
    for (int i = 0; i < 50; i++) {
        double r = 0.01 * i * i, a = sqrt(5 * r), h = 1e-6 * (1 + r);
        assert_true(fabs(r2[i] - (1 + a + a * a / 3) * exp(-a)) < 1e-15);
        double b = sqrt(5 * (r + h));
        double numeric = ((1 + b + b * b / 3) * exp(-b) - (1 + a + a * a / 3) * exp(-a)) / h;
        assert_true(fabs(slope[i] - numeric) < (i ? 1e-5 : 1e-2));
    }
}

static double rosenbrock(const double *x, double *gradient)
{
    double a = 1 - x[0], b = x[1] - x[0] * x[0];
    gradient[0] = -2 * a - 400 * x[0] * b;
    gradient[1] = 200 * b;
    return a * a + 100 * b * b;
}

static unsigned minimise(double (*function)(const double *, double *), const double *x0, const double *low,
                         const double *high, double *ret, double *ret_value)
{
    struct lbfgs search;
    double gradient[2];
    unsigned evaluations = 0;
    lbfgs_init(&search, 2, x0, low, high, 200, 1e-9);
    do {
        evaluations++;
        for (int i = 0; i < 2; i++)
            assert_true(search.x[i] >= low[i] && search.x[i] <= high[i]);
        *ret_value = function(search.x, gradient);
    } while (lbfgs_step(&search, *ret_value, gradient));
    ret[0] = search.x[0];
    ret[1] = search.x[1];
    *ret_value = search.value;
    lbfgs_release(&search);
    return evaluations;
}

static void test_lbfgs_finds_the_minimum_of_rosenbrock(void **state)
{
    (void)state;
    const double low[2] = {-5, -5}, high[2] = {5, 5}, x0[2] = {-1.2, 1};
    double x[2], value;
    unsigned evaluations = minimise(rosenbrock, x0, low, high, x, &value);
    assert_true(fabs(x[0] - 1) < 1e-6 && fabs(x[1] - 1) < 1e-6);
    assert_true(evaluations < 120);
}

static void test_lbfgs_ends_at_the_bound_when_the_minimum_is_outside(void **state)
{
    (void)state;
    const double low[2] = {-5, -5}, high[2] = {0.5, 5}, x0[2] = {-1.2, 1};
    double x[2], value;
    minimise(rosenbrock, x0, low, high, x, &value);
    assert_true(x[0] == 0.5);
    assert_true(fabs(x[1] - 0.25) < 1e-6);
    assert_true(fabs(value - 0.25) < 1e-9);
}

static double broken(const double *x, double *gradient)
{
    gradient[0] = gradient[1] = 2;
    return x[0] < 0 ? (double)NAN : x[0] + x[1] * x[1];
}

static void test_lbfgs_backs_off_when_a_value_is_not_a_number(void **state)
{
    (void)state;
    const double low[2] = {-5, -5}, high[2] = {5, 5}, x0[2] = {3, 1};
    double x[2], value;
    minimise(broken, x0, low, high, x, &value);
    assert_true(isfinite(value) && value <= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vec_exp_agrees_with_libm),
        cmocka_unit_test(test_vec_exp_is_zero_when_it_would_underflow),
        cmocka_unit_test(test_vec_matern52_agrees_with_its_formula_and_slope),
        cmocka_unit_test(test_lbfgs_finds_the_minimum_of_rosenbrock),
        cmocka_unit_test(test_lbfgs_ends_at_the_bound_when_the_minimum_is_outside),
        cmocka_unit_test(test_lbfgs_backs_off_when_a_value_is_not_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
