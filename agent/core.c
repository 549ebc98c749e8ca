// The agent's core: its session with the controller, the runs it holds, and time. See core.h for the rules it keeps.

#include "agent/core_impl.h"

#include "base/mutant.h"
#include <stdlib.h>
#include <string.h>

#define BEAT_MIN_MS 200
#define BEAT_MAX_MS 10000
#define SILENCE_MAX_MS 30000
#define LEASE_BEFORE_WELCOME_MS 30000
#define DRAIN_ACK_MS 5000    // ended runs wait so long for their acknowledgement when the agent leaves
#define AT_ONCE_ACK_MS 1000  // and so long when it was told twice
#define FOUND_GRACE_MS 30000 // of a run whose launch this process never saw; its shim knows the real one
#define TOMBSTONES_MAX 4096

// ---- Making

struct agent_core *agent_core_new(const struct agent_setup *setup)
{
    struct agent_core *core = xcalloc(1, sizeof *core);
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
    core->lease_ms = LEASE_BEFORE_WELCOME_MS;
    core->beat_ms = LEASE_BEFORE_WELCOME_MS / 30;
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

static void clear_tombstones(struct agent_core *core)
{
    struct tombstone *tombstone, *tmp;
    HASH_ITER (hh, core->tombstones, tombstone, tmp) {
        HASH_DEL(core->tombstones, tombstone);
        free(tombstone);
    }
    core->tombstone_floor = 0;
}

void agent_core_free(struct agent_core *core)
{
    if (!core)
        return;
    struct run *run, *tmp;
    HASH_ITER (hh, core->runs, run, tmp)
        run_free(core, run);
    clear_tombstones(core);
    for (size_t i = 0; i < core->action_count; i++)
        msg_release(&core->actions[core->action_first + i].msg);
    struct msg facts = {.type = MSG_HELLO, .hello = core->facts};
    msg_release(&facts);
    for (size_t i = 0; i < core->refused_count; i++)
        free(core->refused[i].reason);
    free(core->refused);
    free(core->actions);
    free(core->chunks);
    str_release(&core->raw);
    free(core->refused_by);
    free(core);
}

struct run *core_find(const struct agent_core *core, uint64_t attempt)
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

// At most `max` bytes, cut between characters.
static char *bounded(const char *text, size_t max)
{
    size_t len = strlen(text);
    if (len > max)
        for (len = max; len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80; len--)
            ;
    return xstrndup(text, len);
}

static void set_exited(struct run *run, const struct msg_exited *exited)
{
    run->state = RUN_EXITED;
    run->exited = *exited;
    run->exited.class_word = xstrdup(exited->class_word);
    run->exited.message = bounded(exited->message ? exited->message : "", REASON_MAX);
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

struct agent_action *core_add_action(struct agent_core *core, enum agent_action_kind kind)
{
    if (core->action_count == 0)
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
    core_add_action(core, ACTION_SEND)->msg = msg;
}

static void add_kill(struct agent_core *core, struct run *run, const char *class_word, uint64_t grace_ms)
{
    static const char *const words[] = {"cancelled", "stopped", "interrupted", "lost"};
    struct agent_action *action = core_add_action(core, ACTION_KILL);
    action->attempt = run->attempt;
    action->class_word = "interrupted";
    for (size_t i = 0; i < ARRAY_LEN(words); i++) // a word that outlives the message
        if (strcmp(words[i], class_word) == 0)
            action->class_word = words[i];
    action->grace_ms = grace_ms;
    run->killed = true;
}

// ---- Burial

static bool has_tombstone(const struct agent_core *core, uint64_t attempt)
{
    struct tombstone *tombstone = NULL;
    HASH_FIND(hh, core->tombstones, &attempt, sizeof attempt, tombstone);
    return tombstone != NULL;
}

static bool is_buried(const struct agent_core *core, uint64_t attempt)
{
    return !MUTANT(MUTANT_NO_TOMBSTONES) && (attempt <= core->tombstone_floor || has_tombstone(core, attempt));
}

// Attempts are given out in ascending order, so the ones that made room are older than what may still come as new; a launch of one that
// does come (it was lost on its way and is repeated late) is refused, which is always safe.
static void bury(struct agent_core *core, uint64_t attempt)
{
    if (is_buried(core, attempt))
        return;
    struct tombstone *tombstone = xcalloc(1, sizeof *tombstone);
    tombstone->attempt = attempt;
    HASH_ADD(hh, core->tombstones, attempt, sizeof tombstone->attempt, tombstone);
    if (HASH_COUNT(core->tombstones) <= TOMBSTONES_MAX)
        return;
    struct tombstone *oldest = core->tombstones;
    if (oldest->attempt > core->tombstone_floor)
        core->tombstone_floor = oldest->attempt;
    HASH_DEL(core->tombstones, oldest);
    free(oldest);
}

// Refused once is refused for good: a copy of its launch that comes later is refused again.
static void refuse(struct agent_core *core, uint64_t attempt, const char *reason)
{
    bury(core, attempt);
    for (size_t i = 0; i < core->refused_count; i++)
        if (core->refused[i].attempt == attempt)
            return;
    ARRAY_GROW(core->refused, core->refused_count, core->refused_capacity);
    core->refused[core->refused_count++] = (struct msg_refused){.attempt = attempt, .reason = bounded(reason, REASON_MAX)};
}

static void refuse_held(struct agent_core *core, struct run *run, const char *reason)
{
    refuse(core, run->attempt, reason);
    run_free(core, run);
}

static void forget(struct agent_core *core, struct run *run)
{
    core_add_action(core, ACTION_FORGET)->attempt = run->attempt;
    bury(core, run->attempt);
    run_free(core, run);
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
    size_t count = 0;
    struct msg_held *held = xcalloc(HASH_COUNT(core->runs), sizeof *held);
    for (struct run *run = core->runs; run && count < HELD_MAX; run = run->hh.next) {
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
    core_drop_chunks(core);
    core->next_hello_ms = core->now_ms + core->hello_wait_ms + rng_below(&core->rng, core->hello_wait_ms);
    core->hello_wait_ms = core->hello_wait_ms * 2 < AGENT_HELLO_MAX_MS ? core->hello_wait_ms * 2 : AGENT_HELLO_MAX_MS;
}

static void apply_verdict(struct agent_core *core, const struct msg_verdict *verdict)
{
    struct run *run = core_find(core, verdict->attempt);
    if (!run)
        return;
    if (strcmp(verdict->action, "forget") == 0) {
        if (run->state == RUN_EXITED)
            forget(core, run);
    } else if (strcmp(verdict->action, "kill") == 0) {
        if (run->state == RUN_QUEUED) {
            bury(core, run->attempt);
            run_free(core, run);
        } else if (run->state != RUN_EXITED) {
            add_kill(core, run, "lost", 0);
        }
    } else {
        memcpy(run->acked, verdict->cursors, sizeof run->acked);
    }
}

// How old a confirmation may be that renews the lease of runs under policy `stop` or lets them start. The controller gives their shims a
// lease that ends at least so long before its own.
static uint64_t fresh_ms(const struct agent_core *core)
{
    return core->lease_ms / 4;
}

// A hello or beat of ours, sent at `sent_ms`, was answered: the controller's lease runs at least since then. Not since the answer came: that
// may have been long on its way.
static void confirm(struct agent_core *core, uint64_t sent_ms)
{
    if (sent_ms > core->now_ms || sent_ms < core->confirmed_ms)
        return;
    core->confirmed_ms = sent_ms;
    if (core->now_ms - sent_ms > fresh_ms(core))
        return;
    for (struct run *run = core->runs; run; run = run->hh.next)
        if (run->lease_ms && run->state == RUN_RUNNING)
            core_add_action(core, ACTION_RENEW)->attempt = run->attempt;
}

static void on_welcome(struct agent_core *core, const struct msg_welcome *welcome)
{
    if (!str_equal(welcome->agent, core->facts.agent) || welcome->incarnation != core->facts.incarnation ||
        welcome->hello != core->hello || welcome->hello == core->welcomed || welcome->epoch < core->epoch)
        return; // the answer to an older hello, of an older controller, or a copy
    core->welcomed = welcome->hello;
    core->session = welcome->session;
    core->epoch = welcome->epoch;
    core->hello_wait_ms = AGENT_HELLO_MIN_MS;
    core->lease_ms = welcome->lease_ms;
    core->beat_ms = welcome->lease_ms / 30 < BEAT_MIN_MS ? BEAT_MIN_MS : welcome->lease_ms / 30;
    if (core->beat_ms > BEAT_MAX_MS)
        core->beat_ms = BEAT_MAX_MS;
    core->beat_sent_ms = core->now_ms;
    clear_tombstones(core);
    for (size_t i = 0; i < welcome->verdict_count; i++)
        apply_verdict(core, &welcome->verdicts[i]);
    for (struct run *run = core->runs; run; run = run->hh.next) {
        run->exit_sent_ms = 0;
        run->started_told = false;
        memcpy(run->sent, run->acked, sizeof run->sent);
    }
    confirm(core, welcome->sent_ms);
}

// ---- Messages

static void queue_item(struct agent_core *core, const struct msg_launch *launch, struct msg_launch_item *item)
{
    struct run *run = run_new(core, item->attempt, RUN_QUEUED);
    struct msg_launch one = {.session = launch->session, .items = item, .count = 1};
    struct msg from = {.type = MSG_LAUNCH, .launch = one};
    msg_copy(&from, &run->launch);
    run->lease_ms = item->lease_ms;
}

static void on_launch(struct agent_core *core, const struct msg_launch *launch)
{
    if ((launch->session != core->session && !MUTANT(MUTANT_ANY_SESSION)) || core->session == 0)
        return; // its attempts were missing from our hello: they are over
    for (size_t i = 0; i < launch->count; i++) {
        struct msg_launch_item *item = &launch->items[i];
        struct run *run = core_find(core, item->attempt);
        if (run)
            run->started_told = false; // a copy: the controller has not heard of its start
        else if (is_buried(core, item->attempt))
            refuse(core, item->attempt, "refused before");
        else if (core->draining || core->detaching)
            refuse(core, item->attempt, "the agent is leaving");
        else if (HASH_COUNT(core->runs) >= HELD_MAX)
            refuse(core, item->attempt, "the agent holds too many runs");
        else
            queue_item(core, launch, item);
    }
}

static void on_ack(struct agent_core *core, const struct msg_ack *ack)
{
    if (ack->session != core->session)
        return;
    for (size_t i = 0; i < ack->cursor_count; i++) {
        const struct msg_cursor *cursor = &ack->cursors[i];
        struct run *run = core_find(core, cursor->attempt);
        if (!run || cursor->stream >= STREAM_COUNT || cursor->offset <= run->acked[cursor->stream])
            continue;
        run->acked[cursor->stream] = cursor->offset;
        run->progress_ms[cursor->stream] = core->now_ms;
        if (run->sent[cursor->stream] < cursor->offset)
            run->sent[cursor->stream] = cursor->offset;
    }
    for (size_t i = 0; i < ack->forget_count; i++) {
        struct run *run = core_find(core, ack->forget[i]);
        if (run && run->state == RUN_EXITED)
            forget(core, run);
    }
}

// Of an attempt that is not here the controller is told so, and it is buried: its launch may have been lost on the way and must not
// start it later. A refusal is answered by no kill, so this cannot go round in circles.
static void on_kill(struct agent_core *core, const struct msg_kill *kill)
{
    if (kill->session != core->session || core->session == 0)
        return;
    for (size_t i = 0; i < kill->count; i++) {
        const struct msg_kill_item *item = &kill->items[i];
        struct run *run = core_find(core, item->attempt);
        if (!run)
            refuse(core, item->attempt, "ended before it was started");
        else if (run->state == RUN_QUEUED)
            refuse_held(core, run, "ended before it was started");
        else if (run->state != RUN_EXITED)
            add_kill(core, run, item->class_word, item->grace_ms);
    }
}

static void on_error(struct agent_core *core, const struct msg_error *error)
{
    if (error->code != ERR_VERSION && error->code != ERR_PERMISSION)
        return;
    free(core->refused_by);
    if (error->code == ERR_PERMISSION)
        core->refused_by = xstrdup(error->text);
    else if (error->version_max == 0)
        core->refused_by = xasprintf("the controller speaks another protocol than this agent (%d): use the same version of Trawl on both",
                                     PROTOCOL_VERSION);
    else
        core->refused_by = xasprintf("the controller speaks protocol %u to %u, this agent %d: use the same version of Trawl on both",
                                     error->version_min, error->version_max, PROTOCOL_VERSION);
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
        if (msg->beat_ack.session == core->session && msg->beat_ack.epoch == core->epoch)
            confirm(core, msg->beat_ack.sent_ms);
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
        if (msg->drain.session == core->session && core->session != 0)
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

// A restarted controller does not know the session: ask at once instead of finding out by the next beat. Whoever else connected anew loses
// nothing by a hello.
void agent_core_reconnected(struct agent_core *core, uint64_t now_ms)
{
    core->now_ms = now_ms;
    if (core->session != 0)
        drop_session(core, 0);
}

static void end_for_leaving(struct agent_core *core, struct run *run)
{
    uint64_t grace = run->launch.launch.count ? run->launch.launch.items[0].grace_ms : FOUND_GRACE_MS;
    add_kill(core, run, "interrupted", core->at_once ? 0 : grace);
}

void agent_core_start_done(struct agent_core *core, uint64_t now_ms, uint64_t attempt, int64_t pid, int64_t wall_ms,
                           const struct err *failure)
{
    struct run *run = core_find(core, attempt);
    core->now_ms = now_ms;
    if (!run || run->state != RUN_STARTING)
        return;
    if (failure) {
        refuse_held(core, run, failure->text);
        return;
    }
    run->state = RUN_RUNNING;
    run->started = (struct msg_started){.attempt = attempt, .pid = pid, .at_ms = wall_ms};
    run->started_at_ms = now_ms;
    if (core->draining)
        end_for_leaving(core, run);
}

void agent_core_exited(struct agent_core *core, uint64_t now_ms, const struct msg_exited *exited)
{
    struct run *run = core_find(core, exited->attempt);
    core->now_ms = now_ms;
    if (run && run->state != RUN_EXITED)
        set_exited(run, exited);
}

void agent_core_grown(struct agent_core *core, uint64_t now_ms, uint64_t attempt, const uint64_t lengths[STREAM_COUNT])
{
    struct run *run = core_find(core, attempt);
    core->now_ms = now_ms;
    if (run && run->state == RUN_RUNNING)
        memcpy(run->lengths, lengths, sizeof run->lengths);
}

void agent_core_drain(struct agent_core *core, uint64_t now_ms, bool at_once)
{
    struct run *run, *tmp;
    core->now_ms = now_ms;
    core->draining = true;
    core->at_once = core->at_once || at_once;
    HASH_ITER (hh, core->runs, run, tmp) {
        if (run->state == RUN_QUEUED)
            refuse_held(core, run, "the agent is leaving");
        else if (run->state == RUN_RUNNING)
            end_for_leaving(core, run);
    }
}

void agent_core_detach(struct agent_core *core, uint64_t now_ms)
{
    core->now_ms = now_ms;
    core->detaching = true;
}

// ---- Time

// A run that was asked to end may hold its GPUs for a while yet, though the controller has given them to another.
static bool gpus_are_free(const struct agent_core *core, const struct msg_launch_item *item)
{
    for (const struct run *run = core->runs; run && item->gpu_count; run = run->hh.next) {
        if (run->state != RUN_RUNNING || !run->killed || run->launch.launch.count == 0)
            continue;
        const struct msg_launch_item *other = &run->launch.launch.items[0];
        for (size_t i = 0; i < item->gpu_count; i++)
            for (size_t j = 0; j < other->gpu_count; j++)
                if (item->gpus[i] == other->gpus[j])
                    return false;
    }
    return true;
}

// What waits here starts only while the controller counts on us: after our lease its trial may be another agent's. Under policy `stop` two
// attempts must never live at once, so there the word must be fresh.
static bool may_start(const struct agent_core *core, const struct run *run)
{
    uint64_t age = core->now_ms - core->confirmed_ms;
    if (run->lease_ms ? core->session == 0 || age > fresh_ms(core) : age >= core->lease_ms)
        return false;
    return gpus_are_free(core, &run->launch.launch.items[0]);
}

static void start_queued(struct agent_core *core)
{
    size_t busy = agent_core_running(core);
    for (struct run *run = core->runs; run && busy < core->facts.slots; run = run->hh.next) {
        if (run->state != RUN_QUEUED || !may_start(core, run))
            continue;
        run->state = RUN_STARTING;
        busy++;
        struct agent_action *action = core_add_action(core, ACTION_START);
        action->attempt = run->attempt;
        action->item = &run->launch.launch.items[0];
    }
}

static uint64_t silence_ms(const struct agent_core *core)
{
    return core->lease_ms / 3 < SILENCE_MAX_MS ? core->lease_ms / 3 : SILENCE_MAX_MS;
}

static void keep_connected(struct agent_core *core)
{
    if (core->now_ms - core->heard_ms >= silence_ms(core)) {
        core_add_action(core, ACTION_RECONNECT);
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

static uint64_t goodbye_ms(const struct agent_core *core)
{
    return core->at_once ? AT_ONCE_ACK_MS : DRAIN_ACK_MS;
}

// A draining agent leaves when nothing runs and what ended is acknowledged, or nobody acknowledges for a while.
static void leave(struct agent_core *core)
{
    if (core->detaching) {
        core->left = true;
        core_add_action(core, ACTION_EXIT);
        return;
    }
    if (!core->draining || agent_core_running(core) > 0) {
        core->drained_ms = 0;
        return;
    }
    if (core->drained_ms == 0)
        core->drained_ms = core->now_ms ? core->now_ms : 1;
    bool told = HASH_COUNT(core->runs) == 0 && core->refused_count == 0;
    if (!told && core->now_ms - core->drained_ms < goodbye_ms(core))
        return;
    core->left = true;
    if (core->session && told)
        add_send(core, (struct msg){.type = MSG_BYE, .bye = {.session = core->session, .reason = xstrdup("drained")}});
    core_add_action(core, ACTION_EXIT);
}

#ifdef TRAWL_MUTANTS
static void forget_sent(struct agent_core *core)
{
    struct run *run, *tmp;
    HASH_ITER (hh, core->runs, run, tmp)
        if (run->state == RUN_EXITED && run->exit_sent_ms)
            forget(core, run);
}
#endif

void agent_core_tick(struct agent_core *core, uint64_t now_ms)
{
#ifdef TRAWL_MUTANTS
    if (MUTANT(MUTANT_FORGET_ON_SEND))
        forget_sent(core);
#endif
    core->now_ms = now_ms;
    if (core->left)
        return;
    if (!core->started) {
        core->started = true;
        core->heard_ms = core->confirmed_ms = now_ms;
        core->next_hello_ms = now_ms;
    }
    keep_connected(core);
    if (!core->draining && !core->detaching)
        start_queued(core);
    if (core->session != 0)
        core_ask_reads(core);
    leave(core);
}

uint64_t agent_core_deadline(const struct agent_core *core)
{
    uint64_t deadline = core->heard_ms + silence_ms(core);
    uint64_t next = core->session == 0 ? core->next_hello_ms : core->beat_sent_ms + core->beat_ms;
    uint64_t gone = core->draining && core->drained_ms ? core->drained_ms + goodbye_ms(core) : UINT64_MAX;
    deadline = next < deadline ? next : deadline;
    deadline = gone < deadline ? gone : deadline;
    core_report_deadline(core, &deadline);
    return deadline;
}

bool agent_core_next(struct agent_core *core, struct agent_action *ret)
{
    struct agent_action *action = core->action_count ? &core->actions[core->action_first] : NULL;
    // The report goes before a goodbye, and when nothing else is left to do.
    if (!action || action->kind == ACTION_EXIT || (action->kind == ACTION_SEND && action->msg.type == MSG_BYE)) {
        if (core_build_report(core, ret))
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
    for (const struct run *run = core->runs; run; run = run->hh.next) {
        unsigned long long attempt = run->attempt;
        if (core->session && has_tombstone(core, run->attempt))
            return err_set(err, ERR_STATE, "attempt %llu is held, though it was refused or forgotten in this session", attempt), false;
        if (run->state != RUN_EXITED && run->exited.class_word)
            return err_set(err, ERR_STATE, "attempt %llu has an end and goes on", attempt), false;
        for (int i = 0; i < STREAM_COUNT; i++)
            if (run->acked[i] > run->sent[i])
                return err_set(err, ERR_STATE, "attempt %llu: more is acknowledged than was sent", attempt), false;
    }
    return true;
}
