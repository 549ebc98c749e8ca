// What a turn writes is what is read back, or nothing of it is there.

#include "base/json.h"
#include "tests/unit/store_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int keep_trial(void *context, const struct trial_row *row)
{
    struct trial_row *kept = context;
    *kept = *row;
    kept->config = NULL;
    return 0;
}

static struct trial_row read_trial(struct fixture *fixture, uint64_t sweep, uint64_t number)
{
    struct trial_row row;
    struct err err = {0};
    if (store_find_trial(fixture->store, sweep, number, &row, &err) != 0)
        fail_msg("%s", err.text);
    return row;
}

static void base_rows(struct fixture *fixture)
{
    add_agent(fixture, 1, "a1");
    add_sweep(fixture, 1, "aaaaaaaa", "first");
    add_trial(fixture, 1, 1, 1);
    add_attempt(fixture, 1, 1, 1, 1);
}

static void test_commit_keeps_every_sweep_column_when_full(void **state)
{
    struct fixture *fixture = *state;
    add_sweep(fixture, 3, "abc12345", "my sweep");
    fixture_commit(fixture);
    struct sweep_row *row = &batch_change(&fixture->batch, CHANGE_SWEEP)->sweep;
    *row = (struct sweep_row){.id = 3,
                              .fingerprint = UINT64_MAX,
                              .state = SWEEP_STOPPING,
                              .reason = (char *)"because",
                              .cursor = UINT64_MAX - 1,
                              .exhausted = true,
                              .point_count = 5,
                              .trial_count = 6,
                              .tell_count = 7,
                              .trials = {1, 2, 3, 4, 5, 6},
                              .active_ms = 99,
                              .created_ms = 3000,
                              .ended_ms = 4000};
    fixture_commit(fixture);
    struct sweep_row *spec = &batch_change(&fixture->batch, CHANGE_SWEEP_SPEC)->sweep;
    spec->id = 3;
    spec->spec_text = (char *)"method: grid\n";
    fixture_commit(fixture);
    fixture_reopen(fixture);
    struct sweep_row got;
    assert_int_equal(store_find_sweep(fixture->store, "abc12345", &got, NULL), 0);
    assert_int_equal(got.id, 3);
    assert_string_equal(got.key, "abc12345");
    assert_string_equal(got.name, "my sweep");
    assert_string_equal(got.spec_text, "method: grid\n");
    assert_string_equal(got.reason, "because");
    assert_true(got.fingerprint == UINT64_MAX);
    assert_int_equal(got.state, SWEEP_STOPPING);
    assert_true(got.cursor == UINT64_MAX - 1);
    assert_true(got.exhausted);
    assert_int_equal(got.point_count, 5);
    assert_int_equal(got.trial_count, 6);
    assert_int_equal(got.tell_count, 7);
    for (size_t i = 0; i < TRIAL_STATE_COUNT; i++)
        assert_int_equal(got.trials[i], i + 1);
    assert_int_equal(got.active_ms, 99);
    assert_int_equal(got.created_ms, 3000);
    assert_int_equal(got.ended_ms, 4000);
    sweep_row_release(&got);
}

static void test_commit_keeps_every_trial_column_when_full(void **state)
{
    struct fixture *fixture = *state;
    base_rows(fixture);
    struct trial_row *row = add_trial(fixture, 2, 1, 2);
    row->point = 9;
    row->repeat = 4;
    row->config = (char *)"{\"a\":[1,2]}";
    fixture_commit(fixture);
    row = change_trial(fixture, 2, 1, 2, TRIAL_STOPPED, -0.1);
    row->values = (struct values){.has = {true, true, false, true, true}, .at = {-0.1, NAN, 0, -INFINITY, 5e-324}};
    row->attempt = 1;
    row->attempt_count = 3;
    row->retries[EXIT_LOST] = 2;
    row->retries[EXIT_OOM] = 1;
    row->started_ms = 11;
    row->ended_ms = 12;
    row->tell_number = 5;
    row->asked_after = 6;
    fixture_commit(fixture);
    fixture_reopen(fixture);
    struct trial_row got = read_trial(fixture, 1, 2);
    assert_int_equal(got.id, 2);
    assert_int_equal(got.sweep, 1);
    assert_int_equal(got.number, 2);
    assert_int_equal(got.point, 9);
    assert_int_equal(got.repeat, 4);
    assert_string_equal(got.config, "{\"a\":[1,2]}");
    assert_int_equal(got.state, TRIAL_STOPPED);
    assert_true(got.values.has[0] && got.values.at[0] == -0.1);
    assert_true(got.values.has[1] && isnan(got.values.at[1]));
    assert_false(got.values.has[2]);
    assert_true(got.values.has[3] && got.values.at[3] == -INFINITY);
    assert_true(got.values.has[4] && got.values.at[4] == 5e-324);
    assert_false(got.values.has[5]);
    assert_int_equal(got.attempt, 1);
    assert_int_equal(got.attempt_count, 3);
    for (size_t i = 0; i < EXIT_CLASS_COUNT; i++)
        assert_int_equal(got.retries[i], i == EXIT_LOST ? 2 : i == EXIT_OOM ? 1 : 0);
    assert_int_equal(got.created_ms, 10);
    assert_int_equal(got.started_ms, 11);
    assert_int_equal(got.ended_ms, 12);
    assert_int_equal(got.tell_number, 5);
    assert_int_equal(got.asked_after, 6);
    trial_row_release(&got);
}

