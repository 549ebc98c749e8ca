// Reports: bytes once and in order, ends, metrics to points, what is acknowledged and forgotten.

#include "core_fixture.h"

#define SWEEP "method: grid\nmetric: {name: loss, goal: minimize}\nparameters: {x: {min: 1, max: 20}}\ncommand: ['true']\n"
#define LINE  "{\"loss\": 0.5}\n"

// One agent with two slots runs attempts 1 and 2 of a grid.
static void begin(struct world *world)
{
    submit(world, SWEEP);
    connect_agent(world, 0, (struct machine){.slots = 2});
    assert_int_equal(open_at(world, 0), 2);
    forget_sent(world);
}

static const char *name_of(const struct world *world, size_t point)
{
    return world->names[world->points[point].name];
}

static void test_core_report_applies_bytes_once_when_they_come_twice(void **state)
{
    struct world *world = *state;
    begin(world);
    report_bytes(world, 0, 1, STREAM_METRICS, 0, LINE);
    report_bytes(world, 0, 1, STREAM_METRICS, 0, LINE);
    assert_int_equal(world->point_count, 1);
    assert_int_equal(acked(world, 0, 1, STREAM_METRICS), strlen(LINE));
    report_bytes(world, 0, 1, STREAM_METRICS, strlen(LINE), LINE);
    assert_int_equal(world->point_count, 2);
    assert_int_equal(world->attempts[1].cursors[STREAM_METRICS], 2 * strlen(LINE));
}

static void test_core_report_ignores_bytes_when_they_leave_a_gap(void **state)
{
    struct world *world = *state;
    begin(world);
    report_bytes(world, 0, 1, STREAM_METRICS, 7, LINE);
    assert_int_equal(world->point_count, 0);
    assert_int_equal(acked(world, 0, 1, STREAM_METRICS), 0);
}

static void test_core_report_ignores_bytes_when_they_overlap(void **state)
{
    struct world *world = *state;
    begin(world);
    report_bytes(world, 0, 1, STREAM_STDOUT, 0, "hello ");
    report_bytes(world, 0, 1, STREAM_STDOUT, 3, "lo world");
    assert_string_equal(str_get(&world->logs), "hello ");
    assert_int_equal(acked(world, 0, 1, STREAM_STDOUT), 6);
}

static void test_core_report_keeps_streams_apart_when_one_report_brings_several(void **state)
{
    struct world *world = *state;
    begin(world);
    struct msg_chunk chunks[] = {{.attempt = 1, .stream = STREAM_STDOUT, .length = 3},
                                 {.attempt = 2, .stream = STREAM_METRICS, .length = (uint32_t)strlen(LINE)},
                                 {.attempt = 1, .stream = STREAM_STDERR, .length = 4}};
    struct msg msg = {.type = MSG_REPORT, .report = {.session = world->sessions[0], .chunks = chunks, .chunk_count = 3},
                      .raw = "out" LINE "err!", .raw_len = 7 + strlen(LINE)};
    give(world, 0, &msg);
    assert_string_equal(str_get(&world->logs), "outerr!");
    assert_int_equal(world->point_count, 1);
    assert_int_equal(world->points[0].attempt, 2);
    assert_int_equal(sent_total(world, MSG_ACK), 1);
    assert_int_equal(acked(world, 0, 1, STREAM_STDOUT), 3);
    assert_int_equal(acked(world, 0, 1, STREAM_STDERR), 4);
    assert_int_equal(acked(world, 0, 2, STREAM_METRICS), strlen(LINE));
}

static void test_core_report_says_it_when_bytes_were_left_out(void **state)
{
    struct world *world = *state;
    begin(world);
    struct msg_chunk chunk = {.attempt = 1, .stream = STREAM_METRICS, .skipped = 70000, .length = (uint32_t)strlen(LINE)};
    struct msg msg = {.type = MSG_REPORT, .report = {.session = world->sessions[0], .chunks = &chunk, .chunk_count = 1},
                      .raw = LINE, .raw_len = strlen(LINE)};
    give(world, 0, &msg);
    assert_int_equal(acked(world, 0, 1, STREAM_METRICS), 70000 + strlen(LINE));
    assert_int_equal(world->point_count, 1);
    assert_event(world, "skipped: 70000 bytes of metrics were left out");
}

