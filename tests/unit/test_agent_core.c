// The agent's core: each state of an attempt under each message, sessions, leases, leaving.

#include "agent_fixture.h"

#include "base/mem.h"
#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- The table: attempt 2 in each state, under each message

enum state { NONE, QUEUED, STARTING, RUNNING, ASKED_TO_END, EXITED, FORGOTTEN, REFUSED, STATE_COUNT };
enum event { LAUNCH, KILL, KILL_AT_ONCE, FORGET, CURSOR, DRAIN, NEED_HELLO, BEAT_ACK, KEEP, KILL_VERDICT, FORGET_VERDICT, EVENT_COUNT };

static const char *const state_names[] = {"none", "queued", "starting", "running", "asked to end", "exited", "forgotten", "refused"};
static const char *const event_names[] = {"launch", "kill", "kill at once", "forget", "cursor", "drain",
                                          "need_hello", "beat_ack", "welcome: keep", "welcome: kill", "welcome: forget"};

// What the turn after the message does. Starts that are not answered stay out of the picture; attempt 1 fills the slot in QUEUED.
static const char *const expected[STATE_COUNT][EVENT_COUNT] = {
    //                launch  kill    at once  forget cursor drain    need hello beat ack keep    kill     forget
    [NONE] =         {"S2",   "R2",   "R2",    "",    "",    "YX",    "",        "",      "",     "",      ""},
    [QUEUED] =       {"",     "R2",   "R2",    "",    "",    "K1R2",  "",        "",      "T1",   "T1",    "T1"},
    [STARTING] =     {"",     "K2",   "K2",    "",    "",    "",      "",        "",      "",     "K2",    ""},
    [RUNNING] =      {"T2",   "K2",   "K2",    "",    "",    "K2",    "",        "",      "T2",   "K2T2",  "T2"},
    [ASKED_TO_END] = {"T2",   "K2",   "K2",    "",    "",    "K2",    "",        "",      "T2",   "K2T2",  "T2"},
    [EXITED] =       {"",     "",     "",      "F2",  "",    "",      "",        "",      "E2",   "E2",    "F2"},
    [FORGOTTEN] =    {"R2",   "R2",   "R2",    "",    "",    "YX",    "",        "",      "",     "",      ""},
    [REFUSED] =      {"R2",   "R2",   "R2",    "",    "",    "YX",    "",        "",      "",     "",      ""},
};

static void bring_to(struct fixture *fix, enum state state)
{
    fixture_init(fix, 1);
    connect_agent(fix, 5);
    if (state == NONE)
        return;
    if (state == REFUSED) {
        give_kill(fix, 5, 2, "cancelled", 0);
        assert_string_equal(turn(fix, 0), "R2");
        return;
    }
    if (state == QUEUED)
        give_launch(fix, 5, 1, NULL);
    fix->keep_starts = state == STARTING;
    give_launch(fix, 5, 2, NULL);
    assert_string_equal(turn(fix, 0), state == QUEUED ? "S1" : "S2");
    if (state == STARTING)
        return;
    assert_string_equal(turn(fix, AGENT_STARTED_AFTER_MS), state == QUEUED ? "T1" : "T2");
    if (state == QUEUED || state == RUNNING)
        return;
    if (state == ASKED_TO_END) {
        give_kill(fix, 5, 2, "cancelled", 5000);
        assert_string_equal(turn(fix, 0), "K2");
        return;
    }
    give_exit(fix, 2, "success", "");
    assert_string_equal(turn(fix, 0), "E2");
    if (state == FORGOTTEN) {
        give_forget(fix, 5, 2);
        assert_string_equal(turn(fix, 0), "F2");
    }
}

static void give_verdict(struct fixture *fix, const char *action)
{
    struct msg_verdict verdict = {.attempt = 2, .action = (char *)action};
    give_need_hello(fix, 5);
    assert_string_equal(turn(fix, AGENT_HELLO_MIN_MS), "H");
    give_welcome(fix, 6, &verdict, 1);
}

