// Method tpe: its densities against closed forms, what it suggests, and that nothing it may be told breaks it.

#include "test_strategy_build.h"

#include "base/mem.h"
#include "base/stats.h"
#include "spec/spec.h"
#include "strategies/parzen.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PI 3.14159265358979323846

static struct spec *spec_of(const char *parameters)
{
    struct spec *spec = NULL;
    struct problems problems = {0};
    char *text = xasprintf("method: random\nmetric: {name: loss, goal: minimize}\n%s", parameters);
    if (spec_parse(text, strlen(text), &spec, &problems) != 0)
        fail_msg("%s", problems.items[0].message);
    problems_release(&problems);
    free(text);
    return spec;
}

static struct strategy *tpe_of(const struct spec *spec, uint64_t seed)
{
    return made("tpe", &(struct strategy_setup){.space = spec->space, .seed = seed});
}

static double number(const struct spec *spec, const struct config *config, const char *name)
{
    double x = NAN;
    value_number(&config->values[space_find(spec->space, name)], &x);
    return x;
}

static const char *text_of(const struct spec *spec, const struct config *config, const char *name)
{
    return config->values[space_find(spec->space, name)].text;
}

static void tell_done(struct strategy *strategy, uint64_t point, double value)
{
    struct outcome outcome = outcome_of(POINT_DONE, value);
    strategy_tell(strategy, point, &outcome);
}

// ---- Densities

static struct parzen two_kernels(const struct encoding *encoding, const size_t *which, size_t count, const double *points)
{
    struct parzen parzen;
    parzen_init(&parzen, encoding, which, count, 1);
    parzen_add(&parzen, points);
    parzen_add(&parzen, points + count);
    parzen_fit(&parzen);
    return parzen;
}

static double truncated(double x, double mean, double sigma)
{
    double z = (x - mean) / sigma;
    return exp(-z * z / 2) / (sigma * sqrt(2 * PI)) / (norm_cdf((1 - mean) / sigma) - norm_cdf(-mean / sigma));
}

static void test_parzen_density_is_that_of_truncated_normals(void **state)
{
    (void)state;
    struct spec *spec = spec_of("parameters:\n  a: {min: 0.0, max: 1.0}\n");
    struct encoding encoding;
    encoding_init(&encoding, spec->space);
    struct parzen parzen = two_kernels(&encoding, (size_t[]){0}, 1, (double[]){0.2, 0.9});
    for (double x = 0; x <= 1; x += 0.125) {
        double density;
        parzen_log_density(&parzen, NULL, &x, 1, &density);
        // both bandwidths are the gap between the two, 0.7; the prior's is 1
        double expected = (truncated(x, 0.2, 0.7) + truncated(x, 0.9, 0.7) + truncated(x, 0.5, 1)) / 3;
        assert_true(fabs(exp(density) - expected) < 1e-12);
    }
    parzen_release(&parzen);
    encoding_release(&encoding);
    spec_free(spec);
}

static void test_parzen_bandwidths_follow_the_rule(void **state)
{
    (void)state;
    struct spec *spec = spec_of("parameters:\n  a: {min: 0.0, max: 1.0}\n");
    struct encoding encoding;
    encoding_init(&encoding, spec->space);
    struct parzen parzen;
    parzen_init(&parzen, &encoding, (size_t[]){0}, 1, 1);
    static const double x[] = {0.5, 0.1, 0.15, 0.9, 0.5};
    parzen_add(&parzen, &x[0]);
    parzen_fit(&parzen);
    assert_true(parzen.axes[0].sigma[1] == 0.5); // alone: the farther end
    for (size_t i = 1; i < 5; i++)
        parzen_add(&parzen, &x[i]);
    parzen_fit(&parzen);
    const double *sigma = parzen.axes[0].sigma;
    assert_true(fabs(sigma[1] - 0.35) < 1e-12);
    assert_true(fabs(sigma[2] - 1.0 / 7) < 1e-12); // 0.05, clipped: 6 kernels
    assert_true(fabs(sigma[3] - 0.35) < 1e-12);
    assert_true(fabs(sigma[4] - 0.4) < 1e-12);
    assert_true(fabs(sigma[5] - 0.4) < 1e-12);
    parzen.weights[3] = 0; // left out: no neighbour any more
    parzen_fit(&parzen);
    assert_true(fabs(sigma[1] - 0.4) < 1e-12);
    assert_true(fabs(sigma[2] - 0.4) < 1e-12);
    parzen_release(&parzen);
    encoding_release(&encoding);
    spec_free(spec);
}

