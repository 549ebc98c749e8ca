// What a suggestion costs: strategy_ask of each method for 10 parameters, as a multiple of the
// least that any strategy must do (draw 10 numbers, allocate a configuration for them, release it),
// measured in the same run.
//
// Prints the median of ROUNDS rounds. The spaces: 10 numbers; 10 mixed with strings, a condition
// and a constraint; a grid of 10^10 points in order and shuffled.

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "space/space.h"
#include "strategies/strategy.h"

#include <stdio.h>
#include <stdlib.h>

#define PARAMETERS 10
#define ASKS       20000
#define ROUNDS     15

static volatile double sink;

static struct param parameter(int i, enum dist dist)
{
    struct param param = {
        .dist = dist, .min = 1e-5, .max = 1, .int_min = 1, .int_max = 10, .sigma = 1};
    param.name = xasprintf("p%d", i);
    param.path = xcalloc(1, sizeof *param.path);
    param.path[0] = xstrdup(param.name);
    param.path_count = 1;
    return param;
}

static struct param choice(int i)
{
    static const char *const words[] = {"adam", "sgd", "rmsprop"};
    struct param param = parameter(i, DIST_CATEGORICAL);
    param.value_count = ARRAY_LEN(words);
    param.values = xcalloc(param.value_count, sizeof *param.values);
    for (size_t k = 0; k < ARRAY_LEN(words); k++)
        param.values[k] = (struct value){.kind = VALUE_STRING, .text = xstrdup(words[k])};
    return param;
}

static void must(int rc, const struct err *err)
{
    if (rc == 0)
        return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static struct expr *expression(const char *text)
{
    struct err err;
    struct expr *expr;
    must(expr_parse(text, &expr, NULL, &err), &err);
    return expr;
}

// kind: 'i' integers, 'f' floats, 'm' mixed
static struct space *make_space(char kind)
{
    struct err err;
    struct space *space = space_new();
    for (int i = 0; i < PARAMETERS; i++) {
        struct param param = kind == 'i'   ? parameter(i, DIST_INT_UNIFORM)
                             : kind == 'f' ? parameter(i, DIST_UNIFORM)
                             : i % 3 == 0  ? choice(i)
                             : i % 3 == 1  ? parameter(i, DIST_LOG_UNIFORM_VALUES)
                                           : parameter(i, DIST_INT_UNIFORM);
        if (kind == 'm' && i == 4)
            param.when = expression("p0 == 'sgd'");
        must(space_add(space, &param, &err), &err);
    }
    if (kind == 'm') {
        struct expr *expr = expression("p2 * p5 <= 90");
        must(space_add_constraint(space, &expr, &err), &err);
    }
    must(space_seal(space, &err), &err);
    return space;
}

static uint64_t baseline(void)
{
    struct rng rng;
    rng_stream(&rng, 1, "bench", 0);
    uint64_t start = clock_mono_ns();
    for (int i = 0; i < ASKS; i++) {
        struct value *values = xmalloc(PARAMETERS * sizeof *values);
        for (int k = 0; k < PARAMETERS; k++)
            values[k] = (struct value){.kind = VALUE_FLOAT, .number = rng_double(&rng)};
        sink = values[i % PARAMETERS].number;
        free(values);
    }
    return clock_mono_ns() - start;
}

static uint64_t asks(struct strategy *strategy)
{
    struct err err;
    uint64_t start = clock_mono_ns();
    for (uint64_t i = 0; i < ASKS; i++) {
        struct config config;
        must(strategy_ask(strategy, i, &config, &err), &err);
        sink = config.values[0].number;
        config_release(&config);
    }
    return clock_mono_ns() - start;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double median_ns(uint64_t times[static ROUNDS])
{
    qsort(times, ROUNDS, sizeof *times, compare);
    return (double)times[ROUNDS / 2] / ASKS;
}

int main(void)
{
    static const struct {
        const char *name, *method;
        char kind;
        bool shuffle;
    } cases[] = {
        {"random, 10 floats", "random", 'f', false},
        {"random, 10 mixed", "random", 'm', false},
        {"sobol, 10 floats", "sobol", 'f', false},
        {"sobol, 10 mixed", "sobol", 'm', false},
        {"grid, 10^10 points", "grid", 'i', false},
        {"grid, 10^10 points, shuffled", "grid", 'i', true},
    };
    uint64_t base[ROUNDS], times[ARRAY_LEN(cases)][ROUNDS];
    struct space *spaces[ARRAY_LEN(cases)];
    struct strategy *strategies[ARRAY_LEN(cases)];
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        spaces[i] = make_space(cases[i].kind);
        struct strategy_setup setup = {.space = spaces[i], .seed = 1, .shuffle = cases[i].shuffle};
        must(strategy_new(cases[i].method, &setup, &strategies[i], &err), &err);
    }
    for (int round = 0; round < ROUNDS; round++) { // interleaved: all see the same machine
        base[round] = baseline();
        for (size_t i = 0; i < ARRAY_LEN(cases); i++)
            times[i][round] = asks(strategies[i]);
    }
    double floor_ns = median_ns(base);
    printf("%-32s %8s %8s\n", "median of 15 rounds", "ns/ask", "ratio");
    printf("%-32s %8.0f %8.2f\n", "baseline: draw and allocate", floor_ns, 1.0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        double ns = median_ns(times[i]);
        printf("%-32s %8.0f %8.2f\n", cases[i].name, ns, ns / floor_ns);
        strategy_free(strategies[i]);
        space_free(spaces[i]);
    }
    return 0;
}
