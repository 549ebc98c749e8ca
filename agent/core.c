// The agent's core: session, runs, reports. See core.h for the rules it keeps.
//
// A run is queued -> running -> exited -> forgotten. Its bytes have three marks a stream: acknowledged <= sent <= length. Reads are
// asked of the shell, which answers at once; what it read waits for the next report, which goes out when no action is left.

#include "agent/core.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/rng.h"
#include "base/str.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define BEAT_MIN_MS 200
#define BEAT_MAX_MS 10000
#define SILENCE_MAX_MS 30000
#define DRAIN_ACK_MS 5000   // ended runs wait so long for their acknowledgement when the agent leaves
#define TOMBSTONES_MAX 4096 // refused attempts remembered within a session
#define REPORT_ITEMS_MAX 1024

enum run_state { RUN_QUEUED, RUN_STARTING, RUN_RUNNING, RUN_EXITED };

struct run {
    uint64_t attempt;
    enum run_state state;
    struct msg launch;           // holds the item of a launch; empty for one that was found in the spool
    uint64_t lease_ms;
    struct msg_started started;
    uint64_t started_at_ms;      // monotonic
    bool started_told;
    struct msg_exited exited;    // owned
    uint64_t exit_sent_ms;       // 0: not in this session
    uint64_t lengths[STREAM_COUNT], sent[STREAM_COUNT], acked[STREAM_COUNT];
    uint64_t data_sent_ms;
    bool killed;
    UT_hash_handle hh;
};


struct agent_core {
    struct agent_setup setup; // strings owned
    struct msg_hello facts;   // owns what a hello repeats
    struct rng rng;
    struct run *runs;
    uint64_t *tombstones;     // refused in this session
    size_t tombstone_count, tombstone_capacity;
    struct msg_refused *refused; // to be told
    size_t refused_count, refused_capacity;
    struct agent_action *actions;
    size_t action_first, action_count, action_capacity;
    struct msg_chunk *chunks;
    size_t chunk_count, chunk_capacity;
    struct str raw;
    uint64_t session, epoch, hello;
    uint64_t lease_ms, beat_ms;
    uint64_t next_hello_ms, hello_wait_ms;
    uint64_t heard_ms, beat_sent_ms;
    uint64_t now_ms;
    bool started;             // the first tick has been
    bool draining, detaching, left;
    uint64_t drained_ms;      // since when nothing runs while draining
    char *refused_by;
};

// ---- Making

struct agent_core *agent_core_new(const struct agent_setup *setup)
{
    struct agent_core *core = xcalloc(1, sizeof *core);
    core->setup = *setup;
    struct msg_hello borrowed = {.agent = (char *)setup->uid,
                                 .name = (char *)setup->name,
                                 .host = (char *)setup->host,
                                 .version = (char *)setup->version,
                                 .boot = (char *)setup->boot,
                                 .incarnation = setup->incarnation,
                                 .slots = setup->slots,
                                 .cpus = setup->cpus,
                                 .memory_bytes = setup->memory_bytes,
                                 .gpus = (struct msg_gpu *)setup->gpus,
                                 .gpu_count = setup->gpu_count,
                                 .labels = (char **)setup->labels,
                                 .label_count = setup->label_count};
    struct msg from = {.type = MSG_HELLO, .hello = borrowed}, to;
    msg_copy(&from, &to);
    core->facts = to.hello;
    rng_stream(&core->rng, setup->jitter_seed, "agent backoff", setup->incarnation);
    core->hello_wait_ms = AGENT_HELLO_MIN_MS;
    core->lease_ms = 30000;
    core->beat_ms = 1000;
    return core;
}

static void run_free(struct agent_core *core, struct run *run)
{
    HASH_DEL(core->runs, run);
    msg_release(&run->launch);
    free(run->exited.class_word);
    free(run->exited.message);
    free(run);
}

static struct agent_action *take_action(struct agent_core *core)
{
    return core->action_count ? &core->actions[core->action_first] : NULL;
}