static void give_event(struct fixture *fix, enum event event, uint64_t session)
{
    switch (event) {
    case LAUNCH:
        give_launch(fix, session, 2, NULL);
        return;
    case KILL:
        give_kill(fix, session, 2, "cancelled", 5000);
        return;
    case KILL_AT_ONCE:
        give_kill(fix, session, 2, "cancelled", 0);
        return;
    case FORGET:
        give_forget(fix, session, 2);
        return;
    case CURSOR:
        give_cursor(fix, session, 2, STREAM_METRICS, 1);
        return;
    case DRAIN:
        give_drain(fix, session);
        return;
    case NEED_HELLO:
        give_need_hello(fix, session);
        return;
    case BEAT_ACK:
        give_beat_ack(fix, session, fix->now);
        return;
    case KEEP:
        give_verdict(fix, "keep");
        return;
    case KILL_VERDICT:
        give_verdict(fix, "kill");
        return;
    case FORGET_VERDICT:
        give_verdict(fix, "forget");
        return;
    case EVENT_COUNT:
        return;
    }
}

static void test_agent_core_acts_as_the_table_says_when_a_message_arrives(void **state)
{
    (void)state;
    for (int from = 0; from < STATE_COUNT; from++) {
        for (int event = 0; event < EVENT_COUNT; event++) {
            struct fixture fix;
            bring_to(&fix, (enum state)from);
            give_event(&fix, (enum event)event, 5);
            const char *did = turn(&fix, 0);
            if (strcmp(did, expected[from][event]) != 0)
                fail_msg("%s, %s: '%s' instead of '%s'", state_names[from], event_names[event], did, expected[from][event]);
            fixture_release(&fix);
        }
    }
}

static void test_agent_core_does_nothing_when_a_message_is_of_another_session(void **state)
{
    (void)state;
    for (int from = 0; from < STATE_COUNT; from++) {
        for (int event = 0; event < KEEP; event++) {
            struct fixture fix;
            bring_to(&fix, (enum state)from);
            give_event(&fix, (enum event)event, 4);
            const char *did = turn(&fix, 0);
            if (*did || !agent_core_connected(fix.core))
                fail_msg("%s, %s of another session: '%s'", state_names[from], event_names[event], did);
            fixture_release(&fix);
        }
    }
}

static void test_agent_core_ignores_everything_but_a_welcome_when_it_has_no_session(void **state)
{
    (void)state;
    for (int cell = 0; cell < 2 * KEEP; cell++) {
        struct fixture fix;
        int event = cell / 2;
        bring_to(&fix, cell % 2 ? RUNNING : NONE);
        give_need_hello(&fix, 5);
        turn(&fix, AGENT_HELLO_MIN_MS);
        give_event(&fix, (enum event)event, 5);
        give_event(&fix, (enum event)event, 0);
        const char *did = turn(&fix, 0);
        if (*did)
            fail_msg("%s between hello and welcome: '%s'", event_names[event], did);
        fixture_release(&fix);
    }
}

// ---- Hello and welcome

static void test_agent_core_tells_what_it_holds_when_it_says_hello(void **state)
{
    (void)state;
    struct fixture fix;
    const uint64_t lengths[STREAM_COUNT] = {10, 20, 30};
    struct msg_exited exited = {.attempt = 8, .class_word = (char *)"failed", .message = (char *)"", .lengths = {1, 2, 3}};
    fixture_init(&fix, 1);
    agent_core_found(fix.core, 7, true, NULL, lengths, 0);
    agent_core_found(fix.core, 8, false, &exited, NULL, 0);
    connect_agent(&fix, 5);
    give_launch(&fix, 5, 9, NULL);
    turn(&fix, 0);
    give_need_hello(&fix, 5);
    assert_string_equal(turn(&fix, AGENT_HELLO_MIN_MS), "H");
    assert_int_equal(fix.held_count, 3);
    assert_int_equal(fix.held[0].attempt, 7);
    assert_string_equal(fix.held_states[0], "running");
    assert_int_equal(fix.held[0].lengths[STREAM_STDERR], 30);
    assert_int_equal(fix.held[1].attempt, 8);
    assert_string_equal(fix.held_states[1], "exited");
    assert_int_equal(fix.held[1].lengths[STREAM_METRICS], 1);
    assert_int_equal(fix.held[2].attempt, 9);
    assert_string_equal(fix.held_states[2], "queued");
    fixture_release(&fix);
}