static const char kinds[] = "parameters:\n"
                            "  a: {min: 0.0, max: 1.0}\n"
                            "  b: {distribution: q_log_uniform_values, q: 1, min: 1, max: 9}\n"
                            "  c: {values: [red, green, blue]}\n"
                            "  d: {min: 1, max: 500}\n";

static void test_parzen_density_integrates_to_one_over_all_kinds(void **state)
{
    (void)state;
    enum { STEPS = 200 };
    struct spec *spec = spec_of(kinds);
    struct encoding encoding;
    encoding_init(&encoding, spec->space);
    struct parzen parzen = two_kernels(&encoding, (size_t[]){0, 1, 2}, 3,
                                       (double[]){0.03, encoding.dimensions[1].coordinates[0], 2, 0.6,
                                                  encoding.dimensions[1].coordinates[4], 0});
    double integral = 0;
    for (size_t level = 0; level < encoding.dimensions[1].levels; level++)
        for (int code = 0; code < 3; code++)
            for (int i = 0; i < STEPS; i++) {
                double point[] = {(i + 0.5) / STEPS, encoding.dimensions[1].coordinates[level], code}, density;
                parzen_log_density(&parzen, NULL, point, 1, &density);
                integral += exp(density) * parzen.axes[1].widths[level] / STEPS;
            }
    assert_true(fabs(integral - 1) < 1e-4);
    parzen_release(&parzen);
    encoding_release(&encoding);
    spec_free(spec);
}

static void test_parzen_density_of_categories_is_smoothed_by_the_number_of_kernels(void **state)
{
    (void)state;
    struct spec *spec = spec_of(kinds);
    struct encoding encoding;
    encoding_init(&encoding, spec->space);
    struct parzen parzen = two_kernels(&encoding, (size_t[]){2}, 1, (double[]){1, 1});
    double density[3];
    parzen_log_density(&parzen, NULL, (double[]){0, 1, 2}, 3, density);
    double own = (1 + 1.0 / 3) / 2, other = (1.0 / 3) / 2; // 3 kernels, 3 choices: (onehot + 1/3) / 2
    assert_true(fabs(exp(density[1]) - (2 * own + 1.0 / 3) / 3) < 1e-12);
    assert_true(fabs(exp(density[0]) - (2 * other + 1.0 / 3) / 3) < 1e-12);
    assert_true(fabs(exp(density[0]) - exp(density[2])) < 1e-12);
    parzen_release(&parzen);
    encoding_release(&encoding);
    spec_free(spec);
}

static void test_parzen_density_of_some_axes_is_the_marginal(void **state)
{
    (void)state;
    struct spec *spec = spec_of(kinds);
    struct encoding encoding;
    encoding_init(&encoding, spec->space);
    double x = 0.25, y = 0.75, both[] = {0.25, NAN, NAN, 0.75}, expected, density;
    double points[] = {0.1, encoding.dimensions[1].coordinates[2], 1, 0.2, 0.7, encoding.dimensions[1].coordinates[7], 2, 0.9};
    struct parzen all = two_kernels(&encoding, (size_t[]){0, 1, 2, 3}, 4, points);
    struct parzen two = two_kernels(&encoding, (size_t[]){0, 3}, 2, (double[]){0.1, 0.2, 0.7, 0.9});
    parzen_log_density(&all, (bool[]){true, false, false, true}, both, 1, &density);
    parzen_log_density(&two, NULL, (double[]){x, y}, 1, &expected);
    assert_true(fabs(density - expected) < 1e-12);
    parzen_release(&all);
    parzen_release(&two);
    encoding_release(&encoding);
    spec_free(spec);
}