static void test_commit_keeps_value_bit_for_bit_when_special(void **state)
{
    struct fixture *fixture = *state;
    static const double VALUES[] = {NAN, INFINITY, -INFINITY, -0.0, 5e-324, 0.1, 1e308, 3.0};
    base_rows(fixture);
    for (uint64_t i = 0; i < sizeof VALUES / sizeof *VALUES; i++) {
        add_trial(fixture, i + 2, 1, i + 2);
        change_trial(fixture, i + 2, 1, i + 2, TRIAL_DONE, VALUES[i]);
    }
    fixture_commit(fixture);
    for (uint64_t i = 0; i < sizeof VALUES / sizeof *VALUES; i++) {
        struct trial_row got = read_trial(fixture, 1, i + 2);
        assert_true(got.values.has[0]);
        if (isnan(VALUES[i]))
            assert_true(isnan(got.values.at[0]));
        else
            assert_memory_equal(&got.values.at[0], &VALUES[i], sizeof got.values.at[0]);
        trial_row_release(&got);
    }
    struct trial_row none = read_trial(fixture, 1, 1);
    assert_false(none.values.has[0]);
    trial_row_release(&none);
}

static struct attempt_row kept_attempt;
static char kept_message[64];

static int keep_attempt(void *context, const struct attempt_row *row)
{
    kept_attempt = *row;
    snprintf(kept_message, sizeof kept_message, "%s", row->message);
    ++*(int *)context;
    return 0;
}

static void test_commit_keeps_every_attempt_column_when_full(void **state)
{
    struct fixture *fixture = *state;
    int count = 0;
    base_rows(fixture);
    fixture_commit(fixture);
    struct attempt_row row = {.id = 1,
                              .trial = 1,
                              .sweep = 1,
                              .number = 1,
                              .agent = 1,
                              .session = 8,
                              .state = ATTEMPT_EXITED,
                              .has_class = true,
                              .exit_class = EXIT_SIGNAL,
                              .code = -1,
                              .signal = 11,
                              .pid = 4242,
                              .message = (char *)"it's broken",
                              .assigned_ms = 1,
                              .started_ms = 2,
                              .ended_ms = 3,
                              .cursors = {4, 5, 6},
                              .lengths = {7, 8, 9},
                              .dropped_bytes = 10,
                              .cpu_ms = 11,
                              .max_rss_bytes = 1ull << 40,
                              .values = {.has = {true, false, true}, .at = {NAN, 0, 1e308}},
                              .cpus = 13,
                              .memory_bytes = 14,
                              .gpus = {3, 7},
                              .gpu_count = 2,
                              .gpu_millis = 500};
    batch_change(&fixture->batch, CHANGE_ATTEMPT)->attempt = row;
    fixture_commit(fixture);
    fixture_reopen(fixture);
    assert_int_equal(store_each_attempt(fixture->store, 1, keep_attempt, &count, NULL), 0);
    assert_int_equal(count, 1);
    struct attempt_row got = kept_attempt;
    assert_string_equal(kept_message, "it's broken");
    assert_true(got.values.has[0] && isnan(got.values.at[0]));
    assert_true(!got.values.has[1] && got.values.has[2] && got.values.at[2] == 1e308);
#define SAME(field) assert_int_equal(got.field, row.field)
    SAME(id), SAME(trial), SAME(sweep), SAME(number), SAME(agent), SAME(session), SAME(state);
    SAME(has_class), SAME(exit_class), SAME(code), SAME(signal), SAME(pid);
    SAME(assigned_ms), SAME(started_ms), SAME(ended_ms);
    SAME(cursors[0]), SAME(cursors[1]), SAME(cursors[2]);
    SAME(lengths[0]), SAME(lengths[1]), SAME(lengths[2]);
    SAME(dropped_bytes), SAME(cpu_ms), SAME(max_rss_bytes), SAME(cpus), SAME(memory_bytes);
    SAME(gpu_count), SAME(gpus[0]), SAME(gpus[1]), SAME(gpu_millis);
#undef SAME
}

