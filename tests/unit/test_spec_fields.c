// What a spec says arrives in struct spec: every key, its default, and what follows from it.
#include "spec/spec.h"

#include "base/file.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct spec *parse(const char *text)
{
    struct problems problems = {0};
    struct spec *spec = NULL;
    if (spec_parse(text, strlen(text), &spec, &problems) != 0)
        fail_msg("%d: %s", problems.items[0].line, problems.items[0].message);
    problems_release(&problems);
    return spec;
}

#define HEAD "method: grid\nprogram: a.py\nparameters: {x: {values: [1, 2]}}\n"

static void test_spec_has_defaults_when_only_the_needed_is_given(void **state)
{
    (void)state;
    struct spec *spec = parse(HEAD);
    assert_string_equal(spec->method, "grid");
    assert_string_equal(spec->strategy, "grid");
    assert_string_equal(spec->program, "a.py");
    assert_int_equal(spec->objective_count, 0);
    assert_null(spec->objectives[0].pattern);
    assert_int_equal(spec->objectives[0].goal, GOAL_MINIMIZE);
    assert_int_equal(spec->command_count, 0);
    assert_int_equal(spec->run_cap, 0);
    assert_int_equal(spec->repeats, 1);
    assert_int_equal(spec->grace_ms, 30000);
    assert_int_equal(spec->timeout_ms, 0);
    assert_int_equal(spec->parallel, 0);
    assert_false(spec->has_seed);
    assert_false(spec->shuffle);
    assert_int_equal(spec->isolation, ISOLATION_KEEP);
    assert_int_equal(spec->early_stop.kind, STOP_NONE);
    for (int i = 0; i < EXIT_CLASS_COUNT; i++)
        assert_int_equal(spec->retry[i], exit_class_default_retries((enum exit_class)i));
    assert_string_equal(spec->text, HEAD);
    assert_int_equal(spec->text_len, strlen(HEAD));
    spec_free(spec);
}

static void test_spec_has_what_is_written_when_every_key_is_given(void **state)
{
    (void)state;
    struct spec *spec = parse(
        HEAD "name: n\nproject: p\nentity: e\ndescription: d\nrun_cap: 9\nseed: 7\norder: shuffle\n"
             "repeats: 3\ntimeout: 1h30m\ngrace: 10\nparallel: 4\nbudget: {trials: 100, time: 8h}\n"
             "resources: {cpus: 4, gpus: 0.5, memory: 16G, labels: [a100, fast]}\n"
             "env: {B: 'x y', A: 1}\nworking_dir: runs\non_isolation: stop\n"
             "metric: {name: acc, goal: maximize, target: 0.9, pattern: 'acc=(.*)'}\n"
             "command: [python, '${program}', 1, yes, '${args}']\n");
    assert_string_equal(spec->name, "n");
    assert_string_equal(spec->project, "p");
    assert_string_equal(spec->entity, "e");
    assert_string_equal(spec->description, "d");
    assert_int_equal(spec->run_cap, 9);
    assert_true(spec->has_seed);
    assert_int_equal(spec->seed, 7);
    assert_true(spec->shuffle);
    assert_int_equal(spec->repeats, 3);
    assert_int_equal(spec->timeout_ms, 5400000);
    assert_int_equal(spec->grace_ms, 10000);
    assert_int_equal(spec->parallel, 4);
    assert_int_equal(spec->budget_trials, 100);
    assert_int_equal(spec->budget_ms, 28800000);
    assert_int_equal(spec->resources.cpus, 4);
    assert_true(spec->resources.gpus_given);
    assert_int_equal(spec->resources.gpu_millis, 500);
    assert_int_equal(spec->resources.memory_bytes, 16ull << 30);
    assert_int_equal(spec->resources.label_count, 2);
    assert_string_equal(spec->resources.labels[1], "fast");
    assert_int_equal(spec->env_count, 2);
    assert_string_equal(spec->env[0].name, "A");
    assert_string_equal(spec->env[0].value, "1");
    assert_string_equal(spec->env[1].value, "x y");
    assert_string_equal(spec->working_dir, "runs");
    assert_int_equal(spec->isolation, ISOLATION_STOP);
    assert_string_equal(spec->objectives[0].name, "acc");
    assert_int_equal(spec->objectives[0].goal, GOAL_MAXIMIZE);
    assert_true(spec->objectives[0].has_target);
    assert_true(spec->objectives[0].target == 0.9);
    assert_string_equal(spec->objectives[0].pattern, "acc=(.*)");
    assert_int_equal(spec->command_count, 5);
    assert_string_equal(spec->command[3], "yes");
    spec_free(spec);
}

