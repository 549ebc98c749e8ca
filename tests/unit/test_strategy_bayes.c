// Bayesian optimisation: the Gaussian process against slow formulas, gradients against differences, transformations and acquisitions
// against known values, and the strategy in every situation that breaks such methods.

#include "test_strategy_build.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/stats.h"
#include "spec/spec.h"
#include "strategies/acquisition.h"
#include "strategies/gp.h"
#include "strategies/history.h"
#include "strategies/warp.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// ---- The Gaussian process

#define ROWS 12
#define PI 3.14159265358979323846

static const struct feature features[3] = {{FEATURE_NUMBER, 0}, {FEATURE_NUMBER, 1}, {FEATURE_CODE, 2}};
static const struct gp_prior prior = {.mu = 0.5, .sigma = 1.2};

static void fill_gp(struct gp *gp)
{
    struct rng rng;
    rng_stream(&rng, 5, "test.gp", 0);
    gp_init(gp, features, 3, 3, ROWS + 2, &prior);
    for (int i = 0; i < ROWS; i++) {
        double x[3] = {rng_double(&rng), rng_double(&rng), (double)rng_below(&rng, 3)};
        gp_add(gp, x, sin(5 * x[0]) + x[1] + 0.3 * x[2], i % 3 == 0 ? 2 : 1);
    }
    gp->log_scales[0] = log(0.4);
    gp->log_scales[1] = log(0.9);
    gp->log_scales[2] = log(1.3);
    gp->log_signal = log(1.5);
    gp->log_noise = log(0.02);
}

static double slow_covariance(const struct gp *gp, const double *a, const double *b)
{
    double r2 = 0;
    for (int f = 0; f < 3; f++) {
        double scale = exp(gp->log_scales[f]), d = f == 2 ? (a[f] != b[f]) : a[f] - b[f];
        r2 += d * d / (scale * scale);
    }
    double s = sqrt(5 * r2);
    return exp(gp->log_signal) * (1 + s + s * s / 3) * exp(-s);
}

// Solves A x = b by Gaussian elimination with pivots; returns the logarithm of the determinant.
static double slow_solve(size_t n, double *a, double *b)
{
    double log_determinant = 0;
    for (size_t k = 0; k < n; k++) {
        size_t pivot = k;
        for (size_t i = k + 1; i < n; i++)
            if (fabs(a[i * n + k]) > fabs(a[pivot * n + k]))
                pivot = i;
        for (size_t j = 0; j < n; j++) {
            double t = a[k * n + j];
            a[k * n + j] = a[pivot * n + j];
            a[pivot * n + j] = t;
        }
        double t = b[k];
        b[k] = b[pivot];
        b[pivot] = t;
        log_determinant += log(fabs(a[k * n + k]));
        for (size_t i = k + 1; i < n; i++) {
            double factor = a[i * n + k] / a[k * n + k];
            for (size_t j = k; j < n; j++)
                a[i * n + j] -= factor * a[k * n + j];
            b[i] -= factor * b[k];
        }
    }
    for (size_t k = n; k-- > 0;) {
        for (size_t j = k + 1; j < n; j++)
            b[k] -= a[k * n + j] * b[j];
        b[k] /= a[k * n + k];
    }
    return log_determinant;
}

static void row_of(const struct gp *gp, size_t i, double *ret)
{
    for (size_t f = 0; f < 3; f++)
        ret[f] = gp->x[f * gp->capacity + i];
}

static double slow_matrix_solve(const struct gp *gp, double *b)
{
    double matrix[ROWS * ROWS], x[3], y[3];
    for (size_t i = 0; i < ROWS; i++) {
        row_of(gp, i, x);
        for (size_t j = 0; j < ROWS; j++) {
            row_of(gp, j, y);
            matrix[i * ROWS + j] = slow_covariance(gp, x, y) + (i == j ? exp(gp->log_noise) / gp->weight[i] : 0);
        }
    }
    return slow_solve(ROWS, matrix, b);
}

