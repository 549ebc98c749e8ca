// Deterministic simulation: the real controller core, store and restore code against the real agent cores, over a network that loses, doubles,
// reorders and delays, with crashes of controllers before and after each commit, of agents, of shims, and partitions. One seed is one
// schedule, the same on every machine.
//
// usage: sim [--seeds N] [--first SEED] [--trace SEED]
//        sim_mutants: every deliberate bug of base/mutant.h must be caught within MUTANT_SEEDS schedules
//
// Checked after every event: core_check of both sides; I1 an attempt's process starts at most once; I2 at most one live process a trial while no
// lease ran out; I4 bytes are applied once and in order (the store's keys refuse a second time); I5 terminal states never change. At the end,
// with the faults over: I6 every trial is over, each was run to completion once, every line that a counted run wrote is stored, the
// sweep's counts add up.

#include "agent/core.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "base/num.h"
#include "base/rng.h"
#include "controller/controller_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGENTS 3
#define FAULTS_UNTIL_MS 120000
#define END_MS 4000000
#define WALL_OFFSET 1700000000000
#define LINE "{\"loss\": 0.5}\n"
#define LINE_LEN (sizeof(LINE) - 1)
#define LEASE_MS 600000
#define SHORT_LEASE_MS 20000

// ---- The world

struct process { // a run's shim and program, and its directory
    uint64_t attempt, trial;
    bool alive, exited, gone; // gone: the directory was forgotten
    uint64_t ends_ms;
    const char *class_word;   // when it is over
    int64_t code;
    uint64_t lines;           // written so far
    uint64_t started_ms;
    struct process *next;
};

struct node { // an agent's machine
    struct agent_core *core;  // NULL: the agent is dead
    struct process *processes;
    uint64_t incarnation, peer, back_ms, cut_until_ms;
    bool leaving;
};

struct letter { // a message on its way
    uint64_t at_ms, order;
    bool to_controller;
    size_t node;
    uint64_t peer;
    struct msg msg;
    struct letter *next;
};

struct fate { // of a trial, as the batches told it
    uint64_t id, trial; // id in the database, number in the sweep
    enum trial_state state;
    uint64_t completions;     // processes that ended well by themselves
    UT_hash_handle hh;
};

struct seen { // an attempt that started
    uint64_t attempt;
    UT_hash_handle hh;
};

struct sim {
    uint64_t seed;
    struct rng rng;
    uint64_t now_ms, order;
    struct controller controller;
    bool controller_up;
    uint64_t controller_back_ms, next_peer;
    struct node nodes[AGENTS];
    struct letter *letters;
    struct fate *fates;
    struct seen *started;
    uint64_t sweep;
    bool lease_may_end;       // a short lease: two live processes of a trial are then possible
    uint64_t lease_ms;
    bool trace;
    const char *failure;
    char failure_text[512];
};