static void test_spec_retry_covers_all_failures_when_it_is_a_number(void **state)
{
    (void)state;
    struct spec *spec = parse(HEAD "retry: 2\n");
    assert_int_equal(spec->retry[EXIT_FAILED], 2);
    assert_int_equal(spec->retry[EXIT_SIGNAL], 2);
    assert_int_equal(spec->retry[EXIT_TIMEOUT], 2);
    assert_int_equal(spec->retry[EXIT_OOM], 2);
    assert_int_equal(spec->retry[EXIT_NO_METRIC], 2);
    assert_int_equal(spec->retry[EXIT_START_FAILED], 2);
    assert_int_equal(spec->retry[EXIT_LOST], 3);
    assert_int_equal(spec->retry[EXIT_KILLED], 3);
    assert_int_equal(spec->retry[EXIT_INTERRUPTED], UINT32_MAX);
    assert_int_equal(spec->retry[EXIT_SUCCESS_CLASS], 0);
    assert_int_equal(spec->retry[EXIT_CANCELLED], 0);
    assert_int_equal(spec->retry[EXIT_STOPPED], 0);
    spec_free(spec);
}

static void test_spec_retry_changes_the_named_classes_when_it_is_a_mapping(void **state)
{
    (void)state;
    struct spec *spec = parse(HEAD "retry: {failed: 1, lost: unlimited, killed: 0}\n");
    assert_int_equal(spec->retry[EXIT_FAILED], 1);
    assert_int_equal(spec->retry[EXIT_LOST], UINT32_MAX);
    assert_int_equal(spec->retry[EXIT_KILLED], 0);
    assert_int_equal(spec->retry[EXIT_TIMEOUT], 0);
    spec_free(spec);
}

static void test_spec_early_stop_is_as_in_wandb_when_given(void **state)
{
    (void)state;
    struct spec *spec = parse(
        HEAD "metric: {name: loss}\nearly_terminate: {type: hyperband, max_iter: 27, s: 2}\n");
    assert_int_equal(spec->early_stop.kind, STOP_HYPERBAND);
    assert_int_equal(spec->early_stop.max_iter, 27);
    assert_int_equal(spec->early_stop.s, 2);
    assert_true(spec->early_stop.eta == 3);
    assert_true(spec->early_stop.strict);
    spec_free(spec);
}

// The rows of a type in the document's table: from its own to the next that names one.
static char *rows_of(const char *text, const char *type)
{
    char *row = xasprintf("\n| `%s` |", type);
    const char *from = strstr(text, row);
    free(row);
    if (!from)
        fail_msg("docs/spec.md has no row of type %s", type);
    const char *to = strstr(from + 1, "\n| `"), *end = strstr(from, "\n\n");
    to = to && to < end ? to : end;
    return xstrndup(from, (size_t)(to - from));
}

static void test_spec_document_names_the_options_of_each_stopping_rule_when_read(void **state)
{
    (void)state;
    struct str text = STR_INIT;
    assert_int_equal(file_read(TRAWL_SOURCE_DIR "/docs/spec.md", 1 << 20, &text, NULL), 0);
    for (const struct stop_type *type = stop_types(); type->name; type++) {
        if (type->kind == STOP_HYPERBAND)
            continue; // W&B's: told in prose
        char *rows = rows_of(str_get(&text), type->name);
        for (const struct strategy_option *option = type->options; option->name; option++) {
            char *name = xasprintf("`%s`", option->name), *line = xasprintf("`%s` | %s |", option->name, option->default_text);
            char *several = xasprintf("`%s`,", option->name), *last = xasprintf(", `%s`", option->name);
            if (!strstr(rows, line) && !strstr(rows, several) && !strstr(rows, last))
                fail_msg("docs/spec.md does not give option %s of type %s with its default", name, type->name);
            free(name);
            free(line);
            free(several);
            free(last);
        }
        free(rows);
    }
    str_release(&text);
}

static void test_spec_early_stop_is_off_when_the_goal_is_unclear(void **state)
{
    (void)state;
    struct spec *spec = parse(
        HEAD
        "metric: {name: loss, goal: hello}\nearly_terminate: {type: hyperband, min_iter: 3}\n");
    assert_int_equal(spec->early_stop.kind, STOP_NONE);
    assert_int_equal(spec->objectives[0].goal, GOAL_MINIMIZE);
    spec_free(spec);
}