static int keep_agent(void *context, const struct agent_row *row)
{
    struct agent_row *kept = context;
    *kept = *row;
    assert_string_equal(row->name, "n");
    assert_string_equal(row->host, "h");
    assert_string_equal(row->version, "v");
    assert_string_equal(row->boot, "b");
    assert_string_equal(row->gpus, "[{\"id\":\"0\"}]");
    assert_string_equal(row->labels, "[\"fast\"]");
    return 0;
}

static void test_commit_replaces_agent_when_seen_again(void **state)
{
    struct fixture *fixture = *state;
    base_rows(fixture);
    fixture_commit(fixture);
    struct agent_row row = {.id = 1,
                            .uid = "0123456789abcdef0123456789abcdef",
                            .name = (char *)"n",
                            .host = (char *)"h",
                            .version = (char *)"v",
                            .boot = (char *)"b",
                            .public_key = "0123456789012345678901234567890123456789",
                            .incarnation = 1,
                            .hello = 2,
                            .session = 3,
                            .slots = 4,
                            .cpus = 5,
                            .memory_bytes = 6,
                            .gpus = (char *)"[{\"id\":\"0\"}]",
                            .labels = (char *)"[\"fast\"]",
                            .draining = true,
                            .gone = true,
                            .first_seen_ms = 7,
                            .last_seen_ms = 8};
    batch_change(&fixture->batch, CHANGE_AGENT)->agent = row;
    fixture_commit(fixture);
    struct agent_row got = {0};
    assert_int_equal(store_each_agent(fixture->store, keep_agent, &got, NULL), 0);
    assert_string_equal(got.uid, row.uid);
    assert_string_equal(got.public_key, row.public_key);
    assert_int_equal(got.id, 1);
    assert_int_equal(got.incarnation, 1);
    assert_int_equal(got.hello, 2);
    assert_int_equal(got.session, 3);
    assert_int_equal(got.slots, 4);
    assert_int_equal(got.cpus, 5);
    assert_int_equal(got.memory_bytes, 6);
    assert_true(got.draining && got.gone);
    assert_int_equal(got.first_seen_ms, 7);
    assert_int_equal(got.last_seen_ms, 8);
    struct store_counters counters;
    assert_int_equal(store_counters(fixture->store, &counters, NULL), 0);
    assert_int_equal(counters.next_session, 4);
}

static void test_commit_leaves_nothing_when_one_change_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct err err = {0};
    base_rows(fixture);
    fixture_commit(fixture);
    add_trial(fixture, 2, 1, 2);
    add_event(fixture, 1, 2, "made");
    add_trial(fixture, 3, 1, 2); // the number is taken
    assert_int_equal(store_commit(fixture->store, &fixture->batch, &err), ERR_STATE);
    assert_non_null(strstr(err.text, "trial.number"));
    batch_clear(&fixture->batch);
    assert_int_equal(sql_number(fixture, "SELECT count(*) FROM trial"), 1);
    assert_int_equal(sql_number(fixture, "SELECT count(*) FROM event"), 0);
    add_trial(fixture, 2, 1, 2);
    fixture_commit(fixture);
    assert_int_equal(sql_number(fixture, "SELECT count(*) FROM trial"), 2);
}

static void test_commit_refuses_row_when_its_parent_is_missing(void **state)
{
    struct fixture *fixture = *state;
    add_trial(fixture, 1, 7, 1);
    assert_int_equal(store_commit(fixture->store, &fixture->batch, NULL), ERR_STATE);
    batch_clear(&fixture->batch);
    add_attempt(fixture, 1, 5, 1, 1);
    assert_int_equal(store_commit(fixture->store, &fixture->batch, NULL), ERR_STATE);
    batch_clear(&fixture->batch);
    add_point(fixture, 99, 1, 0, 1.0);
    assert_int_equal(store_commit(fixture->store, &fixture->batch, NULL), ERR_STATE);
}