void agent_core_free(struct agent_core *core)
{
    if (!core)
        return;
    struct run *run, *tmp;
    struct agent_action *action;
    HASH_ITER (hh, core->runs, run, tmp)
        run_free(core, run);
    while ((action = take_action(core))) {
        msg_release(&action->msg);
        core->action_first++;
        core->action_count--;
    }
    struct msg facts = {.type = MSG_HELLO, .hello = core->facts};
    msg_release(&facts);
    for (size_t i = 0; i < core->refused_count; i++)
        free(core->refused[i].reason);
    free(core->refused);
    free(core->tombstones);
    free(core->actions);
    free(core->chunks);
    str_release(&core->raw);
    free(core->refused_by);
    free(core);
}

static struct run *find(const struct agent_core *core, uint64_t attempt)
{
    struct run *run = NULL;
    HASH_FIND(hh, core->runs, &attempt, sizeof attempt, run);
    return run;
}

static struct run *run_new(struct agent_core *core, uint64_t attempt, enum run_state state)
{
    struct run *run = xcalloc(1, sizeof *run);
    run->attempt = attempt;
    run->state = state;
    HASH_ADD(hh, core->runs, attempt, sizeof run->attempt, run);
    return run;
}

static void set_exited(struct run *run, const struct msg_exited *exited)
{
    run->state = RUN_EXITED;
    run->exited = *exited;
    run->exited.class_word = xstrdup(exited->class_word);
    run->exited.message = xstrdup(exited->message ? exited->message : "");
    memcpy(run->lengths, exited->lengths, sizeof run->lengths);
}

void agent_core_found(struct agent_core *core, uint64_t attempt, bool running, const struct msg_exited *exited,
                      const uint64_t lengths[STREAM_COUNT], uint64_t lease_ms)
{
    struct run *run = run_new(core, attempt, running ? RUN_RUNNING : RUN_EXITED);
    run->lease_ms = lease_ms;
    run->started.attempt = attempt; // told again: the controller may not have heard of it
    if (exited)
        set_exited(run, exited);
    else
        memcpy(run->lengths, lengths, sizeof run->lengths);
}

// ---- Actions

static struct agent_action *add_action(struct agent_core *core, enum agent_action_kind kind)
{
    if (core->action_first > 0 && core->action_count == 0)
        core->action_first = 0;
    size_t end = core->action_first + core->action_count;
    ARRAY_GROW(core->actions, end, core->action_capacity);
    struct agent_action *action = &core->actions[end];
    *action = (struct agent_action){.kind = kind};
    core->action_count++;
    return action;
}

static void add_send(struct agent_core *core, struct msg msg)
{
    msg.version = PROTOCOL_VERSION;
    add_action(core, ACTION_SEND)->msg = msg;
}

static void add_kill(struct agent_core *core, struct run *run, const char *class_word, uint64_t grace_ms)
{
    static const char *const words[] = {"cancelled", "stopped", "interrupted", "lost"};
    struct agent_action *action = add_action(core, ACTION_KILL);
    action->attempt = run->attempt;
    action->class_word = "interrupted";
    for (size_t i = 0; i < ARRAY_LEN(words); i++) // a word that outlives the message
        if (strcmp(words[i], class_word) == 0)
            action->class_word = words[i];
    action->grace_ms = grace_ms;
    run->killed = true;
}

static void forget(struct agent_core *core, struct run *run)
{
    add_action(core, ACTION_FORGET)->attempt = run->attempt;
    run_free(core, run);
}

static bool is_tombstoned(const struct agent_core *core, uint64_t attempt)
{
    for (size_t i = 0; i < core->tombstone_count; i++)
        if (core->tombstones[i] == attempt)
            return true;
    return false;
}

// Refused once is refused for good: a copy of its launch that comes later is refused again.
static void refuse(struct agent_core *core, uint64_t attempt, const char *reason)
{
    if (!is_tombstoned(core, attempt) && core->tombstone_count < TOMBSTONES_MAX) {
        ARRAY_GROW(core->tombstones, core->tombstone_count, core->tombstone_capacity);
        core->tombstones[core->tombstone_count++] = attempt;
    }
    for (size_t i = 0; i < core->refused_count; i++)
        if (core->refused[i].attempt == attempt)
            return;
    ARRAY_GROW(core->refused, core->refused_count, core->refused_capacity);
    core->refused[core->refused_count++] = (struct msg_refused){.attempt = attempt, .reason = xstrdup(reason)};
}