static void test_spec_strategy_stands_in_when_a_grid_is_continuous(void **state)
{
    (void)state;
    struct spec *spec = parse("method: grid\nprogram: a\nparameters: {x: {min: 0.0, max: 1.0}}\n");
    uint64_t points;
    assert_string_equal(spec->method, "grid");
    assert_string_equal(spec->strategy, "sobol");
    assert_false(spec_grid_points(spec, &points));
    spec_free(spec);
}

static void test_spec_command_is_split_when_it_is_text(void **state)
{
    (void)state;
    struct spec *spec = parse(HEAD "command: python -c 'a b' \"c d\" e\\ f '' ${args}\n");
    static const char *const words[] = {"python", "-c", "a b", "c d", "e f", "", "${args}"};
    assert_int_equal(spec->command_count, 7);
    for (size_t i = 0; i < 7; i++)
        assert_string_equal(spec->command[i], words[i]);
    spec_free(spec);
}

static void test_spec_conditions_of_groups_reach_their_leaves_when_nested(void **state)
{
    (void)state;
    struct spec *spec = parse("method: grid\nprogram: a\nparameters:\n"
                              "  algo: {values: [svm, tree]}\n"
                              "  svm:\n    when: {algo: svm}\n    parameters:\n"
                              "      kernel: {values: [rbf, poly]}\n"
                              "      degree: {values: [2, 3], when: {svm.kernel: poly}}\n");
    uint64_t points;
    assert_true(spec_grid_points(spec, &points));
    assert_int_equal(points, 1 + 1 + 2); // tree; svm rbf; svm poly 2, 3
    spec_free(spec);
}

static void test_spec_grid_has_no_count_when_too_many_points_need_counting(void **state)
{
    (void)state;
    struct spec *spec = parse("method: grid\nprogram: a\nparameters:\n"
                              "  a: {min: 1, max: 10000}\n  b: {min: 1, max: 10000}\n"
                              "constraints: a < b\n");
    uint64_t points;
    assert_false(spec_grid_points(spec, &points));
    spec_free(spec);
}

static void test_spec_has_all_objectives_when_metrics_is_a_list(void **state)
{
    (void)state;
    struct spec *spec = parse(HEAD "metrics:\n- {name: loss, target: 0.5}\n"
                                   "- {name: acc, goal: maximize, pattern: 'acc=(.*)'}\n");
    assert_int_equal(spec->objective_count, 2);
    assert_string_equal(spec->objectives[0].name, "loss");
    assert_int_equal(spec->objectives[0].goal, GOAL_MINIMIZE);
    assert_true(spec->objectives[0].has_target && spec->objectives[0].target == 0.5);
    assert_null(spec->objectives[0].pattern);
    assert_string_equal(spec->objectives[1].name, "acc");
    assert_int_equal(spec->objectives[1].goal, GOAL_MAXIMIZE);
    assert_false(spec->objectives[1].has_target);
    assert_string_equal(spec->objectives[1].pattern, "acc=(.*)");
    struct strategy_setup setup = spec_strategy_setup(spec);
    assert_int_equal(setup.objective_count, 2);
    assert_int_equal(setup.goals[1], GOAL_MAXIMIZE);
    spec_free(spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spec_has_defaults_when_only_the_needed_is_given),
        cmocka_unit_test(test_spec_has_what_is_written_when_every_key_is_given),
        cmocka_unit_test(test_spec_retry_covers_all_failures_when_it_is_a_number),
        cmocka_unit_test(test_spec_retry_changes_the_named_classes_when_it_is_a_mapping),
        cmocka_unit_test(test_spec_early_stop_is_as_in_wandb_when_given),
        cmocka_unit_test(test_spec_document_names_the_options_of_each_stopping_rule_when_read),
        cmocka_unit_test(test_spec_early_stop_is_off_when_the_goal_is_unclear),
        cmocka_unit_test(test_spec_has_all_objectives_when_metrics_is_a_list),
        cmocka_unit_test(test_spec_strategy_stands_in_when_a_grid_is_continuous),
        cmocka_unit_test(test_spec_command_is_split_when_it_is_text),
        cmocka_unit_test(test_spec_conditions_of_groups_reach_their_leaves_when_nested),
        cmocka_unit_test(test_spec_grid_has_no_count_when_too_many_points_need_counting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
