// The controller's core, driven by messages alone: placement, retries, repeats, verbs, budgets.

#include "base/mem.h"
#include "controller/core/core.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RUN "command: ['true']\n"

struct world {
    struct core *core;
    struct batch batch;
    struct strategy *strategy;
    uint64_t now_ms, sweep;
    uint64_t session[4];      // of each agent, as welcomed
    struct msg_launch_item launched[256]; // owned strings are not kept: attempt, seed, gpus only
    size_t launched_at[256];
    size_t launch_count;
    double told[64];
    size_t told_count;
    char last_event[512];
};

static struct now now_of(const struct world *world)
{
    return (struct now){.mono_ms = world->now_ms, .wall_ms = (int64_t)world->now_ms};
}

static void world_init(struct world *world)
{
    *world = (struct world){.now_ms = 1000};
    batch_init(&world->batch);
    struct core_options options = {.epoch = 1, .store = "test", .lease_ms = 60000, .next_trial = 1, .next_attempt = 1, .next_agent = 1,
                                   .next_sweep = 1, .next_session = 1, .next_metric_name = 1};
    world->core = core_new(&options, &world->batch);
    core_started(world->core, now_of(world));
}

static void world_release(struct world *world)
{
    struct err err = {0};
    if (!core_check(world->core, &err))
        fail_msg("%s", err.text);
    core_free(world->core);
    strategy_free(world->strategy);
    batch_release(&world->batch);
}

// Take note of what went out, as network, strategy and store would.
static void take(struct world *world)
{
    for (size_t i = 0; i < world->batch.send_count; i++) {
        const struct send *send = &world->batch.sends[i];
        if (send->msg.type == MSG_WELCOME)
            world->session[send->peer] = send->msg.welcome.session;
        for (size_t j = 0; send->msg.type == MSG_LAUNCH && j < send->msg.launch.count; j++) {
            world->launched[world->launch_count] = send->msg.launch.items[j];
            world->launched_at[world->launch_count++] = (size_t)send->peer;
        }
    }
    for (size_t i = 0; i < world->batch.tell_count; i++)
        world->told[world->told_count++] = world->batch.tells[i].outcome.values[0];
    for (size_t i = 0; i < world->batch.change_count; i++)
        if (world->batch.changes[i].kind == CHANGE_EVENT)
            snprintf(world->last_event, sizeof world->last_event, "%s", world->batch.changes[i].event.text);
}

static void answer(struct world *world, const struct ask *ask)
{
    struct suggestion suggestions[64] = {0};
    size_t count = 0;
    int rc = 0;
    while (count < ask->count && count < 64 && rc == 0) {
        suggestions[count].point = ask->first_point + count;
        rc = strategy_ask(world->strategy, suggestions[count].point, &suggestions[count].config, NULL);
        count += rc == 0;
    }
    core_suggested(world->core, now_of(world), ask->sweep, suggestions, count, strategy_cursor(world->strategy), rc, "");
    for (size_t i = 0; i < count; i++)
        config_release(&suggestions[i].config);
}

static void tick(struct world *world)
{
    size_t asked = 0;
    core_tick(world->core, now_of(world));
    while (asked < world->batch.ask_count) {
        while (asked < world->batch.ask_count) {
            struct ask ask = world->batch.asks[asked++];
            answer(world, &ask);
        }
        core_tick(world->core, now_of(world));
    }
    take(world);
    batch_clear(&world->batch);
}

static void submit(struct world *world, const char *text)
{
    struct problems problems = {0};
    struct spec *spec = NULL;
    if (spec_parse(text, strlen(text), &spec, &problems) != 0)
        fail_msg("%s", problems.items[0].message);
    problems_release(&problems);
    assert_int_equal(core_submit(world->core, now_of(world), &spec, NULL, &world->sweep, NULL), 0);
    const struct spec *kept = core_sweep_spec(world->core, world->sweep);
    struct strategy_setup setup = spec_strategy_setup(kept);
    strategy_free(world->strategy);
    assert_int_equal(strategy_new(kept->strategy, &setup, &world->strategy, NULL), 0);
}

