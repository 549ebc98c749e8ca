// The agent's core: what it tells, and when it tells it again.

#include "agent_fixture.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void start(struct fixture *fix, uint64_t count)
{
    fixture_init(fix, (uint32_t)count);
    connect_agent(fix, 5);
    for (uint64_t attempt = 1; attempt <= count; attempt++)
        give_launch(fix, 5, attempt, NULL);
    turn(fix, 0);
    turn(fix, AGENT_STARTED_AFTER_MS);
}

static uint64_t sent_bytes(const struct fixture *fix)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < fix->report.report.chunk_count; i++)
        bytes += fix->report.report.chunks[i].length;
    return bytes;
}

// Acknowledge every chunk of the last report.
static void acknowledge(struct fixture *fix)
{
    for (size_t i = 0; i < fix->report.report.chunk_count; i++) {
        const struct msg_chunk *chunk = &fix->report.report.chunks[i];
        give_cursor(fix, fix->session, chunk->attempt, (enum stream)chunk->stream, chunk->offset + chunk->skipped + chunk->length);
    }
}

static void test_agent_report_tells_only_the_end_when_a_run_was_short(void **state)
{
    (void)state;
    struct fixture fix;
    fixture_init(&fix, 1);
    connect_agent(&fix, 5);
    give_launch(&fix, 5, 1, NULL);
    assert_string_equal(turn(&fix, 0), "S1");
    give_exit(&fix, 1, "success", "");
    assert_string_equal(turn(&fix, AGENT_STARTED_AFTER_MS), "E1");
    fixture_release(&fix);
}

static void test_agent_report_tells_the_start_once_when_a_run_lasts(void **state)
{
    (void)state;
    struct fixture fix;
    fixture_init(&fix, 1);
    connect_agent(&fix, 5);
    give_launch(&fix, 5, 1, NULL);
    turn(&fix, 0);
    assert_string_equal(turn(&fix, AGENT_STARTED_AFTER_MS - 1), "");
    assert_int_equal(agent_core_deadline(fix.core), fix.now + 1);
    assert_string_equal(turn(&fix, 1), "T1");
    assert_int_equal(fix.report.report.started[0].pid, 4242);
    assert_int_equal(fix.report.report.started[0].at_ms, 1700000000000);
    assert_string_equal(turn(&fix, 1), "");
    fixture_release(&fix);
}

static void test_agent_report_carries_the_last_bytes_with_the_end_when_a_run_is_over(void **state)
{
    (void)state;
    struct fixture fix;
    start(&fix, 1);
    fix.lengths[1][STREAM_METRICS] = 16;
    fix.lengths[1][STREAM_STDERR] = 3;
    give_exit(&fix, 1, "success", "");
    assert_string_equal(turn(&fix, 0), "DDccE1");
    const struct msg_report *report = &fix.report.report;
    assert_int_equal(report->exited[0].lengths[STREAM_METRICS], 16);
    assert_int_equal(report->chunks[0].stream, STREAM_METRICS);
    assert_int_equal(report->chunks[0].length, 16);
    assert_int_equal(report->chunks[1].stream, STREAM_STDERR);
    assert_int_equal(fix.report.raw_len, 19);
    assert_memory_equal(fix.report.raw, "abcdefg\nabcdefg\nabc", 19);
    fixture_release(&fix);
}

static void test_agent_report_repeats_the_end_when_it_is_not_forgotten(void **state)
{
    (void)state;
    struct fixture fix;
    start(&fix, 1);
    give_exit(&fix, 1, "failed", "went wrong");
    assert_string_equal(turn(&fix, 0), "E1");
    give_beat_ack(&fix, 5, fix.now);
    turn(&fix, AGENT_RESEND_MS - 1);
    assert_null(strchr(str_get(&fix.text), 'E'));
    give_beat_ack(&fix, 5, fix.now);
    turn(&fix, 1);
    assert_non_null(strstr(str_get(&fix.text), "E1"));
    assert_string_equal(fix.report.report.exited[0].message, "went wrong");
    give_forget(&fix, 5, 1);
    assert_string_equal(turn(&fix, 0), "F1");
    give_beat_ack(&fix, 5, fix.now);
    turn(&fix, AGENT_RESEND_MS);
    assert_null(strchr(str_get(&fix.text), 'E'));
    fixture_release(&fix);
}

static void test_agent_report_stops_reading_when_the_window_is_full(void **state)
{
    (void)state;
    struct fixture fix;
    uint64_t total = 0;
    start(&fix, 1);
    grow(&fix, 1, STREAM_STDOUT, 4u << 20);
    for (int i = 0; i < 10; i++) {
        turn(&fix, 1);
        total += sent_bytes(&fix);
        assert_true(total <= AGENT_WINDOW_BYTES);
    }
    assert_true(total >= AGENT_WINDOW_BYTES / 2);
    fixture_release(&fix);
}

