// The machines: agents over the real agent core, their runs, and the directories that outlive both.

#include "tests/sim/sim.h"

// ---- Runs

uint8_t printed_byte(uint64_t attempt, uint64_t offset)
{
    return (uint8_t)('a' + (attempt * 7 + offset * 3) % 26);
}

static struct process *find_process(struct node *node, uint64_t attempt)
{
    for (struct process *p = node->processes; p; p = p->next)
        if (p->attempt == attempt && !p->gone)
            return p;
    return NULL;
}

static void lengths_of(const struct process *p, uint64_t lengths[STREAM_COUNT])
{
    lengths[STREAM_METRICS] = p->lines * LINE_LEN;
    lengths[STREAM_STDOUT] = p->printed;
    lengths[STREAM_STDERR] = 0;
}

static struct msg_exited end_of(const struct process *p)
{
    static char nothing[] = "";
    bool failed = strcmp(p->class_word, "failed") == 0, good = strcmp(p->class_word, "success") == 0;
    struct msg_exited exited = {.attempt = p->attempt,
                                .class_word = (char *)p->class_word,
                                .code = good ? 0 : failed ? 1 : -1,
                                .message = nothing,
                                .started_ms = WALL_OFFSET + (int64_t)p->started_ms,
                                .ended_ms = WALL_OFFSET + (int64_t)p->ends_ms};
    lengths_of(p, exited.lengths);
    return exited;
}

static void write_some(struct sim *sim, struct process *p, uint64_t lines)
{
    p->lines += lines;
    p->printed += rng_below(&sim->rng, 200);
    p->lines_written = p->lines > p->lines_written ? p->lines : p->lines_written;
    p->printed_written = p->printed > p->printed_written ? p->printed : p->printed_written;
}

static void end_process(struct sim *sim, struct node *node, struct process *p, const char *class_word)
{
    p->alive = false;
    p->exited = true;
    p->class_word = class_word;
    p->ends_ms = sim->now_ms;
    if (strcmp(class_word, "success") == 0) {
        struct fate *fate, *tmp;
        write_some(sim, p, 3);
        HASH_ITER (hh, sim->fates, fate, tmp)
            fate->completions += fate->trial == p->trial && fate->sweep == sim->sweeps[p->sweep];
    }
    say(sim, "attempt %llu ends: %s", (unsigned long long)p->attempt, class_word);
    struct msg_exited exited = end_of(p);
    if (node->core)
        agent_core_exited(node->core, sim->now_ms, &exited);
}

static const char *draw_fate(struct sim *sim)
{
    unsigned draw = (unsigned)rng_below(&sim->rng, 100);
    if (sim->calm || draw < 80)
        return "success";
    return draw < 90 ? "failed" : draw < 94 ? "killed" : draw < 97 ? "oom" : "no_metric";
}

// Long enough now and then to outlive a lease, which most schedules with a short one need to see.
static uint64_t run_ms(struct sim *sim)
{
    bool is_long = chance(sim, sim->lease_may_end ? 20 : 5);
    return rng_below(&sim->rng, is_long ? 3 * SHORT_LEASE_MS : 6000);
}

static size_t sweep_index(const struct sim *sim, const char *key)
{
    for (size_t i = 0; i < sim->sweep_count; i++) {
        const struct sweep_row *row = sim->controller.core ? core_sweep(sim->controller.core, sim->sweeps[i]) : NULL;
        struct sweep_row stored = {0};
        bool same = row ? strcmp(row->key, key) == 0
                        : store_find_sweep(sim->controller.store, key, &stored, NULL) == 0 && stored.id == sim->sweeps[i];
        if (!row)
            sweep_row_release(&stored);
        if (same)
            return i;
    }
    return SWEEPS_MAX;
}

