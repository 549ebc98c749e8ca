// What a run printed: bounded capture, and metrics read out of lines by metric.pattern.

#include "shim_fixture.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_MAX (64u << 20)  // as agent/shim/launch.h says
#define LOG_TAIL (256u << 10)

static void test_output_keeps_both_streams_apart_byte_for_byte(void **state)
{
    struct place *place = *state;
    struct str text = STR_INIT;
    run_to_end(place, &(struct how){.script = "printf 'a\\000b\\377'; printf err >&2"});
    read_file_of_run(place, "stdout.log", &text);
    assert_int_equal(text.len, 4);
    assert_memory_equal(str_get(&text), "a\0b\377", 4);
    read_file_of_run(place, "stderr.log", &text);
    assert_string_equal(str_get(&text), "err");
    assert_int_equal(place->exited.lengths[STREAM_STDOUT], 4);
    assert_int_equal(place->exited.lengths[STREAM_STDERR], 3);
    assert_int_equal(place->exited.dropped_bytes, 0);
    str_release(&text);
}

static void test_output_keeps_its_beginning_and_its_end_when_a_run_prints_200_mb(void **state)
{
    struct place *place = *state;
    struct str text = STR_INIT;
    run_to_end(place, &(struct how){.script = "head -c 200000000 /dev/zero | tr '\\0' a; echo; echo the end"});
    assert_class(place, "success");
    uint64_t dropped = 200000000 + 9 - LOG_MAX - LOG_TAIL;
    char marker[96];
    size_t len = (size_t)snprintf(marker, sizeof marker, "\n[trawl: %llu bytes of output left out here]\n", (unsigned long long)dropped);
    read_file_of_run(place, "stdout.log", &text);
    assert_int_equal(place->exited.dropped_bytes, dropped);
    assert_int_equal(text.len, LOG_MAX + len + LOG_TAIL);
    assert_int_equal(place->exited.lengths[STREAM_STDOUT], text.len);
    assert_memory_equal(str_get(&text) + LOG_MAX, marker, len);
    assert_int_equal(str_get(&text)[LOG_MAX - 1], 'a');
    assert_string_equal(str_get(&text) + text.len - 9, "\nthe end\n");
    str_release(&text);
}

static void test_output_is_whole_when_it_is_over_the_bound_by_less_than_the_tail(void **state)
{
    struct place *place = *state;
    struct str text = STR_INIT;
    run_to_end(place, &(struct how){.script = "head -c 67208870 /dev/zero | tr '\\0' b >&2; printf end >&2; exit 0"});
    read_file_of_run(place, "stderr.log", &text);
    assert_int_equal(text.len, 67208870 + 3);
    assert_string_equal(str_get(&text) + text.len - 4, "bend");
    assert_null(memchr(str_get(&text), '[', text.len));
    assert_int_equal(place->exited.dropped_bytes, 0);
    str_release(&text);
}

static void test_output_of_a_child_is_kept_when_it_prints_on_its_way_out(void **state)
{
    struct place *place = *state;
    struct str text = STR_INIT;
    run_to_end(place, &(struct how){.script = "sh -c 'trap \"echo bye; exit 0\" TERM; echo up > $FIFO; while :; do sleep 0.01; done' & "
                                              "read up < $FIFO; echo parent; exit 0"});
    read_file_of_run(place, "stdout.log", &text);
    assert_non_null(strstr(str_get(&text), "parent\n"));
    assert_non_null(strstr(str_get(&text), "bye\n"));
    str_release(&text);
}

// Lines of metrics.jsonl without their time.
static void without_times(const struct str *text, struct str *out)
{
    str_clear(out);
    for (const char *p = str_get(text); *p;) {
        size_t len = strcspn(p, "\n");
        const char *time = strstr(p, ",\"time\":");
        assert_non_null(time);
        assert_true(time < p + len);
        assert_int_equal(p[len], '\n');
        double at = strtod(time + 8, NULL);
        assert_true(at > 1e9 && at < 1e11);
        str_addf(out, "%.*s}\n", (int)(time - p), p);
        p += len + 1;
    }
}