static void hello(struct world *world, uint64_t peer, uint32_t slots, uint32_t gpus, uint64_t number, const struct msg_held *held, size_t held_count)
{
    char uid[33], name[16], gpu[] = "GPU";
    struct msg_gpu list[8] = {{0}};
    for (uint32_t i = 0; i < gpus; i++)
        list[i] = (struct msg_gpu){.id = gpu, .name = gpu};
    snprintf(uid, sizeof uid, "%032llu", (unsigned long long)peer);
    snprintf(name, sizeof name, "a%llu", (unsigned long long)peer);
    struct msg msg = {.type = MSG_HELLO,
                      .hello = {.agent = uid, .name = name, .host = name, .version = name, .boot = name, .incarnation = 1, .hello = number,
                                .slots = slots, .cpus = slots, .memory_bytes = 8ull << 30, .gpus = list, .gpu_count = gpus,
                                .held = (struct msg_held *)held, .held_count = held_count}};
    struct peer from = {.id = peer, .role = PEER_LOCAL};
    core_message(world->core, now_of(world), &from, &msg);
    take(world);
    batch_clear(&world->batch);
}

// The attempt's end, with its objective where `value` is not NULL.
static void report_end(struct world *world, uint64_t peer, uint64_t attempt, const char *class_word, int64_t code, const char *line)
{
    char word[32], empty[] = "";
    size_t len = line ? strlen(line) : 0;
    snprintf(word, sizeof word, "%s", class_word);
    struct msg_exited exited = {.attempt = attempt, .class_word = word, .code = code, .message = empty, .started_ms = 1, .ended_ms = 5001,
                                .lengths = {len, 0, 0}};
    struct msg_chunk chunk = {.attempt = attempt, .length = (uint32_t)len};
    struct msg msg = {.type = MSG_REPORT,
                      .report = {.session = world->session[peer], .exited = &exited, .exited_count = 1, .chunks = &chunk, .chunk_count = len ? 1 : 0},
                      .raw = line,
                      .raw_len = len};
    struct peer from = {.id = peer, .role = PEER_LOCAL};
    core_message(world->core, now_of(world), &from, &msg);
    tick(world);
}

static const struct sweep_row *row(const struct world *world)
{
    return core_sweep(world->core, world->sweep);
}

// ---- Tests

static void test_core_finishes_a_grid_when_every_point_is_done(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    hello(&world, 1, 2, 0, 1, NULL, 0);
    submit(&world, "method: grid\nmetric: {name: loss}\nparameters: {x: {values: [1, 2, 3]}}\n" RUN);
    tick(&world);
    assert_int_equal(world.launch_count, 2); // its slots
    for (size_t i = 0; i < 3; i++)
        report_end(&world, 1, i + 1, "success", 0, "{\"loss\": 0.25}\n");
    assert_int_equal(row(&world)->state, SWEEP_FINISHED);
    assert_int_equal(row(&world)->trials[TRIAL_DONE], 3);
    assert_int_equal(world.told_count, 3);
    assert_true(world.told[0] == 0.25);
    world_release(&world);
}

static void test_core_seals_an_attempt_only_when_its_bytes_are_there(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    hello(&world, 1, 1, 0, 1, NULL, 0);
    submit(&world, "method: grid\nmetric: {name: loss}\nparameters: {x: {values: [1]}}\n" RUN);
    tick(&world);
    char word[] = "success", empty[] = "";
    const char *line = "{\"loss\": 1}\n";
    struct msg_exited exited = {.attempt = 1, .class_word = word, .message = empty, .lengths = {strlen(line), 0, 0}};
    struct msg end = {.type = MSG_REPORT, .report = {.session = world.session[1], .exited = &exited, .exited_count = 1}};
    struct peer from = {.id = 1, .role = PEER_LOCAL};
    core_message(world.core, now_of(&world), &from, &end);
    tick(&world);
    assert_int_equal(row(&world)->trials[TRIAL_RUNNING], 1);
    struct msg_chunk chunk = {.attempt = 1, .offset = 3, .length = 4}; // not at the cursor: ignored
    struct msg data = {.type = MSG_REPORT, .report = {.session = world.session[1], .chunks = &chunk, .chunk_count = 1}, .raw = "abcd", .raw_len = 4};
    core_message(world.core, now_of(&world), &from, &data);
    tick(&world);
    assert_int_equal(row(&world)->trials[TRIAL_RUNNING], 1);
    chunk = (struct msg_chunk){.attempt = 1, .length = (uint32_t)strlen(line)};
    data.raw = line;
    data.raw_len = strlen(line);
    core_message(world.core, now_of(&world), &from, &data);
    tick(&world);
    assert_int_equal(row(&world)->trials[TRIAL_DONE], 1);
    world_release(&world);
}