static void start_process(struct sim *sim, struct node *node, const struct agent_action *action)
{
    struct err refusal = {0};
    size_t sweep = sweep_index(sim, action->item->sweep);
    if (sweep == SWEEPS_MAX) {
        fail(sim, "attempt %llu is of a sweep that was never stored", (unsigned long long)action->attempt);
        return;
    }
    if (seen_of(sim, action->attempt))
        fail(sim, "I1: attempt %llu started twice", (unsigned long long)action->attempt);
    if (!sim->calm && chance(sim, 2)) { // the machine has no process or disk to give
        err_set(&refusal, ERR_IO, "no room");
        agent_core_start_done(node->core, sim->now_ms, action->attempt, 0, 0, &refusal);
        return;
    }
    struct process *p = xcalloc(1, sizeof *p);
    *p = (struct process){.attempt = action->attempt,
                          .sweep = sweep,
                          .trial = action->item->trial,
                          .alive = true,
                          .stop_policy = action->item->lease_ms > 0,
                          .lease_ms = action->item->lease_ms,
                          .lease_until_ms = sim->now_ms + action->item->lease_ms,
                          .fate = draw_fate(sim),
                          .started_ms = sim->now_ms,
                          .ends_ms = sim->now_ms + 10 + run_ms(sim),
                          .next = node->processes};
    node->processes = p;
    struct seen *seen = xcalloc(1, sizeof *seen);
    *seen = (struct seen){.attempt = p->attempt, .process = p};
    HASH_ADD(hh, sim->started, attempt, sizeof seen->attempt, seen);
    say(sim, "attempt %llu of trial %zu/%llu starts", (unsigned long long)p->attempt, sweep, (unsigned long long)p->trial);
    check_alone(sim, p);
    agent_core_start_done(node->core, sim->now_ms, action->attempt, 1, WALL_OFFSET + (int64_t)sim->now_ms, NULL);
}

// Time for the runs of one machine: they write, end by themselves, by a grace that is over, or by a lease that is.
void run_processes(struct sim *sim, size_t index)
{
    struct node *node = &sim->nodes[index];
    for (struct process *p = node->processes; p; p = p->next) {
        if (!p->alive)
            continue;
        if (p->stop_policy && sim->now_ms >= p->lease_until_ms) {
            end_process(sim, node, p, "lost");
        } else if (sim->now_ms >= p->ends_ms) {
            end_process(sim, node, p, p->kill_word ? p->kill_word : p->fate);
        } else if (chance(sim, 3)) {
            uint64_t lengths[STREAM_COUNT];
            write_some(sim, p, 1);
            lengths_of(p, lengths);
            if (node->core)
                agent_core_grown(node->core, sim->now_ms, p->attempt, lengths);
        }
    }
    if (node->core)
        run_agent(sim, index);
}

// The shims die; their runs with them, and the agent finds that out.
void lose_processes(struct sim *sim, size_t index)
{
    struct node *node = &sim->nodes[index];
    for (struct process *p = node->processes; p; p = p->next)
        if (p->alive && chance(sim, 50))
            end_process(sim, node, p, "lost");
}

// ---- Agents

void start_agent(struct sim *sim, size_t index)
{
    struct node *node = &sim->nodes[index];
    char uid[33], name[16];
    snprintf(uid, sizeof uid, "%032llx", (unsigned long long)node->uid);
    snprintf(name, sizeof name, "agent%zu", index);
    struct agent_setup setup = {.uid = uid, .name = name, .host = "h", .version = "v", .boot = "b", .incarnation = ++node->incarnation,
                                .slots = 2, .cpus = 2, .memory_bytes = 1u << 30, .jitter_seed = sim->seed + index};
    node->core = agent_core_new(&setup);
    node->peer = ++sim->next_peer;
    for (struct process *p = node->processes; p; p = p->next) {
        uint64_t lengths[STREAM_COUNT];
        struct msg_exited exited;
        if (p->gone)
            continue;
        lengths_of(p, lengths);
        if (p->exited)
            exited = end_of(p);
        agent_core_found(node->core, p->attempt, p->alive, p->exited ? &exited : NULL, lengths, p->lease_ms);
    }
    say(sim, "agent %zu starts, incarnation %llu", index, (unsigned long long)node->incarnation);
}

void stop_agent(struct sim *sim, size_t index, const char *how)
{
    struct node *node = &sim->nodes[index];
    if (!node->core)
        return;
    say(sim, "agent %zu %s", index, how);
    agent_core_free(node->core);
    node->core = NULL;
    node->back_ms = sim->now_ms + rng_below(&sim->rng, 6000);
}