static void test_pattern_writes_metrics_of_the_lines_that_match(void **state)
{
    (void)state;
    static const struct {
        const char *name, *pattern, *metric, *output, *wanted;
    } cases[] = {
        {"first group", "loss: (\\S+)", "loss", "epoch 1\\nloss: 0.5\\nloss: 0.25\\n", "{\"loss\":0.5}\n{\"loss\":0.25}\n"},
        {"group named value", "(?<n>\\d+) l=(?<value>\\S+)", "val/loss", "3 l=0.5\\n", "{\"n\":3,\"val/loss\":0.5}\n"},
        {"named by the metric", "acc=(?<acc>\\S+) loss=(?<loss>\\S+)", "loss", "acc=0.75 loss=2\\n", "{\"acc\":0.75,\"loss\":2}\n"},
        {"other names only, then group 1 is not the objective", "(?<epoch>\\d+)/(\\d+)", "loss", "3/9\\n", "{\"epoch\":3}\n"},
        {"a group that did not take part", "a=(\\d+)(?: b=(?<b>\\d+))?", "a", "a=1\\na=2 b=3\\n", "{\"a\":1}\n{\"b\":3,\"a\":2}\n"},
        {"progress bar", "loss (\\S+)", "loss", "10%% loss 3\\r20%% loss 2\\r100%% loss 1\\n", "{\"loss\":3}\n{\"loss\":2}\n{\"loss\":1}\n"},
        {"carriage return and newline", "^loss (\\S+)$", "loss", "loss 1\\r\\nloss 2\\r\\n", "{\"loss\":1}\n{\"loss\":2}\n"},
        {"not a number and infinities", "loss (\\S+)", "loss", "loss nan\\nloss NaN\\nloss inf\\nloss -Infinity\\n",
         "{\"loss\":NaN}\n{\"loss\":NaN}\n{\"loss\":Infinity}\n{\"loss\":-Infinity}\n"},
        {"words are no numbers", "loss (\\S+)", "loss", "loss high\\nloss 1,5\\nloss 2x\\nloss 1e-3\\n", "{\"loss\":0.001}\n"},
        {"a last line without newline", "loss (\\S+)", "loss", "loss 1\\nloss 7", "{\"loss\":1}\n{\"loss\":7}\n"},
        {"bytes that are not UTF-8", "loss (\\S+)", "loss", "\\377\\376 loss 4\\n", "{\"loss\":4}\n"},
        {"a metric with quotes", "v (\\S+)", "a\"b\\c", "v 1\\n", "{\"a\\\"b\\\\c\":1}\n"},
        {"numbers whole", "v (\\S+)", "v", "v 123456789\\nv 0.1\\nv -2.5E+10\\n", "{\"v\":123456789}\n{\"v\":0.10000000000000001}\n{\"v\":-25000000000}\n"},
        {"nothing matches", "loss (\\S+)", "loss", "nothing\\n", ""},
    };
    struct str text = STR_INIT, lines = STR_INIT;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        void *own = NULL;
        assert_int_equal(enter(&own), 0);
        struct place *place = own;
        char *script = xasprintf("printf '%s'", cases[i].output);
        run_to_end(place, &(struct how){.script = script, .pattern = cases[i].pattern, .metric = cases[i].metric});
        assert_class(place, "success");
        read_file_of_run(place, "metrics.jsonl", &text);
        without_times(&text, &lines);
        if (strcmp(str_get(&lines), cases[i].wanted) != 0)
            fail_msg("%s: got\n%swanted\n%s", cases[i].name, str_get(&lines), cases[i].wanted);
        assert_int_equal(place->exited.lengths[STREAM_METRICS], text.len);
        free(script);
        assert_int_equal(leave(&own), 0);
    }
    str_release(&text);
    str_release(&lines);
}

static void test_pattern_reads_every_objective_when_there_are_several(void **state)
{
    struct place *place = *state;
    struct str text = STR_INIT, lines = STR_INIT;
    run_to_end(place, &(struct how){.script = "echo 'loss 1 gain 2'; echo gain 3", .pattern = "loss (\\d)", .metric = "loss",
                                    .more_pattern = "gain (\\d)", .more_metric = "gain"});
    read_file_of_run(place, "metrics.jsonl", &text);
    without_times(&text, &lines);
    assert_string_equal(str_get(&lines), "{\"loss\":1}\n{\"gain\":2}\n{\"gain\":3}\n");
    str_release(&text);
    str_release(&lines);
}