static void test_agent_core_repeats_hello_with_growing_pauses_when_nobody_answers(void **state)
{
    (void)state;
    struct fixture fix;
    uint64_t last, longest = 0;
    fixture_init(&fix, 1);
    assert_string_equal(turn(&fix, 0), "H");
    last = fix.now;
    for (int hellos = 1; hellos < 12;) {
        turn(&fix, agent_core_deadline(fix.core) - fix.now);
        if (!strchr(str_get(&fix.text), 'H'))
            continue;
        hellos++;
        assert_true(fix.now - last <= 2 * AGENT_HELLO_MAX_MS);
        longest = fix.now - last > longest ? fix.now - last : longest;
        last = fix.now;
    }
    assert_true(longest > AGENT_HELLO_MAX_MS / 2);
    fixture_release(&fix);
}

static void test_agent_core_ignores_a_welcome_when_it_answers_something_else(void **state)
{
    (void)state;
    const struct msg_welcome good = {.agent = (char *)UID, .store = (char *)"store", .epoch = 3, .session = 6, .incarnation = 7, .hello = 2, .lease_ms = LEASE_MS};
    struct msg_welcome wrong[] = {good, good, good, good};
    struct fixture fix;
    fixture_init(&fix, 1);
    turn(&fix, 0);
    struct msg first = {.type = MSG_WELCOME, .welcome = good};
    first.welcome.hello = 1;
    agent_core_message(fix.core, fix.now, &first); // epoch 3 is known from now on
    give_need_hello(&fix, 6);
    assert_string_equal(turn(&fix, AGENT_HELLO_MIN_MS), "H");
    wrong[0].agent = (char *)"ffffffffffffffffffffffffffffffff";
    wrong[1].incarnation = 6;
    wrong[2].hello = 1;
    wrong[3].epoch = 2;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct msg msg = {.type = MSG_WELCOME, .welcome = wrong[i]};
        agent_core_message(fix.core, fix.now, &msg);
        assert_false(agent_core_connected(fix.core));
    }
    struct msg msg = {.type = MSG_WELCOME, .welcome = good};
    agent_core_message(fix.core, fix.now, &msg);
    assert_true(agent_core_connected(fix.core));
    fixture_release(&fix);
}

static void test_agent_core_refuses_still_when_a_copy_of_the_welcome_comes_late(void **state)
{
    (void)state;
    struct fixture fix;
    bring_to(&fix, REFUSED);
    give_welcome(&fix, 5, NULL, 0);
    give_need_hello(&fix, 5);
    give_welcome(&fix, 5, NULL, 0); // and once more while there is no session
    assert_false(agent_core_connected(fix.core));
    turn(&fix, AGENT_HELLO_MIN_MS);
    give_welcome(&fix, 6, NULL, 0);
    give_launch(&fix, 5, 2, NULL);
    assert_string_equal(turn(&fix, 0), "");
    fixture_release(&fix);
}

static void test_agent_core_refuses_old_attempts_when_it_has_buried_more_than_it_remembers(void **state)
{
    (void)state;
    struct fixture fix;
    fixture_init(&fix, 1);
    connect_agent(&fix, 5);
    for (uint64_t attempt = 1; attempt <= 5000; attempt++) {
        give_kill(&fix, 5, attempt, "cancelled", 0);
        if (attempt % 500 == 0)
            turn(&fix, 0);
    }
    for (uint64_t attempt = 1; attempt <= 5000; attempt += 499)
        give_launch(&fix, 5, attempt, NULL);
    assert_null(strchr(turn(&fix, 0), 'S'));
    give_launch(&fix, 5, 5001, NULL);
    assert_string_equal(turn(&fix, 0), "S5001");
    fixture_release(&fix);
}

