// Hellos, sessions, leases: what an agent holds and what becomes of it.

#include "core_fixture.h"

#define SWEEP "method: grid\nmetric: {name: loss, goal: minimize}\nparameters: {x: {min: 1, max: 20}}\ncommand: ['true']\n"
#define LINE  "{\"loss\": 0.5}\n"

static const struct machine two = {.slots = 2};

// Agent 0 with two slots runs attempt 1 (started) and has attempt 2 waiting.
static void begin(struct world *world)
{
    submit(world, SWEEP);
    connect_agent(world, 0, two);
    report_started(world, 0, 1);
    forget_sent(world);
}

static uint32_t lost_budget(struct world *world, uint64_t number)
{
    return trial(world, 1, number)->retries[EXIT_LOST];
}

static void test_core_hello_opens_a_new_session_each_time(void **state)
{
    struct world *world = *state;
    connect_agent(world, 0, two);
    uint64_t first = world->sessions[0];
    connect_agent(world, 0, two);
    assert_true(world->sessions[0] > first);
    const struct msg *welcome = sent_to(world, 0, MSG_WELCOME, 1);
    assert_string_equal(welcome->welcome.store, "store");
    assert_int_equal(welcome->welcome.epoch, 1);
    assert_int_equal(welcome->welcome.hello, 2);
    assert_int_equal(welcome->welcome.lease_ms, LEASE_MS);
    assert_int_equal(core_agents_alive(world->core), 1);
}

static void test_core_hello_is_ignored_when_a_later_one_was_heard(void **state)
{
    struct world *world = *state;
    send_hello(world, 0, 1, 2, 5, two, NULL, 0);
    uint64_t session = world->sessions[0];
    forget_sent(world);
    send_hello(world, 0, 1, 2, 4, two, NULL, 0);
    send_hello(world, 0, 1, 2, 5, two, NULL, 0);
    send_hello(world, 0, 1, 1, 9, two, NULL, 0);
    assert_int_equal(world->sent_count, 0);
    assert_int_equal(world->sessions[0], session);
    send_hello(world, 0, 1, 3, 1, two, NULL, 0);
    assert_true(world->sessions[0] > session);
}

static void test_core_hello_is_ignored_when_it_is_older_than_before_a_restart(void **state)
{
    struct world *world = *state;
    send_hello(world, 0, 1, 2, 5, two, NULL, 0);
    restart(world);
    forget_sent(world);
    send_hello(world, 0, 1, 2, 5, two, NULL, 0);
    assert_int_equal(world->sent_count, 0);
    send_hello(world, 0, 1, 2, 6, two, NULL, 0);
    assert_int_equal(sent_total(world, MSG_WELCOME), 1);
}

static void test_core_hello_unbinds_the_earlier_connection(void **state)
{
    struct world *world = *state;
    begin(world);
    struct held held[] = {{1, "running"}, {2, "queued"}};
    send_hello(world, 0, 9, 1, 2, two, held, 2); // another connection
    forget_sent(world);
    world->now.mono_ms += 1;
    struct msg beat = {.type = MSG_BEAT, .beat = {.session = world->sessions[0]}};
    give(world, 0, &beat); // over the old one
    assert_int_equal(sent_total(world, MSG_BEAT_ACK), 0);
    assert_int_equal(sent_total(world, MSG_NEED_HELLO), 1);
}

static void test_core_hello_is_refused_when_another_key_owns_the_agent(void **state)
{
    struct world *world = *state;
    connect_agent(world, 0, (struct machine){.slots = 1, .key = KEY_A});
    forget_sent(world);
    say_hello(world, 0, (struct machine){.slots = 1, .key = KEY_B}, NULL, 0);
    const struct msg *error = sent_to(world, 0, MSG_ERROR, 0);
    assert_non_null(error);
    assert_int_equal(error->error.code, ERR_PERMISSION);
    assert_int_equal(sent_total(world, MSG_WELCOME), 0);
    say_hello(world, 0, (struct machine){.slots = 1}, NULL, 0); // nor over the local socket
    assert_int_equal(sent_total(world, MSG_WELCOME), 0);
    say_hello(world, 0, (struct machine){.slots = 1, .key = KEY_A}, NULL, 0);
    assert_int_equal(sent_total(world, MSG_WELCOME), 1);
}