// ---- Session

static void drop_session(struct agent_core *core, uint64_t hello_in_ms)
{
    core->session = 0;
    core->next_hello_ms = core->now_ms + hello_in_ms;
}

static void send_hello(struct agent_core *core)
{
    static const char *const words[] = {[RUN_QUEUED] = "queued", [RUN_STARTING] = "queued", [RUN_RUNNING] = "running", [RUN_EXITED] = "exited"};
    struct msg from = {.type = MSG_HELLO, .hello = core->facts}, to;
    struct run *run, *tmp;
    size_t count = 0, capacity = HASH_COUNT(core->runs);
    struct msg_held *held = xcalloc(capacity, sizeof *held);
    HASH_ITER (hh, core->runs, run, tmp) {
        if (count == MSG_ITEMS_MAX)
            break;
        held[count] = (struct msg_held){.attempt = run->attempt, .state = (char *)words[run->state]};
        memcpy(held[count++].lengths, run->lengths, sizeof run->lengths);
    }
    core->session = 0;
    from.hello.hello = ++core->hello;
    from.hello.sent_ms = core->now_ms;
    from.hello.held = held;
    from.hello.held_count = count;
    msg_copy(&from, &to);
    free(held);
    add_send(core, to);
    // Chunks that were read for the old session are read again after the welcome.
    core->chunk_count = 0;
    str_clear(&core->raw);
    core->next_hello_ms = core->now_ms + core->hello_wait_ms + rng_below(&core->rng, core->hello_wait_ms);
    core->hello_wait_ms = core->hello_wait_ms * 2 < AGENT_HELLO_MAX_MS ? core->hello_wait_ms * 2 : AGENT_HELLO_MAX_MS;
}

static void apply_verdict(struct agent_core *core, const struct msg_verdict *verdict)
{
    struct run *run = find(core, verdict->attempt);
    if (!run)
        return;
    if (strcmp(verdict->action, "forget") == 0) {
        if (run->state == RUN_EXITED)
            forget(core, run);
    } else if (strcmp(verdict->action, "kill") == 0) {
        if (run->state == RUN_QUEUED)
            run_free(core, run);
        else if (run->state != RUN_EXITED)
            add_kill(core, run, "lost", 0);
    } else {
        memcpy(run->acked, verdict->cursors, sizeof run->acked);
    }
}

static void renew_leases(struct agent_core *core)
{
    struct run *run, *tmp;
    HASH_ITER (hh, core->runs, run, tmp)
        if (run->lease_ms && run->state == RUN_RUNNING)
            add_action(core, ACTION_RENEW)->attempt = run->attempt;
}

static void on_welcome(struct agent_core *core, const struct msg_welcome *welcome)
{
    struct run *run, *tmp;
    if (!str_equal(welcome->agent, core->facts.agent) || welcome->incarnation != core->setup.incarnation ||
        welcome->hello != core->hello || welcome->epoch < core->epoch || core->session != 0)
        return; // the answer to an older hello, or of an older controller
    core->session = welcome->session;
    core->epoch = welcome->epoch;
    core->hello_wait_ms = AGENT_HELLO_MIN_MS;
    core->lease_ms = welcome->lease_ms;
    core->beat_ms = welcome->lease_ms / 30 < BEAT_MIN_MS ? BEAT_MIN_MS : welcome->lease_ms / 30;
    if (core->beat_ms > BEAT_MAX_MS)
        core->beat_ms = BEAT_MAX_MS;
    core->beat_sent_ms = core->now_ms;
    core->tombstone_count = 0;
    for (size_t i = 0; i < welcome->verdict_count; i++)
        apply_verdict(core, &welcome->verdicts[i]);
    HASH_ITER (hh, core->runs, run, tmp) {
        run->exit_sent_ms = 0;
        run->started_told = false;
        memcpy(run->sent, run->acked, sizeof run->sent);
    }
    renew_leases(core);
}

// ---- Messages

