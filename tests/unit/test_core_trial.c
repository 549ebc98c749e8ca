// Ends of runs and what they mean for the trial; retries; repeats and what the strategy is told.

#include "core_fixture.h"

#include "base/mem.h"

#define GRID "method: grid\nmetric: {name: loss, goal: minimize}\nparameters: {x: {min: 1, max: 20}}\ncommand: ['true']\n"
#define LINE "{\"loss\": 0.5}\n"

static const struct machine one = {.slots = 1};

static void begin(struct world *world, const char *text)
{
    submit(world, text);
    connect_agent(world, 0, one);
    report_started(world, 0, 1);
}

static struct err retry(struct world *world, uint64_t number, int expected)
{
    struct err err = {0};
    assert_int_equal(core_retry_trial(world->core, world->now, trial(world, 1, number), &err), expected);
    turn(world, 0);
    return err;
}

// ---- Classes

static void test_core_trial_ends_as_its_class_says(void **state)
{
    (void)state;
    static const struct {
        const char *class_word;
        int64_t code;
        const char *metrics;
        enum trial_state expected;
        enum exit_class recorded;
    } cases[] = {
        {"success", 0, LINE, TRIAL_DONE, EXIT_SUCCESS_CLASS},     {"success", 0, "", TRIAL_FAILED, EXIT_NO_METRIC},
        {"failed", 3, LINE, TRIAL_FAILED, EXIT_FAILED},           {"signal", -1, LINE, TRIAL_FAILED, EXIT_SIGNAL},
        {"timeout", -1, LINE, TRIAL_FAILED, EXIT_TIMEOUT},        {"oom", -1, LINE, TRIAL_FAILED, EXIT_OOM},
        {"start_failed", -1, "", TRIAL_FAILED, EXIT_START_FAILED}, {"killed", -1, LINE, TRIAL_RUNNING, EXIT_KILLED},
        {"lost", -1, LINE, TRIAL_RUNNING, EXIT_LOST},             {"interrupted", -1, LINE, TRIAL_RUNNING, EXIT_INTERRUPTED},
        {"interrupted", 0, "", TRIAL_RUNNING, EXIT_INTERRUPTED},  {"interrupted", 0, LINE, TRIAL_DONE, EXIT_SUCCESS_CLASS},
        {"cancelled", -1, LINE, TRIAL_CANCELLED, EXIT_CANCELLED}, {"stopped", -1, LINE, TRIAL_STOPPED, EXIT_STOPPED},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world *world;
        world_setup((void **)&world);
        begin(world, GRID);
        finish(world, 0, 1, cases[i].metrics, cases[i].class_word, cases[i].code);
        if (trial(world, 1, 1)->state != cases[i].expected || world->attempts[1].exit_class != cases[i].recorded)
            fail_msg("case %zu, %s: trial %s, class %s", i, cases[i].class_word, trial_state_word(trial(world, 1, 1)->state),
                     exit_class_word(world->attempts[1].exit_class));
        world_teardown((void **)&world);
    }
}

static void test_core_trial_is_done_without_a_value_when_there_is_no_objective(void **state)
{
    struct world *world = *state;
    begin(world, "method: grid\nparameters: {x: {min: 1, max: 3}}\ncommand: ['true']\n");
    finish(world, 0, 1, "", "success", 0);
    assert_trial(world, 1, 1, TRIAL_DONE);
    assert_false(trial(world, 1, 1)->values.has[0]);
    assert_int_equal(world->tells[0].outcome.state, POINT_DONE);
}

static void test_core_trial_says_its_exit_code_when_it_failed(void **state)
{
    struct world *world = *state;
    begin(world, GRID);
    finish(world, 0, 1, LINE, "failed", 3);
    assert_event(world, "failed: failed: exit code 3");
}

// ---- Retries

