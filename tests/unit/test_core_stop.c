// Early stopping in the core: a report of the objective ends its run at once, and what comes of it.

#include "core_fixture.h"

#include "base/mem.h"

#include <stdio.h>

#define HEAD "method: grid\nmetric: {name: loss, goal: minimize}\nparameters: {x: {min: 1, max: 20}}\ncommand: ['true']\ngrace: 7s\n"
#define ASHA HEAD "early_terminate: {type: asha, min_iter: 2, eta: 2, min_trials: 1}\n"
#define PATIENCE HEAD "early_terminate: {type: patience, patience: 2}\n"

static const struct machine three = {.slots = 3};

static void begin(struct world *world, const char *text)
{
    submit(world, text);
    connect_agent(world, 0, three);
    for (uint64_t attempt = 1; attempt <= 3; attempt++)
        report_started(world, 0, attempt);
    forget_sent(world);
}

// One line of metrics behind those before it.
static void tell_loss(struct world *world, size_t agent, uint64_t attempt, double loss)
{
    char line[64];
    snprintf(line, sizeof line, "{\"loss\": %g}\n", loss);
    report_bytes(world, agent, attempt, STREAM_METRICS, world->attempts[attempt].cursors[STREAM_METRICS], line);
}

static void assert_killed_as(const struct world *world, uint64_t attempt, const char *class_word)
{
    const struct msg_kill_item *kill = killed(world, attempt);
    assert_non_null(kill);
    assert_string_equal(kill->class_word, class_word);
    assert_int_equal(kill->grace_ms, 7000);
}

static void end_as(struct world *world, uint64_t attempt, const char *class_word)
{
    report_exit(world, 0, attempt, class_word, -1, world->attempts[attempt].cursors[STREAM_METRICS]);
}

// Attempt 2 is behind attempt 1 at their first rung, and asked to end.
static void stop_the_second(struct world *world)
{
    begin(world, ASHA);
    tell_loss(world, 0, 1, 0.5);
    tell_loss(world, 0, 1, 0.4);
    tell_loss(world, 0, 2, 0.6);
    assert_null(killed(world, 2));
    tell_loss(world, 0, 2, 0.45);
    assert_killed_as(world, 2, "stopped");
}

static void test_core_stop_ends_a_run_at_once_when_its_rule_says_so(void **state)
{
    struct world *world = *state;
    stop_the_second(world);
    assert_null(killed(world, 1));
    assert_event(world, "stop: asha, rung at report 2: its value 0.45 is number 2 of the 2 runs");
    assert_trial(world, 1, 2, TRIAL_RUNNING); // until it has ended
    tell_loss(world, 0, 2, 0.3);              // on its way out
    end_as(world, 2, "stopped");
    assert_trial(world, 1, 2, TRIAL_STOPPED);
    assert_event(world, "stopped: stopped early; its last value, 0.3, counts");
    assert_true(trial(world, 1, 2)->values.has[0] && trial(world, 1, 2)->values.at[0] == 0.3);
    assert_int_equal(world->tell_count, 1);
    assert_int_equal(world->tells[0].outcome.state, POINT_STOPPED);
    assert_true(world->tells[0].outcome.values[0] == 0.3);
    assert_true(world->tells[0].has_step && world->tells[0].last_step == 2);
}

static void test_core_stop_asks_once_when_the_run_reports_on(void **state)
{
    struct world *world = *state;
    begin(world, HEAD "early_terminate: {type: threshold, above: 1}\n");
    tell_loss(world, 0, 1, 2);
    assert_killed_as(world, 1, "stopped");
    str_clear(&world->events);
    forget_sent(world);
    tell_loss(world, 0, 1, 3);
    assert_no_event(world, "stop");
    assert_null(killed(world, 1));
}

static void test_core_stop_counts_a_run_as_done_when_it_had_ended_by_itself(void **state)
{
    struct world *world = *state;
    stop_the_second(world);
    report_exit(world, 0, 2, "success", 0, world->attempts[2].cursors[STREAM_METRICS]);
    assert_trial(world, 1, 2, TRIAL_DONE);
}