static void test_parzen_draws_follow_the_density(void **state)
{
    (void)state;
    enum { DRAWS = 40000, BINS = 8 };
    struct spec *spec = spec_of(kinds);
    struct encoding encoding;
    encoding_init(&encoding, spec->space);
    struct parzen parzen = two_kernels(&encoding, (size_t[]){0, 2}, 2, (double[]){0.02, 2, 0.3, 0});
    double expected[BINS][3] = {{0}};
    int counts[BINS][3] = {{0}};
    for (int i = 0; i < 800; i++)
        for (int code = 0; code < 3; code++) {
            double point[] = {(i + 0.5) / 800, code}, density;
            parzen_log_density(&parzen, NULL, point, 1, &density);
            expected[i * BINS / 800][code] += exp(density) / 800;
        }
    struct rng rng;
    rng_stream(&rng, 1, "test", 0);
    for (int i = 0; i < DRAWS; i++) {
        double point[2];
        parzen_sample(&parzen, false, &rng, point);
        assert_true(point[0] >= 0 && point[0] <= 1);
        counts[point[0] < 1 ? (int)(point[0] * BINS) : BINS - 1][(int)point[1]]++;
    }
    for (int i = 0; i < BINS; i++)
        for (int code = 0; code < 3; code++) {
            double p = expected[i][code];
            assert_true(fabs(counts[i][code] - DRAWS * p) < 5 * sqrt(DRAWS * p * (1 - p)));
        }
    parzen_release(&parzen);
    encoding_release(&encoding);
    spec_free(spec);
}

static void test_parzen_density_stays_finite_in_500_dimensions(void **state)
{
    (void)state;
    enum { DIMENSIONS = 500, KERNELS = 700 };
    struct dimension *dimensions = xcalloc(DIMENSIONS, sizeof *dimensions);
    struct encoding encoding = {.dimensions = dimensions, .count = DIMENSIONS};
    size_t which[DIMENSIONS];
    for (size_t i = 0; i < DIMENSIONS; i++)
        which[i] = i;
    struct parzen parzen;
    parzen_init(&parzen, &encoding, which, DIMENSIONS, 1);
    struct rng rng;
    rng_stream(&rng, 2, "test", 0);
    double point[DIMENSIONS];
    for (int k = 0; k < KERNELS; k++) {
        for (size_t i = 0; i < DIMENSIONS; i++)
            point[i] = rng_double(&rng);
        size_t slot = parzen_add(&parzen, point);
        parzen.weights[slot] = k == KERNELS - 1 ? 0 : 1; // the point itself is left out
    }
    parzen_fit(&parzen);
    double density;
    parzen_log_density(&parzen, NULL, point, 1, &density);
    assert_true(isfinite(density));
    parzen_release(&parzen);
    free(dimensions);
}

// ---- Searches

static const char branin_space[] = "parameters:\n  x: {min: -5.0, max: 10.0}\n  y: {min: 0.0, max: 15.0}\n";

static double branin(const struct spec *spec, const struct config *config)
{
    double x = number(spec, config, "x"), y = number(spec, config, "y");
    double a = y - 5.1 / (4 * PI * PI) * x * x + 5 / PI * x - 6;
    return a * a + 10 * (1 - 1 / (8 * PI)) * cos(x) + 10 - 0.39788735772973816;
}

static const char mixed_space[] = "parameters:\n"
                                  "  lr: {distribution: log_uniform_values, min: 1.0e-5, max: 1.0}\n"
                                  "  layers: {min: 1, max: 8}\n"
                                  "  width: {values: [16, 32, 64, 128, 256]}\n"
                                  "  opt: {values: [sgd, adam, rmsprop, adagrad]}\n"
                                  "  bias: {values: [true, false]}\n";