static void on_launch(struct agent_core *core, const struct msg_launch *launch)
{
    if (launch->session != core->session || core->session == 0)
        return; // its attempts were missing from our hello: they are over
    for (size_t i = 0; i < launch->count; i++) {
        const struct msg_launch_item *item = &launch->items[i];
        if (find(core, item->attempt))
            continue;
        if (is_tombstoned(core, item->attempt)) {
            refuse(core, item->attempt, "refused before");
            continue;
        }
        if (core->draining) {
            refuse(core, item->attempt, "the agent is leaving");
            continue;
        }
        struct run *run = run_new(core, item->attempt, RUN_QUEUED);
        struct msg_launch one = {.session = launch->session, .items = (struct msg_launch_item *)item, .count = 1};
        struct msg from = {.type = MSG_LAUNCH, .launch = one};
        msg_copy(&from, &run->launch);
        run->lease_ms = item->lease_ms;
    }
}

static void on_ack(struct agent_core *core, const struct msg_ack *ack)
{
    if (ack->session != core->session)
        return;
    for (size_t i = 0; i < ack->cursor_count; i++) {
        const struct msg_cursor *cursor = &ack->cursors[i];
        struct run *run = find(core, cursor->attempt);
        if (run && cursor->stream < STREAM_COUNT && cursor->offset > run->acked[cursor->stream]) {
            run->acked[cursor->stream] = cursor->offset;
            if (run->sent[cursor->stream] < cursor->offset)
                run->sent[cursor->stream] = cursor->offset;
        }
    }
    for (size_t i = 0; i < ack->forget_count; i++) {
        struct run *run = find(core, ack->forget[i]);
        if (run && run->state == RUN_EXITED)
            forget(core, run);
    }
}

// Of an attempt that is not here the controller is told so: it may have been lost on the way and must not start later.
static void on_kill(struct agent_core *core, const struct msg_kill *kill)
{
    if (kill->session != core->session)
        return;
    for (size_t i = 0; i < kill->count; i++) {
        struct run *run = find(core, kill->items[i].attempt);
        if (!run || run->state == RUN_QUEUED) {
            refuse(core, kill->items[i].attempt, "ended before it was started");
            if (run)
                run_free(core, run);
        } else if (run->state != RUN_EXITED) {
            add_kill(core, run, kill->items[i].class_word, kill->items[i].grace_ms);
        }
    }
}

static void on_error(struct agent_core *core, const struct msg_error *error)
{
    if (error->code != ERR_VERSION && error->code != ERR_PERMISSION)
        return;
    free(core->refused_by);
    core->refused_by = error->code == ERR_VERSION
                           ? xasprintf("the controller speaks protocol %u to %u, this agent %d: use the same version of Trawl on both",
                                       error->version_min, error->version_max, PROTOCOL_VERSION)
                           : xstrdup(error->text);
}

void agent_core_message(struct agent_core *core, uint64_t now_ms, const struct msg *msg)
{
    core->now_ms = now_ms;
    core->heard_ms = now_ms;
    switch (msg->type) {
    case MSG_WELCOME:
        on_welcome(core, &msg->welcome);
        return;
    case MSG_NEED_HELLO:
        if (msg->need_hello.session == core->session && core->session != 0)
            drop_session(core, AGENT_HELLO_MIN_MS);
        return;
    case MSG_BEAT_ACK:
        if (msg->beat_ack.session == core->session)
            renew_leases(core);
        return;
    case MSG_LAUNCH:
        on_launch(core, &msg->launch);
        return;
    case MSG_ACK:
        on_ack(core, &msg->ack);
        return;
    case MSG_KILL:
        on_kill(core, &msg->kill);
        return;
    case MSG_DRAIN:
        if (msg->drain.session == core->session)
            agent_core_drain(core, now_ms, false);
        return;
    case MSG_ERROR:
        on_error(core, &msg->error);
        return;
    case MSG_JOIN:
    case MSG_JOINED:
    case MSG_HELLO:
    case MSG_BEAT:
    case MSG_REPORT:
    case MSG_BYE:
    case MSG_REQUEST:
    case MSG_REPLY:
        return;
    }
}

// ---- What the shell tells