static void test_core_report_seals_when_the_last_bytes_come_after_the_end(void **state)
{
    struct world *world = *state;
    begin(world);
    report_started(world, 0, 1);
    report_exit(world, 0, 1, "success", 0, strlen(LINE));
    assert_trial(world, 1, 1, TRIAL_RUNNING);
    assert_int_equal(world->attempts[1].state, ATTEMPT_EXITED);
    assert_false(told_forget(world, 0, 1));
    assert_int_equal(open_at(world, 0), 2); // its slot is free for attempt 3 already
    report_bytes(world, 0, 1, STREAM_METRICS, 0, LINE);
    assert_trial(world, 1, 1, TRIAL_DONE);
    assert_true(trial(world, 1, 1)->values.at[0] == 0.5);
    assert_int_equal(world->attempts[1].state, ATTEMPT_SEALED);
    assert_true(told_forget(world, 0, 1));
}

static void test_core_report_takes_a_whole_run_when_its_start_was_never_told(void **state)
{
    struct world *world = *state;
    begin(world);
    finish(world, 0, 1, LINE, "success", 0);
    assert_trial(world, 1, 1, TRIAL_DONE);
    assert_int_equal(trial(world, 1, 1)->ended_ms - trial(world, 1, 1)->started_ms, 5000);
    assert_event(world, "done on machine0 in 5");
}

static void test_core_report_tells_to_forget_again_when_an_end_is_repeated(void **state)
{
    struct world *world = *state;
    begin(world);
    finish(world, 0, 1, LINE, "success", 0);
    forget_sent(world);
    finish(world, 0, 1, LINE, "success", 0);
    assert_true(told_forget(world, 0, 1));
    assert_int_equal(world->point_count, 1);
    assert_int_equal(world->sweeps[1].trials[TRIAL_DONE], 1);
}

static void test_core_report_keeps_the_first_result_when_the_end_changes(void **state)
{
    struct world *world = *state;
    begin(world);
    finish(world, 0, 1, LINE, "success", 0);
    finish(world, 0, 1, "{\"loss\": 0.1}\n", "failed", 3);
    assert_trial(world, 1, 1, TRIAL_DONE);
    assert_true(trial(world, 1, 1)->values.at[0] == 0.5);
}

static void test_core_report_changes_nothing_when_the_attempt_is_another_agents(void **state)
{
    struct world *world = *state;
    begin(world);
    connect_agent(world, 1, (struct machine){.slots = 1});
    finish(world, 1, 1, LINE, "success", 0);
    assert_trial(world, 1, 1, TRIAL_RUNNING);
    assert_int_equal(world->point_count, 0);
    assert_true(told_forget(world, 1, 1));
}

static void test_core_report_changes_nothing_when_its_session_is_over(void **state)
{
    struct world *world = *state;
    begin(world);
    uint64_t old = world->sessions[0];
    struct held held[] = {{1, "running"}, {2, "running"}};
    say_hello(world, 0, (struct machine){.slots = 2}, held, 2);
    forget_sent(world);
    uint64_t current_session = world->sessions[0];
    world->sessions[0] = old;
    finish(world, 0, 1, LINE, "success", 0);
    assert_trial(world, 1, 1, TRIAL_RUNNING);
    assert_int_equal(sent_total(world, MSG_ACK), 0);
    const struct msg *answer = sent_to(world, 0, MSG_NEED_HELLO, 0);
    assert_non_null(answer);
    assert_int_equal(answer->need_hello.session, old);
    world->sessions[0] = current_session;
    finish(world, 0, 1, LINE, "success", 0);
    assert_trial(world, 1, 1, TRIAL_DONE);
}

static void test_core_report_gives_a_refused_trial_to_another_when_it_was_not_started(void **state)
{
    struct world *world = *state;
    begin(world);
    report_refused(world, 0, 1, "the agent is leaving");
    assert_trial(world, 1, 1, TRIAL_PENDING);
    assert_int_equal(world->attempts[1].state, ATTEMPT_REFUSED);
    assert_event(world, "refused: the agent is leaving");
    assert_true(told_forget(world, 0, 1));
    for (int class_id = 0; class_id < EXIT_CLASS_COUNT; class_id++)
        assert_int_equal(trial(world, 1, 1)->retries[class_id], 0);
    turn(world, 2000);
    finish(world, 0, 2, LINE, "success", 0); // a slot for it
    assert_trial(world, 1, 1, TRIAL_RUNNING);
    assert_int_equal(trial(world, 1, 1)->attempt_count, 2);
}