static double mixed(const struct spec *spec, const struct config *config)
{
    double lr = log10(number(spec, config, "lr")), layers = number(spec, config, "layers");
    double width = log2(number(spec, config, "width"));
    bool adam = strcmp(text_of(spec, config, "opt"), "adam") == 0;
    return (lr + (adam ? 3 : 1)) * (lr + (adam ? 3 : 1)) + 0.1 * fabs(layers - 5) + 0.2 * fabs(width - 6) + (adam ? 0 : 0.3) +
           0.1 * config->values[space_find(spec->space, "bias")].boolean;
}

static const char conditional_space[] = "parameters:\n"
                                        "  algo: {values: [svm, forest, net]}\n"
                                        "  c: {distribution: log_uniform_values, min: 1.0e-3, max: 1.0e3, when: {algo: svm}}\n"
                                        "  trees: {min: 10, max: 500, when: {algo: forest}}\n"
                                        "  lr: {distribution: log_uniform_values, min: 1.0e-5, max: 1.0, when: {algo: net}}\n"
                                        "  layers: {min: 1, max: 3, when: {algo: net}}\n"
                                        "  second: {min: 8.0, max: 512.0, when: \"layers >= 2\"}\n"
                                        "  third: {min: 8.0, max: 512.0, when: \"layers >= 3\"}\n";

static double conditional(const struct spec *spec, const struct config *config)
{
    const char *algo = text_of(spec, config, "algo");
    if (strcmp(algo, "svm") == 0)
        return 0.2 + 0.05 * fabs(log10(number(spec, config, "c")) - 1);
    if (strcmp(algo, "forest") == 0)
        return 0.25 + 0.1 * fabs(number(spec, config, "trees") - 300) / 500;
    double lr = log10(number(spec, config, "lr")) + 3, layers = number(spec, config, "layers"), loss = 0.05 * lr * lr;
    loss += layers >= 2 ? 0.2 * fabs(number(spec, config, "second") - 128) / 512 : 0.1;
    return loss + (layers >= 3 ? 0.1 + 0.1 * fabs(number(spec, config, "third") - 64) / 512 : 0);
}

typedef double objective(const struct spec *spec, const struct config *config);

static double best_of(const char *method, const struct spec *spec, objective *f, uint64_t seed, uint64_t trials)
{
    struct strategy *strategy = made(method, &(struct strategy_setup){.space = spec->space, .seed = seed});
    double best = INFINITY;
    for (uint64_t point = 1; point <= trials; point++) {
        struct config config = asked(strategy, point);
        double value = f(spec, &config);
        best = value < best ? value : best;
        config_release(&config);
        tell_done(strategy, point, value);
    }
    strategy_free(strategy);
    return best;
}

// The mean of the best values, which is what a search comes to.
static double mean_best(const char *method, const struct spec *spec, objective *f)
{
    double sum = 0;
    for (uint64_t seed = 1; seed <= 10; seed++)
        sum += best_of(method, spec, f, seed, 80);
    return sum / 10;
}

static void test_tpe_beats_random_draws(void **state)
{
    (void)state;
    static const struct {
        const char *parameters;
        objective *f;
    } cases[] = {{branin_space, branin}, {mixed_space, mixed}, {conditional_space, conditional}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spec *spec = spec_of(cases[i].parameters);
        double drawn = mean_best("random", spec, cases[i].f), found = mean_best("tpe", spec, cases[i].f);
        if (!(found < 0.65 * drawn))
            fail_msg("case %zu: %g is not 0.65 of %g", i, found, drawn);
        spec_free(spec);
    }
}

static void test_tpe_maximizes_when_the_goal_says_so(void **state)
{
    (void)state;
    struct spec *spec = spec_of(branin_space);
    struct strategy_setup setup = {.space = spec->space, .seed = 3};
    struct strategy *low = made("tpe", &setup);
    setup.goals[0] = GOAL_MAXIMIZE;
    struct strategy *high = made("tpe", &setup);
    for (uint64_t point = 1; point <= 40; point++) {
        struct config a = asked(low, point), b = asked(high, point);
        assert_true(config_equal(&a, &b));
        tell_done(low, point, branin(spec, &a));
        tell_done(high, point, -branin(spec, &b));
        config_release(&a);
        config_release(&b);
    }
    strategy_free(low);
    strategy_free(high);
    spec_free(spec);
}