void agent_core_start_done(struct agent_core *core, uint64_t now_ms, uint64_t attempt, int64_t pid, int64_t wall_ms,
                           const struct err *failure)
{
    struct run *run = find(core, attempt);
    core->now_ms = now_ms;
    if (!run || run->state != RUN_STARTING)
        return;
    if (failure) {
        refuse(core, attempt, failure->text);
        run_free(core, run);
        return;
    }
    run->state = RUN_RUNNING;
    run->started = (struct msg_started){.attempt = attempt, .pid = pid, .at_ms = wall_ms};
    run->started_at_ms = now_ms;
}

void agent_core_exited(struct agent_core *core, uint64_t now_ms, const struct msg_exited *exited)
{
    struct run *run = find(core, exited->attempt);
    core->now_ms = now_ms;
    if (run && run->state != RUN_EXITED)
        set_exited(run, exited);
}

void agent_core_grown(struct agent_core *core, uint64_t now_ms, uint64_t attempt, const uint64_t lengths[STREAM_COUNT])
{
    struct run *run = find(core, attempt);
    core->now_ms = now_ms;
    if (run && run->state == RUN_RUNNING)
        memcpy(run->lengths, lengths, sizeof run->lengths);
}

void agent_core_read_done(struct agent_core *core, uint64_t now_ms, uint64_t attempt, enum stream stream, uint64_t offset,
                          const void *data, size_t len, uint64_t skipped)
{
    struct run *run = find(core, attempt);
    core->now_ms = now_ms;
    if (!run || core->session == 0 || offset != run->sent[stream] || len + skipped == 0 ||
        core->raw.len + len > MSG_RAW_MAX || core->chunk_count >= REPORT_ITEMS_MAX)
        return;
    ARRAY_GROW(core->chunks, core->chunk_count, core->chunk_capacity);
    core->chunks[core->chunk_count++] = (struct msg_chunk){
        .attempt = attempt, .stream = stream, .offset = offset, .skipped = skipped, .length = (uint32_t)len};
    str_addn(&core->raw, data, len);
    run->sent[stream] += len + skipped;
    run->data_sent_ms = now_ms;
}

void agent_core_drain(struct agent_core *core, uint64_t now_ms, bool at_once)
{
    struct run *run, *tmp;
    core->now_ms = now_ms;
    core->draining = true;
    HASH_ITER (hh, core->runs, run, tmp) {
        if (run->state == RUN_QUEUED) {
            refuse(core, run->attempt, "the agent is leaving");
            run_free(core, run);
        } else if (run->state == RUN_RUNNING) {
            uint64_t grace = run->launch.launch.count ? run->launch.launch.items[0].grace_ms : 30000;
            add_kill(core, run, "interrupted", at_once ? 0 : grace);
        }
    }
}

void agent_core_detach(struct agent_core *core, uint64_t now_ms)
{
    core->now_ms = now_ms;
    core->detaching = true;
}

// ---- Time

static void start_queued(struct agent_core *core)
{
    struct run *run, *tmp;
    size_t busy = agent_core_running(core);
    HASH_ITER (hh, core->runs, run, tmp) {
        if (busy >= core->setup.slots)
            return;
        if (run->state != RUN_QUEUED)
            continue;
        run->state = RUN_STARTING;
        busy++;
        struct agent_action *action = add_action(core, ACTION_START);
        action->attempt = run->attempt;
        action->item = &run->launch.launch.items[0];
    }
}

static uint64_t in_flight(const struct agent_core *core)
{
    uint64_t bytes = 0;
    for (const struct run *run = core->runs; run; run = run->hh.next)
        for (int i = 0; i < STREAM_COUNT; i++)
            bytes += run->sent[i] - run->acked[i];
    return bytes;
}