static void test_gp_predicts_as_the_formulas_say(void **state)
{
    (void)state;
    struct gp gp;
    fill_gp(&gp);
    assert_true(gp_factor(&gp));
    double ones[ROWS], y[ROWS], top = 0, bottom = 0, point[3] = {0.3, 0.6, 1}, mean, variance, work[ROWS + 2];
    for (size_t i = 0; i < ROWS; i++)
        ones[i] = 1;
    slow_matrix_solve(&gp, ones);
    for (size_t i = 0; i < ROWS; i++) {
        top += ones[i] * gp.y[i];
        bottom += ones[i];
    }
    assert_true(fabs(gp.mean - top / bottom) < 1e-10);
    double k[ROWS], x[3], expected = gp.mean, explained = 0, solved[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        row_of(&gp, i, x);
        k[i] = solved[i] = slow_covariance(&gp, point, x);
        y[i] = gp.y[i] - gp.mean;
    }
    slow_matrix_solve(&gp, y);
    slow_matrix_solve(&gp, solved);
    for (size_t i = 0; i < ROWS; i++) {
        expected += k[i] * y[i];
        explained += k[i] * solved[i];
    }
    gp_predict(&gp, point, 1, &mean, &variance, work);
    assert_true(fabs(mean - expected) < 1e-10);
    assert_true(fabs(variance - (exp(gp.log_signal) - explained)) < 1e-10);
    gp_release(&gp);
}

static void test_gp_loss_is_the_posterior_of_the_hyperparameters(void **state)
{
    (void)state;
    struct gp gp;
    fill_gp(&gp);
    struct gp_fit_work *work = gp_fit_work_new(&gp);
    double loss = gp_loss(&gp, &prior, work, NULL), y[ROWS], solved[ROWS], expected = 0;
    for (size_t i = 0; i < ROWS; i++)
        y[i] = solved[i] = gp.y[i] - gp.mean;
    expected = 0.5 * slow_matrix_solve(&gp, solved);
    for (size_t i = 0; i < ROWS; i++)
        expected += 0.5 * y[i] * solved[i];
    for (size_t i = 0; i < 3; i++) {
        double z = (gp.log_scales[i] - prior.mu) / prior.sigma;
        expected += 0.5 * z * z + gp.log_scales[i];
    }
    expected += 1.5 - log(1.5) + 30 * 0.02 - 0.1 * log(0.02);
    assert_true(fabs(loss - expected) < 1e-9);
    gp_fit_work_free(work);
    gp_release(&gp);
}

static void check_loss_gradient(const struct gp_prior *given)
{
    struct gp gp;
    fill_gp(&gp);
    struct gp_fit_work *work = gp_fit_work_new(&gp);
    double gradient[5], *theta[5] = {&gp.log_scales[0], &gp.log_scales[1], &gp.log_scales[2], &gp.log_signal, &gp.log_noise};
    gp_loss(&gp, given, work, gradient);
    for (int i = 0; i < 5; i++) {
        double before = *theta[i], h = 1e-5;
        *theta[i] = before + h;
        double above = gp_loss(&gp, given, work, NULL);
        *theta[i] = before - h;
        double below = gp_loss(&gp, given, work, NULL);
        *theta[i] = before;
        assert_true(fabs(gradient[i] - (above - below) / (2 * h)) < 1e-5 * (1 + fabs(gradient[i])));
    }
    gp_fit_work_free(work);
    gp_release(&gp);
}

static void test_gp_gradient_of_the_loss_agrees_with_differences(void **state)
{
    (void)state;
    check_loss_gradient(&prior);
    check_loss_gradient(&(struct gp_prior){.mu = 1, .sigma = 1, .pull = 0.3});
}