static void test_core_retry_waits_twice_as_long_each_time(void **state)
{
    struct world *world = *state;
    begin(world, GRID "parallel: 1\nrun_cap: 1\nretry: {failed: 10}\n");
    uint64_t wait = 1000;
    for (uint32_t used = 1; used <= 8; used++) {
        finish(world, 0, trial(world, 1, 1)->attempt, LINE, "failed", 1);
        assert_trial(world, 1, 1, TRIAL_PENDING);
        assert_int_equal(trial(world, 1, 1)->retries[EXIT_FAILED], used);
        assert_int_equal(core_deadline(world->core), world->now.mono_ms + wait < world->now.mono_ms + LEASE_MS
                                                         ? world->now.mono_ms + wait
                                                         : world->now.mono_ms + LEASE_MS);
        struct msg beat = {.type = MSG_BEAT, .beat = {.session = world->sessions[0]}};
        give(world, 0, &beat);
        turn(world, wait - 1);
        assert_trial(world, 1, 1, TRIAL_PENDING);
        give(world, 0, &beat);
        turn(world, 1);
        assert_trial(world, 1, 1, TRIAL_RUNNING);
        wait = wait * 2 < 60000 ? wait * 2 : 60000;
    }
    assert_event(world, "retry: failed (exit code other than 0); retry 1 of 10");
}

static void test_core_retry_gives_up_when_its_budget_is_used_up(void **state)
{
    struct world *world = *state;
    begin(world, GRID "retry: {failed: 1, oom: 1}\n");
    finish(world, 0, 1, LINE, "failed", 1);
    turn(world, 1000);
    finish(world, 0, 2, LINE, "success", 0); // of trial 2, in between
    assert_trial(world, 1, 1, TRIAL_RUNNING);
    finish(world, 0, trial(world, 1, 1)->attempt, LINE, "oom", -1); // each class has its own
    assert_trial(world, 1, 1, TRIAL_PENDING);
    turn(world, 1000);
    finish(world, 0, trial(world, 1, 3)->attempt, LINE, "success", 0);
    finish(world, 0, trial(world, 1, 1)->attempt, LINE, "failed", 1);
    assert_trial(world, 1, 1, TRIAL_FAILED);
    assert_int_equal(trial(world, 1, 1)->attempt_count, 3);
}

static void test_core_retry_never_ends_when_the_run_was_interrupted(void **state)
{
    struct world *world = *state;
    begin(world, GRID "run_cap: 1\nretry: 0\n");
    for (int i = 0; i < 20; i++)
        finish(world, 0, trial(world, 1, 1)->attempt, "", "interrupted", -1);
    assert_trial(world, 1, 1, TRIAL_RUNNING);
    assert_int_equal(trial(world, 1, 1)->attempt_count, 21);
}

static void test_core_retry_keeps_the_seed_and_repeats_have_their_own(void **state)
{
    struct world *world = *state;
    begin(world, GRID "repeats: 2\nseed: 9\nretry: {failed: 1}\nrun_cap: 4\n");
    uint64_t seed = launched(world, 1)->seed;
    finish(world, 0, 1, LINE, "failed", 1);
    turn(world, 1000);
    uint64_t other = launched(world, trial(world, 1, 2)->attempt)->seed;
    assert_true(other != seed);
    assert_string_equal(trial(world, 1, 2)->config, trial(world, 1, 1)->config);
    finish(world, 0, trial(world, 1, 2)->attempt, LINE, "success", 0);
    assert_true(trial(world, 1, 1)->attempt != 1);
    assert_int_equal(launched(world, trial(world, 1, 1)->attempt)->seed, seed);
}

static void test_core_pauses_the_sweep_when_nothing_can_be_started(void **state)
{
    struct world *world = *state;
    begin(world, GRID);
    report_failure(world, 0, 1, "start_failed", "train.py: not found");
    report_failure(world, 0, 2, "start_failed", "train.py: not found");
    assert_sweep(world, 1, SWEEP_RUNNING);
    report_failure(world, 0, 3, "start_failed", "train.py: not found");
    assert_sweep(world, 1, SWEEP_PAUSED);
    assert_non_null(strstr(world->sweeps[1].reason, "train.py: not found"));
    assert_non_null(strstr(world->sweeps[1].reason, "trawl resume"));
    assert_int_equal(open_at(world, 0), 0);
}