static void test_core_retries_by_class_and_waits_between(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    hello(&world, 1, 1, 0, 1, NULL, 0);
    submit(&world, "method: grid\nretry: {failed: 1}\nparameters: {x: {values: [1]}}\n" RUN);
    tick(&world);
    report_end(&world, 1, 1, "failed", 2, NULL);
    assert_int_equal(world.launch_count, 1); // backoff
    assert_int_equal(row(&world)->trials[TRIAL_PENDING], 1);
    world.now_ms += 2000;
    tick(&world);
    assert_int_equal(world.launch_count, 2);
    assert_int_equal(world.launched[0].seed, world.launched[1].seed);
    report_end(&world, 1, 2, "failed", 2, NULL);
    assert_int_equal(row(&world)->trials[TRIAL_FAILED], 1);
    assert_int_equal(row(&world)->state, SWEEP_FINISHED);
    world_release(&world);
}

static void test_core_fails_a_run_that_never_reports_its_objective(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    hello(&world, 1, 1, 0, 1, NULL, 0);
    submit(&world, "method: grid\nmetric: {name: loss}\nparameters: {x: {values: [1, 2]}}\n" RUN);
    tick(&world);
    report_end(&world, 1, 1, "success", 0, "{\"other\": 1}\nnonsense\n");
    assert_int_equal(row(&world)->trials[TRIAL_FAILED], 1);
    report_end(&world, 1, 2, "success", 0, "{\"loss\": NaN}\n"); // a diverged loss is a result
    assert_int_equal(row(&world)->trials[TRIAL_DONE], 1);
    assert_true(isnan(world.told[1]));
    assert_null(core_sweep_front(world.core, world.sweep));
    world_release(&world);
}

static void test_core_tells_the_mean_when_repeats_are_over(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    hello(&world, 1, 3, 0, 1, NULL, 0);
    submit(&world, "method: grid\nrepeats: 3\nmetric: {name: loss}\nparameters: {x: {values: [1]}}\n" RUN);
    tick(&world);
    assert_int_equal(world.launch_count, 3);
    assert_int_not_equal(world.launched[0].seed, world.launched[1].seed);
    report_end(&world, 1, 1, "success", 0, "{\"loss\": 1}\n");
    report_end(&world, 1, 2, "failed", 1, NULL);
    assert_int_equal(world.told_count, 0);
    report_end(&world, 1, 3, "success", 0, "{\"loss\": 2}\n");
    assert_int_equal(world.told_count, 1);
    assert_true(world.told[0] == 1.5);
    world_release(&world);
}

static void test_core_shares_slots_between_sweeps(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    submit(&world, "method: random\nseed: 1\nparameters: {x: {min: 0.0, max: 1.0}}\n" RUN);
    uint64_t first = world.sweep;
    submit(&world, "method: random\nseed: 2\nparameters: {x: {min: 0.0, max: 1.0}}\n" RUN);
    hello(&world, 1, 6, 0, 1, NULL, 0);
    tick(&world);
    assert_int_equal(core_running(world.core, first), 3);
    assert_int_equal(core_running(world.core, world.sweep), 3);
    world_release(&world);
}