// ---- The same again

// Some trials stay pending, some fail, are stopped, are cancelled.
static struct outcome mixed_outcome(uint64_t point, double value)
{
    if (point % 11 == 0)
        return (struct outcome){.state = POINT_CANCELLED};
    if (point % 7 == 0)
        return outcome_of(POINT_FAILED, NAN);
    return outcome_of(point % 5 == 0 ? POINT_STOPPED : POINT_DONE, value);
}

static void test_tpe_gives_the_same_again_and_after_a_restore(void **state)
{
    (void)state;
    enum { POINTS = 90 };
    struct spec *spec = spec_of(conditional_space);
    struct strategy *live = tpe_of(spec, 7), *again = tpe_of(spec, 7);
    struct config given[POINTS + 1];
    double values[POINTS + 1];
    for (uint64_t point = 1; point <= POINTS; point++) {
        given[point] = asked(live, point);
        values[point] = conditional(spec, &given[point]);
        struct config same = asked(again, point);
        assert_true(config_equal(&given[point], &same));
        config_release(&same);
        struct strategy *restored = tpe_of(spec, 7); // as it stood before this point
        for (uint64_t i = 1; i < point; i++) {
            strategy_restore(restored, i, &given[i]);
            strategy_report(restored, i, (int64_t)i, values[i]);
        }
        for (uint64_t i = 1; i < point; i++) {
            struct outcome outcome = mixed_outcome(i, values[i]);
            if (i % 9 != 0) // these stay pending
                strategy_tell(restored, i, &outcome);
        }
        same = asked(restored, point);
        assert_true(config_equal(&given[point], &same));
        config_release(&same);
        strategy_free(restored);
        struct outcome outcome = mixed_outcome(point, values[point]);
        strategy_report(live, point, (int64_t)point, values[point]);
        strategy_report(again, point, (int64_t)point, values[point]);
        if (point % 9 != 0) {
            strategy_tell(live, point, &outcome);
            strategy_tell(again, point, &outcome);
        }
    }
    for (size_t i = 1; i <= POINTS; i++)
        config_release(&given[i]);
    strategy_free(live);
    strategy_free(again);
    spec_free(spec);
}

static void test_tpe_suggests_what_it_always_did(void **state)
{
    (void)state;
    struct spec *spec = spec_of(mixed_space);
    struct strategy *strategy = tpe_of(spec, 5);
    struct str all = STR_INIT;
    for (uint64_t point = 1; point <= 30; point++) {
        struct config config = asked(strategy, point);
        if (point > 27) {
            config_write_json(&all, spec->space, &config);
            str_addch(&all, '\n');
        }
        tell_done(strategy, point, mixed(spec, &config));
        config_release(&config);
    }
    assert_string_equal(str_get(&all), // at every optimisation level
                        "{\"bias\":false,\"layers\":2,\"lr\":0.3191168944541155,\"opt\":\"adagrad\",\"width\":64}\n"
                        "{\"bias\":false,\"layers\":7,\"lr\":0.17406591445687303,\"opt\":\"adagrad\",\"width\":64}\n"
                        "{\"bias\":false,\"layers\":5,\"lr\":0.13360087016898398,\"opt\":\"adagrad\",\"width\":32}\n");
    str_release(&all);
    strategy_free(strategy);
    spec_free(spec);
}

// ---- What it may be told

static double value_for(const char *how, uint64_t point)
{
    if (strcmp(how, "equal") == 0)
        return 1;
    if (strcmp(how, "nan") == 0)
        return NAN;
    if (strcmp(how, "infinite") == 0)
        return point % 2 ? INFINITY : -INFINITY;
    if (strcmp(how, "outlier") == 0)
        return point == 3 ? 1e30 : (double)(point % 17);
    if (strcmp(how, "huge") == 0)
        return point % 2 ? 1.7e308 : -1.7e308;
    return (double)(point % 13);
}

