// Methods hyperband and bohb: the plan against the paper's table, promotions, ends of every kind, restores, and that the
// search reaches with a fraction of the budget what a search by lot does.

#include "test_strategy_build.h"

#include "base/mem.h"
#include "spec/spec.h"
#include "strategies/hyperband_plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define POINTS_MAX 4000

// A strategy with what it gave: points are numbered from 1.
struct search {
    struct spec *spec;
    struct strategy *strategy;
    uint64_t count;
    struct config configs[POINTS_MAX + 1];
    uint64_t parents[POINTS_MAX + 1];
    char *notes[POINTS_MAX + 1];
    struct outcome outcomes[POINTS_MAX + 1];
    uint64_t told[POINTS_MAX + 1]; // points in the order of tells
    size_t told_count;
};

static const char two_params[] = "parameters:\n  epochs: {min: 1, max: 81}\n  x: {min: 0.0, max: 1.0}\n  y: {min: 0.0, max: 1.0}\n";

static const char six_params[] = "parameters:\n  epochs: {min: 1, max: 81}\n  u: {min: 0.0, max: 1.0}\n  v: {min: 0.0, max: 1.0}\n"
                                 "  w: {min: 0.0, max: 1.0}\n  x: {min: 0.0, max: 1.0}\n  y: {min: 0.0, max: 1.0}\n"
                                 "  z: {min: 0.0, max: 1.0}\n";

static struct spec *spec_of(const char *method, const char *goal, const char *options, const char *parameters)
{
    struct spec *spec = NULL;
    struct problems problems = {0};
    char *text = xasprintf("method: %s\nmetric: {name: loss, goal: %s}\nstrategy: {%s}\n%s", method, goal, options, parameters);
    if (spec_parse(text, strlen(text), &spec, &problems) != 0)
        fail_msg("%s", problems.items[0].message);
    problems_release(&problems);
    free(text);
    return spec;
}

static struct strategy *strategy_of(const struct spec *spec)
{
    return made(spec->method, &(struct strategy_setup){.space = spec->space,
                                                       .goals = {spec->objectives[0].goal},
                                                       .seed = 7,
                                                       .settings = spec->settings,
                                                       .setting_count = spec->setting_count});
}

static struct search *search_new(const char *method, const char *goal, const char *options, const char *parameters)
{
    struct search *search = xcalloc(1, sizeof *search);
    search->spec = spec_of(method, goal, options, parameters);
    search->strategy = strategy_of(search->spec);
    return search;
}

static void search_free(struct search *search)
{
    for (uint64_t i = 1; i <= search->count; i++) {
        config_release(&search->configs[i]);
        free(search->notes[i]);
    }
    strategy_free(search->strategy);
    spec_free(search->spec);
    free(search);
}

// The next point, or its error.
static int next(struct search *search, uint64_t *ret)
{
    uint64_t point = search->count + 1;
    assert_true(point <= POINTS_MAX);
    int rc = strategy_ask(search->strategy, point, &search->configs[point], NULL);
    if (rc != 0)
        return rc;
    struct strategy_note note = strategy_note(search->strategy);
    assert_non_null(note.text);
    search->notes[point] = xstrdup(note.text);
    search->parents[point] = note.parent;
    *ret = search->count = point;
    return 0;
}

static uint64_t point_of(struct search *search)
{
    uint64_t point = 0;
    assert_int_equal(next(search, &point), 0);
    return point;
}

static double number(const struct search *search, uint64_t point, const char *name)
{
    double x = (double)NAN;
    value_number(&search->configs[point].values[space_find(search->spec->space, name)], &x);
    return x;
}

static void tell(struct search *search, uint64_t point, enum point_state state, double value)
{
    search->outcomes[point] = outcome_of(state, value);
    search->told[search->told_count++] = point;
    strategy_tell(search->strategy, point, &search->outcomes[point]);
}

static void done(struct search *search, uint64_t point, double value)
{
    tell(search, point, POINT_DONE, value);
}

// ---- The plan