static void test_agent_core_opens_a_new_connection_when_the_controller_is_silent(void **state)
{
    (void)state;
    struct fixture fix;
    bring_to(&fix, RUNNING);
    uint64_t end = fix.hello_sent_ms + LEASE_MS / 3;
    while (fix.now < end - 1) {
        uint64_t next = agent_core_deadline(fix.core);
        assert_null(strchr(turn(&fix, (next < end - 1 ? next : end - 1) - fix.now), 'C'));
    }
    assert_true(agent_core_deadline(fix.core) <= end);
    assert_string_equal(turn(&fix, 1), "CH");
    assert_false(agent_core_connected(fix.core));
    fixture_release(&fix);
}

static void test_agent_core_says_hello_at_once_when_its_connection_is_new(void **state)
{
    (void)state;
    struct fixture fix;
    bring_to(&fix, QUEUED);
    agent_core_reconnected(fix.core, fix.now);
    assert_false(agent_core_connected(fix.core));
    assert_string_equal(turn(&fix, 0), "H");
    assert_int_equal(fix.held_count, 2);
    agent_core_reconnected(fix.core, fix.now); // while the welcome is awaited: the backoff decides
    assert_string_equal(turn(&fix, 0), "");
    fixture_release(&fix);
}

static void test_agent_core_beats_when_a_thirtieth_of_the_lease_is_over(void **state)
{
    (void)state;
    struct fixture fix;
    fixture_init(&fix, 1);
    connect_agent(&fix, 5);
    assert_int_equal(agent_core_deadline(fix.core), fix.now + LEASE_MS / 30);
    assert_string_equal(turn(&fix, LEASE_MS / 30 - 1), "");
    assert_string_equal(turn(&fix, 1), "B");
    assert_string_equal(turn(&fix, LEASE_MS / 30 - 1), "");
    fixture_release(&fix);
}

static void test_agent_core_gives_up_when_the_versions_differ(void **state)
{
    (void)state;
    struct fixture fix;
    struct msg msg = {.type = MSG_ERROR, .error = {.code = ERR_VERSION, .text = (char *)"", .version_min = 4, .version_max = 6}};
    fixture_init(&fix, 1);
    turn(&fix, 0);
    assert_null(agent_core_refused(fix.core));
    agent_core_message(fix.core, fix.now, &msg);
    assert_string_equal(agent_core_refused(fix.core),
                        "the controller speaks protocol 4 to 6, this agent 1: use the same version of Trawl on both");
    fixture_release(&fix);
}

static void test_agent_core_goes_on_when_the_controller_reports_another_error(void **state)
{
    (void)state;
    struct fixture fix;
    struct msg msg = {.type = MSG_ERROR, .error = {.code = ERR_UNSUPPORTED, .text = (char *)"unknown message"}};
    fixture_init(&fix, 1);
    connect_agent(&fix, 5);
    agent_core_message(fix.core, fix.now, &msg);
    assert_null(agent_core_refused(fix.core));
    assert_true(agent_core_connected(fix.core));
    fixture_release(&fix);
}

// ---- Slots, leases, GPUs

static void test_agent_core_starts_the_next_when_a_slot_is_free(void **state)
{
    (void)state;
    struct fixture fix;
    fixture_init(&fix, 2);
    connect_agent(&fix, 5);
    for (uint64_t attempt = 1; attempt <= 4; attempt++)
        give_launch(&fix, 5, attempt, NULL);
    assert_string_equal(turn(&fix, 0), "S1S2");
    give_exit(&fix, 2, "success", "");
    assert_string_equal(turn(&fix, 0), "S3E2");
    give_exit(&fix, 1, "success", "");
    assert_string_equal(turn(&fix, 0), "S4E1");
    assert_int_equal(agent_core_running(fix.core), 2);
    assert_int_equal(agent_core_held(fix.core), 4);
    fixture_release(&fix);
}