static void test_core_stop_does_not_run_again_when_the_run_dies_otherwise(void **state)
{
    (void)state;
    static const struct {
        const char *class_word;
        enum trial_state expected;
    } cases[] = {{"stopped", TRIAL_STOPPED}, {"interrupted", TRIAL_STOPPED}, {"lost", TRIAL_STOPPED}, {"killed", TRIAL_STOPPED},
                 {"failed", TRIAL_FAILED},   {"cancelled", TRIAL_CANCELLED}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world *world;
        world_setup((void **)&world);
        stop_the_second(world);
        end_as(world, 2, cases[i].class_word);
        assert_trial(world, 1, 2, cases[i].expected);
        world_teardown((void **)&world);
    }
}

static void test_core_stop_is_over_when_the_agent_is_lost(void **state)
{
    struct world *world = *state;
    stop_the_second(world);
    turn(world, LEASE_MS + 1);
    assert_trial(world, 1, 2, TRIAL_STOPPED); // given up already
    assert_true(trial(world, 1, 2)->values.at[0] == 0.45);
    assert_trial(world, 1, 1, TRIAL_PENDING); // to be run elsewhere
}

static void test_core_stop_yields_when_a_person_cancels(void **state)
{
    struct world *world = *state;
    stop_the_second(world);
    forget_sent(world);
    assert_int_equal(core_cancel_trial(world->core, world->now, 2, NULL), 0);
    turn(world, 0);
    assert_killed_as(world, 2, "cancelled");
    end_as(world, 2, "cancelled");
    assert_trial(world, 1, 2, TRIAL_CANCELLED);
}

static void test_core_stop_begins_a_curve_anew_when_the_trial_is_retried(void **state)
{
    struct world *world = *state;
    begin(world, PATIENCE "run_cap: 3\nretry: 1\n");
    tell_loss(world, 0, 1, 0.5);
    tell_loss(world, 0, 1, 0.6);
    end_as(world, 1, "failed");
    turn(world, 2000);
    struct attempt_row *again = current(world, 1, 1);
    assert_non_null(again);
    assert_int_not_equal(again->id, 1);
    report_started(world, 0, again->id);
    tell_loss(world, 0, again->id, 0.7); // no better than 0.5, but its first
    tell_loss(world, 0, again->id, 0.7);
    assert_null(killed(world, again->id));
    tell_loss(world, 0, again->id, 0.7);
    assert_killed_as(world, again->id, "stopped");
}

static void test_core_stop_takes_the_old_curve_out_when_the_trial_is_retried(void **state)
{
    struct world *world = *state;
    begin(world, ASHA "run_cap: 3\nretry: 1\n");
    tell_loss(world, 0, 1, 0.5);
    tell_loss(world, 0, 1, 0.4);
    end_as(world, 1, "failed");
    turn(world, 2000);
    assert_int_not_equal(current(world, 1, 1)->id, 1);
    tell_loss(world, 0, 2, 0.6);
    tell_loss(world, 0, 2, 0.45); // behind the curve that is gone
    assert_null(killed(world, 2));
}

static void test_core_stop_judges_repeats_each_on_its_own_when_there_are_some(void **state)
{
    struct world *world = *state;
    begin(world, PATIENCE "repeats: 3\n");
    for (int i = 0; i < 3; i++) {
        tell_loss(world, 0, 1, 0.5);
        tell_loss(world, 0, 2, 0.5 - i);
    }
    assert_killed_as(world, 1, "stopped");
    assert_null(killed(world, 2));
    end_as(world, 1, "stopped");
    report_exit(world, 0, 2, "success", 0, world->attempts[2].cursors[STREAM_METRICS]);
    finish(world, 0, 3, "{\"loss\": 1}\n", "success", 0);
    assert_int_equal(world->tell_count, 1);
    assert_int_equal(world->tells[0].outcome.state, POINT_STOPPED);
    assert_int_equal(world->tells[0].outcome.value_count, 3);
    assert_false(world->tells[0].has_step); // there is no one step
    assert_true(world->tells[0].outcome.values[0] == (0.5 - 1.5 + 1) / 3);
}

static void test_core_stop_looks_at_the_objective_only_when_others_are_reported(void **state)
{
    struct world *world = *state;
    begin(world, PATIENCE);
    for (int i = 0; i < 5; i++)
        report_bytes(world, 0, 1, STREAM_METRICS, world->attempts[1].cursors[STREAM_METRICS], "{\"other\": 1}\n");
    assert_null(killed(world, 1));
}

// ---- Restarts