static void test_core_hello_keeps_what_is_open(void **state)
{
    struct world *world = *state;
    begin(world);
    report_bytes(world, 0, 1, STREAM_METRICS, 0, LINE);
    struct held held[] = {{1, "running"}, {2, "queued"}};
    say_hello(world, 0, two, held, 2);
    assert_string_equal(verdict_of(world, 0, 1), "keep");
    assert_string_equal(verdict_of(world, 0, 2), "keep");
    assert_int_equal(sent_to(world, 0, MSG_WELCOME, 0)->welcome.verdicts[0].cursors[STREAM_METRICS], strlen(LINE));
    assert_int_equal(open_at(world, 0), 2);
    finish(world, 0, 2, LINE, "success", 0);
    assert_trial(world, 1, 2, TRIAL_DONE);
}

static void test_core_hello_loses_at_once_what_is_missing(void **state)
{
    struct world *world = *state;
    begin(world);
    say_hello(world, 0, two, NULL, 0);
    assert_int_equal(world->attempts[1].state, ATTEMPT_LOST);
    assert_int_equal(world->attempts[1].exit_class, EXIT_LOST);
    assert_int_equal(lost_budget(world, 1), 1);
    assert_int_equal(world->attempts[2].state, ATTEMPT_REFUSED);
    assert_int_equal(lost_budget(world, 2), 0); // it had not started: free of charge
    assert_event(world, "its agent machine0 no longer has it");
    assert_int_equal(trial(world, 1, 1)->attempt_count, 2); // the lost one is out again at once
}

static void test_core_hello_ends_what_is_not_known(void **state)
{
    struct world *world = *state;
    begin(world);
    struct held held[] = {{1, "running"}, {2, "queued"}, {300, "running"}, {301, "queued"}, {302, "exited"}};
    say_hello(world, 0, two, held, 5);
    assert_string_equal(verdict_of(world, 0, 300), "kill");
    assert_string_equal(verdict_of(world, 0, 301), "kill");
    assert_string_equal(verdict_of(world, 0, 302), "forget");
}

static void test_core_hello_ends_what_belongs_to_another_agent(void **state)
{
    struct world *world = *state;
    begin(world);
    struct held held[] = {{1, "running"}};
    say_hello(world, 1, two, held, 1);
    assert_string_equal(verdict_of(world, 1, 1), "kill");
    assert_trial(world, 1, 1, TRIAL_RUNNING);
    finish(world, 0, 1, LINE, "success", 0);
    assert_trial(world, 1, 1, TRIAL_DONE);
}

static void test_core_hello_forgets_what_is_sealed(void **state)
{
    struct world *world = *state;
    begin(world);
    finish(world, 0, 1, LINE, "success", 0);
    struct held held[] = {{1, "exited"}, {2, "running"}, {3, "queued"}};
    say_hello(world, 0, two, held, 3);
    assert_string_equal(verdict_of(world, 0, 1), "forget");
    assert_string_equal(verdict_of(world, 0, 2), "keep");
}

static void test_core_beat_renews_the_lease(void **state)
{
    struct world *world = *state;
    begin(world);
    struct msg beat = {.type = MSG_BEAT, .beat = {.session = world->sessions[0], .sent_ms = 42}};
    for (int i = 0; i < 5; i++) {
        turn(world, LEASE_MS - 1);
        give(world, 0, &beat);
    }
    assert_int_equal(sent_to(world, 0, MSG_BEAT_ACK, 4)->beat_ack.sent_ms, 42);
    assert_int_equal(sent_to(world, 0, MSG_BEAT_ACK, 4)->beat_ack.session, world->sessions[0]);
    assert_int_equal(open_at(world, 0), 2);
}

static void test_core_lease_gives_trials_to_others_when_the_agent_is_silent(void **state)
{
    struct world *world = *state;
    begin(world);
    turn(world, LEASE_MS - 1);
    assert_int_equal(open_at(world, 0), 2);
    turn(world, 1);
    assert_int_equal(open_at(world, 0), 0);
    assert_int_equal(lost_budget(world, 1), 1);
    assert_int_equal(lost_budget(world, 2), 0);
    assert_event(world, "silent: agent machine0 has been silent for 60 s");
    assert_true(world->agents[1].gone);
    assert_int_equal(core_agents_alive(world->core), 0);
    assert_string_equal(core_blocked(world->core, 1), "no agent is connected");
    connect_agent(world, 1, two);
    assert_trial(world, 1, 1, TRIAL_RUNNING);
    assert_int_equal(current(world, 1, 1)->agent, 2);
}

static void test_core_lease_is_fresh_when_the_controller_restarts(void **state)
{
    struct world *world = *state;
    begin(world);
    turn(world, LEASE_MS - 10);
    restart(world);
    turn(world, LEASE_MS - 1);
    assert_trial(world, 1, 1, TRIAL_RUNNING);
    assert_int_equal(world->attempts[1].state, ATTEMPT_RUNNING);
    turn(world, 1);
    assert_int_equal(world->attempts[1].state, ATTEMPT_LOST);
}