static void ask_reads(struct agent_core *core)
{
    struct run *run, *tmp;
    uint64_t window = in_flight(core);
    size_t reads = core->chunk_count;
    HASH_ITER (hh, core->runs, run, tmp) {
        if (run->state != RUN_RUNNING && run->state != RUN_EXITED)
            continue;
        for (int i = 0; i < STREAM_COUNT && window < AGENT_WINDOW_BYTES && reads < REPORT_ITEMS_MAX; i++) {
            if (run->acked[i] < run->sent[i] && core->now_ms - run->data_sent_ms >= AGENT_RESEND_MS)
                run->sent[i] = run->acked[i]; // lost on the way: again from where the controller has it
            if (run->lengths[i] <= run->sent[i])
                continue;
            uint64_t left = run->lengths[i] - run->sent[i];
            struct agent_action *action = add_action(core, ACTION_READ);
            action->attempt = run->attempt;
            action->stream = (enum stream)i;
            action->offset = run->sent[i];
            action->max = AGENT_READ_MAX;
            action->last = run->state == RUN_EXITED;
            window += left < AGENT_READ_MAX ? left : AGENT_READ_MAX;
            reads++;
        }
    }
}

static bool wants_exit_sent(const struct agent_core *core, const struct run *run)
{
    return run->state == RUN_EXITED && (run->exit_sent_ms == 0 || core->now_ms - run->exit_sent_ms >= AGENT_RESEND_MS);
}

static bool wants_start_told(const struct agent_core *core, const struct run *run)
{
    return run->state == RUN_RUNNING && !run->started_told && core->now_ms - run->started_at_ms >= AGENT_STARTED_AFTER_MS;
}

static uint64_t silence_ms(const struct agent_core *core)
{
    return core->lease_ms / 3 < SILENCE_MAX_MS ? core->lease_ms / 3 : SILENCE_MAX_MS;
}

static void keep_connected(struct agent_core *core)
{
    if (core->now_ms - core->heard_ms >= silence_ms(core)) {
        add_action(core, ACTION_RECONNECT);
        core->heard_ms = core->now_ms;
        drop_session(core, 0);
    }
    if (core->session == 0 && core->now_ms >= core->next_hello_ms)
        send_hello(core);
    if (core->session != 0 && core->now_ms - core->beat_sent_ms >= core->beat_ms) {
        core->beat_sent_ms = core->now_ms;
        add_send(core, (struct msg){.type = MSG_BEAT, .beat = {.session = core->session, .sent_ms = core->now_ms}});
    }
}

// A draining agent leaves when nothing runs and what ended is acknowledged, or nobody acknowledges for a while.
static void leave(struct agent_core *core)
{
    if (core->left)
        return;
    if (core->detaching) {
        core->left = true;
        add_action(core, ACTION_EXIT);
        return;
    }
    if (!core->draining || agent_core_running(core) > 0) {
        core->drained_ms = 0;
        return;
    }
    if (core->drained_ms == 0)
        core->drained_ms = core->now_ms ? core->now_ms : 1;
    bool told = HASH_COUNT(core->runs) == 0 && core->refused_count == 0;
    if (!told && core->now_ms - core->drained_ms < DRAIN_ACK_MS)
        return;
    core->left = true;
    if (core->session && told)
        add_send(core, (struct msg){.type = MSG_BYE, .bye = {.session = core->session, .reason = xstrdup("drained")}});
    add_action(core, ACTION_EXIT);
}

void agent_core_tick(struct agent_core *core, uint64_t now_ms)
{
    core->now_ms = now_ms;
    if (!core->started) {
        core->started = true;
        core->heard_ms = now_ms;
        core->next_hello_ms = now_ms;
    }
    keep_connected(core);
    if (!core->draining)
        start_queued(core);
    if (core->session != 0)
        ask_reads(core);
    leave(core);
}

static void sooner(uint64_t *deadline, uint64_t at)
{
    if (at < *deadline)
        *deadline = at;
}

uint64_t agent_core_deadline(const struct agent_core *core)
{
    uint64_t deadline = core->heard_ms + silence_ms(core);
    if (core->session == 0)
        sooner(&deadline, core->next_hello_ms);
    else
        sooner(&deadline, core->beat_sent_ms + core->beat_ms);
    if (core->draining && core->drained_ms)
        sooner(&deadline, core->drained_ms + DRAIN_ACK_MS);
    for (const struct run *run = core->runs; run && core->session; run = run->hh.next) {
        if (run->state == RUN_RUNNING && !run->started_told)
            sooner(&deadline, run->started_at_ms + AGENT_STARTED_AFTER_MS);
        if (run->state == RUN_EXITED)
            sooner(&deadline, run->exit_sent_ms + AGENT_RESEND_MS);
        for (int i = 0; i < STREAM_COUNT; i++)
            if (run->acked[i] < run->sent[i])
                sooner(&deadline, run->data_sent_ms + AGENT_RESEND_MS);
    }
    return deadline;
}