static void assert_valid(const struct spec *spec, const struct config *config)
{
    assert_true(config_feasible(spec->space, config, NULL));
    for (size_t i = 0; i < config->count; i++)
        if (config->active[i])
            assert_true(param_contains(space_param(spec->space, i), &config->values[i]));
}

static void search_with(const struct spec *spec, const char *how, enum point_state told, uint64_t points)
{
    struct strategy *strategy = tpe_of(spec, 11);
    for (uint64_t point = 1; point <= points; point++) {
        struct config config = asked(strategy, point);
        assert_valid(spec, &config);
        config_release(&config);
        assert_non_null(strategy_note(strategy).text);
        struct outcome outcome = outcome_of(told, value_for(how, point));
        strategy_tell(strategy, point, &outcome);
    }
    strategy_free(strategy);
}

static void test_tpe_gives_valid_points_whatever_the_values_are(void **state)
{
    (void)state;
    static const char *const how[] = {"equal", "nan", "infinite", "outlier", "huge", "plain"};
    static const char *const spaces[] = {branin_space, mixed_space, conditional_space};
    for (size_t k = 0; k < ARRAY_LEN(spaces); k++) {
        struct spec *spec = spec_of(spaces[k]);
        for (size_t i = 0; i < ARRAY_LEN(how); i++) {
            search_with(spec, how[i], POINT_DONE, 60);
            search_with(spec, how[i], POINT_STOPPED, 40);
        }
        search_with(spec, "plain", POINT_FAILED, 100);
        spec_free(spec);
    }
}

static void test_tpe_counts_no_value_that_is_not_finite_as_good(void **state)
{
    (void)state;
    struct spec *spec = spec_of("parameters:\n  x: {min: 0.0, max: 1.0}\n");
    struct strategy *strategy = tpe_of(spec, 1);
    int near = 0;
    for (uint64_t point = 1; point <= 60; point++) {
        struct config config = asked(strategy, point);
        double x = number(spec, &config, "x");
        near += point > 30 && fabs(x - 0.8) < 0.2;
        tell_done(strategy, point, x < 0.5 ? -INFINITY : fabs(x - 0.8));
        config_release(&config);
    }
    assert_true(near > 20); // of 30; by lot 12
    strategy_free(strategy);
    spec_free(spec);
}

static void test_tpe_keeps_away_from_what_failed(void **state)
{
    (void)state;
    struct spec *spec = spec_of("parameters:\n  x: {min: 0.0, max: 1.0}\n");
    struct strategy *strategy = tpe_of(spec, 1);
    int failed = 0;
    for (uint64_t point = 1; point <= 60; point++) {
        struct config config = asked(strategy, point);
        bool fails = number(spec, &config, "x") < 0.7;
        failed += fails && point > 20;
        struct outcome outcome = outcome_of(fails ? POINT_FAILED : POINT_DONE, 1);
        strategy_tell(strategy, point, &outcome);
        config_release(&config);
    }
    assert_true(failed < 20); // of 40; by lot 28
    strategy_free(strategy);
    spec_free(spec);
}

static void test_tpe_prefers_ended_trials_to_stopped_ones(void **state)
{
    (void)state;
    struct spec *spec = spec_of("parameters:\n  x: {min: 0.0, max: 1.0}\n");
    struct strategy *strategy = tpe_of(spec, 1);
    int near = 0;
    for (uint64_t point = 1; point <= 60; point++) {
        struct config config = asked(strategy, point);
        double x = number(spec, &config, "x");
        near += point > 30 && x > 0.5;
        bool ends = x > 0.5; // the others are stopped, with lower values
        struct outcome outcome = ends ? outcome_of(POINT_DONE, 1 - x) : (struct outcome){.state = POINT_STOPPED};
        strategy_report(strategy, point, 1, -5);
        strategy_tell(strategy, point, &outcome);
        config_release(&config);
    }
    assert_true(near > 20);
    strategy_free(strategy);
    spec_free(spec);
}