// A machine goes out. What its disk still has of the last minutes is a matter of luck, as is the spool itself.
void lose_power(struct sim *sim, size_t index)
{
    struct node *node = &sim->nodes[index];
    bool wiped = chance(sim, 20);
    stop_agent(sim, index, wiped ? "loses power and its spool" : "loses power");
    for (struct process *p = node->processes; p; p = p->next) {
        if (p->alive || chance(sim, 20)) {
            p->alive = false;
            p->exited = true;
            p->class_word = "lost";
            p->lines = rng_below(&sim->rng, p->lines + 1);
            p->printed = rng_below(&sim->rng, p->printed + 1);
        }
        p->gone = p->gone || wiped || chance(sim, 20);
    }
    if (wiped) {
        node->uid += 100;
        node->incarnation = 0;
    }
}

static void read_stream(struct sim *sim, struct node *node, const struct agent_action *action)
{
    struct process *p = find_process(node, action->attempt);
    struct str text = STR_INIT;
    uint64_t lengths[STREAM_COUNT];
    if (!p)
        return;
    lengths_of(p, lengths);
    if (action->stream == STREAM_METRICS) {
        // Bytes that a power loss took back may be acknowledged already: then the offset lies behind the end.
        if (action->offset % LINE_LEN != 0)
            fail(sim, "I4: a read in the middle of a line");
        for (uint64_t line = action->offset / LINE_LEN; line < p->lines && text.len + LINE_LEN <= action->max; line++)
            str_addf(&text, LINE_FORMAT, (unsigned)(ATTEMPT_BASE + p->attempt), (unsigned)(LINE_BASE + line));
    } else {
        for (uint64_t at = action->offset; at < lengths[action->stream] && text.len < action->max; at++)
            str_addch(&text, (char)printed_byte(p->attempt, at));
    }
    agent_core_read_done(node->core, sim->now_ms, action->attempt, action->stream, action->offset, str_get(&text), text.len, 0);
    str_release(&text);
}

static void kill_process(struct sim *sim, struct node *node, const struct agent_action *action)
{
    struct process *p = find_process(node, action->attempt);
    if (!p || !p->alive)
        return;
    uint64_t end = sim->now_ms + (action->grace_ms ? rng_below(&sim->rng, action->grace_ms + 1) : 0);
    if (!p->kill_word || end < p->ends_ms)
        p->ends_ms = end < p->ends_ms ? end : p->ends_ms;
    if (!p->kill_word && end <= p->ends_ms)
        p->kill_word = action->class_word;
    if (action->grace_ms == 0)
        end_process(sim, node, p, p->kill_word ? p->kill_word : action->class_word);
}

static void act(struct sim *sim, size_t index, struct agent_action *action)
{
    struct node *node = &sim->nodes[index];
    struct process *p = find_process(node, action->attempt);
    switch (action->kind) {
    case ACTION_SEND:
        post(sim, true, index, node->peer, &action->msg);
        msg_release(&action->msg);
        return;
    case ACTION_START:
        start_process(sim, node, action);
        return;
    case ACTION_KILL:
        kill_process(sim, node, action);
        return;
    case ACTION_FORGET:
        if (p)
            p->gone = p->forgotten = true;
        return;
    case ACTION_READ:
        read_stream(sim, node, action);
        return;
    case ACTION_RENEW:
        if (p && p->alive)
            p->lease_until_ms = sim->now_ms + p->lease_ms;
        return;
    case ACTION_RECONNECT:
        node->peer = ++sim->next_peer;
        return;
    case ACTION_EXIT:
        return;
    }
}

void run_agent(struct sim *sim, size_t index)
{
    struct node *node = &sim->nodes[index];
    struct agent_action action;
    struct err err = {0};
    bool leaves = false;
    agent_core_tick(node->core, sim->now_ms);
    while (agent_core_next(node->core, &action)) {
        leaves = leaves || action.kind == ACTION_EXIT;
        act(sim, index, &action);
    }
    if (!agent_core_check(node->core, &err))
        fail(sim, "agent_core_check: %s", err.text);
    if (leaves)
        stop_agent(sim, index, "has left");
}