struct points {
    size_t count;
    double values[16];
    char names[16][16];
    uint64_t sequences[16];
    double times[16];
};

static int keep_point(void *context, const struct point_row *row)
{
    struct points *points = context;
    points->values[points->count] = row->value;
    points->sequences[points->count] = row->sequence;
    points->times[points->count] = row->time;
    snprintf(points->names[points->count++], 16, "%s", row->name);
    return 0;
}

static void test_commit_keeps_points_in_series_order_when_lines_mix_names(void **state)
{
    struct fixture *fixture = *state;
    static const double LOSS[] = {2.0, NAN, INFINITY};
    base_rows(fixture);
    add_metric_name(fixture, 1, "loss");
    add_metric_name(fixture, 2, "acc");
    for (uint64_t i = 0; i < 3; i++) {
        add_point(fixture, 1, 2, i, (double)i);
        add_point(fixture, 1, 1, i, LOSS[i]);
    }
    fixture->batch.changes[fixture->batch.change_count - 1].point.time = 17.25;
    change_trial(fixture, 1, 1, 1, TRIAL_DONE, 1)->attempt = 1;
    fixture_commit(fixture);
    struct points points = {0};
    assert_int_equal(store_each_point(fixture->store, 1, 0, NULL, keep_point, &points, NULL), 0);
    assert_int_equal(points.count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(points.names[i], i < 3 ? "loss" : "acc");
        assert_int_equal(points.sequences[i], i % 3);
    }
    assert_true(points.values[0] == 2.0 && isnan(points.values[1]) && isinf(points.values[2]));
    assert_true(points.times[0] == 0 && points.times[2] == 17.25);
    points.count = 0;
    assert_int_equal(store_each_point(fixture->store, 1, 1, "acc", keep_point, &points, NULL), 0);
    assert_int_equal(points.count, 3);
    points.count = 0;
    assert_int_equal(store_each_point(fixture->store, 1, 1, "none", keep_point, &points, NULL), 0);
    assert_int_equal(store_each_point(fixture->store, 1, 2, "acc", keep_point, &points, NULL), 0);
    assert_int_equal(points.count, 0);
}

static void add_summary(struct fixture *fixture, uint32_t name, const char *json)
{
    struct change *change = batch_change(&fixture->batch, CHANGE_SUMMARY);
    change->summary.attempt = 1;
    change->summary.name = name;
    change->summary.json = json;
}

static void test_summary_prefers_reported_summary_when_points_exist_too(void **state)
{
    struct fixture *fixture = *state;
    static const char *const NAMES[] = {"loss", "acc", "note", "shape", "ok", "none"};
    base_rows(fixture);
    for (uint32_t i = 0; i < 6; i++)
        add_metric_name(fixture, i + 1, NAMES[i]);
    add_point(fixture, 1, 1, 0, 5.0);
    add_point(fixture, 1, 1, 1, NAN);
    add_point(fixture, 1, 2, 0, 0.25);
    add_summary(fixture, 2, "0.5");
    add_summary(fixture, 2, "0.75");
    add_summary(fixture, 3, "\"it's\"");
    add_summary(fixture, 4, "[1,2]");
    add_summary(fixture, 5, "true");
    add_summary(fixture, 6, "NaN");
    fixture_commit(fixture);
    struct json_object *summary = NULL;
    assert_int_equal(store_summary(fixture->store, 1, &summary, NULL), 0);
    assert_string_equal(json_object_to_json_string_ext(summary, JSON_C_TO_STRING_PLAIN),
                        "{\"loss\":NaN,\"acc\":0.75,\"note\":\"it's\",\"shape\":[1,2],\"ok\":true,"
                        "\"none\":NaN}");
    json_object_put(summary);
    assert_sql(fixture, "NaN", "SELECT value FROM summary WHERE name = 6");
    assert_sql(fixture, "real", "SELECT typeof(value) FROM summary WHERE name = 2");
}

static void log_is(struct fixture *fixture, const char *expected)
{
    struct str bytes = STR_INIT;
    file_bytes(fixture, "logs/aaaaaaaa/1-1.out", &bytes);
    assert_string_equal(str_get(&bytes), expected);
    str_release(&bytes);
}