static void test_tpe_spreads_over_100_pending_points(void **state)
{
    (void)state;
    struct spec *spec = spec_of(branin_space);
    struct strategy *strategy = tpe_of(spec, 2);
    for (uint64_t point = 1; point <= 20; point++) {
        struct config config = asked(strategy, point);
        tell_done(strategy, point, branin(spec, &config));
        config_release(&config);
    }
    struct config given[100];
    double best = INFINITY;
    for (uint64_t i = 0; i < 100; i++) {
        given[i] = asked(strategy, 21 + i);
        double value = branin(spec, &given[i]);
        best = value < best ? value : best;
        for (uint64_t k = 0; k < i; k++)
            assert_false(config_equal(&given[k], &given[i]));
    }
    double low = INFINITY, high = -INFINITY;
    for (uint64_t i = 0; i < 100; i++) {
        double x = number(spec, &given[i], "x");
        low = x < low ? x : low;
        high = x > high ? x : high;
        config_release(&given[i]);
    }
    assert_true(high - low > 7.5); // half of the space
    assert_true(best < 1);
    strategy_free(strategy);
    spec_free(spec);
}

// ---- Spaces

static void test_tpe_searches_spaces_of_every_size(void **state)
{
    (void)state;
    static const char *const spaces[] = {
        "parameters:\n  x: {min: 0.0, max: 1.0}\n",
        "parameters:\n  x: {distribution: log_uniform_values, min: 1.0e-300, max: 1.0e300}\n",
        "parameters:\n  x: {min: -1.0e300, max: 1.0e300}\n  y: {distribution: normal, mu: 0, sigma: 1}\n",
        "parameters:\n  x: {values: [only]}\n  y: {value: 3}\n  z: {min: 0.0, max: 1.0}\n",
        "parameters:\n  x: {min: 0, max: 9223372036854775807}\n",
        "parameters:\n  x: {distribution: q_beta, a: 2, b: 3, q: 0.001}\n",
        "parameters:\n  x: {values: [a, b, c], probabilities: [0.9, 0.1, 0.0]}\n  y: {min: 0.0, max: 1.0}\n",
        "parameters:\n  x: {min: 0.0, max: 1.0}\n  y: {min: 0.0, max: 1.0}\nconstraints: [\"x + y < 0.02\"]\n"};
    for (size_t i = 0; i < ARRAY_LEN(spaces); i++) {
        struct spec *spec = spec_of(spaces[i]);
        search_with(spec, "plain", POINT_DONE, 50);
        spec_free(spec);
    }
    struct str text = STR_INIT;
    str_add(&text, "parameters:\n");
    for (int i = 0; i < 500; i++)
        str_addf(&text, i % 3 ? "  p%d: {min: 0.0, max: 1.0}\n" : "  p%d: {values: [a, b, c]}\n", i);
    struct spec *spec = spec_of(str_get(&text));
    search_with(spec, "plain", POINT_DONE, 40);
    spec_free(spec);
    str_release(&text);
}

static void assert_exhausted(const char *parameters, uint64_t points)
{
    struct spec *spec = spec_of(parameters);
    struct strategy *strategy = tpe_of(spec, 4);
    struct config *given = xcalloc(points + 1, sizeof *given);
    for (uint64_t i = 0; i < points; i++) {
        given[i] = asked(strategy, i + 1);
        assert_valid(spec, &given[i]);
        for (uint64_t k = 0; k < i; k++)
            assert_false(config_equal(&given[k], &given[i]));
        if (i % 4) // some stay pending
            tell_done(strategy, i + 1, (double)(i % 5));
    }
    struct err err;
    assert_int_equal(strategy_ask(strategy, points + 1, &given[points], &err), ERR_EXHAUSTED);
    for (uint64_t i = 0; i < points; i++)
        config_release(&given[i]);
    free(given);
    strategy_free(strategy);
    spec_free(spec);
}