static void test_agent_report_sends_everything_once_and_in_order_when_it_is_acknowledged(void **state)
{
    (void)state;
    struct fixture fix;
    uint64_t next = 0;
    start(&fix, 1);
    grow(&fix, 1, STREAM_STDOUT, 5000000);
    for (int i = 0; i < 50 && next < 5000000; i++) {
        turn(&fix, 1);
        for (size_t c = 0; c < fix.report.report.chunk_count; c++) {
            assert_int_equal(fix.report.report.chunks[c].offset, next);
            next += fix.report.report.chunks[c].length;
        }
        acknowledge(&fix);
    }
    assert_int_equal(next, 5000000);
    assert_string_equal(turn(&fix, 1), "");
    fixture_release(&fix);
}

static void test_agent_report_sends_again_from_the_cursor_when_a_chunk_was_lost_though_newer_ones_follow(void **state)
{
    (void)state;
    struct fixture fix;
    start(&fix, 1);
    grow(&fix, 1, STREAM_METRICS, 100);
    assert_string_equal(turn(&fix, 0), "Dc");
    give_cursor(&fix, 5, 1, STREAM_METRICS, 40); // the rest was lost
    uint64_t since = fix.now;
    for (uint64_t length = 200; fix.now - since < AGENT_RESEND_MS - 500; length += 100) {
        grow(&fix, 1, STREAM_METRICS, length); // a run that reports all the time
        turn(&fix, 500);
        assert_true(fix.read_offset[STREAM_METRICS] >= 100);
        give_cursor(&fix, 5, 1, STREAM_METRICS, 40); // what the controller answers to bytes that come too early
    }
    turn(&fix, 500);
    assert_int_equal(fix.read_offset[STREAM_METRICS], 40);
    assert_int_equal(fix.report.report.chunks[0].offset, 40);
    fixture_release(&fix);
}

static void test_agent_report_goes_back_to_the_cursor_when_a_new_session_begins(void **state)
{
    (void)state;
    struct fixture fix;
    start(&fix, 1);
    grow(&fix, 1, STREAM_METRICS, 100);
    turn(&fix, 0);
    give_need_hello(&fix, 5);
    turn(&fix, AGENT_HELLO_MIN_MS);
    const struct msg_verdict verdict = {.attempt = 1, .action = (char *)"keep", .cursors = {64, 0, 0}};
    give_welcome(&fix, 6, &verdict, 1);
    assert_string_equal(turn(&fix, 0), "DT1c");
    assert_int_equal(fix.report.report.session, 6);
    assert_int_equal(fix.report.report.chunks[0].offset, 64);
    fixture_release(&fix);
}

static void test_agent_report_drops_what_was_read_for_the_last_session_when_it_is_over(void **state)
{
    (void)state;
    struct fixture fix;
    start(&fix, 1);
    fix.content = NULL;
    grow(&fix, 1, STREAM_METRICS, 100);
    turn(&fix, 0);
    agent_core_read_done(fix.core, fix.now, 1, STREAM_METRICS, 0, "abcdefg\n", 8, 0);
    give_need_hello(&fix, 5);
    turn(&fix, AGENT_HELLO_MIN_MS);
    const struct msg_verdict verdict = {.attempt = 1, .action = (char *)"keep"};
    give_welcome(&fix, 6, &verdict, 1);
    assert_string_equal(turn(&fix, 0), "DT1");
    fixture_release(&fix);
}

static void test_agent_report_leaves_room_for_metrics_when_logs_are_endless(void **state)
{
    (void)state;
    struct fixture fix;
    start(&fix, 2);
    grow(&fix, 1, STREAM_STDOUT, 100u << 20);
    for (int i = 0; i < 5; i++)
        turn(&fix, 1); // never acknowledged: full
    grow(&fix, 2, STREAM_METRICS, 80);
    assert_string_equal(turn(&fix, 1), "Dc");
    assert_int_equal(fix.report.report.chunks[0].attempt, 2);
    fixture_release(&fix);
}

static void test_agent_report_lets_logs_take_turns_when_several_runs_print_much(void **state)
{
    (void)state;
    struct fixture fix;
    uint64_t bytes[7] = {0};
    start(&fix, 6);
    for (uint64_t attempt = 1; attempt <= 6; attempt++)
        grow(&fix, attempt, STREAM_STDOUT, 50u << 20);
    for (int i = 0; i < 24; i++) {
        turn(&fix, 1);
        for (size_t c = 0; c < fix.report.report.chunk_count; c++)
            bytes[fix.report.report.chunks[c].attempt] += fix.report.report.chunks[c].length;
        acknowledge(&fix);
    }
    for (int attempt = 1; attempt <= 6; attempt++)
        assert_true(bytes[attempt] >= 1u << 20);
    fixture_release(&fix);
}