static void test_core_gives_whole_gpus_and_says_what_is_missing(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    hello(&world, 1, 4, 2, 1, NULL, 0);
    submit(&world, "method: random\nresources: {gpus: 1}\nparameters: {x: {min: 0.0, max: 1.0}}\n" RUN);
    tick(&world);
    assert_int_equal(world.launch_count, 2); // as many as GPUs, not slots
    submit(&world, "method: random\nseed: 9\nresources: {gpus: 3}\nparameters: {x: {min: 0.0, max: 1.0}}\n" RUN);
    tick(&world);
    assert_int_equal(core_running(world.core, world.sweep), 0);
    assert_non_null(core_blocked(world.core, world.sweep));
    assert_non_null(strstr(core_blocked(world.core, world.sweep), "3 GPUs"));
    world_release(&world);
}

static void test_core_places_by_label(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    hello(&world, 1, 4, 0, 1, NULL, 0);
    submit(&world, "method: random\nresources: {labels: [a100]}\nparameters: {x: {min: 0.0, max: 1.0}}\n" RUN);
    tick(&world);
    assert_int_equal(world.launch_count, 0);
    assert_non_null(strstr(core_blocked(world.core, world.sweep), "a100"));
    world_release(&world);
}

static void test_core_gives_lost_trials_to_others_and_takes_a_late_result(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    hello(&world, 1, 1, 0, 1, NULL, 0);
    submit(&world, "method: grid\nmetric: {name: loss}\nparameters: {x: {values: [1]}}\n" RUN);
    tick(&world);
    world.now_ms += 61000; // the lease
    tick(&world);
    assert_int_equal(row(&world)->trials[TRIAL_PENDING], 1);
    hello(&world, 2, 1, 0, 1, NULL, 0);
    tick(&world);
    assert_int_equal(world.launched_at[1], 2);
    // The first agent is back and its run has ended meanwhile: that result counts, the other run is ended.
    char exited[] = "exited";
    struct msg_held held = {.attempt = 1, .state = exited, .lengths = {12, 0, 0}};
    hello(&world, 1, 1, 0, 2, &held, 1);
    report_end(&world, 1, 1, "success", 0, "{\"loss\": 1}\n");
    assert_int_equal(row(&world)->trials[TRIAL_DONE], 1);
    report_end(&world, 2, 2, "success", 0, "{\"loss\": 2}\n");
    assert_int_equal(row(&world)->trials[TRIAL_DONE], 1);
    assert_int_equal(world.told_count, 1);
    assert_true(world.told[0] == 1);
    world_release(&world);
}

static void test_core_ignores_a_delayed_hello(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    hello(&world, 1, 1, 0, 1, NULL, 0);
    hello(&world, 1, 1, 0, 2, NULL, 0);
    uint64_t session = world.session[1];
    submit(&world, "method: grid\nparameters: {x: {values: [1]}}\n" RUN);
    tick(&world);
    hello(&world, 1, 1, 0, 1, NULL, 0); // would call the attempt missing
    assert_int_equal(world.session[1], session);
    assert_int_equal(row(&world)->trials[TRIAL_RUNNING], 1);
    world_release(&world);
}

static void test_core_verbs_do_as_they_say(void **state)
{
    (void)state;
    struct world world;
    struct err err = {0};
    world_init(&world);
    hello(&world, 1, 1, 0, 1, NULL, 0);
    submit(&world, "method: grid\nparameters: {x: {values: [1, 2, 3, 4]}}\n" RUN);
    tick(&world);
    assert_int_equal(core_control_sweep(world.core, now_of(&world), world.sweep, VERB_PAUSE, NULL), 0);
    report_end(&world, 1, 1, "success", 0, NULL);
    assert_int_equal(world.launch_count, 1);
    assert_int_equal(core_control_sweep(world.core, now_of(&world), world.sweep, VERB_PAUSE, &err), ERR_STATE);
    assert_int_equal(core_control_sweep(world.core, now_of(&world), world.sweep, VERB_RESUME, NULL), 0);
    tick(&world);
    assert_int_equal(world.launch_count, 2);
    assert_int_equal(core_control_sweep(world.core, now_of(&world), world.sweep, VERB_STOP, NULL), 0);
    tick(&world);
    assert_int_equal(row(&world)->state, SWEEP_STOPPING);
    report_end(&world, 1, 2, "success", 0, NULL);
    assert_int_equal(row(&world)->state, SWEEP_STOPPED);
    assert_int_equal(core_control_sweep(world.core, now_of(&world), world.sweep, VERB_RESUME, NULL), 0);
    tick(&world);
    assert_int_equal(core_control_sweep(world.core, now_of(&world), world.sweep, VERB_CANCEL, NULL), 0);
    tick(&world);
    report_end(&world, 1, 3, "cancelled", -1, NULL);
    assert_int_equal(row(&world)->state, SWEEP_CANCELLED);
    assert_int_equal(core_control_sweep(world.core, now_of(&world), world.sweep, VERB_RESUME, &err), ERR_STATE);
    world_release(&world);
}