static void test_tpe_gives_each_point_of_a_finite_space_once(void **state)
{
    (void)state;
    assert_exhausted("parameters:\n  x: {value: 1}\n", 1);
    assert_exhausted("parameters:\n  x: {values: [only]}\n", 1);
    assert_exhausted("parameters:\n  x: {min: 1, max: 7}\n  y: {values: [a, b, c, d]}\n  z: {values: [true, false]}\n", 56);
    assert_exhausted("parameters:\n  x: {min: 1, max: 7}\n  y: {values: [a, b, c]}\nconstraints: [\"x <= 2\"]\n", 6);
    assert_exhausted("parameters:\n  x: {values: [a, b]}\n  y: {min: 1, max: 20, when: {x: a}}\n", 21);
}

static void test_tpe_names_the_constraint_when_none_is_feasible(void **state)
{
    (void)state;
    struct spec *spec = spec_of("parameters:\n  x: {min: 0.0, max: 1.0}\nconstraints: [\"x > 2\"]\n");
    struct strategy *strategy = tpe_of(spec, 4);
    struct config config;
    struct err err;
    assert_int_equal(strategy_ask(strategy, 1, &config, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "x > 2"));
    strategy_free(strategy);
    spec_free(spec);
}

static void test_tpe_takes_its_options_and_says_what_it_did(void **state)
{
    (void)state;
    struct spec *spec = spec_of(branin_space);
    struct strategy_setting settings[] = {{.name = "startup", .value = {.kind = VALUE_INT, .integer = 4}},
                                          {.name = "candidates", .value = {.kind = VALUE_INT, .integer = 10}},
                                          {.name = "gamma", .value = {.kind = VALUE_FLOAT, .number = 0.5}}};
    struct strategy_setup setup = {.space = spec->space, .seed = 1, .settings = settings, .setting_count = 3};
    struct strategy *strategy = made("tpe", &setup);
    assert_null(strategy_note(strategy).text);
    for (uint64_t point = 1; point <= 5; point++) {
        struct config config = asked(strategy, point);
        config_release(&config);
        if (point == 4)
            assert_string_equal(strategy_note(strategy).text, "point 4 of the initial design (scrambled Sobol)");
        tell_done(strategy, point, (double)point);
    }
    assert_string_equal(strategy_note(strategy).text,
                        "Parzen estimator: the best of 10 candidates by l / g of 2 good and 2 other trials");
    strategy_free(strategy);
    settings[2].value.number = 1.5;
    struct err err;
    assert_int_equal(strategy_new("tpe", &setup, &strategy, &err), ERR_INVALID);
    spec_free(spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parzen_density_is_that_of_truncated_normals),
        cmocka_unit_test(test_parzen_bandwidths_follow_the_rule),
        cmocka_unit_test(test_parzen_density_integrates_to_one_over_all_kinds),
        cmocka_unit_test(test_parzen_density_of_categories_is_smoothed_by_the_number_of_kernels),
        cmocka_unit_test(test_parzen_density_of_some_axes_is_the_marginal),
        cmocka_unit_test(test_parzen_draws_follow_the_density),
        cmocka_unit_test(test_parzen_density_stays_finite_in_500_dimensions),
        cmocka_unit_test(test_tpe_beats_random_draws),
        cmocka_unit_test(test_tpe_maximizes_when_the_goal_says_so),
        cmocka_unit_test(test_tpe_gives_the_same_again_and_after_a_restore),
        cmocka_unit_test(test_tpe_suggests_what_it_always_did),
        cmocka_unit_test(test_tpe_gives_valid_points_whatever_the_values_are),
        cmocka_unit_test(test_tpe_counts_no_value_that_is_not_finite_as_good),
        cmocka_unit_test(test_tpe_keeps_away_from_what_failed),
        cmocka_unit_test(test_tpe_prefers_ended_trials_to_stopped_ones),
        cmocka_unit_test(test_tpe_spreads_over_100_pending_points),
        cmocka_unit_test(test_tpe_searches_spaces_of_every_size),
        cmocka_unit_test(test_tpe_gives_each_point_of_a_finite_space_once),
        cmocka_unit_test(test_tpe_names_the_constraint_when_none_is_feasible),
        cmocka_unit_test(test_tpe_takes_its_options_and_says_what_it_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