// ---- The report

static void add_ends(struct agent_core *core, struct msg_report *report)
{
    struct run *run, *tmp;
    size_t started = 0, exited = 0;
    HASH_ITER (hh, core->runs, run, tmp) {
        started += wants_start_told(core, run);
        exited += wants_exit_sent(core, run);
    }
    started = started < REPORT_ITEMS_MAX ? started : REPORT_ITEMS_MAX;
    exited = exited < REPORT_ITEMS_MAX ? exited : REPORT_ITEMS_MAX;
    report->started = xcalloc(started, sizeof *report->started);
    report->exited = xcalloc(exited, sizeof *report->exited);
    HASH_ITER (hh, core->runs, run, tmp) {
        if (wants_start_told(core, run) && report->started_count < started) {
            report->started[report->started_count++] = run->started;
            run->started_told = true;
        } else if (wants_exit_sent(core, run) && report->exited_count < exited) {
            struct msg_exited *copy = &report->exited[report->exited_count++];
            *copy = run->exited;
            copy->class_word = xstrdup(run->exited.class_word);
            copy->message = xstrdup(run->exited.message);
            run->exit_sent_ms = core->now_ms;
        }
    }
}

// Everything that waits to be told, as one message. False: nothing does.
static bool build_report(struct agent_core *core, struct agent_action *ret)
{
    struct msg_report report = {.session = core->session};
    if (core->session == 0)
        return false;
    add_ends(core, &report);
    report.refused = core->refused;
    report.refused_count = core->refused_count;
    report.chunks = core->chunk_count ? xmemdup(core->chunks, core->chunk_count * sizeof *core->chunks) : NULL;
    report.chunk_count = core->chunk_count;
    core->refused = NULL;
    core->refused_count = core->refused_capacity = 0;
    core->chunk_count = 0;
    *ret = (struct agent_action){.kind = ACTION_SEND, .msg = {.type = MSG_REPORT, .version = PROTOCOL_VERSION, .report = report}};
    if (core->raw.len > 0) {
        ret->msg.raw_len = core->raw.len;
        ret->msg.raw_owned = str_detach(&core->raw);
        ret->msg.raw = ret->msg.raw_owned;
    }
    if (report.started_count + report.exited_count + report.refused_count + report.chunk_count > 0)
        return true;
    msg_release(&ret->msg);
    return false;
}

bool agent_core_next(struct agent_core *core, struct agent_action *ret)
{
    struct agent_action *action = take_action(core);
    // The report goes before a goodbye, and when nothing else is left to do.
    if (!action || action->kind == ACTION_EXIT || (action->kind == ACTION_SEND && action->msg.type == MSG_BYE)) {
        if (build_report(core, ret))
            return true;
        if (!action)
            return false;
    }
    *ret = *action;
    core->action_first++;
    core->action_count--;
    return true;
}

// ---- Looking in

const char *agent_core_refused(const struct agent_core *core)
{
    return core->refused_by;
}

size_t agent_core_running(const struct agent_core *core)
{
    size_t count = 0;
    for (const struct run *run = core->runs; run; run = run->hh.next)
        count += run->state == RUN_RUNNING || run->state == RUN_STARTING;
    return count;
}

size_t agent_core_held(const struct agent_core *core)
{
    return HASH_COUNT(core->runs);
}

bool agent_core_connected(const struct agent_core *core)
{
    return core->session != 0;
}

bool agent_core_check(const struct agent_core *core, struct err *err)
{
    for (const struct run *run = core->runs; run; run = run->hh.next)
        for (int i = 0; i < STREAM_COUNT; i++)
            if (run->acked[i] > run->sent[i])
                return err_set(err, ERR_STATE, "attempt %llu: more is acknowledged than was sent", (unsigned long long)run->attempt), false;
    return true;
}