static void test_budget_plan_is_the_papers_table_when_r_is_81_and_eta_is_3(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        int64_t r;
    } table[5][5] = {{{5, 81}},
                     {{8, 27}, {2, 81}},
                     {{15, 9}, {5, 27}, {1, 81}},
                     {{34, 3}, {11, 9}, {3, 27}, {1, 81}},
                     {{81, 1}, {27, 3}, {9, 9}, {3, 27}, {1, 81}}};
    struct spec *spec = spec_of("random", "minimize", "", two_params);
    struct budget_plan plan;
    assert_int_equal(budget_plan_init(&plan, spec->space, "epochs", 3, NULL), 0);
    assert_int_equal(plan.level_count, 5);
    for (size_t s = 0; s < 5; s++) {
        for (size_t rung = 0; rung <= s; rung++) {
            assert_int_equal(budget_plan_places(&plan, s, rung), table[s][rung].n);
            assert_int_equal(plan.levels[4 - s + rung].integer, table[s][rung].r);
        }
    }
    spec_free(spec);
}

static void test_budget_plan_has_distinct_budgets_when_some_round_to_the_same_value(void **state)
{
    (void)state;
    static const struct {
        const char *parameter;
        double levels[6];
        size_t count;
    } cases[] = {
        {"{min: 1, max: 100}", {1, 4, 11, 33, 100}, 5},
        {"{min: 1, max: 3}", {1, 3}, 2},
        {"{values: [100, 10]}", {10, 100}, 2},
        {"{values: [50, 1, 5]}", {1, 5, 50}, 3},
        {"{min: 0.1, max: 0.9}", {0.1, 0.9 / 3, 0.9}, 3},
        {"{distribution: q_uniform, min: 10, max: 100, q: 10}", {10, 30, 100}, 3},
        {"{distribution: log_uniform_values, min: 1.0, max: 10.0}", {10.0 / 9, 10.0 / 3, 10}, 3},
        {"{distribution: log_uniform, min: 0.0, max: 2.0}", {2.4630186996435497, 7.38905609893065}, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *parameters = xasprintf("parameters:\n  b: %s\n  x: {min: 0.0, max: 1.0}\n", cases[i].parameter);
        struct spec *spec = spec_of("random", "minimize", "", parameters);
        struct budget_plan plan;
        struct err err;
        if (budget_plan_init(&plan, spec->space, "b", 3, &err) != 0)
            fail_msg("%s: %s", cases[i].parameter, err.text);
        assert_int_equal(plan.level_count, cases[i].count);
        for (size_t k = 0; k < plan.level_count; k++) {
            double x = 0;
            assert_true(value_number(&plan.levels[k], &x));
            assert_true(fabs(x - cases[i].levels[k]) < 1e-12);
            assert_true(param_contains(space_param(spec->space, plan.param), &plan.levels[k]));
        }
        spec_free(spec);
        free(parameters);
    }
}

static void test_hyperband_is_refused_when_the_budget_parameter_cannot_be_one(void **state)
{
    (void)state;
    static const struct {
        const char *options, *parameters, *says;
    } cases[] = {
        {"", "parameters:\n  e: {min: 1, max: 9}\n  x: {min: 0.0, max: 1.0}\n", "strategy: {budget: NAME}"},
        {"budget: f", "parameters:\n  e: {min: 1, max: 9}\n  x: {min: 0.0, max: 1.0}\n", "no such parameter"},
        {"budget: e", "parameters:\n  e: {value: 9}\n  x: {min: 0.0, max: 1.0}\n", "one value only"},
        {"budget: e", "parameters:\n  e: {values: [a, b]}\n  x: {min: 0.0, max: 1.0}\n", "must be a number"},
        {"budget: e", "parameters:\n  e: {distribution: normal, mu: 1, sigma: 1}\n  x: {min: 0.0, max: 1.0}\n", "must be a number"},
        {"budget: e", "parameters:\n  e: {min: 0, max: 9}\n  x: {min: 0.0, max: 1.0}\n", "above 0"},
        {"budget: e", "parameters:\n  e: {min: 5, max: 9}\n  x: {min: 0.0, max: 1.0}\n", "no second budget"},
        {"budget: e", "parameters:\n  e: {min: 1, max: 9, when: {k: a}}\n  k: {values: [a, b]}\n", "has a condition"},
        {"budget: e", "parameters:\n  e: {min: 1, max: 9}\n  x: {min: 0.0, max: 1.0, when: \"e > 3\"}\n", "condition of parameter 'x'"},
        {"budget: e", "parameters:\n  e: {min: 1, max: 9}\n  x: {min: 0.0, max: 1.0}\nconstraints: [\"e * x < 4\"]\n", "constraint"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spec *spec = NULL;
        struct problems problems = {0};
        char *text = xasprintf("method: hyperband\nmetric: {name: loss, goal: minimize}\nstrategy: {%s}\n%s", cases[i].options,
                               cases[i].parameters);
        assert_int_equal(spec_parse(text, strlen(text), &spec, &problems), ERR_INVALID);
        const char *message = NULL;
        for (size_t k = 0; k < problems.count; k++)
            if (problems.items[k].severity == PROBLEM_ERROR)
                message = problems.items[k].message;
        assert_non_null(message);
        if (!strstr(message, cases[i].says))
            fail_msg("case %zu: %s", i, message);
        problems_release(&problems);
        free(text);
    }
}

// ---- Rounds

// Loss falls with the budget towards a floor that the configuration decides: the squared distance from a centre.
static double loss_at(double distance, double epochs)
{
    return distance + (0.1 + 0.5 * distance) / epochs;
}

static double centre_of(size_t param)
{
    return 0.2 + 0.1 * (double)(param % 7);
}

static double loss_of(const struct search *search, uint64_t point)
{
    double distance = 0, epochs = number(search, point, "epochs");
    for (size_t i = 1; i < space_count(search->spec->space); i++) { // epochs is the first by name
        double x = (double)NAN;
        value_number(&search->configs[point].values[i], &x);
        distance += (x - centre_of(i)) * (x - centre_of(i));
    }
    return loss_at(distance, epochs);
}

// A round of a given number of workers, oldest first; counts[bracket][rung].
static void run_round(struct search *search, size_t workers, size_t counts[5][5])
{
    uint64_t running[200] = {0};
    size_t count = 0;
    for (;;) {
        uint64_t point = 0;
        int rc = count < workers ? next(search, &point) : ERR_AGAIN;
        if (rc == 0) {
            size_t bracket = 0, rung = 0;
            assert_int_equal(sscanf(search->notes[point], "bracket %zu of 5 of round 1, rung %zu of", &bracket, &rung), 2);
            counts[bracket - 1][rung - 1]++;
            running[count++] = point;
            continue;
        }
        if (rc == ERR_EXHAUSTED && count == 0)
            return;
        assert_int_equal(rc, ERR_AGAIN); // with something to wait for
        assert_true(count > 0);
        done(search, running[0], loss_of(search, running[0]));
        memmove(running, running + 1, --count * sizeof *running);
    }
}

static void test_hyperband_gives_the_papers_brackets_when_a_round_runs_to_its_end(void **state)
{
    (void)state;
    static const size_t plan[5][5] = {{81, 27, 9, 3, 1}, {34, 11, 3, 1}, {15, 5, 1}, {8, 2}, {5}};
    static const char *const options[] = {"budget: epochs, iterations: 1, promotion: sync", "budget: epochs, iterations: 1"};
    static const size_t workers[] = {1, 7, 100};
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < 3; k++) {
            size_t counts[5][5] = {{0}};
            struct search *search = search_new("hyperband", "minimize", options[i], two_params);
            run_round(search, workers[k], counts);
            assert_memory_equal(counts, plan, sizeof plan);
            search_free(search);
        }
    }
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void test_hyperband_promotes_the_best_third_with_their_configuration_when_sync(void **state)
{
    (void)state;
    struct search *search = search_new("hyperband", "maximize", "budget: epochs, brackets: 1, iterations: 1, promotion: sync", two_params);
    double losses[81];
    for (size_t i = 0; i < 81; i++) {
        uint64_t point = point_of(search);
        assert_true(number(search, point, "epochs") == 1);
        assert_int_equal(search->parents[point], 0);
        losses[i] = loss_of(search, point);
    }
    uint64_t none;
    assert_int_equal(next(search, &none), ERR_AGAIN);
    for (uint64_t i = 81; i >= 1; i--) {
        assert_int_equal(next(search, &none), ERR_AGAIN);
        done(search, i, -losses[i - 1]);
    }
    qsort(losses, 81, sizeof *losses, compare_doubles);
    for (size_t i = 0; i < 27; i++) {
        uint64_t point = point_of(search), parent = search->parents[point];
        assert_true(parent >= 1 && parent <= 81);
        assert_true(loss_of(search, parent) == losses[i]); // in the order of rank
        assert_true(number(search, point, "epochs") == 3);
        assert_true(number(search, point, "x") == number(search, parent, "x"));
        assert_true(number(search, point, "y") == number(search, parent, "y"));
        assert_non_null(strstr(search->notes[point], "rung 2 of 5 with epochs = 3: promoted from point"));
    }
    assert_int_equal(next(search, &none), ERR_AGAIN);
    search_free(search);
}

static void test_hyperband_promotes_before_the_rung_is_complete_when_async(void **state)
{
    (void)state;
    struct search *search = search_new("hyperband", "minimize", "budget: epochs", two_params);
    uint64_t first = point_of(search), second = point_of(search), third = point_of(search);
    done(search, first, 3);
    done(search, second, 1);
    uint64_t fourth = point_of(search); // two results: none is in the best third
    assert_int_equal(search->parents[fourth], 0);
    done(search, third, 2);
    uint64_t promoted = point_of(search);
    assert_int_equal(search->parents[promoted], second);
    assert_true(number(search, promoted, "epochs") == 3);
    assert_string_equal(search->notes[promoted],
                        "bracket 1 of 5 of round 1, rung 2 of 5 with epochs = 3: promoted from point 2, number 1 of 3 that "
                        "ended with epochs = 1, by its value 1.0 (the best; number 2 is 2.0)");
    assert_int_equal(search->parents[point_of(search)], 0); // and only once
    search_free(search);
}

static void test_hyperband_gives_distinct_points_of_several_brackets_when_100_are_pending(void **state)
{
    (void)state;
    struct search *search = search_new("hyperband", "minimize", "budget: epochs", two_params);
    for (size_t i = 0; i < 100; i++) {
        uint64_t point = point_of(search);
        assert_true(number(search, point, "epochs") == (i < 81 ? 1 : 3));
        for (uint64_t other = 1; other < point; other++)
            assert_true(number(search, point, "x") != number(search, other, "x"));
    }
    search_free(search);
}

// ---- Ends that are no results

static void test_hyperband_promotes_the_next_best_when_a_promoted_point_fails(void **state)
{
    (void)state;
    struct search *search =
        search_new("hyperband", "minimize", "budget: epochs, brackets: 1, iterations: 1, promotion: sync",
                   "parameters:\n  epochs: {min: 1, max: 9}\n  x: {min: 0.0, max: 1.0}\n  y: {min: 0.0, max: 1.0}\n");
    for (uint64_t i = 1; i <= 9; i++)
        done(search, point_of(search), (double)i);
    uint64_t points[3], none;
    for (size_t i = 0; i < 3; i++)
        points[i] = point_of(search);
    assert_int_equal(next(search, &none), ERR_AGAIN);
    tell(search, points[0], POINT_FAILED, 0);
    assert_int_equal(search->parents[point_of(search)], 4); // instead of point 1
    tell(search, points[1], POINT_CANCELLED, 0);
    uint64_t fifth = point_of(search);
    assert_int_equal(search->parents[fifth], 5);
    done(search, points[2], 0.3);
    done(search, fifth, 0.1);
    assert_int_equal(next(search, &none), ERR_AGAIN);
    done(search, fifth - 1, 0.2);
    uint64_t last = point_of(search);
    assert_int_equal(search->parents[last], fifth);
    assert_true(number(search, last, "epochs") == 9);
    done(search, last, 0);
    assert_int_equal(next(search, &none), ERR_EXHAUSTED);
    search_free(search);
}

static void test_hyperband_comes_to_an_end_when_everything_fails(void **state)
{
    (void)state;
    for (int state_ = POINT_FAILED; state_ <= POINT_CANCELLED; state_++) {
        struct search *search = search_new("hyperband", "minimize", "budget: epochs, iterations: 2", two_params);
        uint64_t point;
        int rc;
        while ((rc = next(search, &point)) == 0)
            tell(search, point, (enum point_state)state_, 1.0);
        assert_int_equal(rc, ERR_EXHAUSTED);
        assert_int_equal(search->count, 2 * (81 + 34 + 15 + 8 + 5)); // none goes on
        search_free(search);
    }
}

static void test_hyperband_never_promotes_values_that_are_not_finite(void **state)
{
    (void)state;
    struct search *search = search_new("hyperband", "minimize", "budget: epochs, iterations: 1, brackets: 1", two_params);
    uint64_t point;
    while (next(search, &point) == 0) {
        if (search->parents[point] && search->parents[point] <= 81)
            assert_int_equal(search->parents[point] % 3, 0);
        done(search, point, point > 81 ? 1.0 : point % 3 == 0 ? (double)point : point % 3 == 1 ? (double)NAN : (double)INFINITY);
    }
    assert_int_equal(search->count, 81 + 27 + 9 + 3 + 1);
    search_free(search);
}

static void test_hyperband_goes_on_with_what_there_is_when_the_space_is_used_up(void **state)
{
    (void)state;
    struct search *search = search_new("hyperband", "minimize", "budget: epochs",
                                       "parameters:\n  epochs: {min: 1, max: 81}\n  x: {min: 1, max: 10}\n  y: {values: [a, b]}\n");
    uint64_t point, begun = 0;
    int rc;
    while ((rc = next(search, &point)) == 0) {
        begun += search->parents[point] == 0;
        done(search, point, number(search, point, "x"));
    }
    assert_int_equal(rc, ERR_EXHAUSTED);
    assert_int_equal(begun, 20);
    assert_true(number(search, search->count, "epochs") == 81);
    search_free(search);
}

// ---- Restores

// What the controller does after a restart: what was told in the order of tells, then what is in flight.
static struct strategy *restored(const struct search *search)
{
    struct strategy *strategy = strategy_of(search->spec);
    bool told[POINTS_MAX + 1] = {false};
    for (size_t i = 0; i < search->told_count; i++) {
        uint64_t point = search->told[i];
        told[point] = true;
        strategy_restore(strategy, point, &search->configs[point]);
        strategy_tell(strategy, point, &search->outcomes[point]);
    }
    for (uint64_t point = 1; point <= search->count; point++)
        if (!told[point])
            strategy_restore(strategy, point, &search->configs[point]);
    return strategy;
}

// At every ask, one that was restored gives what the live one gives, and says the same of it.
static void check_restore(const char *method, const char *options, const char *parameters, size_t turns)
{
    struct search *search = search_new(method, "minimize", options, parameters);
    struct rng rng;
    rng_stream(&rng, 11, "test", 0);
    uint64_t running[9] = {0};
    for (size_t turn = 0; turn < turns; turn++) {
        uint64_t *slot = &running[rng_below(&rng, 9)];
        if (*slot) {
            enum point_state ends[] = {POINT_DONE, POINT_DONE, POINT_DONE, POINT_DONE, POINT_FAILED, POINT_CANCELLED, POINT_STOPPED};
            tell(search, *slot, ends[rng_below(&rng, 7)], rng_double(&rng) / number(search, *slot, "epochs"));
            *slot = 0;
            continue;
        }
        struct strategy *other = restored(search);
        struct config config;
        int rc = next(search, slot);
        assert_int_equal(strategy_ask(other, search->count + (rc != 0), &config, NULL), rc);
        if (rc == 0) {
            assert_true(config_equal(&config, &search->configs[search->count]));
            assert_int_equal(strategy_note(other).parent, search->parents[search->count]);
            assert_string_equal(strategy_note(other).text, search->notes[search->count]);
            config_release(&config);
        }
        strategy_free(other);
    }
    search_free(search);
}

static const char conditional[] = "parameters:\n  a: {values: [p, q]}\n  b: {min: 0.0, max: 1.0, when: {a: p}}\n"
                                  "  epochs: {min: 1, max: 27}\n  z: {min: 1, max: 1000}\nconstraints: [\"b < 0.9\"]\n";

static void test_hyperband_gives_the_same_when_restored(void **state)
{
    (void)state;
    check_restore("hyperband", "budget: epochs", two_params, 600);
    check_restore("hyperband", "budget: epochs, promotion: sync, iterations: 1", conditional, 600);
    check_restore("hyperband", "budget: epochs, brackets: 2, eta: 2.5", conditional, 600);
    check_restore("hyperband", "budget: epochs", "parameters:\n  epochs: {min: 1, max: 9}\n  x: {min: 1, max: 30}\n", 200);
}

static void test_bohb_gives_the_same_when_restored(void **state)
{
    (void)state;
    check_restore("bohb", "budget: epochs", two_params, 400);
    check_restore("bohb", "budget: epochs, brackets: 2, random_fraction: 0", conditional, 400);
    check_restore("bohb", "budget: epochs, sampler: bayes", two_params, 120);
    check_restore("bohb", "budget: epochs, sampler: random", two_params, 200);
}

static void test_hyperband_ignores_points_of_other_budgets_when_restored(void **state)
{
    (void)state;
    struct search *search = search_new("hyperband", "minimize", "budget: epochs", two_params);
    struct config config;
    config_from_unit(search->spec->space, (double[]){0.5, 0.5, 0.5}, &config); // epochs: 41
    for (uint64_t point = 1; point <= 3; point++) {
        strategy_restore(search->strategy, point, &config);
        strategy_tell(search->strategy, point, &(struct outcome){.state = POINT_DONE, .value_count = 1, .values = {-1}});
    }
    search->count = 3;
    for (uint64_t point = 1; point <= 3; point++) {
        config_copy(&config, &search->configs[point]);
        search->notes[point] = NULL;
    }
    config_release(&config);
    uint64_t point = point_of(search);
    assert_non_null(strstr(search->notes[point], "bracket 1 of 5 of round 1, rung 1 of 5 with epochs = 1: new configuration 1 of 81"));
    search_free(search);
}

static void test_hyperband_promotes_an_enqueued_point_when_it_is_good(void **state)
{
    (void)state;
    struct search *search = search_new("hyperband", "minimize", "budget: epochs", two_params);
    struct config config;
    config_from_unit(search->spec->space, (double[]){0.0, 0.25, 0.75}, &config); // epochs: 1
    strategy_restore(search->strategy, 1, &config);
    search->configs[1] = config;
    search->count = 1;
    done(search, 1, 0.0);
    done(search, point_of(search), 1.0);
    done(search, point_of(search), 2.0);
    uint64_t point = point_of(search);
    assert_int_equal(search->parents[point], 1);
    assert_true(number(search, point, "x") == 0.25 && number(search, point, "epochs") == 3);
    search_free(search);
}

static void test_bohb_learns_from_priors_but_never_promotes_them(void **state)
{
    (void)state;
    struct search *search = search_new("bohb", "minimize", "budget: epochs, random_fraction: 0", two_params);
    struct config config;
    for (uint64_t i = 1; i <= 8; i++) {
        config_from_unit(search->spec->space, (double[]){0.9999, (double)i / 10, 0.5}, &config); // epochs: 81
        strategy_restore(search->strategy, STRATEGY_PRIOR_POINTS + i, &config);
        struct outcome outcome = outcome_of(POINT_DONE, (double)i);
        strategy_tell(search->strategy, STRATEGY_PRIOR_POINTS + i, &outcome);
        config_release(&config);
    }
    config_from_unit(search->spec->space, (double[]){0.0, 0.1, 0.5}, &config); // the best of them with epochs: 1
    strategy_restore(search->strategy, STRATEGY_PRIOR_POINTS + 9, &config);
    struct outcome best = outcome_of(POINT_DONE, -1);
    strategy_tell(search->strategy, STRATEGY_PRIOR_POINTS + 9, &best);
    config_release(&config);
    for (uint64_t point = 1; point <= 81; point++) {
        assert_int_equal(point_of(search), point);
        assert_true(number(search, point, "epochs") == 1);
        assert_non_null(strstr(search->notes[point], "by the model of 8 results at epochs = 81"));
    }
    search_free(search);
}

// ---- Quality

// The best loss at full budget after runs of `budget` epochs in all, by 4 workers in simulated time. A promoted run goes on from
// its parent's state, so that it costs the difference.
static double best_within(const char *method, const char *options, const char *parameters, uint64_t seed, double budget)
{
    struct search *search = xcalloc(1, sizeof *search);
    search->spec = spec_of(method, "minimize", options, parameters);
    search->strategy = made(method, &(struct strategy_setup){.space = search->spec->space,
                                                             .seed = seed,
                                                             .settings = search->spec->settings,
                                                             .setting_count = search->spec->setting_count});
    uint64_t running[4] = {0};
    double ends[4] = {0}, best = (double)INFINITY, spent = 0;
    for (;;) {
        size_t first = 0;
        for (size_t i = 1; i < 4; i++)
            if (ends[i] < ends[first])
                first = i;
        if (running[first]) {
            double loss = loss_of(search, running[first]);
            if (number(search, running[first], "epochs") == 81 && loss < best)
                best = loss;
            done(search, running[first], loss);
        }
        uint64_t point = point_of(search), parent = search->parents[point];
        double cost = number(search, point, "epochs") - (parent ? number(search, parent, "epochs") : 0);
        spent += cost;
        if (spent > budget)
            break;
        running[first] = point;
        ends[first] += cost;
    }
    search_free(search);
    return best;
}

static double median_within(const char *method, const char *options, const char *parameters, double budget)
{
    enum { SEEDS = 25 };
    double best[SEEDS];
    for (size_t i = 0; i < SEEDS; i++)
        best[i] = best_within(method, options, parameters, 100 + i, budget);
    qsort(best, SEEDS, sizeof *best, compare_doubles);
    return best[SEEDS / 2];
}

// By lot every run has the full budget: 60 runs are 4860 epochs.
static double median_of_lot(size_t runs)
{
    enum { SEEDS = 25 };
    double best[SEEDS];
    for (size_t i = 0; i < SEEDS; i++) {
        struct rng rng;
        rng_stream(&rng, 100 + i, "test", 0);
        best[i] = (double)INFINITY;
        for (size_t k = 0; k < runs; k++) {
            double x = rng_double(&rng) - centre_of(1), y = rng_double(&rng) - centre_of(2);
            best[i] = fmin(best[i], loss_at(x * x + y * y, 81));
        }
    }
    qsort(best, SEEDS, sizeof *best, compare_doubles);
    return best[SEEDS / 2];
}

// A third of the budget is one round through all brackets.
static void test_hyperband_is_as_good_as_lot_when_it_has_a_third_of_the_budget(void **state)
{
    (void)state;
    double lot = median_of_lot(60);
    double hyperband = median_within("hyperband", "budget: epochs", two_params, 60 * 81 / 3);
    double sync = median_within("hyperband", "budget: epochs, promotion: sync", two_params, 60 * 81 / 3);
    print_message("lot with 4860 epochs %g; with 1620: hyperband %g, sync %g\n", lot, hyperband, sync);
    assert_true(hyperband <= lot);
    assert_true(sync <= lot);
}

static void test_bohb_is_better_than_hyperband_when_both_have_the_same_budget(void **state)
{
    (void)state;
    const double floor_ = 0.1 / 81; // of the best configuration
    double hyperband = median_within("hyperband", "budget: epochs", six_params, 4860) - floor_;
    double bohb = median_within("bohb", "budget: epochs", six_params, 4860) - floor_;
    print_message("regret with 4860 epochs: hyperband %g, bohb %g\n", hyperband, bohb);
    assert_true(bohb < hyperband);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget_plan_is_the_papers_table_when_r_is_81_and_eta_is_3),
        cmocka_unit_test(test_budget_plan_has_distinct_budgets_when_some_round_to_the_same_value),
        cmocka_unit_test(test_hyperband_is_refused_when_the_budget_parameter_cannot_be_one),
        cmocka_unit_test(test_hyperband_gives_the_papers_brackets_when_a_round_runs_to_its_end),
        cmocka_unit_test(test_hyperband_promotes_the_best_third_with_their_configuration_when_sync),
        cmocka_unit_test(test_hyperband_promotes_before_the_rung_is_complete_when_async),
        cmocka_unit_test(test_hyperband_gives_distinct_points_of_several_brackets_when_100_are_pending),
        cmocka_unit_test(test_hyperband_promotes_the_next_best_when_a_promoted_point_fails),
        cmocka_unit_test(test_hyperband_comes_to_an_end_when_everything_fails),
        cmocka_unit_test(test_hyperband_never_promotes_values_that_are_not_finite),
        cmocka_unit_test(test_hyperband_goes_on_with_what_there_is_when_the_space_is_used_up),
        cmocka_unit_test(test_hyperband_gives_the_same_when_restored),
        cmocka_unit_test(test_bohb_gives_the_same_when_restored),
        cmocka_unit_test(test_hyperband_ignores_points_of_other_budgets_when_restored),
        cmocka_unit_test(test_hyperband_promotes_an_enqueued_point_when_it_is_good),
        cmocka_unit_test(test_bohb_learns_from_priors_but_never_promotes_them),
        cmocka_unit_test(test_hyperband_is_as_good_as_lot_when_it_has_a_third_of_the_budget),
        cmocka_unit_test(test_bohb_is_better_than_hyperband_when_both_have_the_same_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