static void test_core_stop_is_asked_for_again_when_the_controller_restarts(void **state)
{
    struct world *world = *state;
    stop_the_second(world);
    restart(world);
    forget_sent(world);
    say_hello(world, 0, three, (const struct held[]){{1, "running"}, {2, "running"}, {3, "running"}}, 3);
    assert_killed_as(world, 2, "stopped");
    assert_null(killed(world, 1));
    end_as(world, 2, "stopped");
    assert_trial(world, 1, 2, TRIAL_STOPPED);
    assert_true(world->tells[0].has_step && world->tells[0].last_step == 1); // reported before the restart
}

static void test_core_stop_decides_by_curves_of_before_when_the_controller_restarts(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "early_terminate: {type: asha, min_iter: 2, eta: 2, min_trials: 1}\n",
        "early_terminate: {type: hyperband, min_iter: 2}\n",
        "early_terminate: {type: median, min_iter: 2, min_trials: 1}\n",
        "early_terminate: {type: patience, patience: 1, min_iter: 2}\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        struct world *world;
        char *text = xasprintf("%s%s", HEAD, rules[i]);
        world_setup((void **)&world);
        begin(world, text);
        tell_loss(world, 0, 1, 0.5);
        tell_loss(world, 0, 1, 0.4);
        report_exit(world, 0, 1, "success", 0, world->attempts[1].cursors[STREAM_METRICS]);
        tell_loss(world, 0, 2, 0.6);
        tell_loss(world, 0, 3, 0.3);
        restart(world);
        uint64_t fourth = current(world, 1, 4)->id;
        say_hello(world, 0, three, (const struct held[]){{2, "running"}, {3, "running"}, {fourth, "queued"}}, 3);
        forget_sent(world);
        tell_loss(world, 0, 3, 0.2); // its second: ahead of trial 1, that is over
        assert_null(killed(world, 3));
        tell_loss(world, 0, 2, 0.9);
        assert_killed_as(world, 2, "stopped");
        free(text);
        world_teardown((void **)&world);
    }
}

static void test_core_stop_wants_curves_once_when_restored(void **state)
{
    struct world *world = *state;
    bool all = false;
    submit(world, ASHA);
    assert_false(core_wants_curves(world->core, 1, &all)); // new: there are none
    submit(world, HEAD);
    submit(world, PATIENCE);
    restart(world); // gives them
    assert_false(core_wants_curves(world->core, 1, &all));
    struct sweep_row row = world->sweeps[1];
    for (uint64_t id = 1; id <= 3; id++) {
        struct problems problems = {0};
        struct spec *spec = NULL;
        assert_int_equal(spec_parse(world->spec_texts[id], strlen(world->spec_texts[id]), &spec, &problems), 0);
        row.id = 10 + id;
        core_restore_sweep(world->core, &row, &spec);
        problems_release(&problems);
    }
    assert_true(core_wants_curves(world->core, 11, &all) && all);
    assert_false(core_wants_curves(world->core, 12, &all));
    assert_true(core_wants_curves(world->core, 13, &all) && !all); // a run is judged by itself
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        WORLD_TEST(test_core_stop_ends_a_run_at_once_when_its_rule_says_so),
        WORLD_TEST(test_core_stop_asks_once_when_the_run_reports_on),
        WORLD_TEST(test_core_stop_counts_a_run_as_done_when_it_had_ended_by_itself),
        cmocka_unit_test(test_core_stop_does_not_run_again_when_the_run_dies_otherwise),
        WORLD_TEST(test_core_stop_is_over_when_the_agent_is_lost),
        WORLD_TEST(test_core_stop_yields_when_a_person_cancels),
        WORLD_TEST(test_core_stop_begins_a_curve_anew_when_the_trial_is_retried),
        WORLD_TEST(test_core_stop_takes_the_old_curve_out_when_the_trial_is_retried),
        WORLD_TEST(test_core_stop_judges_repeats_each_on_its_own_when_there_are_some),
        WORLD_TEST(test_core_stop_looks_at_the_objective_only_when_others_are_reported),
        WORLD_TEST(test_core_stop_is_asked_for_again_when_the_controller_restarts),
        cmocka_unit_test(test_core_stop_decides_by_curves_of_before_when_the_controller_restarts),
        WORLD_TEST(test_core_stop_wants_curves_once_when_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