static void test_gp_gradient_of_acquisitions_agrees_with_differences(void **state)
{
    (void)state;
    struct gp gp;
    fill_gp(&gp);
    assert_true(gp_factor(&gp));
    gp_invert(&gp);
    const struct acquisition kinds[] = {{ACQUISITION_CONFIDENCE, 1.8, 0}, {ACQUISITION_LOG_EI, 0, 0.1}, {ACQUISITION_LOG_EI, 0, -40}};
    for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++) {
        double point[3] = {0.37, 0.61, 2}, mean, variance, by_mean, by_variance, gradient[3];
        double work[3 * (ROWS + 2)], scratch[ROWS + 2];
        struct gp_slopes slopes;
        gp_predict_slopes(&gp, point, 1, &mean, &variance, work, &slopes);
        acquisition_value(&kinds[kind], mean, variance, &by_mean, &by_variance);
        gp_gradient(&gp, &slopes, 0, point, by_mean, by_variance, gradient, scratch);
        assert_true(gradient[2] == 0);
        for (int f = 0; f < 2; f++) {
            double value[2], at[3] = {point[0], point[1], point[2]}, h = 1e-6;
            for (int side = 0; side < 2; side++) {
                at[f] = point[f] + (side ? h : -h);
                gp_predict(&gp, at, 1, &mean, &variance, work);
                value[side] = acquisition_value(&kinds[kind], mean, variance, NULL, NULL);
            }
            double numeric = (value[1] - value[0]) / (2 * h);
            assert_true(fabs(gradient[f] - numeric) < 1e-4 * (1 + fabs(numeric)));
        }
    }
    gp_release(&gp);
}

static void test_gp_append_equals_a_new_factor_and_keeps_means(void **state)
{
    (void)state;
    struct gp gp, whole;
    double point[3] = {0.21, 0.83, 0}, other[3] = {0.7, 0.1, 1}, before, after, variance, variance_after, work[ROWS + 2];
    fill_gp(&gp);
    assert_true(gp_factor(&gp));
    gp_predict(&gp, other, 1, &before, &variance, work);
    assert_true(gp_append(&gp, point, 1));
    gp_predict(&gp, other, 1, &after, &variance_after, work);
    assert_true(fabs(before - after) < 1e-12); // a point at its predicted mean changes no mean
    assert_true(variance_after < variance);
    fill_gp(&whole);
    gp_add(&whole, point, gp.y[ROWS], 1);
    assert_true(gp_factor(&whole));
    for (size_t j = 0; j <= ROWS; j++)
        for (size_t i = j; i <= ROWS; i++)
            assert_true(fabs(gp.factor[j * gp.capacity + i] - whole.factor[j * whole.capacity + i]) < 1e-10);
    gp_release(&gp);
    gp_release(&whole);
}

static void test_gp_fit_finds_the_parameter_that_matters(void **state)
{
    (void)state;
    struct gp gp;
    struct rng rng;
    const struct gp_prior wide = {.mu = 2.5, .sigma = 1.73};
    rng_stream(&rng, 6, "test.gp", 0);
    gp_init(&gp, features, 2, 2, 60, &wide);
    for (int i = 0; i < 60; i++) {
        double x[2] = {rng_double(&rng), rng_double(&rng)};
        gp_add(&gp, x, sin(8 * x[0]), 1);
    }
    struct gp_fit_work *work = gp_fit_work_new(&gp);
    gp_fit(&gp, &wide, work, 50, true);
    assert_true(gp.log_scales[1] > gp.log_scales[0] + 1);
    assert_true(exp(gp.log_noise) < 1e-4);
    gp_fit_work_free(work);
    gp_release(&gp);
}

// ---- Transformations and acquisitions