static void test_core_lost_run_is_taken_back_when_no_other_took_its_trial(void **state)
{
    struct world *world = *state;
    begin(world);
    turn(world, LEASE_MS);
    assert_trial(world, 1, 1, TRIAL_PENDING);
    struct held held[] = {{1, "running"}};
    say_hello(world, 0, two, held, 1);
    assert_string_equal(verdict_of(world, 0, 1), "keep");
    assert_trial(world, 1, 1, TRIAL_RUNNING);
    assert_int_equal(trial(world, 1, 1)->attempt, 1);
    assert_int_equal(lost_budget(world, 1), 0); // it was not lost after all
    assert_event(world, "found: its agent is back and still has it");
    finish(world, 0, 1, LINE, "success", 0);
    assert_trial(world, 1, 1, TRIAL_DONE);
    assert_int_equal(world->sweeps[1].trials[TRIAL_DONE], 1);
}

static void test_core_lost_run_is_ended_when_another_took_its_trial(void **state)
{
    struct world *world = *state;
    begin(world);
    turn(world, LEASE_MS);
    connect_agent(world, 1, two);
    uint64_t other = trial(world, 1, 1)->attempt;
    assert_true(other != 1);
    struct held held[] = {{1, "running"}};
    say_hello(world, 0, two, held, 1);
    assert_string_equal(verdict_of(world, 0, 1), "kill");
    finish(world, 0, 1, LINE, "lost", -1);
    assert_true(told_forget(world, 0, 1));
    finish(world, 1, other, "{\"loss\": 2}\n", "success", 0);
    assert_true(trial(world, 1, 1)->values.at[0] == 2);
    assert_int_equal(world->tell_count, 1);
}

static void test_core_lost_result_counts_when_the_other_is_not_over(void **state)
{
    struct world *world = *state;
    begin(world);
    turn(world, LEASE_MS);
    connect_agent(world, 1, two);
    uint64_t other = trial(world, 1, 1)->attempt;
    report_started(world, 1, other);
    struct held held[] = {{1, "exited"}};
    say_hello(world, 0, two, held, 1);
    assert_string_equal(verdict_of(world, 0, 1), "keep");
    assert_non_null(killed(world, other));
    assert_string_equal(killed(world, other)->class_word, "lost");
    finish(world, 0, 1, LINE, "success", 0);
    assert_trial(world, 1, 1, TRIAL_DONE);
    assert_true(trial(world, 1, 1)->values.at[0] == 0.5);
    finish(world, 1, other, "{\"loss\": 2}\n", "success", 0); // it came through before the kill: recorded, no result
    assert_true(trial(world, 1, 1)->values.at[0] == 0.5);
    assert_int_equal(world->attempts[other].state, ATTEMPT_SEALED);
    assert_int_equal(world->tell_count, 1);
    assert_int_equal(world->sweeps[1].trials[TRIAL_DONE], 1);
}

static void test_core_lost_run_is_ended_when_its_trial_has_a_result(void **state)
{
    struct world *world = *state;
    begin(world);
    turn(world, LEASE_MS);
    connect_agent(world, 1, two);
    finish(world, 1, trial(world, 1, 1)->attempt, LINE, "success", 0);
    struct held held[] = {{1, "running"}};
    say_hello(world, 0, two, held, 1);
    assert_string_equal(verdict_of(world, 0, 1), "kill");
    assert_trial(world, 1, 1, TRIAL_DONE);
}

static void test_core_lost_run_is_taken_back_after_a_restart(void **state)
{
    struct world *world = *state;
    begin(world);
    turn(world, LEASE_MS);
    restart(world);
    struct held held[] = {{1, "running"}, {2, "queued"}};
    say_hello(world, 0, two, held, 2);
    assert_string_equal(verdict_of(world, 0, 1), "keep");
    assert_string_equal(verdict_of(world, 0, 2), "keep");
    assert_int_equal(lost_budget(world, 2), 0);
    finish(world, 0, 1, LINE, "success", 0);
    finish(world, 0, 2, LINE, "success", 0);
    assert_trial(world, 1, 1, TRIAL_DONE);
    assert_trial(world, 1, 2, TRIAL_DONE);
}

static void test_core_trial_fails_when_its_lost_budget_is_used_up(void **state)
{
    struct world *world = *state;
    submit(world, SWEEP "retry: {lost: 1}\n");
    connect_agent(world, 0, (struct machine){.slots = 1});
    report_started(world, 0, 1);
    connect_agent(world, 0, (struct machine){.slots = 1}); // its inventory is empty
    assert_trial(world, 1, 1, TRIAL_RUNNING);
    report_started(world, 0, trial(world, 1, 1)->attempt);
    connect_agent(world, 0, (struct machine){.slots = 1});
    assert_trial(world, 1, 1, TRIAL_FAILED);
    assert_event(world, "failed: lost: ");
}