static void test_agent_report_is_bounded_when_many_ends_have_long_messages(void **state)
{
    (void)state;
    struct fixture fix;
    static char message[60001];
    size_t told = 0;
    fixture_init(&fix, 1);
    memset(message, '\x01', 60000); // six bytes each in JSON
    for (uint64_t attempt = 100; attempt < 1400; attempt++) {
        struct msg_exited exited = {.attempt = attempt, .class_word = (char *)"failed", .message = message};
        agent_core_found(fix.core, attempt, false, &exited, NULL, 0);
    }
    turn(&fix, 0);
    struct msg_verdict *verdicts = xcalloc(1300, sizeof *verdicts);
    for (size_t i = 0; i < 1300; i++)
        verdicts[i] = (struct msg_verdict){.attempt = 100 + i, .action = (char *)"keep"};
    give_welcome(&fix, 5, verdicts, 1300);
    free(verdicts);
    const char *did = turn(&fix, 0); // several messages; each must decode
    for (const char *p = did; (p = strchr(p, 'E')); p++)
        told++;
    assert_true(fix.report.report.exited_count < 100);
    for (size_t e = 0; e < fix.report.report.exited_count; e++)
        assert_true(strlen(fix.report.report.exited[e].message) <= 2000);
    assert_int_equal(told, 1300);
    fixture_release(&fix);
}

static void test_agent_report_cuts_a_message_between_characters_when_it_is_long(void **state)
{
    (void)state;
    struct fixture fix;
    struct str message = STR_INIT;
    start(&fix, 1);
    str_add(&message, "x");
    while (message.len < 3000)
        str_add(&message, "\u20ac");
    give_exit(&fix, 1, "failed", str_get(&message));
    turn(&fix, 0);
    const char *told = fix.report.report.exited[0].message;
    assert_true(utf8_valid(told, strlen(told)));
    assert_in_range(strlen(told), 1990, 2000);
    str_release(&message);
    fixture_release(&fix);
}

static void test_agent_report_ignores_bytes_when_they_are_not_the_next_ones(void **state)
{
    (void)state;
    struct fixture fix;
    start(&fix, 1);
    fix.content = NULL;
    grow(&fix, 1, STREAM_METRICS, 100);
    assert_string_equal(turn(&fix, 0), "D");
    agent_core_read_done(fix.core, fix.now, 1, STREAM_METRICS, 8, "abcdefg\n", 8, 0);
    agent_core_read_done(fix.core, fix.now, 9, STREAM_METRICS, 0, "abcdefg\n", 8, 0);
    assert_string_equal(turn(&fix, 0), "D");
    agent_core_read_done(fix.core, fix.now, 1, STREAM_METRICS, 0, "abcdefg\n", 8, 20);
    assert_string_equal(turn(&fix, 0), "DDc"); // one chained to what was read, one of this turn
    assert_int_equal(fix.report.report.chunks[0].skipped, 20);
    fixture_release(&fix);
}

static void test_agent_report_says_what_is_missing_when_a_file_became_shorter(void **state)
{
    (void)state;
    struct fixture fix;
    const uint64_t lengths[STREAM_COUNT] = {60, 0, 0};
    start(&fix, 1);
    fix.lengths[1][STREAM_METRICS] = 100;
    give_exit(&fix, 1, "success", "");
    fix.lengths[1][STREAM_METRICS] = 60; // a process that was left behind cut it
    assert_string_equal(turn(&fix, 0), "DDcE1");
    agent_core_shrunk(fix.core, fix.now, 1, lengths);
    turn(&fix, 0);
    assert_int_equal(fix.report.report.chunk_count, 1);
    assert_int_equal(fix.report.report.chunks[0].offset, 60);
    assert_int_equal(fix.report.report.chunks[0].skipped, 40);
    assert_int_equal(fix.report.report.chunks[0].length, 0);
    fixture_release(&fix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agent_report_tells_only_the_end_when_a_run_was_short),
        cmocka_unit_test(test_agent_report_tells_the_start_once_when_a_run_lasts),
        cmocka_unit_test(test_agent_report_carries_the_last_bytes_with_the_end_when_a_run_is_over),
        cmocka_unit_test(test_agent_report_repeats_the_end_when_it_is_not_forgotten),
        cmocka_unit_test(test_agent_report_stops_reading_when_the_window_is_full),
        cmocka_unit_test(test_agent_report_sends_everything_once_and_in_order_when_it_is_acknowledged),
        cmocka_unit_test(test_agent_report_sends_again_from_the_cursor_when_a_chunk_was_lost_though_newer_ones_follow),
        cmocka_unit_test(test_agent_report_goes_back_to_the_cursor_when_a_new_session_begins),
        cmocka_unit_test(test_agent_report_drops_what_was_read_for_the_last_session_when_it_is_over),
        cmocka_unit_test(test_agent_report_leaves_room_for_metrics_when_logs_are_endless),
        cmocka_unit_test(test_agent_report_lets_logs_take_turns_when_several_runs_print_much),
        cmocka_unit_test(test_agent_report_is_bounded_when_many_ends_have_long_messages),
        cmocka_unit_test(test_agent_report_cuts_a_message_between_characters_when_it_is_long),
        cmocka_unit_test(test_agent_report_ignores_bytes_when_they_are_not_the_next_ones),
        cmocka_unit_test(test_agent_report_says_what_is_missing_when_a_file_became_shorter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