static void test_warp_gives_finite_targets_in_order_whatever_comes(void **state)
{
    (void)state;
    const double cases[][6] = {
        {1, 1, 1, 1, 1, 1},
        {1, 2, 3, 1e30, 2, 1},
        {-1e30, 1, 2, 3, 4, 5},
        {(double)NAN, 1, (double)INFINITY, 2, -(double)INFINITY, 3},
        {(double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN},
        {1e308, -1e308, 1e300, -1e300, 0, 1},
        {5e-324, 1e-310, 0, 1e-320, 3e-322, 2e-323},
    };
    for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
        for (int warp = 0; warp < WARP_COUNT; warp++) {
            double targets[6], scratch[12];
            warp_costs((enum warp)warp, cases[c], 6, targets, scratch);
            for (int i = 0; i < 6; i++) {
                assert_true(isfinite(targets[i]) && fabs(targets[i]) < 10);
                for (int j = 0; j < 6; j++) // never the other way round
                    if (cases[c][i] < cases[c][j] || (isfinite(cases[c][i]) && isnan(cases[c][j])))
                        assert_true(targets[i] <= targets[j]);
            }
        }
    }
}

static void test_warp_half_rank_depends_on_ranks_only_above_the_median(void **state)
{
    (void)state;
    const double a[7] = {1, 2, 3, 4, 5, 6, 7}, b[7] = {1, 2, 3, 4, 50, 6000, 7e9};
    double x[7], y[7], scratch[14];
    assert_int_equal(warp_costs(WARP_HALF_RANK, a, 7, x, scratch), 0);
    warp_costs(WARP_HALF_RANK, b, 7, y, scratch);
    for (int i = 0; i < 7; i++)
        assert_true(fabs(x[i] - y[i]) < 1e-12);
}

static void test_log_h_agrees_with_its_definition_and_stays_sound_far_out(void **state)
{
    (void)state;
    double slope;
    for (double z = -4.9; z < 6; z += 0.37) {
        double h = exp(-0.5 * z * z) / sqrt(2 * PI) + z * norm_cdf(z);
        assert_true(fabs(log_h(z, &slope) - log(h)) < 1e-12);
        assert_true(fabs(slope - norm_cdf(z) / h) < 1e-9 * slope);
    }
    double last = log_h(-4.999999, &slope);
    assert_true(fabs(log_h(-5.000001, &slope) - last) < 2e-5); // no step where the formula changes
    // h(-t) = phi(t) (1/t^2 - 3/t^4 + 15/t^6 - 105/t^8 + 945/t^10 - 10395/t^12 + ...), at t = 20 good to nine digits
    assert_true(fabs(log_h(-20, &slope) - (-206.917838509)) < 1e-7);
    for (double z = -1e3; z > -1e9; z *= 10) {
        double value = log_h(z, &slope);
        assert_true(isfinite(value) && fabs(value / (-0.5 * z * z) - 1) < 1e-4);
        assert_true(fabs(slope / -z - 1) < 1e-3);
    }
}

// ---- The strategy

struct world {
    struct spec *spec;
    struct strategy *strategy;
};

static struct world open_world(const char *parameters, const char *method, uint64_t seed)
{
    struct world world = {0};
    struct problems problems = {0};
    char *text = xasprintf("method: %s\nmetric: {name: y, goal: minimize}\nseed: %llu\n%s", method, (unsigned long long)seed, parameters);
    if (spec_parse(text, strlen(text), &world.spec, &problems) != 0)
        fail_msg("%s", problems.items[0].message);
    problems_release(&problems);
    free(text);
    world.strategy = made(method, &(struct strategy_setup){.space = world.spec->space, .seed = seed});
    return world;
}

static void close_world(struct world *world)
{
    strategy_free(world->strategy);
    spec_free(world->spec);
}

static double number(const struct world *world, const struct config *config, const char *name)
{
    double x = (double)NAN;
    int i = space_find(world->spec->space, name);
    if (i >= 0 && config->active[i])
        value_number(&config->values[i], &x);
    return x;
}

static double branin(const struct world *world, const struct config *config)
{
    double a = number(world, config, "a"), b = number(world, config, "b");
    double t = b - 5.1 / (4 * PI * PI) * a * a + 5 / PI * a - 6;
    return t * t + 10 * (1 - 1 / (8 * PI)) * cos(a) + 10 - 0.39788735772973816;
}