// ---- Metrics

static void test_core_metrics_number_points_by_name_when_lines_hold_several(void **state)
{
    struct world *world = *state;
    begin(world);
    report_bytes(world, 0, 1, STREAM_METRICS, 0,
                 "{\"loss\": 1, \"acc\": true, \"step\": 10, \"time\": 5.5}\n{\"loss\": 0.5, \"deep\": {\"er\": {\"est\": -2e3}}}\n");
    assert_int_equal(world->point_count, 4);
    assert_string_equal(name_of(world, 0), "loss");
    assert_int_equal(world->points[0].step, 10);
    assert_true(world->points[0].time == 5.5);
    assert_string_equal(name_of(world, 1), "acc");
    assert_true(world->points[1].value == 1);
    assert_int_equal(world->points[2].sequence, 1);
    assert_int_equal(world->points[2].step, 1); // its own count where no step is given
    assert_string_equal(name_of(world, 3), "deep.er.est");
    assert_true(world->points[3].value == -2000);
    assert_int_equal(world->name_end, 4); // each name once
}

static void test_core_metrics_take_wandbs_names_of_step_and_time(void **state)
{
    struct world *world = *state;
    begin(world);
    report_bytes(world, 0, 1, STREAM_METRICS, 0, "{\"loss\": 1, \"_step\": 3, \"_timestamp\": 9, \"_runtime\": 2}\n");
    assert_int_equal(world->point_count, 2);
    assert_int_equal(world->points[0].step, 3);
    assert_true(world->points[0].time == 9);
    assert_string_equal(name_of(world, 1), "_runtime");
}

static void test_core_metrics_pass_over_what_is_no_number(void **state)
{
    struct world *world = *state;
    begin(world);
    report_bytes(world, 0, 1, STREAM_METRICS, 0, "{\"loss\": \"low\", \"a\": null, \"b\": [1, 2], \"c\": 4}\n");
    assert_int_equal(world->point_count, 1);
    assert_string_equal(name_of(world, 0), "c");
}

static void test_core_metrics_keep_nan_and_infinity_as_they_are(void **state)
{
    struct world *world = *state;
    begin(world);
    finish(world, 0, 1, "{\"loss\": Infinity}\n{\"loss\": NaN}\n", "success", 0);
    assert_true(isinf(world->points[0].value));
    assert_true(isnan(world->points[1].value));
    assert_trial(world, 1, 1, TRIAL_DONE);
    assert_true(trial(world, 1, 1)->values.has[0] && isnan(trial(world, 1, 1)->values.at[0]));
    assert_null(core_sweep_front(world->core, 1)); // never the best
    assert_int_equal(world->tells[0].outcome.state, POINT_DONE);
    assert_true(isnan(world->tells[0].outcome.values[0]));
}

static void test_core_metrics_prefer_the_summary_when_points_come_later(void **state)
{
    struct world *world = *state;
    begin(world);
    finish(world, 0, 1, "{\"loss\": 3}\n{\"summary\": {\"loss\": 0.25, \"note\": \"good\"}}\n{\"loss\": 9}\n", "success", 0);
    assert_true(trial(world, 1, 1)->values.at[0] == 0.25);
    assert_string_equal(str_get(&world->summaries), "loss=0.25\nnote=\"good\"\n");
    assert_int_equal(world->point_count, 2);
}

static void test_core_metrics_take_the_last_value_when_there_is_no_summary(void **state)
{
    struct world *world = *state;
    begin(world);
    finish(world, 0, 1, "{\"loss\": 3}\n{\"acc\": 1}\n{\"loss\": 2}\n{\"acc\": 7}\n", "success", 0);
    assert_true(trial(world, 1, 1)->values.at[0] == 2);
}

static void test_core_metrics_count_garbage_once_when_lines_are_no_objects(void **state)
{
    struct world *world = *state;
    begin(world);
    finish(world, 0, 1, "loss=3\n[1]\n\n{\"loss\": 1}\n{\"loss\": \n", "success", 0);
    assert_event(world, "garbage: 3 lines of metrics were not JSON objects; the first: loss=3");
    assert_int_equal(world->point_count, 1);
    assert_trial(world, 1, 1, TRIAL_DONE);
}