static void test_agent_core_refuses_when_a_run_cannot_be_started(void **state)
{
    (void)state;
    struct fixture fix;
    fixture_init(&fix, 1);
    connect_agent(&fix, 5);
    fix.fail_start = "no space left";
    give_launch(&fix, 5, 1, NULL);
    assert_string_equal(turn(&fix, 0), "S1R1");
    assert_string_equal(fix.report.report.refused[0].reason, "no space left");
    fix.fail_start = NULL;
    give_launch(&fix, 5, 1, NULL);
    assert_string_equal(turn(&fix, 0), "R1");
    fixture_release(&fix);
}

// The controller is heard, so the session goes on, but it answers no beat.
static void pass_without_answers(struct fixture *fix, uint64_t until)
{
    while (fix->now < until) {
        turn(fix, until - fix->now < 1000 ? until - fix->now : 1000);
        give_cursor(fix, fix->session, 60, STREAM_METRICS, 1);
    }
    assert_true(agent_core_connected(fix->core));
}

static void test_agent_core_starts_nothing_that_waits_when_the_lease_is_over(void **state)
{
    (void)state;
    struct fixture fix;
    bring_to(&fix, QUEUED);
    uint64_t since = fix.hello_sent_ms;
    pass_without_answers(&fix, since + LEASE_MS - 1);
    give_beat_ack(&fix, 5, since); // an answer that was long on its way gives no new lease
    give_exit(&fix, 1, "success", "");
    turn(&fix, 1);
    assert_null(strchr(str_get(&fix.text), 'S'));
    turn(&fix, LEASE_MS * 10); // however long: the trial is another's now
    assert_null(strchr(str_get(&fix.text), 'S'));
    assert_non_null(strchr(str_get(&fix.text), 'H'));
    const struct msg_verdict verdict = {.attempt = 2, .action = (char *)"keep"};
    give_welcome(&fix, 6, &verdict, 1);
    assert_non_null(strstr(turn(&fix, 0), "S2"));
    fixture_release(&fix);
}

static void test_agent_core_starts_what_waits_when_the_controller_is_gone_for_less_than_the_lease(void **state)
{
    (void)state;
    struct fixture fix;
    bring_to(&fix, QUEUED);
    pass_without_answers(&fix, fix.hello_sent_ms + LEASE_MS - 2);
    give_beat_ack(&fix, 5, fix.now + 1000); // of no beat of ours
    give_exit(&fix, 1, "success", "");
    assert_non_null(strstr(turn(&fix, 1), "S2"));
    fixture_release(&fix);
}

static void test_agent_core_starts_nothing_under_policy_stop_when_the_controller_is_out_of_reach(void **state)
{
    (void)state;
    struct fixture fix;
    const struct launch_options stop = {.lease_ms = LEASE_MS / 2, .grace_ms = 1000};
    fixture_init(&fix, 1);
    connect_agent(&fix, 5);
    give_launch(&fix, 5, 1, &stop);
    give_launch(&fix, 5, 2, &stop);
    assert_string_equal(turn(&fix, 0), "S1");
    turn(&fix, LEASE_MS / 4 + 1); // beats go out, none is answered
    give_exit(&fix, 1, "success", "");
    assert_null(strchr(turn(&fix, 0), 'S'));
    give_beat_ack(&fix, 5, fix.now);
    assert_non_null(strstr(turn(&fix, 0), "S2"));
    fixture_release(&fix);
}