static const char branin_box[] = "parameters:\n  a: {min: -5.0, max: 10.0}\n  b: {min: 0.0, max: 15.0}\n";

static void tell_value(struct world *world, uint64_t point, double value)
{
    struct outcome outcome = outcome_of(POINT_DONE, value);
    strategy_tell(world->strategy, point, &outcome);
}

static void test_bayes_finds_the_minimum_of_branin(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct world world = open_world(branin_box, "bayes", seed);
        double best = (double)INFINITY;
        for (uint64_t point = 1; point <= 60; point++) {
            struct config config = asked(world.strategy, point);
            double value = branin(&world, &config);
            best = fmin(best, value);
            tell_value(&world, point, value);
            config_release(&config);
        }
        assert_true(best < 1e-3);
        close_world(&world);
    }
}

static const char conditional_space[] = "parameters:\n"
                                        "  kind: {values: [one, two, three]}\n"
                                        "  lr: {distribution: log_uniform_values, min: 1.0e-6, max: 1.0}\n"
                                        "  n: {min: 1, max: 9}\n"
                                        "  sub: {min: 0.0, max: 1.0, when: {kind: two}}\n"
                                        "  size: {values: [16, 32, 64, 128]}\n"
                                        "constraints: [\"n * size <= 600\"]\n";

static double conditional_value(const struct world *world, const struct config *config)
{
    double lr = log10(number(world, config, "lr")) + 3, sub = number(world, config, "sub");
    return lr * lr + 0.1 * number(world, config, "n") + (isnan(sub) ? 1 : (sub - 0.4) * (sub - 0.4));
}

static void assert_valid(const struct world *world, const struct config *config)
{
    const struct space *space = world->spec->space;
    for (size_t i = 0; i < space_count(space); i++)
        if (config->active[i])
            assert_true(param_contains(space_param(space, i), &config->values[i]));
    assert_true(config_feasible(space, config, NULL));
}

// What a parallel history with failures, stops and cancellations gives, live and after each restore.
static void check_restore(const char *method, uint64_t last)
{
    struct world live = open_world(conditional_space, method, 9);
    struct {
        struct config config;
        struct outcome outcome;
    } kept[80];
    uint64_t order[80], after[80], told = 0; // tells in order, and how many came before each point
    assert_true(last < ARRAY_LEN(kept));
    for (uint64_t point = 1; point <= last; point++) {
        struct world restored = open_world(conditional_space, method, 9);
        uint64_t ended = 0; // the history as it is stored: each point when it was asked for, each tell when it came
        for (uint64_t p = 1; p < point; p++) {
            for (; ended < after[p]; ended++)
                strategy_tell(restored.strategy, order[ended], &kept[order[ended]].outcome);
            strategy_restore(restored.strategy, p, &kept[p].config);
        }
        for (; ended < told; ended++)
            strategy_tell(restored.strategy, order[ended], &kept[order[ended]].outcome);
        after[point] = told;
        kept[point].config = asked(live.strategy, point);
        struct config again = asked(restored.strategy, point);
        assert_valid(&live, &again);
        assert_true(config_equal(&again, &kept[point].config)); // to the last bit
        config_release(&again);
        close_world(&restored);
        if (point < 4)
            continue;
        uint64_t ends = point % 5 == 0 ? point : point - 3; // out of order
        if (ends % 5 == 0 && ends != point)
            continue;
        double value = conditional_value(&live, &kept[ends].config);
        kept[ends].outcome = outcome_of(ends % 7 == 0 ? POINT_FAILED : ends % 6 == 0 ? POINT_STOPPED : POINT_DONE, value);
        strategy_tell(live.strategy, ends, &kept[ends].outcome);
        order[told++] = ends;
    }
    for (uint64_t point = 1; point <= last; point++)
        config_release(&kept[point].config);
    close_world(&live);
}

static void test_bayes_goes_on_alike_when_restored(void **state)
{
    (void)state;
    check_restore("bayes", 45);
}

