// The fingerprint: the same for the same sweep however it is written, another one for another
// sweep.
#include "spec/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static uint64_t fingerprint(const char *text, uint64_t *ret_seed)
{
    struct problems problems = {0};
    struct spec *spec = NULL;
    if (spec_parse(text, strlen(text), &spec, &problems) != 0)
        fail_msg("%d: %s", problems.items[0].line, problems.items[0].message);
    uint64_t result = spec->fingerprint;
    if (ret_seed)
        *ret_seed = spec->seed;
    problems_release(&problems);
    spec_free(spec);
    return result;
}

#define BASE                                                                                       \
    "method: random\nprogram: a.py\nmetric: {name: loss, goal: minimize}\n"                        \
    "parameters:\n  lr: {min: 0.00001, max: 0.1}\n  units: {values: [1, 2]}\n"

static void test_fingerprint_is_the_same_when_only_the_writing_differs(void **state)
{
    (void)state;
    static const char *const same[] = {
        "# a comment\nprogram: a.py\nmethod: random\nparameters:\n  units:\n    values:\n    - 1\n "
        "   - 2\n"
        "  lr:\n    max: 1e-1\n    min: 1e-5\n    distribution: uniform\nmetric:\n  name: 'loss'\n",
        "{\"method\": \"random\", \"program\": \"a.py\", \"metric\": {\"name\": \"loss\"}, "
        "\"parameters\": "
        "{\"lr\": {\"min\": 1e-5, \"max\": 0.1}, \"units\": {\"values\": [1, 0x2]}}}",
    };
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(fingerprint(same[i], NULL), fingerprint(BASE, NULL));
}

static void test_fingerprint_is_the_same_when_what_does_not_decide_changes(void **state)
{
    (void)state;
    static const char *const more[] = {
        "name: x\n",        "project: p\n",           "entity: e\n",
        "description: d\n", "run_cap: 10\n",          "parallel: 2\n",
        "retry: 1\n",       "budget: {trials: 5}\n",  "timeout: 1h\n",
        "grace: 5\n",       "resources: {cpus: 2}\n", "on_isolation: stop\n",
        "unknown_key: 1\n",
    };
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        struct str text = STR_INIT;
        str_addf(&text, "%s%s", BASE, more[i]);
        assert_int_equal(fingerprint(text.s, NULL), fingerprint(BASE, NULL));
        str_release(&text);
    }
}

static void test_fingerprint_differs_when_what_decides_changes(void **state)
{
    (void)state;
    static const char *const more[] = {
        "seed: 1\n",
        "repeats: 2\n",
        "env: {A: 1}\n",
        "working_dir: x\n",
        "command: [a]\n",
        "order: shuffle\n",
        "constraints: lr < 1\n",
        "early_terminate: {type: hyperband, min_iter: 3}\n",
    };
    uint64_t seen[16] = {fingerprint(BASE, NULL)};
    size_t count = 1;
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        struct str text = STR_INIT;
        str_addf(&text, "%s%s", BASE, more[i]);
        uint64_t hash = fingerprint(text.s, NULL);
        for (size_t j = 0; j < count; j++)
            assert_int_not_equal(hash, seen[j]);
        seen[count++] = hash;
        str_release(&text);
    }
}

static void test_fingerprint_differs_when_the_space_changes(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "method: random\nparameters: {x: {values: [1, 2]}}",
        "method: grid\nparameters: {x: {values: [1, 2]}}",
        "method: random\nparameters: {x: {values: [2, 1]}}",
        "method: random\nparameters: {x: {values: [1, '2']}}",
        "method: random\nparameters: {y: {values: [1, 2]}}",
        "method: random\nparameters: {x: {min: 1, max: 2}}",
        "method: random\nparameters: {x: {min: 1.0, max: 2.0}}",
        "method: random\nparameters: {a.b: {value: 1}}",
        "method: random\nparameters: {a: {parameters: {b: {value: 1}}}}",
    };
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(fingerprint(specs[i], NULL), fingerprint(specs[j], NULL));
    }
}

static void test_seed_follows_the_fingerprint_when_none_is_written(void **state)
{
    (void)state;
    uint64_t one, same, other, written;
    fingerprint(BASE, &one);
    fingerprint(BASE "name: x\n", &same);
    fingerprint(BASE "repeats: 2\n", &other);
    fingerprint(BASE "seed: 42\n", &written);
    assert_int_equal(one, same);
    assert_int_not_equal(one, other);
    assert_int_equal(written, 42);
}

#define TAIL "method: random\nprogram: a.py\nparameters: {x: {values: [1, 2]}}\n"

static void test_fingerprint_holds_every_objective_when_there_are_several(void **state)
{
    (void)state;
    static const char *const different[] = {
        TAIL "metrics: [{name: a}, {name: b}]\n",
        TAIL "metrics: [{name: b}, {name: a}]\n",
        TAIL "metrics: [{name: a}, {name: b, goal: maximize}]\n",
        TAIL "metrics: [{name: a}, {name: b, pattern: 'b=(.*)'}]\n",
        TAIL "metrics: [{name: a}, {name: b}, {name: c}]\n",
        TAIL "metric: {name: a}\n",
    };
    enum { COUNT = sizeof different / sizeof *different };
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(fingerprint(different[i], NULL) != fingerprint(different[j], NULL));
    assert_true(fingerprint(TAIL "metrics: [{name: a}]\n", NULL) == fingerprint(different[COUNT - 1], NULL));
    assert_true(fingerprint(TAIL "metrics: [{name: a}, {name: b, target: 3}]\n", NULL) == fingerprint(different[0], NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fingerprint_is_the_same_when_only_the_writing_differs),
        cmocka_unit_test(test_fingerprint_is_the_same_when_what_does_not_decide_changes),
        cmocka_unit_test(test_fingerprint_differs_when_what_decides_changes),
        cmocka_unit_test(test_fingerprint_differs_when_the_space_changes),
        cmocka_unit_test(test_seed_follows_the_fingerprint_when_none_is_written),
        cmocka_unit_test(test_fingerprint_holds_every_objective_when_there_are_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