static void test_commit_writes_log_at_its_offset_when_sent_again(void **state)
{
    struct fixture *fixture = *state;
    base_rows(fixture);
    add_log(fixture, 1, 1, 0, "hello ");
    add_log(fixture, 1, 1, 6, "world");
    fixture_commit(fixture);
    log_is(fixture, "hello world");
    add_log(fixture, 1, 1, 6, "there");
    fixture_commit(fixture);
    log_is(fixture, "hello there");
    char *path = store_log_path(fixture->store, "aaaaaaaa", 1, 1, STREAM_STDOUT);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    free(path);
}

static void test_commit_writes_all_logs_when_more_are_open_than_are_held(void **state)
{
    struct fixture *fixture = *state;
    base_rows(fixture);
    for (int round = 0; round < 3; round++)
        for (uint64_t trial = 1; trial <= 300; trial++)
            add_log(fixture, trial, trial, (uint64_t)round, "x");
    fixture_commit(fixture);
    for (uint64_t trial = 1; trial <= 300; trial++) {
        char *path = store_log_path(fixture->store, "aaaaaaaa", trial, 1, STREAM_STDOUT);
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_size, 3);
        free(path);
    }
}

struct events {
    size_t count;
    char texts[16][64];
};

static int keep_event(void *context, const struct event_row *row)
{
    struct events *events = context;
    snprintf(events->texts[events->count++], 64, "%s:%s", row->kind, row->text);
    return 0;
}

static void test_events_of_trial_come_in_order_when_others_happened_between(void **state)
{
    struct fixture *fixture = *state;
    add_event(fixture, 1, 5, "one");
    add_event(fixture, 1, 6, "other");
    add_event(fixture, 2, 0, "sweep");
    add_event(fixture, 1, 5, "two");
    fixture_commit(fixture);
    struct events events = {0};
    assert_int_equal(store_each_event(fixture->store, 0, 5, keep_event, &events, NULL), 0);
    assert_int_equal(events.count, 2);
    assert_string_equal(events.texts[0], "created:one");
    assert_string_equal(events.texts[1], "created:two");
    events.count = 0;
    assert_int_equal(store_each_event(fixture->store, 1, 0, keep_event, &events, NULL), 0);
    assert_int_equal(events.count, 3);
    events.count = 0;
    assert_int_equal(store_each_event(fixture->store, 0, 0, keep_event, &events, NULL), 0);
    assert_int_equal(events.count, 4);
    events.count = 0;
    assert_int_equal(store_each_event(fixture->store, 2, 5, keep_event, &events, NULL), 0);
    assert_int_equal(events.count, 0);
}

static void test_reply_is_durable_with_its_turn_when_committed(void **state)
{
    struct fixture *fixture = *state;
    int code = 0;
    char *body = NULL;
    assert_false(store_reply_get(fixture->store, "r1", &code, &body));
    assert_int_equal(store_reply_put(fixture->store, "r1", -7, "{\"a\":1}", NULL), 0);
    assert_true(store_reply_get(fixture->store, "r1", &code, &body)); // within the turn too
    free(body);
    fixture_reopen(fixture); // the turn was never committed
    assert_false(store_reply_get(fixture->store, "r1", &code, &body));
    assert_int_equal(store_reply_put(fixture->store, "r1", -7, "{\"a\":1}", NULL), 0);
    fixture_commit(fixture);
    fixture_reopen(fixture);
    assert_true(store_reply_get(fixture->store, "r1", &code, &body));
    assert_int_equal(code, -7);
    assert_string_equal(body, "{\"a\":1}");
    free(body);
}

static int count_key(void *context, const struct key_row *row)
{
    *(int *)context += row->revoked ? 100 : 1;
    assert_string_equal(row->role, "agent");
    return 0;
}

static void test_key_stays_marked_when_revoked(void **state)
{
    struct fixture *fixture = *state;
    struct key_row row = {.name = (char *)"n", .role = (char *)"agent", .created_ms = 5};
    int count = 0;
    snprintf(row.public_key, sizeof row.public_key, "%s", "k1");
    assert_int_equal(store_key_put(fixture->store, &row, NULL), 0);
    snprintf(row.public_key, sizeof row.public_key, "%s", "k2");
    assert_int_equal(store_key_put(fixture->store, &row, NULL), 0);
    row.revoked = true;
    assert_int_equal(store_key_put(fixture->store, &row, NULL), 0);
    fixture_reopen(fixture);
    assert_int_equal(store_key_each(fixture->store, count_key, &count, NULL), 0);
    assert_int_equal(count, 101);
}