static void say(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct sim *sim, const char *format, ...)
{
    if (!sim->trace)
        return;
    va_list args;
    va_start(args, format);
    printf("%9llu  ", (unsigned long long)sim->now_ms);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

static void fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail(struct sim *sim, const char *format, ...)
{
    if (sim->failure)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(sim->failure_text, sizeof sim->failure_text, format, args);
    va_end(args);
    sim->failure = sim->failure_text;
    say(sim, "VIOLATION %s", sim->failure);
}

static bool chance(struct sim *sim, unsigned percent)
{
    return rng_below(&sim->rng, 100) < percent;
}

static bool faults(const struct sim *sim)
{
    return sim->now_ms < FAULTS_UNTIL_MS;
}

static struct now now_of(const struct sim *sim)
{
    return (struct now){.mono_ms = sim->now_ms, .wall_ms = WALL_OFFSET + (int64_t)sim->now_ms};
}

// ---- The network

static void post_once(struct sim *sim, bool to_controller, size_t node, uint64_t peer, const struct msg *msg)
{
    struct letter *letter = xcalloc(1, sizeof *letter), **place = &sim->letters;
    uint64_t delay = faults(sim) && chance(sim, 10) ? rng_below(&sim->rng, 3000) : 1 + rng_below(&sim->rng, 5);
    letter->at_ms = sim->now_ms + delay;
    letter->order = sim->order++;
    letter->to_controller = to_controller;
    letter->node = node;
    letter->peer = peer;
    msg_copy(msg, &letter->msg);
    while (*place && ((*place)->at_ms < letter->at_ms || ((*place)->at_ms == letter->at_ms && (*place)->order < letter->order)))
        place = &(*place)->next;
    letter->next = *place;
    *place = letter;
}

static void post(struct sim *sim, bool to_controller, size_t node, uint64_t peer, const struct msg *msg)
{
    if (faults(sim) && chance(sim, 3)) {
        say(sim, "lost %s", msg_name(msg->type));
        return;
    }
    post_once(sim, to_controller, node, peer, msg);
    if (faults(sim) && chance(sim, 3))
        post_once(sim, to_controller, node, peer, msg);
}

// ---- The controller

static void forget_core(struct sim *sim)
{
    struct controller *controller = &sim->controller;
    core_free(controller->core);
    suggester_free(controller->suggester);
    batch_clear(&controller->batch);
    controller->core = NULL;
    controller->suggester = NULL;
    sim->controller_up = false;
}

static void crash_controller(struct sim *sim, const char *when)
{
    say(sim, "controller dies %s", when);
    forget_core(sim);
    sim->controller_back_ms = sim->now_ms + rng_below(&sim->rng, 5000);
}

static void watch_trials(struct sim *sim)
{
    const struct batch *batch = &sim->controller.batch;
    for (size_t i = 0; i < batch->change_count; i++) {
        const struct change *change = &batch->changes[i];
        if (change->kind != CHANGE_TRIAL && change->kind != CHANGE_TRIAL_NEW)
            continue;
        struct fate *fate = NULL;
        HASH_FIND(hh, sim->fates, &change->trial.id, sizeof change->trial.id, fate);
        if (!fate) {
            fate = xcalloc(1, sizeof *fate);
            fate->id = change->trial.id;
            fate->trial = change->trial.number;
            HASH_ADD(hh, sim->fates, id, sizeof fate->id, fate);
        }
        if (trial_state_terminal(fate->state) && change->trial.state != fate->state)
            fail(sim, "I5: trial %llu was %s and became %s", (unsigned long long)change->trial.number, trial_state_word(fate->state),
                 trial_state_word(change->trial.state));
        fate->state = change->trial.state;
    }
}

static void send_batch(struct sim *sim, size_t count)
{
    struct batch *batch = &sim->controller.batch;
    for (size_t i = 0; i < count; i++)
        for (size_t node = 0; node < AGENTS; node++)
            if (sim->nodes[node].peer == batch->sends[i].peer)
                post(sim, false, node, batch->sends[i].peer, &batch->sends[i].msg);
}

// What controller.c's turn does after the inputs: questions, one transaction, outputs; with a crash at each edge.
static void finish_turn(struct sim *sim)
{
    struct controller *controller = &sim->controller;
    struct batch *batch = &controller->batch;
    struct err err = {0};
    size_t told = 0, asked = 0;
    do {
        core_tick(controller->core, now_of(sim));
        for (; told < batch->tell_count; told++)
            suggester_tell(controller->suggester, &batch->tells[told]);
        if (asked == batch->ask_count)
            break;
        struct answer answer;
        struct ask ask = batch->asks[asked++];
        suggester_ask(controller->suggester, &ask, &answer);
        core_suggested(controller->core, now_of(sim), answer.sweep, answer.suggestions, answer.count, answer.cursor, answer.outcome, "");
        answer_release(&answer);
    } while (true);
    if (!core_check(controller->core, &err))
        fail(sim, "core_check: %s", err.text);
    if (MUTANT(MUTANT_SEND_BEFORE_COMMIT))
        send_batch(sim, batch->send_count);
    if (faults(sim) && rng_below(&sim->rng, 150) == 0) {
        crash_controller(sim, "before its commit");
        return;
    }
    if (store_commit(controller->store, batch, &err) != 0)
        fail(sim, "the store refused: %s", err.text);
    watch_trials(sim);
    if (faults(sim) && rng_below(&sim->rng, 150) == 0) {
        send_batch(sim, batch->send_count ? rng_below(&sim->rng, batch->send_count + 1) : 0);
        crash_controller(sim, "after its commit");
        return;
    }
    send_batch(sim, batch->send_count);
    batch_clear(batch);
}

static void start_controller(struct sim *sim)
{
    struct controller *controller = &sim->controller;
    struct controller_options options = {.lease_ms = sim->lease_ms};
    struct err err = {0};
    uint64_t epoch;
    if (store_begin_epoch(controller->store, &epoch, &err) != 0)
        fail(sim, "begin epoch: %s", err.text);
    controller->suggester = suggester_new(false);
    if (controller_restore_at(controller, epoch, &options, now_of(sim), &err) != 0)
        fail(sim, "restore: %s", err.text);
    sim->controller_up = true;
    for (size_t i = 0; i < AGENTS; i++) { // connections are new
        sim->nodes[i].peer = ++sim->next_peer;
        if (sim->nodes[i].core && chance(sim, 50))
            agent_core_reconnected(sim->nodes[i].core, sim->now_ms);
    }
    say(sim, "controller starts, epoch %llu", (unsigned long long)epoch);
    finish_turn(sim);
}

static void submit(struct sim *sim)
{
    static const char *const texts[] = {
        "method: grid\nmetric: {name: loss, goal: minimize}\nparameters: {x: {min: 1, max: 60}}\ncommand: ['true']\nretry: {lost: 1000, killed: 1000}\n",
        "method: random\nrun_cap: 60\nrepeats: 3\nmetric: {name: loss, goal: minimize}\nparameters: {x: {min: 0.0, max: 1.0}}\ncommand: ['true']\nretry: {lost: 1000, killed: 1000}\n",
        "method: sobol\nrun_cap: 25\nparallel: 2\nmetric: {name: loss, goal: minimize}\nparameters: {x: {min: 0.0, max: 1.0}}\ncommand: ['true']\nretry: {lost: 1000, killed: 1000}\n"};
    const char *text = texts[rng_below(&sim->rng, ARRAY_LEN(texts))];
    struct problems problems = {0};
    struct spec *spec = NULL;
    struct err err = {0};
    if (spec_parse(text, strlen(text), &spec, &problems) != 0 ||
        core_submit(sim->controller.core, now_of(sim), &spec, "sim", &sim->sweep, &err) != 0 ||
        suggester_add(sim->controller.suggester, sim->sweep, core_sweep_spec(sim->controller.core, sim->sweep), 0, &err) != 0)
        fail(sim, "submit: %s", problems.count ? problems.items[0].message : err.text);
    problems_release(&problems);
}

// ---- Agents

static void start_agent(struct sim *sim, size_t index)
{
    struct node *node = &sim->nodes[index];
    char uid[33], name[16];
    snprintf(uid, sizeof uid, "%032zx", index + 1);
    snprintf(name, sizeof name, "agent%zu", index);
    struct agent_setup setup = {.uid = uid, .name = name, .host = "h", .version = "v", .boot = "b", .incarnation = ++node->incarnation,
                                .slots = 2, .cpus = 2, .memory_bytes = 1u << 30, .jitter_seed = sim->seed + index};
    node->core = agent_core_new(&setup);
    node->peer = ++sim->next_peer;
    for (struct process *p = node->processes; p; p = p->next) {
        uint64_t lengths[STREAM_COUNT] = {p->lines * LINE_LEN, 0, 0};
        char message[] = "";
        struct msg_exited exited = {.attempt = p->attempt, .class_word = (char *)p->class_word, .code = p->code, .message = message,
                                    .started_ms = WALL_OFFSET + (int64_t)p->started_ms, .ended_ms = WALL_OFFSET + (int64_t)p->ends_ms};
        memcpy(exited.lengths, lengths, sizeof lengths);
        if (!p->gone)
            agent_core_found(node->core, p->attempt, p->alive, p->exited ? &exited : NULL, lengths, 0);
    }
    say(sim, "agent %zu starts, incarnation %llu", index, (unsigned long long)node->incarnation);
}

static void check_alone(struct sim *sim, uint64_t trial)
{
    unsigned live = 0;
    for (size_t i = 0; i < AGENTS; i++)
        for (const struct process *p = sim->nodes[i].processes; p; p = p->next)
            live += p->alive && p->trial == trial;
    if (live > 1 && !sim->lease_may_end)
        fail(sim, "I2: trial %llu has %u live processes", (unsigned long long)trial, live);
}

static void start_process(struct sim *sim, struct node *node, const struct agent_action *action)
{
    struct seen *seen = NULL;
    HASH_FIND(hh, sim->started, &action->attempt, sizeof action->attempt, seen);
    if (seen)
        fail(sim, "I1: attempt %llu started twice", (unsigned long long)action->attempt);
    seen = xcalloc(1, sizeof *seen);
    seen->attempt = action->attempt;
    HASH_ADD(hh, sim->started, attempt, sizeof seen->attempt, seen);
    struct process *process = xcalloc(1, sizeof *process);
    *process = (struct process){.attempt = action->attempt, .trial = action->item->trial, .alive = true, .started_ms = sim->now_ms,
                                .ends_ms = sim->now_ms + 10 + rng_below(&sim->rng, 8000), .next = node->processes};
    node->processes = process;
    say(sim, "attempt %llu of trial %llu starts", (unsigned long long)process->attempt, (unsigned long long)process->trial);
    check_alone(sim, process->trial);
    agent_core_start_done(node->core, sim->now_ms, action->attempt, 1, WALL_OFFSET + (int64_t)sim->now_ms, NULL);
}

static struct process *find_process(struct node *node, uint64_t attempt)
{
    for (struct process *p = node->processes; p; p = p->next)
        if (p->attempt == attempt && !p->gone)
            return p;
    return NULL;
}

static void tell_exit(struct sim *sim, struct node *node, const struct process *p)
{
    char message[] = "";
    struct msg_exited exited = {.attempt = p->attempt, .class_word = (char *)p->class_word, .code = p->code, .message = message,
                                .started_ms = WALL_OFFSET + (int64_t)p->started_ms, .ended_ms = WALL_OFFSET + (int64_t)sim->now_ms};
    exited.lengths[STREAM_METRICS] = p->lines * LINE_LEN;
    if (node->core)
        agent_core_exited(node->core, sim->now_ms, &exited);
}

static void end_process(struct sim *sim, struct node *node, struct process *p, const char *class_word, int64_t code)
{
    p->alive = false;
    p->exited = true;
    p->class_word = class_word;
    p->code = code;
    p->ends_ms = sim->now_ms;
    if (strcmp(class_word, "success") == 0) {
        struct fate *fate, *tmp;
        p->lines += 3;
        HASH_ITER (hh, sim->fates, fate, tmp)
            fate->completions += fate->trial == p->trial;
    }
    say(sim, "attempt %llu ends: %s", (unsigned long long)p->attempt, class_word);
    tell_exit(sim, node, p);
}

static void read_stream(struct sim *sim, struct node *node, const struct agent_action *action)
{
    struct process *p = find_process(node, action->attempt);
    struct str text = STR_INIT;
    uint64_t length = p ? p->lines * LINE_LEN : 0;
    for (uint64_t at = action->offset; action->stream == STREAM_METRICS && at < length; at += LINE_LEN)
        str_addn(&text, LINE, LINE_LEN);
    if (action->offset % LINE_LEN != 0)
        fail(sim, "I4: a read in the middle of a line");
    agent_core_read_done(node->core, sim->now_ms, action->attempt, action->stream, action->offset, str_get(&text), text.len, 0);
    str_release(&text);
}

static void run_agent(struct sim *sim, size_t index)
{
    struct node *node = &sim->nodes[index];
    struct agent_action action;
    struct process *p;
    struct err err = {0};
    agent_core_tick(node->core, sim->now_ms);
    while (agent_core_next(node->core, &action)) {
        switch (action.kind) {
        case ACTION_SEND:
            if (sim->now_ms >= node->cut_until_ms)
                post(sim, true, index, node->peer, &action.msg);
            msg_release(&action.msg);
            break;
        case ACTION_START:
            start_process(sim, node, &action);
            break;
        case ACTION_KILL:
            if ((p = find_process(node, action.attempt)) && p->alive)
                end_process(sim, node, p, action.class_word, -1);
            break;
        case ACTION_FORGET:
            if ((p = find_process(node, action.attempt)))
                p->gone = true;
            break;
        case ACTION_READ:
            read_stream(sim, node, &action);
            break;
        case ACTION_RECONNECT:
            node->peer = ++sim->next_peer;
            break;
        case ACTION_RENEW:
        case ACTION_EXIT:
            break;
        }
    }
    if (!agent_core_check(node->core, &err))
        fail(sim, "agent_core_check: %s", err.text);
}

// ---- Time

static void deliver(struct sim *sim)
{
    struct letter *letter = sim->letters;
    struct node *node = &sim->nodes[letter->node];
    sim->letters = letter->next;
    bool cut = sim->now_ms < node->cut_until_ms || letter->peer != node->peer; // a connection's end takes its messages along
    if (letter->to_controller && sim->controller_up && !cut) {
        struct peer peer = {.id = letter->peer, .role = PEER_LOCAL};
        core_message(sim->controller.core, now_of(sim), &peer, &letter->msg);
        finish_turn(sim);
    } else if (!letter->to_controller && node->core && !cut) {
        agent_core_message(node->core, sim->now_ms, &letter->msg);
        run_agent(sim, letter->node);
    }
    msg_release(&letter->msg);
    free(letter);
}

static void run_processes(struct sim *sim, size_t index)
{
    struct node *node = &sim->nodes[index];
    for (struct process *p = node->processes; p; p = p->next) {
        if (!p->alive)
            continue;
        if (sim->now_ms >= p->ends_ms) {
            end_process(sim, node, p, "success", 0);
        } else if (chance(sim, 2)) {
            p->lines++;
            uint64_t lengths[STREAM_COUNT] = {p->lines * LINE_LEN, 0, 0};
            if (node->core)
                agent_core_grown(node->core, sim->now_ms, p->attempt, lengths);
        }
    }
    if (node->core)
        run_agent(sim, index);
}

static void inject(struct sim *sim)
{
    size_t index = (size_t)rng_below(&sim->rng, AGENTS);
    struct node *node = &sim->nodes[index];
    switch (rng_below(&sim->rng, 12)) {
    case 0:
        if (node->core) {
            say(sim, "agent %zu dies", index);
            agent_core_free(node->core);
            node->core = NULL;
            node->back_ms = sim->now_ms + rng_below(&sim->rng, 6000);
        }
        return;
    case 1:
        if (sim->controller_up)
            crash_controller(sim, "between turns");
        return;
    case 2:
        node->cut_until_ms = sim->now_ms + rng_below(&sim->rng, sim->lease_may_end ? 60000 : 8000);
        say(sim, "agent %zu is cut off until %llu", index, (unsigned long long)node->cut_until_ms);
        return;
    case 3:
        for (struct process *p = node->processes; p; p = p->next)
            if (p->alive && chance(sim, 50))
                end_process(sim, node, p, "lost", -1);
        return;
    default:
        return;
    }
}

static void step(struct sim *sim)
{
    uint64_t next = sim->now_ms + 20 + rng_below(&sim->rng, 60);
    if (sim->letters && sim->letters->at_ms <= next) {
        sim->now_ms = sim->letters->at_ms > sim->now_ms ? sim->letters->at_ms : sim->now_ms;
        deliver(sim);
        return;
    }
    sim->now_ms = next;
    if (faults(sim) && chance(sim, 8))
        inject(sim);
    if (!sim->controller_up && sim->now_ms >= sim->controller_back_ms)
        start_controller(sim);
    for (size_t i = 0; i < AGENTS; i++) {
        if (!sim->nodes[i].core && sim->now_ms >= sim->nodes[i].back_ms)
            start_agent(sim, i);
        run_processes(sim, i);
    }
    if (sim->controller_up && sim->now_ms >= core_deadline(sim->controller.core))
        finish_turn(sim);
}

// ---- The end

struct tally {
    struct sim *sim;
    uint64_t states[TRIAL_STATE_COUNT];
    uint64_t points;
};

static int tally_trial(void *context, const struct trial_row *row)
{
    struct tally *tally = context;
    tally->states[row->state]++;
    if (row->state == TRIAL_DONE && (!row->has_value || row->value != 0.5))
        fail(tally->sim, "trial %llu is done without its value", (unsigned long long)row->number);
    return 0;
}

static int tally_point(void *context, const struct point_row *row)
{
    struct tally *tally = context;
    (void)row;
    tally->points++;
    return 0;
}

static uint64_t expected_points(struct sim *sim, uint64_t trial_number)
{
    struct trial_row row = {0};
    uint64_t lines = 0;
    if (store_find_trial(sim->controller.store, sim->sweep, trial_number, &row, NULL) == 0)
        for (size_t i = 0; i < AGENTS; i++)
            for (const struct process *p = sim->nodes[i].processes; p; p = p->next)
                if (p->attempt == row.attempt)
                    lines = p->lines;
    trial_row_release(&row);
    return lines;
}

static void check_end(struct sim *sim)
{
    struct tally tally = {.sim = sim};
    struct trial_query query = {.sweep = sim->sweep, .state = -1};
    struct store *store = sim->controller.store;
    const struct sweep_row *sweep = core_sweep(sim->controller.core, sim->sweep);
    store_each_trial(store, &query, tally_trial, &tally, NULL);
    if (sweep->state != SWEEP_FINISHED)
        fail(sim, "I6: the sweep is still %s", sweep_state_word(sweep->state));
    for (int i = 0; i < TRIAL_STATE_COUNT; i++)
        if (tally.states[i] != sweep->trials[i])
            fail(sim, "the sweep counts %llu trials as %s, there are %llu", (unsigned long long)sweep->trials[i],
                 trial_state_word((enum trial_state)i), (unsigned long long)tally.states[i]);
    if (tally.states[TRIAL_DONE] != sweep->trial_count)
        fail(sim, "I3: %llu of %llu trials are done", (unsigned long long)tally.states[TRIAL_DONE], (unsigned long long)sweep->trial_count);
    struct fate *fate, *tmp;
    HASH_ITER (hh, sim->fates, fate, tmp) {
        if (fate->completions != 1 && !sim->lease_may_end)
            fail(sim, "trial %llu ran to completion %llu times", (unsigned long long)fate->trial, (unsigned long long)fate->completions);
        tally.points = 0;
        store_each_point(store, sim->sweep, fate->trial, "loss", tally_point, &tally, NULL);
        if (tally.points != expected_points(sim, fate->trial))
            fail(sim, "I4: trial %llu has %llu points, its run wrote %llu", (unsigned long long)fate->trial,
                 (unsigned long long)tally.points, (unsigned long long)expected_points(sim, fate->trial));
    }
}

static bool is_over(struct sim *sim)
{
    return !faults(sim) && sim->controller_up && core_sweep(sim->controller.core, sim->sweep) &&
           sweep_state_terminal(core_sweep(sim->controller.core, sim->sweep)->state) && core_running(sim->controller.core, 0) == 0;
}

static void release(struct sim *sim)
{
    struct fate *fate, *tmp_fate;
    struct seen *seen, *tmp_seen;
    while (sim->letters) {
        struct letter *letter = sim->letters;
        sim->letters = letter->next;
        msg_release(&letter->msg);
        free(letter);
    }
    HASH_ITER (hh, sim->fates, fate, tmp_fate) {
        HASH_DEL(sim->fates, fate);
        free(fate);
    }
    HASH_ITER (hh, sim->started, seen, tmp_seen) {
        HASH_DEL(sim->started, seen);
        free(seen);
    }
    for (size_t i = 0; i < AGENTS; i++) {
        agent_core_free(sim->nodes[i].core);
        while (sim->nodes[i].processes) {
            struct process *p = sim->nodes[i].processes;
            sim->nodes[i].processes = p->next;
            free(p);
        }
    }
    forget_core(sim);
    batch_release(&sim->controller.batch);
    store_close(sim->controller.store);
}

static bool run_seed(uint64_t seed, bool trace)
{
    struct sim sim = {.seed = seed, .trace = trace};
    struct err err = {0};
    rng_stream(&sim.rng, seed, "simulation", 0);
    sim.lease_may_end = chance(&sim, 40);
    sim.lease_ms = sim.lease_may_end ? SHORT_LEASE_MS : LEASE_MS;
    batch_init(&sim.controller.batch);
    if (store_open_memory(&sim.controller.store, &err) != 0)
        fail(&sim, "store: %s", err.text);
    sim.now_ms = 1000;
    while (!sim.controller_up)
        start_controller(&sim);
    submit(&sim);
    if (store_commit(sim.controller.store, &sim.controller.batch, &err) != 0)
        fail(&sim, "the store refused: %s", err.text);
    batch_clear(&sim.controller.batch);
    for (size_t i = 0; i < AGENTS; i++)
        start_agent(&sim, i);
    while (!sim.failure && !is_over(&sim)) {
        if (sim.now_ms > END_MS)
            fail(&sim, "I6: not over long after the last fault");
        else
            step(&sim);
    }
    if (!sim.failure)
        check_end(&sim);
    if (sim.failure)
        printf("seed %llu: %s\n", (unsigned long long)seed, sim.failure);
    bool good = sim.failure == NULL;
    release(&sim);
    return good;
}

#ifdef TRAWL_MUTANTS
#define MUTANT_SEEDS 20000

enum mutant trawl_mutant;

int main(void)
{
    static const char *const texts[] = {
        "none",
#define MUTANT_TEXT(id, text) text,
        MUTANT_LIST(MUTANT_TEXT)
#undef MUTANT_TEXT
    };
    int survivors = 0;
    for (int mutant = MUTANT_NONE + 1; mutant < MUTANT_COUNT; mutant++) {
        uint64_t seed = 1;
        trawl_mutant = (enum mutant)mutant;
        while (seed <= MUTANT_SEEDS && run_seed(seed, false))
            seed++;
        printf("mutant %d (%s): %s\n", mutant, texts[mutant], seed <= MUTANT_SEEDS ? "caught" : "SURVIVED");
        fflush(stdout);
        survivors += seed > MUTANT_SEEDS;
    }
    return survivors > 0;
}
#else
int main(int argc, char **argv)
{
    uint64_t seeds = 200, first = 1, failures = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t number = 0;
        if (!num_parse_u64(argv[i + 1], &number))
            return 2;
        if (strcmp(argv[i], "--seeds") == 0)
            seeds = number;
        else if (strcmp(argv[i], "--first") == 0)
            first = number;
        else if (strcmp(argv[i], "--trace") == 0)
            return !run_seed(number, true);
        else
            return 2;
    }
    for (uint64_t seed = first; seed < first + seeds; seed++)
        failures += !run_seed(seed, false);
    printf("%llu schedules from seed %llu, %llu with a violation; rerun one with --trace SEED\n", (unsigned long long)seeds,
           (unsigned long long)first, (unsigned long long)failures);
    return failures > 0;
}
#endif