static void test_auto_goes_on_alike_when_restored(void **state)
{
    (void)state;
    check_restore("auto", 30);
}

static void test_bayes_gives_valid_points_whatever_is_told(void **state)
{
    (void)state;
    const double values[] = {1, (double)NAN, (double)INFINITY, 1e30, -1e30, -(double)INFINITY, 0, 1e308, -1e308, 3};
    for (size_t kind = 0; kind <= ARRAY_LEN(values) + 1; kind++) {
        struct world world = open_world(conditional_space, "bayes", kind + 1);
        for (uint64_t point = 1; point <= 40; point++) {
            struct config config = asked(world.strategy, point);
            assert_valid(&world, &config);
            config_release(&config);
            struct outcome outcome = kind == ARRAY_LEN(values) ? outcome_of(POINT_FAILED, 0) // forty failures in a row
                                     : kind < ARRAY_LEN(values)
                                         ? outcome_of(POINT_DONE, point % 4 == 0 ? values[kind] : values[kind] / 2) // nearly all equal
                                         : outcome_of(POINT_DONE, values[point % ARRAY_LEN(values)]);
            strategy_tell(world.strategy, point, &outcome);
        }
        close_world(&world);
    }
}

static void test_bayes_works_in_spaces_of_every_size(void **state)
{
    (void)state;
    struct str wide = STR_INIT;
    str_add(&wide, "parameters:\n");
    for (int i = 0; i < 500; i++)
        str_addf(&wide, "  p%03d: {min: 0.0, max: 1.0}\n", i);
    const char *const spaces[] = {
        "parameters:\n  a: {min: 0.0, max: 1.0}\n",
        "parameters:\n  a: {min: 0.0, max: 1.0}\n  b: {value: 3}\n  c: {values: [x]}\n",
        "parameters:\n  a: {distribution: log_uniform_values, min: 1.0e-300, max: 1.0e+300}\n",
        "parameters:\n  a: {distribution: uniform, min: -1.0e+300, max: 1.0e+300}\n",
        "parameters:\n  a: {distribution: normal, mu: 0, sigma: 1}\n  b: {min: 1, max: 1000000000}\n",
        str_get(&wide),
    };
    for (size_t i = 0; i < ARRAY_LEN(spaces); i++) {
        struct world world = open_world(spaces[i], "bayes", 4);
        uint64_t last = i == 5 ? 14 : 30;
        for (uint64_t point = 1; point <= last; point++) {
            struct config config = asked(world.strategy, point);
            assert_valid(&world, &config);
            double x = number(&world, &config, i == 5 ? "p007" : "a");
            tell_value(&world, point, fabs(x) < 1e100 ? fabs(x) : 1e100);
            config_release(&config);
        }
        close_world(&world);
    }
    str_release(&wide);
}

static void test_bayes_gives_each_point_of_a_finite_space_once(void **state)
{
    (void)state;
    struct world world = open_world("parameters:\n  a: {min: 1, max: 6}\n  b: {values: [x, y, z]}\n", "bayes", 3);
    uint64_t hashes[18];
    for (uint64_t point = 1; point <= 18; point++) {
        struct config config = asked(world.strategy, point);
        hashes[point - 1] = config_hash(&config);
        for (uint64_t k = 0; k + 1 < point; k++)
            assert_true(hashes[k] != hashes[point - 1]);
        if (point % 2)
            tell_value(&world, point, number(&world, &config, "a"));
        config_release(&config);
    }
    struct config none;
    assert_int_equal(strategy_ask(world.strategy, 19, &none, NULL), ERR_EXHAUSTED);
    close_world(&world);
}