static void test_pattern_is_bounded_when_the_expression_explodes(void **state)
{
    struct place *place = *state;
    struct str text = STR_INIT;
    run_to_end(place, &(struct how){.script = "head -c 30000 /dev/zero | tr '\\0' a; echo; echo aab", .pattern = "^(a+)+b$", .metric = "x"});
    assert_class(place, "success");
    read_file_of_run(place, "metrics.jsonl", &text);
    assert_int_equal(text.len, 0); // "aa" is no number; the long line gave up
    str_release(&text);
}

static void test_pattern_passes_over_a_line_when_it_is_too_long(void **state)
{
    struct place *place = *state;
    struct str text = STR_INIT, lines = STR_INIT;
    run_to_end(place, &(struct how){.script = "echo v 1; head -c 200000 /dev/zero | tr '\\0' z; echo v 2; echo v 3", .pattern = "v (\\d)", .metric = "v"});
    read_file_of_run(place, "metrics.jsonl", &text);
    without_times(&text, &lines);
    assert_string_equal(str_get(&lines), "{\"v\":1}\n{\"v\":3}\n");
    str_release(&text);
    str_release(&lines);
}

static void test_pattern_writes_valid_lines_when_the_metric_has_a_long_or_strange_name(void **state)
{
    struct place *place = *state;
    struct str text = STR_INIT;
    char name[6000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    run_to_end(place, &(struct how){.script = "echo '1 2'", .pattern = "(?<value>\\d) (?<other>\\d)", .metric = name});
    read_file_of_run(place, "metrics.jsonl", &text);
    assert_true(str_starts(str_get(&text), "{\"other\":2,\"time\":"));
    str_release(&text);
}

static void test_pattern_escapes_control_characters_of_the_metric(void **state)
{
    struct place *place = *state;
    struct str text = STR_INIT, lines = STR_INIT;
    run_to_end(place, &(struct how){.script = "echo 1", .pattern = "(\\d)", .metric = "a\tb"});
    read_file_of_run(place, "metrics.jsonl", &text);
    without_times(&text, &lines);
    assert_string_equal(str_get(&lines), "{\"a\\u0009b\":1}\n");
    str_release(&text);
    str_release(&lines);
}

static void test_pattern_does_not_follow_when_metrics_jsonl_is_a_link(void **state)
{
    struct place *place = *state;
    struct stat st;
    char target[96], link[96];
    make_run(place, ATTEMPT, &(struct how){.script = "echo v 1", .pattern = "v (\\d)", .metric = "v"});
    snprintf(target, sizeof target, "%s/elsewhere", place->path);
    snprintf(link, sizeof link, "%s/%d/metrics.jsonl", place->path, ATTEMPT);
    assert_int_equal(symlink(target, link), 0);
    start_shim(place, ATTEMPT);
    wait_end(place);
    assert_class(place, "success");
    assert_int_not_equal(lstat(target, &st), 0);
    assert_int_equal(place->exited.lengths[STREAM_METRICS], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_output_keeps_both_streams_apart_byte_for_byte, enter, leave),
        cmocka_unit_test_setup_teardown(test_output_keeps_its_beginning_and_its_end_when_a_run_prints_200_mb, enter, leave),
        cmocka_unit_test_setup_teardown(test_output_is_whole_when_it_is_over_the_bound_by_less_than_the_tail, enter, leave),
        cmocka_unit_test_setup_teardown(test_output_of_a_child_is_kept_when_it_prints_on_its_way_out, enter, leave),
        cmocka_unit_test(test_pattern_writes_metrics_of_the_lines_that_match),
        cmocka_unit_test_setup_teardown(test_pattern_reads_every_objective_when_there_are_several, enter, leave),
        cmocka_unit_test_setup_teardown(test_pattern_is_bounded_when_the_expression_explodes, enter, leave),
        cmocka_unit_test_setup_teardown(test_pattern_passes_over_a_line_when_it_is_too_long, enter, leave),
        cmocka_unit_test_setup_teardown(test_pattern_writes_valid_lines_when_the_metric_has_a_long_or_strange_name, enter, leave),
        cmocka_unit_test_setup_teardown(test_pattern_escapes_control_characters_of_the_metric, enter, leave),
        cmocka_unit_test_setup_teardown(test_pattern_does_not_follow_when_metrics_jsonl_is_a_link, enter, leave),
    };
    return cmocka_run_group_tests_name("shim output", tests, NULL, NULL);
}