static void test_core_goes_on_when_starts_fail_between_others(void **state)
{
    struct world *world = *state;
    begin(world, GRID);
    for (uint64_t attempt = 1; attempt <= 12; attempt++) {
        if (attempt % 3 == 0)
            finish(world, 0, attempt, LINE, "failed", 1); // it did start
        else
            report_failure(world, 0, attempt, "start_failed", "busy");
    }
    assert_sweep(world, 1, SWEEP_RUNNING);
}

static void test_core_goes_on_when_a_run_has_succeeded_before(void **state)
{
    struct world *world = *state;
    begin(world, GRID);
    finish(world, 0, 1, LINE, "success", 0);
    for (uint64_t attempt = 2; attempt <= 8; attempt++)
        report_failure(world, 0, attempt, "start_failed", "busy");
    assert_sweep(world, 1, SWEEP_RUNNING);
}

// ---- Repeats

static void test_core_tells_once_when_all_repeats_are_over(void **state)
{
    struct world *world = *state;
    begin(world, GRID "repeats: 3\n");
    finish(world, 0, 1, "{\"loss\": 1}\n", "success", 0);
    finish(world, 0, 2, "{\"loss\": 4}\n", "failed", 1);
    assert_int_equal(world->tell_count, 0);
    finish(world, 0, 3, "{\"loss\": 2}\n", "success", 0);
    assert_int_equal(world->tell_count, 1);
    assert_int_equal(world->tells[0].outcome.state, POINT_DONE);
    assert_int_equal(world->tells[0].point, trial(world, 1, 1)->point);
    assert_true(world->tells[0].outcome.values[0] == 1.5);
    assert_int_equal(trial(world, 1, 3)->tell_number, 1);
    assert_int_equal(trial(world, 1, 1)->tell_number, 0);
    assert_int_equal(world->sweeps[1].tell_count, 1);
}

static void test_core_tells_failed_when_no_repeat_gave_a_value(void **state)
{
    struct world *world = *state;
    begin(world, GRID "repeats: 2\n");
    finish(world, 0, 1, "", "failed", 1);
    finish(world, 0, 2, "", "failed", 1);
    assert_int_equal(world->tell_count, 1);
    assert_int_equal(world->tells[0].outcome.state, POINT_FAILED);
}

static void test_core_tells_the_mean_when_it_restarts_between_repeats(void **state)
{
    struct world *world = *state;
    begin(world, GRID "repeats: 2\n");
    finish(world, 0, 1, "{\"loss\": 1}\n", "success", 0);
    restart(world);
    struct held held[] = {{2, "running"}};
    say_hello(world, 0, one, held, 1);
    finish(world, 0, 2, "{\"loss\": 4}\n", "success", 0);
    assert_int_equal(world->tell_count, 1);
    assert_true(world->tells[0].outcome.values[0] == 2.5);
}

#define TWO                                                                                        \
    "method: grid\nmetrics: [{name: loss, target: 1}, {name: gain, goal: maximize, target: 5}]\n"    \
    "parameters: {x: {min: 1, max: 20}}\ncommand: ['true']\n"