static void test_core_bye_ends_what_the_agent_held(void **state)
{
    struct world *world = *state;
    begin(world);
    struct msg bye = {.type = MSG_BYE, .bye = {.session = world->sessions[0], .reason = (char *)"drained"}};
    give(world, 0, &bye);
    assert_int_equal(open_at(world, 0), 0);
    assert_int_equal(core_agents_alive(world->core), 0);
    assert_event(world, "left: agent machine0 left: drained");
}

static void test_core_expel_takes_all_from_the_key_at_once(void **state)
{
    struct world *world = *state;
    submit(world, SWEEP);
    connect_agent(world, 0, (struct machine){.slots = 1, .key = KEY_A});
    connect_agent(world, 1, (struct machine){.slots = 1, .key = KEY_B});
    core_expel(world->core, world->now, KEY_A);
    turn(world, 0);
    assert_int_equal(open_at(world, 0), 0);
    assert_int_equal(open_at(world, 1), 1);
    assert_event(world, "revoked: the key of agent machine0 was revoked");
}

static void test_core_answers_with_an_error_when_a_message_is_not_for_it(void **state)
{
    struct world *world = *state;
    struct msg strange = {.type = MSG_ACK}, error = {.type = MSG_ERROR, .error = {.code = ERR_PROTOCOL, .text = (char *)"x"}};
    give(world, 0, &strange);
    assert_int_equal(sent_total(world, MSG_ERROR), 1);
    forget_sent(world);
    give(world, 0, &error);
    assert_int_equal(world->sent_count, 0); // else two would talk for ever
}

static void test_core_launch_is_repeated_until_its_effect_is_seen(void **state)
{
    struct world *world = *state;
    submit(world, SWEEP);
    connect_agent(world, 0, (struct machine){.slots = 1});
    assert_int_equal(sent_total(world, MSG_LAUNCH), 1);
    assert_int_equal(core_deadline(world->core), world->now.mono_ms + 2000);
    turn(world, 1999);
    assert_int_equal(sent_total(world, MSG_LAUNCH), 1);
    turn(world, 1);
    assert_int_equal(sent_total(world, MSG_LAUNCH), 2);
    report_started(world, 0, 1);
    turn(world, 10000);
    assert_int_equal(sent_total(world, MSG_LAUNCH), 2);
}

static void test_core_is_quiet_when_nothing_happens(void **state)
{
    struct world *world = *state;
    begin(world);
    report_started(world, 0, 2);
    forget_sent(world);
    for (int i = 0; i < 50; i++)
        turn(world, 1000);
    assert_int_equal(world->sent_count, 0);
    assert_int_equal(world->sweep_changes, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_core_hello_opens_a_new_session_each_time),
        TEST(test_core_hello_is_ignored_when_a_later_one_was_heard),
        TEST(test_core_hello_is_ignored_when_it_is_older_than_before_a_restart),
        TEST(test_core_hello_unbinds_the_earlier_connection),
        TEST(test_core_hello_is_refused_when_another_key_owns_the_agent),
        TEST(test_core_hello_keeps_what_is_open),
        TEST(test_core_hello_loses_at_once_what_is_missing),
        TEST(test_core_hello_ends_what_is_not_known),
        TEST(test_core_hello_ends_what_belongs_to_another_agent),
        TEST(test_core_hello_forgets_what_is_sealed),
        TEST(test_core_beat_renews_the_lease),
        TEST(test_core_lease_gives_trials_to_others_when_the_agent_is_silent),
        TEST(test_core_lease_is_fresh_when_the_controller_restarts),
        TEST(test_core_lost_run_is_taken_back_when_no_other_took_its_trial),
        TEST(test_core_lost_run_is_ended_when_another_took_its_trial),
        TEST(test_core_lost_result_counts_when_the_other_is_not_over),
        TEST(test_core_lost_run_is_ended_when_its_trial_has_a_result),
        TEST(test_core_lost_run_is_taken_back_after_a_restart),
        TEST(test_core_trial_fails_when_its_lost_budget_is_used_up),
        TEST(test_core_bye_ends_what_the_agent_held),
        TEST(test_core_expel_takes_all_from_the_key_at_once),
        TEST(test_core_answers_with_an_error_when_a_message_is_not_for_it),
        TEST(test_core_launch_is_repeated_until_its_effect_is_seen),
        TEST(test_core_is_quiet_when_nothing_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