static void test_bayes_gives_a_thousand_distinct_points_at_once(void **state)
{
    (void)state;
    struct world world = open_world(branin_box, "bayes", 2);
    struct history seen;
    history_init(&seen, &(struct strategy_setup){.space = world.spec->space});
    double good = 0;
    for (uint64_t point = 1; point <= 1060; point++) {
        struct config config = asked(world.strategy, point);
        assert_false(history_has(&seen, &config));
        history_add(&seen, point, &config);
        if (point <= 60)
            tell_value(&world, point, branin(&world, &config));
        else
            good += branin(&world, &config) < 54; // the median of the box
        config_release(&config);
    }
    assert_true(good > 600); // better than by lot, which gives a half
    history_release(&seen);
    close_world(&world);
}

static void test_bayes_advances_the_front_of_two_objectives(void **state)
{
    (void)state;
    struct world world = open_world(branin_box, "bayes", 2);
    strategy_free(world.strategy);
    world.strategy = made("bayes", &(struct strategy_setup){.space = world.spec->space, .goals = {GOAL_MINIMIZE, GOAL_MAXIMIZE},
                                                            .objective_count = 2, .seed = 2});
    double low = (double)INFINITY, high = -(double)INFINITY;
    unsigned near_front = 0;
    for (uint64_t point = 1; point <= 60; point++) {
        struct config config = asked(world.strategy, point);
        double a = number(&world, &config, "a"), b = number(&world, &config, "b");
        // (a^2 + b^2, -(a - 2)^2 - b^2): the front is b = 0, 0 <= a <= 2
        struct outcome outcome = {.state = POINT_DONE, .value_count = 1, .values = {a * a + b * b, -(a - 2) * (a - 2) - b * b}};
        strategy_tell(world.strategy, point, &outcome);
        if (point > 20 && b < 1 && a > -0.5 && a < 2.5) {
            near_front++;
            low = fmin(low, a);
            high = fmax(high, a);
        }
        config_release(&config);
    }
    assert_true(near_front > 20);
    assert_true(low < 0.4 && high > 1.6);
    close_world(&world);
}

static void test_auto_says_what_it_chose_and_why(void **state)
{
    (void)state;
    struct world world = open_world(branin_box, "auto", 2);
    struct config config = asked(world.strategy, 1);
    const char *text = strategy_note(world.strategy).text;
    assert_non_null(text);
    assert_non_null(strstr(text, "bayes, because"));
    config_release(&config);
    for (uint64_t point = 2; point <= 320; point++) { // hundreds in flight
        config = asked(world.strategy, point);
        config_release(&config);
    }
    assert_non_null(strstr(strategy_note(world.strategy).text, "many trials run at once"));
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gp_predicts_as_the_formulas_say),
        cmocka_unit_test(test_gp_loss_is_the_posterior_of_the_hyperparameters),
        cmocka_unit_test(test_gp_gradient_of_the_loss_agrees_with_differences),
        cmocka_unit_test(test_gp_gradient_of_acquisitions_agrees_with_differences),
        cmocka_unit_test(test_gp_append_equals_a_new_factor_and_keeps_means),
        cmocka_unit_test(test_gp_fit_finds_the_parameter_that_matters),
        cmocka_unit_test(test_warp_gives_finite_targets_in_order_whatever_comes),
        cmocka_unit_test(test_warp_half_rank_depends_on_ranks_only_above_the_median),
        cmocka_unit_test(test_log_h_agrees_with_its_definition_and_stays_sound_far_out),
        cmocka_unit_test(test_bayes_finds_the_minimum_of_branin),
        cmocka_unit_test(test_bayes_goes_on_alike_when_restored),
        cmocka_unit_test(test_auto_goes_on_alike_when_restored),
        cmocka_unit_test(test_bayes_gives_valid_points_whatever_is_told),
        cmocka_unit_test(test_bayes_works_in_spaces_of_every_size),
        cmocka_unit_test(test_bayes_gives_each_point_of_a_finite_space_once),
        cmocka_unit_test(test_bayes_gives_a_thousand_distinct_points_at_once),
        cmocka_unit_test(test_bayes_advances_the_front_of_two_objectives),
        cmocka_unit_test(test_auto_says_what_it_chose_and_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