static void test_agent_core_renews_leases_only_when_the_answered_beat_is_fresh(void **state)
{
    (void)state;
    struct fixture fix;
    const struct launch_options stop = {.lease_ms = LEASE_MS / 2, .grace_ms = 1000};
    fixture_init(&fix, 2);
    connect_agent(&fix, 5);
    give_launch(&fix, 5, 1, &stop);
    give_launch(&fix, 5, 2, NULL);
    assert_string_equal(turn(&fix, 0), "S1S2");
    uint64_t sent = fix.now;
    give_beat_ack(&fix, 5, sent);
    assert_string_equal(turn(&fix, 0), "N1");
    turn(&fix, LEASE_MS / 4 + 1);
    give_beat_ack(&fix, 5, sent); // the same answer again, or one that was long on its way
    assert_null(strchr(turn(&fix, 0), 'N'));
    give_beat_ack(&fix, 5, fix.now + 1); // of no beat of ours
    assert_null(strchr(turn(&fix, 0), 'N'));
    fixture_release(&fix);
}

static void test_agent_core_waits_when_its_gpu_is_still_held_by_a_run_that_ends(void **state)
{
    (void)state;
    struct fixture fix;
    const uint32_t first[] = {0}, second[] = {1};
    const struct launch_options on_first = {.gpus = first, .gpu_count = 1}, on_second = {.gpus = second, .gpu_count = 1};
    fixture_init(&fix, 3);
    connect_agent(&fix, 5);
    give_launch(&fix, 5, 1, &on_first);
    assert_string_equal(turn(&fix, 0), "S1");
    give_kill(&fix, 5, 1, "lost", 5000);
    give_launch(&fix, 5, 2, &on_first);
    give_launch(&fix, 5, 3, &on_second);
    assert_string_equal(turn(&fix, 0), "K1S3");
    give_exit(&fix, 1, "lost", "");
    assert_string_equal(turn(&fix, 0), "S2E1");
    fixture_release(&fix);
}

static void test_agent_core_refuses_when_it_holds_more_than_a_hello_can_name(void **state)
{
    (void)state;
    struct fixture fix;
    fixture_init(&fix, 1);
    connect_agent(&fix, 5);
    for (uint64_t attempt = 1; attempt <= MSG_ITEMS_MAX + 1; attempt++)
        give_launch(&fix, 5, attempt, NULL);
    assert_int_equal(agent_core_held(fix.core), MSG_ITEMS_MAX);
    assert_string_equal(turn(&fix, 0), "S1R4097");
    give_need_hello(&fix, 5);
    assert_non_null(strchr(turn(&fix, AGENT_HELLO_MIN_MS), 'H'));
    fixture_release(&fix);
}

// ---- Kill words