static void test_core_ends_by_cap_budget_and_target(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "method: random\nrun_cap: 2\nmetric: {name: loss}\nparameters: {x: {min: 0.0, max: 1.0}}\n" RUN,
        "method: random\nbudget: {trials: 2}\nmetric: {name: loss}\nparameters: {x: {min: 0.0, max: 1.0}}\n" RUN,
        "method: random\nmetric: {name: loss, target: 0.5}\nparameters: {x: {min: 0.0, max: 1.0}}\n" RUN};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct world world;
        world_init(&world);
        hello(&world, 1, 1, 0, 1, NULL, 0);
        submit(&world, texts[i]);
        tick(&world);
        report_end(&world, 1, 1, "success", 0, "{\"loss\": 0.7}\n");
        assert_int_equal(row(&world)->state, SWEEP_RUNNING);
        report_end(&world, 1, 2, "success", 0, "{\"loss\": 0.4}\n");
        assert_int_equal(row(&world)->state, SWEEP_FINISHED);
        world_release(&world);
    }
}

static void test_core_pauses_when_nothing_can_be_started(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    hello(&world, 1, 1, 0, 1, NULL, 0);
    submit(&world, "method: random\nparameters: {x: {min: 0.0, max: 1.0}}\n" RUN);
    tick(&world);
    for (uint64_t i = 1; i <= CORE_START_FAILURES_MAX; i++)
        report_end(&world, 1, i, "start_failed", -1, NULL);
    assert_int_equal(row(&world)->state, SWEEP_PAUSED);
    world_release(&world);
}

static void test_core_takes_interrupted_trials_up_again(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    hello(&world, 1, 2, 0, 1, NULL, 0);
    submit(&world, "method: grid\nmetric: {name: loss}\nparameters: {x: {values: [1, 2]}}\n" RUN);
    tick(&world);
    core_drain(world.core, now_of(&world), true, UINT64_MAX);
    tick(&world);
    report_end(&world, 1, 1, "interrupted", -1, NULL);
    report_end(&world, 1, 2, "interrupted", 0, "{\"loss\": 3}\n"); // ended well with its objective: a result
    assert_int_equal(row(&world)->trials[TRIAL_PENDING], 1);
    assert_int_equal(row(&world)->trials[TRIAL_DONE], 1);
    assert_int_equal(row(&world)->state, SWEEP_RUNNING);
    world_release(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core_finishes_a_grid_when_every_point_is_done),
        cmocka_unit_test(test_core_seals_an_attempt_only_when_its_bytes_are_there),
        cmocka_unit_test(test_core_retries_by_class_and_waits_between),
        cmocka_unit_test(test_core_fails_a_run_that_never_reports_its_objective),
        cmocka_unit_test(test_core_tells_the_mean_when_repeats_are_over),
        cmocka_unit_test(test_core_shares_slots_between_sweeps),
        cmocka_unit_test(test_core_gives_whole_gpus_and_says_what_is_missing),
        cmocka_unit_test(test_core_places_by_label),
        cmocka_unit_test(test_core_gives_lost_trials_to_others_and_takes_a_late_result),
        cmocka_unit_test(test_core_ignores_a_delayed_hello),
        cmocka_unit_test(test_core_verbs_do_as_they_say),
        cmocka_unit_test(test_core_ends_by_cap_budget_and_target),
        cmocka_unit_test(test_core_pauses_when_nothing_can_be_started),
        cmocka_unit_test(test_core_takes_interrupted_trials_up_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