static void test_core_metrics_take_a_last_line_that_lacks_its_newline(void **state)
{
    struct world *world = *state;
    begin(world);
    finish(world, 0, 1, "{\"loss\": 4}", "success", 0);
    assert_true(trial(world, 1, 1)->values.at[0] == 4);
}

static void test_core_metrics_find_a_nested_objective(void **state)
{
    struct world *world = *state;
    submit(world, "method: grid\nmetric: {name: val.loss, goal: maximize}\nparameters: {x: {min: 1, max: 3}}\ncommand: ['true']\n");
    connect_agent(world, 0, (struct machine){.slots = 1});
    finish(world, 0, 1, "{\"val\": {\"loss\": 8}, \"loss\": 1}\n", "success", 0);
    assert_true(trial(world, 1, 1)->values.at[0] == 8);
}

static void test_core_metrics_say_it_when_a_name_is_too_long(void **state)
{
    struct world *world = *state;
    struct str line = STR_INIT;
    begin(world);
    str_add(&line, "{\"loss\": 1, \"");
    for (int i = 0; i <= METRIC_NAME_MAX; i++)
        str_addch(&line, 'n');
    str_add(&line, "\": 2}\n");
    finish(world, 0, 1, str_get(&line), "success", 0);
    assert_int_equal(world->point_count, 1);
    assert_event(world, "dropped: 1 values of metrics were dropped");
    str_release(&line);
}

static void test_core_metrics_go_on_counting_when_the_controller_restarts(void **state)
{
    struct world *world = *state;
    begin(world);
    report_started(world, 0, 1);
    report_bytes(world, 0, 1, STREAM_METRICS, 0, LINE LINE);
    restart(world);
    struct held held[] = {{1, "running"}, {2, "queued"}};
    say_hello(world, 0, (struct machine){.slots = 2}, held, 2);
    const struct msg *welcome = sent_to(world, 0, MSG_WELCOME, 0);
    assert_int_equal(welcome->welcome.verdicts[0].cursors[STREAM_METRICS], 2 * strlen(LINE));
    report_bytes(world, 0, 1, STREAM_METRICS, 2 * strlen(LINE), LINE);
    assert_int_equal(world->point_count, 3);
    assert_int_equal(world->points[2].sequence, 2);
    assert_int_equal(world->points[2].name, world->points[0].name);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_core_report_applies_bytes_once_when_they_come_twice),
        TEST(test_core_report_ignores_bytes_when_they_leave_a_gap),
        TEST(test_core_report_ignores_bytes_when_they_overlap),
        TEST(test_core_report_keeps_streams_apart_when_one_report_brings_several),
        TEST(test_core_report_says_it_when_bytes_were_left_out),
        TEST(test_core_report_seals_when_the_last_bytes_come_after_the_end),
        TEST(test_core_report_takes_a_whole_run_when_its_start_was_never_told),
        TEST(test_core_report_tells_to_forget_again_when_an_end_is_repeated),
        TEST(test_core_report_keeps_the_first_result_when_the_end_changes),
        TEST(test_core_report_changes_nothing_when_the_attempt_is_another_agents),
        TEST(test_core_report_changes_nothing_when_its_session_is_over),
        TEST(test_core_report_gives_a_refused_trial_to_another_when_it_was_not_started),
        TEST(test_core_metrics_number_points_by_name_when_lines_hold_several),
        TEST(test_core_metrics_take_wandbs_names_of_step_and_time),
        TEST(test_core_metrics_pass_over_what_is_no_number),
        TEST(test_core_metrics_keep_nan_and_infinity_as_they_are),
        TEST(test_core_metrics_prefer_the_summary_when_points_come_later),
        TEST(test_core_metrics_take_the_last_value_when_there_is_no_summary),
        TEST(test_core_metrics_count_garbage_once_when_lines_are_no_objects),
        TEST(test_core_metrics_take_a_last_line_that_lacks_its_newline),
        TEST(test_core_metrics_find_a_nested_objective),
        TEST(test_core_metrics_say_it_when_a_name_is_too_long),
        TEST(test_core_metrics_go_on_counting_when_the_controller_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