static void test_agent_core_passes_word_and_grace_when_it_kills(void **state)
{
    (void)state;
    static const struct {
        const char *given, *passed;
    } cases[] = {{"cancelled", "cancelled"}, {"stopped", "stopped"}, {"lost", "lost"}, {"interrupted", "interrupted"}, {"else", "interrupted"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture fix;
        bring_to(&fix, RUNNING);
        give_kill(&fix, 5, 2, cases[i].given, 1234);
        turn(&fix, 0);
        assert_string_equal(fix.kill_word, cases[i].passed);
        assert_int_equal(fix.kill_grace_ms, 1234);
        fixture_release(&fix);
    }
}

// ---- Leaving

static void test_agent_core_says_bye_after_the_last_end_is_acknowledged_when_it_drains(void **state)
{
    (void)state;
    struct fixture fix;
    bring_to(&fix, QUEUED);
    agent_core_drain(fix.core, fix.now, false);
    assert_string_equal(turn(&fix, 0), "K1R2");
    assert_int_equal(fix.kill_grace_ms, 5000);
    assert_string_equal(fix.kill_word, "interrupted");
    give_launch(&fix, 5, 3, NULL);
    assert_string_equal(turn(&fix, 0), "R3");
    give_exit(&fix, 1, "interrupted", "");
    assert_string_equal(turn(&fix, 0), "E1");
    give_forget(&fix, 5, 1);
    assert_string_equal(turn(&fix, 0), "F1YX");
    assert_string_equal(turn(&fix, 100000), "");
    fixture_release(&fix);
}

static void test_agent_core_leaves_without_bye_when_nobody_acknowledges(void **state)
{
    (void)state;
    struct fixture fix;
    bring_to(&fix, RUNNING);
    give_exit(&fix, 2, "success", "");
    agent_core_drain(fix.core, fix.now, false);
    assert_string_equal(turn(&fix, 0), "E2");
    assert_true(agent_core_deadline(fix.core) <= fix.now + 5000);
    turn(&fix, 4999);
    assert_null(strchr(str_get(&fix.text), 'X'));
    turn(&fix, 1);
    assert_non_null(strchr(str_get(&fix.text), 'X'));
    assert_null(strchr(str_get(&fix.text), 'Y'));
    fixture_release(&fix);
}

static void test_agent_core_kills_without_grace_when_told_to_drain_again(void **state)
{
    (void)state;
    struct fixture fix;
    bring_to(&fix, RUNNING);
    agent_core_drain(fix.core, fix.now, false);
    turn(&fix, 0);
    agent_core_drain(fix.core, fix.now, true);
    assert_string_equal(turn(&fix, 0), "K2");
    assert_int_equal(fix.kill_grace_ms, 0);
    fixture_release(&fix);
}

static void test_agent_core_ends_a_run_that_was_just_starting_when_it_drains(void **state)
{
    (void)state;
    struct fixture fix;
    bring_to(&fix, STARTING);
    agent_core_drain(fix.core, fix.now, false);
    assert_string_equal(turn(&fix, 0), "");
    agent_core_start_done(fix.core, fix.now, 2, 1, 1, NULL);
    assert_string_equal(turn(&fix, 0), "K2");
    fixture_release(&fix);
}

static void test_agent_core_leaves_its_runs_alone_when_it_detaches(void **state)
{
    (void)state;
    struct fixture fix;
    bring_to(&fix, QUEUED);
    agent_core_detach(fix.core, fix.now);
    assert_string_equal(turn(&fix, 0), "X");
    fixture_release(&fix);
}

// ---- Whatever comes, in whatever order

// Random messages, copies and delays of old ones. An attempt starts at most once within a session, never after a refusal in it, and only by
// a launch of the live session.
static void play(uint64_t seed)
{
    struct fixture fix;
    struct rng rng;
    bool started[41] = {false}, held_before[41] = {false};
    char refused[41][8] = {""};
    fixture_init(&fix, 2);
    fix.content = NULL;
    rng_stream(&rng, seed, "test", 0);
    uint64_t session = 10;
    connect_agent(&fix, session);
    for (int step = 0; step < 150; step++) {
        uint64_t attempt = 1 + rng_below(&rng, 40), of = session - rng_below(&rng, 2);
        switch (rng_below(&rng, 8)) {
        case 0:
        case 1:
            give_launch(&fix, of, attempt, NULL);
            break;
        case 2:
            give_kill(&fix, of, attempt, "cancelled", rng_below(&rng, 2) * 1000);
            break;
        case 3:
            give_forget(&fix, of, attempt);
            break;
        case 4:
            if (started[attempt])
                give_exit(&fix, attempt, "success", "");
            break;
        case 5:
            give_beat_ack(&fix, of, fix.now - rng_below(&rng, 1000));
            break;
        case 6:
            if (agent_core_connected(fix.core) && rng_below(&rng, 4) == 0)
                give_need_hello(&fix, session);
            break;
        default:
            if (!agent_core_connected(fix.core) && strchr(str_get(&fix.text), 'H')) {
                struct msg_verdict verdicts[16];
                static char words[][8] = {"keep", "kill", "forget"};
                for (size_t i = 0; i < fix.held_count; i++)
                    verdicts[i] = (struct msg_verdict){.attempt = fix.held[i].attempt, .action = words[rng_below(&rng, 3)]};
                give_welcome(&fix, ++session, verdicts, fix.held_count);
                memset(refused, 0, sizeof refused);
            }
            break;
        }
        const char *did = turn(&fix, rng_below(&rng, 300));
        for (const char *p = did; (p = strpbrk(p, "SR")); p++) {
            uint64_t number = strtoull(p + 1, NULL, 10);
            if (number > 40)
                fail_msg("seed %llu: attempt %llu", (unsigned long long)seed, (unsigned long long)number);
            if (*p == 'R')
                refused[number][0] = 'R';
            else if (started[number] || refused[number][0])
                fail_msg("seed %llu, step %d: attempt %llu starts again: %s", (unsigned long long)seed, step,
                         (unsigned long long)number, did);
            else
                started[number] = true;
        }
        // The attempts of one session are not launched in the next one: what is not held any more is over there.
        if (strchr(did, 'H')) {
            memset(held_before, 0, sizeof held_before);
            for (size_t i = 0; i < fix.held_count; i++)
                held_before[fix.held[i].attempt] = true;
            for (int i = 1; i <= 40; i++)
                started[i] = started[i] && held_before[i];
        }
    }
    fixture_release(&fix);
}

static void test_agent_core_starts_an_attempt_once_when_messages_repeat_and_overtake(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3000; seed++)
        play(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agent_core_acts_as_the_table_says_when_a_message_arrives),
        cmocka_unit_test(test_agent_core_does_nothing_when_a_message_is_of_another_session),
        cmocka_unit_test(test_agent_core_ignores_everything_but_a_welcome_when_it_has_no_session),
        cmocka_unit_test(test_agent_core_tells_what_it_holds_when_it_says_hello),
        cmocka_unit_test(test_agent_core_repeats_hello_with_growing_pauses_when_nobody_answers),
        cmocka_unit_test(test_agent_core_ignores_a_welcome_when_it_answers_something_else),
        cmocka_unit_test(test_agent_core_refuses_still_when_a_copy_of_the_welcome_comes_late),
        cmocka_unit_test(test_agent_core_refuses_old_attempts_when_it_has_buried_more_than_it_remembers),
        cmocka_unit_test(test_agent_core_opens_a_new_connection_when_the_controller_is_silent),
        cmocka_unit_test(test_agent_core_says_hello_at_once_when_its_connection_is_new),
        cmocka_unit_test(test_agent_core_beats_when_a_thirtieth_of_the_lease_is_over),
        cmocka_unit_test(test_agent_core_gives_up_when_the_versions_differ),
        cmocka_unit_test(test_agent_core_goes_on_when_the_controller_reports_another_error),
        cmocka_unit_test(test_agent_core_starts_the_next_when_a_slot_is_free),
        cmocka_unit_test(test_agent_core_refuses_when_a_run_cannot_be_started),
        cmocka_unit_test(test_agent_core_starts_nothing_that_waits_when_the_lease_is_over),
        cmocka_unit_test(test_agent_core_starts_what_waits_when_the_controller_is_gone_for_less_than_the_lease),
        cmocka_unit_test(test_agent_core_starts_nothing_under_policy_stop_when_the_controller_is_out_of_reach),
        cmocka_unit_test(test_agent_core_renews_leases_only_when_the_answered_beat_is_fresh),
        cmocka_unit_test(test_agent_core_waits_when_its_gpu_is_still_held_by_a_run_that_ends),
        cmocka_unit_test(test_agent_core_refuses_when_it_holds_more_than_a_hello_can_name),
        cmocka_unit_test(test_agent_core_passes_word_and_grace_when_it_kills),
        cmocka_unit_test(test_agent_core_says_bye_after_the_last_end_is_acknowledged_when_it_drains),
        cmocka_unit_test(test_agent_core_leaves_without_bye_when_nobody_acknowledges),
        cmocka_unit_test(test_agent_core_kills_without_grace_when_told_to_drain_again),
        cmocka_unit_test(test_agent_core_ends_a_run_that_was_just_starting_when_it_drains),
        cmocka_unit_test(test_agent_core_leaves_its_runs_alone_when_it_detaches),
        cmocka_unit_test(test_agent_core_starts_an_attempt_once_when_messages_repeat_and_overtake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
