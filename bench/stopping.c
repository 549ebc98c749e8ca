// What a report costs under each stopping rule, when so many runs have reported before: the last tenth of them, 27 reports each. Beside
// it what one decision costs that sorts the values of all runs, as W&B's does.

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "strategies/stopping.h"

#include <stdio.h>
#include <stdlib.h>

#define REPORTS 27

static volatile double sink;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double sort_ns(size_t count)
{
    double *values = xcalloc(count, sizeof *values);
    struct rng rng;
    rng_stream(&rng, 1, "sort", 0);
    for (size_t i = 0; i < count; i++)
        values[i] = rng_normal(&rng);
    uint64_t start = clock_mono_ns();
    qsort(values, count, sizeof *values, by_value);
    uint64_t ns = clock_mono_ns() - start;
    sink = values[count / 3];
    free(values);
    return (double)ns;
}

static double report_ns(const struct stop_type *type, size_t runs)
{
    struct stop_rule rule = stop_rule_of(type);
    rule.min_iter = rule.min_iter ? rule.min_iter : 1;
    struct stopping *stopping = stopping_new(&rule, GOAL_MINIMIZE);
    struct str why = STR_INIT;
    struct rng rng;
    rng_stream(&rng, 1, "curves", 0);
    uint64_t start = 0;
    size_t first = runs - runs / 10;
    for (size_t run = 0; run < runs; run++) {
        double level = rng_normal(&rng);
        if (run == first)
            start = clock_mono_ns();
        for (int step = 0; step < REPORTS; step++) {
            str_clear(&why);
            stopping_report(stopping, run, step, level + 1.0 / (1 + step), &why);
        }
        stopping_end(stopping, run);
    }
    double ns = (double)(clock_mono_ns() - start) / (double)((runs - first) * REPORTS);
    str_release(&why);
    stopping_free(stopping);
    return ns;
}

int main(void)
{
    static const size_t sizes[] = {1000, 10000, 100000};
    printf("%-10s", "ns/report");
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        printf(" %12zu", sizes[i]);
    printf("   runs\n");
    for (const struct stop_type *type = stop_types(); type->name; type++) {
        printf("%-10s", type->name);
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
            printf(" %12.0f", report_ns(type, sizes[i]));
        printf("\n");
    }
    printf("%-10s", "one sort");
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        printf(" %12.0f", sort_ns(sizes[i]));
    printf("\n");
    return 0;
}