// Three repeats that end in the order of `ends`, with a restart before the second where asked for.
static struct outcome outcome_after(const uint64_t ends[3], bool restarts)
{
    static const char *const lines[] = {"{\"loss\": 0.1, \"gain\": 3}\n", "{\"loss\": 0.7, \"gain\": 1e10}\n", "{\"loss\": 1e9, \"gain\": 0.3}\n"};
    const struct machine three = {.slots = 3};
    struct world *world;
    world_setup((void **)&world);
    submit(world, TWO "repeats: 3\nrun_cap: 3\n");
    connect_agent(world, 0, three);
    for (uint64_t i = 1; i <= 3; i++)
        report_started(world, 0, i);
    finish(world, 0, ends[0], lines[ends[0] - 1], "success", 0);
    if (restarts) {
        struct held held[] = {{ends[1], "running"}, {ends[2], "running"}};
        restart(world);
        say_hello(world, 0, three, held, 2);
    }
    finish(world, 0, ends[1], lines[ends[1] - 1], "success", 0);
    finish(world, 0, ends[2], lines[ends[2] - 1], "success", 0);
    assert_int_equal(world->tell_count, 1);
    struct outcome outcome = world->tells[0].outcome;
    world_teardown((void **)&world);
    return outcome;
}

static void test_core_tells_the_same_bits_when_repeats_end_in_any_order_or_it_restarts(void **state)
{
    (void)state;
    struct outcome first = outcome_after((const uint64_t[]){1, 2, 3}, false);
    assert_int_equal(first.value_count, 3);
    assert_true(first.values[0] == (0.1 + 0.7 + 1e9) / 3 && first.values[1] == (3 + 1e10 + 0.3) / 3);
    assert_true(first.variances[0] > 0 && first.variances[1] > 0);
    static const uint64_t orders[][3] = {{1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};
    for (size_t i = 0; i < ARRAY_LEN(orders); i++)
        for (int restarts = 0; restarts < 2; restarts++) {
            struct outcome other = outcome_after(orders[i], restarts);
            assert_memory_equal(other.values, first.values, sizeof first.values);
            assert_memory_equal(other.variances, first.variances, sizeof first.variances);
        }
}

static void test_core_trial_fails_when_it_lacks_an_objective(void **state)
{
    struct world *world = *state;
    begin(world, TWO);
    finish(world, 0, 1, "{\"loss\": 1}\n", "success", 0);
    assert_trial(world, 1, 1, TRIAL_FAILED);
    assert_int_equal(world->attempts[1].exit_class, EXIT_NO_METRIC);
    assert_null(core_sweep_front(world->core, 1));
}

static void test_core_front_is_restored_and_its_targets_end_the_sweep(void **state)
{
    struct world *world = *state;
    begin(world, TWO);
    finish(world, 0, 1, "{\"loss\": 0.5, \"gain\": 1}\n", "success", 0); // one target
    finish(world, 0, 2, "{\"loss\": 3, \"gain\": 9}\n", "success", 0);   // the other
    finish(world, 0, 3, "{\"loss\": 4, \"gain\": 2}\n", "success", 0);   // dominated
    restart(world);
    struct held held[] = {{4, "running"}};
    say_hello(world, 0, one, held, 1);
    const struct pareto_front *front = core_sweep_front(world->core, 1);
    assert_int_equal(front->count, 2);
    assert_int_equal(front->ids[0], 1);
    assert_int_equal(front->ids[1], 2);
    assert_true(front->costs[1] == -1 && front->worst[0] == 4 && front->worst[1] == -1);
    assert_int_equal(world->sweeps[1].state, SWEEP_RUNNING);
    finish(world, 0, 4, "{\"loss\": 1, \"gain\": 5}\n", "success", 0); // both
    assert_int_equal(world->sweeps[1].state, SWEEP_FINISHED);
    assert_int_equal(core_sweep_front(world->core, 1)->count, 3);
}

static void test_core_tells_a_point_with_fewer_repeats_when_the_cap_cuts_it(void **state)
{
    struct world *world = *state;
    begin(world, GRID "repeats: 3\nrun_cap: 4\n");
    for (uint64_t attempt = 1; attempt <= 4; attempt++)
        finish(world, 0, attempt, LINE, "success", 0);
    assert_int_equal(world->tell_count, 2);
    assert_sweep(world, 1, SWEEP_FINISHED);
}

static void test_core_notes_what_the_strategy_knew_when_it_was_asked(void **state)
{
    struct world *world = *state;
    begin(world, GRID);
    assert_int_equal(trial(world, 1, 1)->asked_after, 0);
    finish(world, 0, 1, LINE, "success", 0);
    finish(world, 0, 2, LINE, "success", 0);
    assert_int_equal(trial(world, 1, 2)->tell_number, 2);
    assert_int_equal(trial(world, 1, 3)->asked_after, 2);
}

// ---- `trawl retry`

static void test_core_retry_verb_runs_an_ended_trial_again_with_fresh_budgets(void **state)
{
    struct world *world = *state;
    begin(world, GRID "run_cap: 1\nretry: {failed: 1}\n");
    finish(world, 0, 1, "", "failed", 1);
    turn(world, 1000);
    finish(world, 0, 2, "", "failed", 1);
    assert_sweep(world, 1, SWEEP_FINISHED);
    retry(world, 1, 0);
    assert_sweep(world, 1, SWEEP_RUNNING);
    assert_trial(world, 1, 1, TRIAL_RUNNING);
    assert_int_equal(trial(world, 1, 1)->retries[EXIT_FAILED], 0);
    finish(world, 0, 3, "", "failed", 1);
    assert_trial(world, 1, 1, TRIAL_PENDING);
    turn(world, 1000);
    finish(world, 0, 4, LINE, "success", 0);
    assert_trial(world, 1, 1, TRIAL_DONE);
    assert_sweep(world, 1, SWEEP_FINISHED);
    assert_int_equal(world->tell_count, 1); // a second tell would be ignored, and shift the order of a replay
}

static void test_core_retry_verb_takes_the_old_result_out_of_the_mean(void **state)
{
    struct world *world = *state;
    begin(world, GRID "repeats: 2\nrun_cap: 2\n");
    finish(world, 0, 1, "{\"loss\": NaN}\n", "success", 0);
    retry(world, 1, 0);
    finish(world, 0, 2, "{\"loss\": 4}\n", "success", 0);
    finish(world, 0, 3, "{\"loss\": 2}\n", "success", 0);
    assert_int_equal(world->tell_count, 1);
    assert_true(world->tells[0].outcome.values[0] == 3);
}

static void test_core_retry_verb_tells_no_second_time_when_repeats_were_told(void **state)
{
    struct world *world = *state;
    begin(world, GRID "repeats: 2\nrun_cap: 2\n");
    finish(world, 0, 1, LINE, "success", 0);
    finish(world, 0, 2, LINE, "success", 0);
    assert_int_equal(world->tell_count, 1);
    retry(world, 1, 0); // the one that did not carry the tell
    restart(world);
    connect_agent(world, 0, one);
    finish(world, 0, trial(world, 1, 1)->attempt, "{\"loss\": 9}\n", "success", 0);
    assert_trial(world, 1, 1, TRIAL_DONE);
    assert_int_equal(world->tell_count, 1);
    assert_int_equal(world->sweeps[1].tell_count, 1);
}

static void test_core_retry_verb_refuses_what_has_not_ended(void **state)
{
    struct world *world = *state;
    begin(world, GRID);
    struct err err = retry(world, 1, ERR_STATE);
    assert_non_null(strstr(err.text, "trial 1 is running; only an ended trial can be run again"));
}

static void test_core_retry_verb_refuses_when_the_sweep_is_cancelled(void **state)
{
    struct world *world = *state;
    begin(world, GRID);
    finish(world, 0, 1, LINE, "success", 0);
    core_control_sweep(world->core, world->now, 1, VERB_CANCEL, NULL);
    turn(world, 0);
    struct err err = retry(world, 1, ERR_STATE);
    assert_non_null(strstr(err.text, "is cancelled and stays so"));
    assert_trial(world, 1, 1, TRIAL_DONE);
}

static void test_core_retry_verb_refuses_when_the_target_is_reached(void **state)
{
    struct world *world = *state;
    begin(world, "method: grid\nmetric: {name: loss, goal: minimize, target: 1}\nparameters: {x: {min: 1, max: 9}}\ncommand: ['true']\n");
    finish(world, 0, 1, LINE, "success", 0);
    assert_sweep(world, 1, SWEEP_FINISHED);
    struct err err = retry(world, 1, ERR_STATE);
    assert_non_null(strstr(err.text, "its target is reached"));
    assert_trial(world, 1, 1, TRIAL_DONE);
}

// ---- Cancel of one trial

static void test_core_cancel_ends_a_running_trial(void **state)
{
    struct world *world = *state;
    begin(world, GRID "grace: 7s\n");
    assert_int_equal(core_cancel_trial(world->core, world->now, 1, NULL), 0);
    turn(world, 0);
    assert_string_equal(killed(world, 1)->class_word, "cancelled");
    assert_int_equal(killed(world, 1)->grace_ms, 7000);
    assert_trial(world, 1, 1, TRIAL_RUNNING);
    finish(world, 0, 1, LINE, "cancelled", -1);
    assert_trial(world, 1, 1, TRIAL_CANCELLED);
    assert_int_equal(world->tells[0].outcome.state, POINT_CANCELLED);
    assert_int_equal(core_cancel_trial(world->core, world->now, 1, NULL), ERR_STATE);
}

static void test_core_cancel_is_repeated_until_the_run_has_ended(void **state)
{
    struct world *world = *state;
    begin(world, GRID);
    core_cancel_trial(world->core, world->now, 1, NULL);
    turn(world, 0);
    turn(world, 4999);
    assert_int_equal(sent_total(world, MSG_KILL), 1);
    turn(world, 1);
    assert_int_equal(sent_total(world, MSG_KILL), 2);
    finish(world, 0, 1, "", "cancelled", -1);
    turn(world, 5000);
    assert_int_equal(sent_total(world, MSG_KILL), 2);
}

static void test_core_cancel_holds_when_the_controller_restarts(void **state)
{
    struct world *world = *state;
    begin(world, GRID);
    core_cancel_trial(world->core, world->now, 1, NULL);
    turn(world, 0);
    restart(world);
    forget_sent(world);
    struct held held[] = {{1, "running"}};
    say_hello(world, 0, one, held, 1);
    assert_non_null(killed(world, 1));
    assert_string_equal(killed(world, 1)->class_word, "cancelled");
}

static void test_core_cancel_holds_when_the_agent_is_lost(void **state)
{
    struct world *world = *state;
    begin(world, GRID);
    core_cancel_trial(world->core, world->now, 1, NULL);
    turn(world, LEASE_MS);
    assert_trial(world, 1, 1, TRIAL_CANCELLED);
}

static void test_core_cancel_gives_way_when_the_run_ended_well_before(void **state)
{
    struct world *world = *state;
    begin(world, GRID);
    core_cancel_trial(world->core, world->now, 1, NULL);
    turn(world, 0);
    finish(world, 0, 1, LINE, "success", 0);
    assert_trial(world, 1, 1, TRIAL_DONE);
}

// ---- Strategies that must wait

#define HYPERBAND                                                                                                        \
    "method: hyperband\nmetric: {name: loss, goal: minimize}\nstrategy: {budget: epochs, iterations: 1}\n"              \
    "parameters: {epochs: {min: 1, max: 3}, x: {min: 0.0, max: 1.0}}\ncommand: ['true']\n"

static void test_core_asks_again_only_after_a_tell_when_the_strategy_must_wait(void **state)
{
    struct world *world = *state;
    submit(world, HYPERBAND); // brackets of 3 and then 1, and of 2 trials
    connect_agent(world, 0, (struct machine){.slots = 8});
    assert_int_equal(world->sweeps[1].trial_count, 5);
    size_t asks = world->ask_count;
    for (int i = 0; i < 10; i++)
        turn(world, 1000);
    assert_int_equal(world->ask_count, asks);
    report_started(world, 0, 1);
    finish(world, 0, 1, LINE, "success", 0);
    assert_true(world->ask_count > asks); // what it was told may have changed its mind
    asks = world->ask_count;
    turn(world, 1000);
    assert_int_equal(world->ask_count, asks);
    for (uint64_t attempt = 2; attempt <= 6; attempt++) {
        report_started(world, 0, attempt);
        finish(world, 0, attempt, LINE, "success", 0);
    }
    assert_int_equal(world->sweeps[1].trial_count, 6); // the best of the three went on
    assert_sweep(world, 1, SWEEP_FINISHED);
}

static void test_core_asks_at_once_when_the_tell_came_before_the_answer(void **state)
{
    struct world *world = *state;
    submit(world, HYPERBAND);
    connect_agent(world, 0, (struct machine){.slots = 5});
    report_started(world, 0, 1);
    finish(world, 0, 1, LINE, "success", 0);
    world->hold_answers = true;
    report_started(world, 0, 2);
    finish(world, 0, 2, LINE, "success", 0); // asks
    assert_int_equal(world->held_ask_count, 1);
    report_started(world, 0, 3);
    finish(world, 0, 3, LINE, "success", 0); // the third of three: one may go on now
    assert_int_equal(world->held_ask_count, 1);
    world->hold_answers = false;
    core_suggested(world->core, world->now, 1, NULL, 0, 0, ERR_AGAIN, "as of the second");
    turn(world, 0);
    assert_int_equal(world->sweeps[1].trial_count, 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core_trial_ends_as_its_class_says),
        TEST(test_core_trial_is_done_without_a_value_when_there_is_no_objective),
        TEST(test_core_trial_says_its_exit_code_when_it_failed),
        TEST(test_core_retry_waits_twice_as_long_each_time),
        TEST(test_core_retry_gives_up_when_its_budget_is_used_up),
        TEST(test_core_retry_never_ends_when_the_run_was_interrupted),
        TEST(test_core_retry_keeps_the_seed_and_repeats_have_their_own),
        TEST(test_core_pauses_the_sweep_when_nothing_can_be_started),
        TEST(test_core_goes_on_when_starts_fail_between_others),
        TEST(test_core_goes_on_when_a_run_has_succeeded_before),
        TEST(test_core_tells_once_when_all_repeats_are_over),
        TEST(test_core_tells_failed_when_no_repeat_gave_a_value),
        TEST(test_core_tells_the_mean_when_it_restarts_between_repeats),
        cmocka_unit_test(test_core_tells_the_same_bits_when_repeats_end_in_any_order_or_it_restarts),
        TEST(test_core_trial_fails_when_it_lacks_an_objective),
        TEST(test_core_front_is_restored_and_its_targets_end_the_sweep),
        TEST(test_core_tells_a_point_with_fewer_repeats_when_the_cap_cuts_it),
        TEST(test_core_notes_what_the_strategy_knew_when_it_was_asked),
        TEST(test_core_retry_verb_runs_an_ended_trial_again_with_fresh_budgets),
        TEST(test_core_retry_verb_takes_the_old_result_out_of_the_mean),
        TEST(test_core_retry_verb_tells_no_second_time_when_repeats_were_told),
        TEST(test_core_retry_verb_refuses_what_has_not_ended),
        TEST(test_core_retry_verb_refuses_when_the_sweep_is_cancelled),
        TEST(test_core_retry_verb_refuses_when_the_target_is_reached),
        TEST(test_core_cancel_ends_a_running_trial),
        TEST(test_core_cancel_is_repeated_until_the_run_has_ended),
        TEST(test_core_cancel_holds_when_the_controller_restarts),
        TEST(test_core_cancel_holds_when_the_agent_is_lost),
        TEST(test_core_cancel_gives_way_when_the_run_ended_well_before),
        TEST(test_core_asks_again_only_after_a_tell_when_the_strategy_must_wait),
        TEST(test_core_asks_at_once_when_the_tell_came_before_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
