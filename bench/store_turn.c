// What a turn of short runs costs in the store, and how fast a large database is opened and
// restored.
//
//   bench_store_turn DIR [runs]       (default 1,000,000; DIR is made and left behind)
//
// Each turn stores 100 runs from their making to their end: trial, attempt, both again with their
// results, the sweep's counters, three events. Then the database is closed, opened, and everything
// live is walked, with the page cache as it is.

#include "base/clock.h"
#include "base/num.h"
#include "controller/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURN_RUNS 100

static void check(int rc, const struct err *err)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "bench_store_turn: %s\n", err->text);
    exit(1);
}

static void add_event(struct batch *batch, uint64_t id, const char *kind, const char *text)
{
    struct change *change = batch_change(batch, CHANGE_EVENT);
    change->event.sweep = 1;
    change->event.trial = change->event.attempt = id;
    change->event.agent = 1;
    change->event.at_ms = 1700000000000;
    change->event.kind = kind;
    change->event.text = text;
}

static void add_run(struct batch *batch, uint64_t id, struct sweep_row *sweep, const char *config)
{
    struct trial_row trial = {.id = id,
                              .sweep = 1,
                              .number = id,
                              .point = id,
                              .config = (char *)config,
                              .state = TRIAL_RUNNING,
                              .created_ms = 1700000000000,
                              .attempt = id,
                              .attempt_count = 1};
    struct attempt_row attempt = {.id = id,
                                  .trial = id,
                                  .sweep = 1,
                                  .number = 1,
                                  .agent = 1,
                                  .session = 1,
                                  .state = ATTEMPT_ASSIGNED,
                                  .assigned_ms = 1700000000000};
    batch_change(batch, CHANGE_TRIAL_NEW)->trial = trial;
    batch_change(batch, CHANGE_ATTEMPT_NEW)->attempt = attempt;
    add_event(batch, id, "created", "the strategy gave its configuration");
    add_event(batch, id, "assigned", "attempt 1 was given to node01");
    attempt.state = ATTEMPT_SEALED;
    attempt.has_class = true;
    attempt.exit_class = EXIT_SUCCESS_CLASS;
    attempt.started_ms = attempt.ended_ms = 1700000000001;
    batch_change(batch, CHANGE_ATTEMPT)->attempt = attempt;
    trial.state = TRIAL_DONE;
    trial.values.has[0] = true;
    trial.values.at[0] = 1.0 / (double)((id * 2654435761u) % 1000003 + 1);
    trial.ended_ms = 1700000000001;
    trial.tell_number = id;
    batch_change(batch, CHANGE_TRIAL)->trial = trial;
    sweep->trial_count = sweep->point_count = sweep->cursor = id;
    sweep->trials[TRIAL_DONE] = id;
    batch_change(batch, CHANGE_SWEEP)->sweep = *sweep;
    add_event(batch, id, "exited", "attempt 1 ended with exit 0");
}

static double run_turns(struct store *store, uint64_t runs)
{
    struct batch batch;
    struct err err = {0};
    struct sweep_row sweep = {.id = 1, .key = "turn0000", .name = (char *)"turns"};
    struct agent_row *agent;
    static char configs[TURN_RUNS][96];
    batch_init(&batch);
    agent = &batch_change(&batch, CHANGE_AGENT)->agent;
    agent->id = agent->session = 1;
    batch_change(&batch, CHANGE_SWEEP_NEW)->sweep = sweep;
    check(store_commit(store, &batch, &err), &err);
    batch_clear(&batch);
    uint64_t spent = 0;
    for (uint64_t id = 1; id <= runs;) {
        for (uint64_t end = id + TURN_RUNS; id < end && id <= runs; id++) {
            char *config = configs[id % TURN_RUNS];
            snprintf(
                config, sizeof *configs,
                "{\"batch_size\":%llu,\"dropout\":0.25,\"lr\":0.00%llu,\"model\":{\"depth\":3}}",
                (unsigned long long)id % 512, (unsigned long long)id);
            add_run(&batch, id, &sweep, config);
        }
        uint64_t start = clock_mono_ns();
        check(store_commit(store, &batch, &err), &err);
        spent += clock_mono_ns() - start;
        batch_clear(&batch);
    }
    batch_release(&batch);
    return (double)spent / 1e3 / (double)runs;
}

static int count_trial(void *context, const struct trial_row *row)
{
    (void)row;
    ++*(uint64_t *)context;
    return 0;
}

static int count_attempt(void *context, const struct attempt_row *row)
{
    (void)row;
    ++*(uint64_t *)context;
    return 0;
}

static int count_sequence(void *context, uint64_t attempt, uint32_t name, uint64_t count)
{
    (void)attempt;
    (void)name;
    (void)count;
    ++*(uint64_t *)context;
    return 0;
}

static int count_sweep(void *context, const struct sweep_row *row)
{
    (void)row;
    ++*(uint64_t *)context;
    return 0;
}

static double restore(const char *dir)
{
    struct store *store = NULL;
    struct err err = {0};
    struct store_counters counters;
    uint64_t epoch, rows = 0;
    struct trial_query best = {.sweep = 1, .state = TRIAL_DONE, .by_value = true, .limit = 1};
    uint64_t start = clock_mono_ns();
    check(store_open(dir, "bench", &store, &err), &err);
    check(store_begin_epoch(store, &epoch, &err), &err);
    check(store_counters(store, &counters, &err), &err);
    check(store_each_sweep(store, false, count_sweep, &rows, &err), &err);
    check(store_each_live_trial(store, count_trial, &rows, &err), &err);
    check(store_each_open_repeat(store, count_trial, &rows, &err), &err);
    check(store_each_live_attempt(store, count_attempt, &rows, &err), &err);
    check(store_each_sequence(store, count_sequence, &rows, &err), &err);
    check(store_each_trial(store, &best, count_trial, &rows, &err), &err);
    double ms = (double)(clock_mono_ns() - start) / 1e6;
    store_close(store);
    return ms;
}

static double top_ten(const char *dir)
{
    struct store *store = NULL;
    struct err err = {0};
    uint64_t rows = 0;
    struct trial_query best = {.sweep = 1, .state = -1, .by_value = true, .limit = 10};
    check(store_open_reader(dir, &store, &err), &err);
    uint64_t start = clock_mono_ns();
    check(store_each_trial(store, &best, count_trial, &rows, &err), &err);
    double ms = (double)(clock_mono_ns() - start) / 1e6;
    store_close(store);
    return ms;
}

int main(int argc, char **argv)
{
    struct store *store = NULL;
    struct err err = {0};
    uint64_t runs = 1000000;
    if (argc < 2 || (argc > 2 && !num_parse_u64(argv[2], &runs)) || runs == 0) {
        fprintf(stderr, "usage: bench_store_turn DIR [runs]\n");
        return 2;
    }
    check(store_open(argv[1], "bench", &store, &err), &err);
    double us = run_turns(store, runs);
    store_close(store);
    printf("turn: %.1f us a run, durable, in turns of %d (%llu runs)\n", us, TURN_RUNS,
           (unsigned long long)runs);
    printf("restore: %.1f ms to open and walk what is live\n", restore(argv[1]));
    printf("best: %.1f ms for the ten best on a connection of its own\n", top_ten(argv[1]));
    return 0;
}