static double best(struct fixture *fixture, bool maximize)
{
    struct trial_query query = {
        .sweep = 1, .state = TRIAL_DONE, .by_value = true, .maximize = maximize, .limit = 1};
    struct trial_row row = {.values.at = {1e9}};
    assert_int_equal(store_each_trial(fixture->store, &query, keep_trial, &row, NULL), 0);
    return row.values.at[0];
}

static void test_best_follows_the_trials_when_their_values_change(void **state)
{
    struct fixture *fixture = *state;
    static const double VALUES[] = {3, NAN, 1, 5, 2};
    base_rows(fixture);
    for (uint64_t i = 0; i < 5; i++) {
        add_trial(fixture, i + 2, 1, i + 2);
        change_trial(fixture, i + 2, 1, i + 2, TRIAL_DONE, VALUES[i]);
    }
    add_trial(fixture, 9, 1, 9);
    change_trial(fixture, 9, 1, 9, TRIAL_STOPPED, -100); // only done ones count
    fixture_commit(fixture);
    assert_true(best(fixture, false) == 1 && best(fixture, true) == 5);
    fixture_reopen(fixture);
    assert_true(best(fixture, false) == 1 && best(fixture, true) == 5);
    change_trial(fixture, 4, 1, 4, TRIAL_PENDING, 0)->values.has[0] = false; // the least is run again
    fixture_commit(fixture);
    assert_true(best(fixture, false) == 2);
    change_trial(fixture, 5, 1, 5, TRIAL_DONE, 2.5); // the greatest got less
    change_trial(fixture, 4, 1, 4, TRIAL_DONE, -INFINITY);
    fixture_commit(fixture);
    assert_true(best(fixture, true) == 3);
    assert_true(best(fixture, false) == -INFINITY);
}

static void test_best_is_as_before_when_a_turn_is_rolled_back(void **state)
{
    struct fixture *fixture = *state;
    base_rows(fixture);
    change_trial(fixture, 1, 1, 1, TRIAL_DONE, 4);
    fixture_commit(fixture);
    add_trial(fixture, 2, 1, 2);
    change_trial(fixture, 2, 1, 2, TRIAL_DONE, 1);
    add_trial(fixture, 3, 1, 2);
    assert_int_equal(store_commit(fixture->store, &fixture->batch, NULL), ERR_STATE);
    batch_clear(&fixture->batch);
    assert_true(best(fixture, false) == 4);
    add_trial(fixture, 2, 1, 2);
    change_trial(fixture, 2, 1, 2, TRIAL_DONE, 3);
    fixture_commit(fixture);
    assert_true(best(fixture, false) == 3);
}

static void test_commit_works_in_memory_when_there_is_no_directory(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(store_open_memory(&fixture->store, NULL), 0);
    assert_null(store_dir(fixture->store));
    assert_null(store_log_path(fixture->store, "aaaaaaaa", 1, 1, STREAM_STDOUT));
    base_rows(fixture);
    add_log(fixture, 1, 1, 0, "nowhere");
    fixture_commit(fixture);
    struct trial_row row = read_trial(fixture, 1, 1);
    assert_string_equal(row.config, "{\"lr\":0.5}");
    trial_row_release(&row);
}

#define OPEN(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)
#define BARE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPEN(test_commit_keeps_every_sweep_column_when_full),
        OPEN(test_commit_keeps_every_trial_column_when_full),
        OPEN(test_commit_keeps_value_bit_for_bit_when_special),
        OPEN(test_commit_keeps_every_attempt_column_when_full),
        OPEN(test_commit_replaces_agent_when_seen_again),
        OPEN(test_commit_leaves_nothing_when_one_change_is_refused),
        OPEN(test_commit_refuses_row_when_its_parent_is_missing),
        OPEN(test_commit_keeps_points_in_series_order_when_lines_mix_names),
        OPEN(test_summary_prefers_reported_summary_when_points_exist_too),
        OPEN(test_commit_writes_log_at_its_offset_when_sent_again),
        OPEN(test_commit_writes_all_logs_when_more_are_open_than_are_held),
        OPEN(test_events_of_trial_come_in_order_when_others_happened_between),
        OPEN(test_reply_is_durable_with_its_turn_when_committed),
        OPEN(test_key_stays_marked_when_revoked),
        OPEN(test_best_follows_the_trials_when_their_values_change),
        OPEN(test_best_is_as_before_when_a_turn_is_rolled_back),
        BARE(test_commit_works_in_memory_when_there_is_no_directory),
    };
    return cmocka_run_group_tests_name("store_commit", tests, NULL, NULL);
}
