// Reads and reports. Reads are asked of the shell, which answers at once; what it read waits for the report of the turn, which goes out
// when no action is left. Metrics go before logs, and logs of all runs take turns.

#include "agent/core_impl.h"

#include <stdlib.h>
#include <string.h>

#define READ_MIN (128u << 10) // less room is not used: a read must hold the longest line

// ---- Reads

void core_drop_chunks(struct agent_core *core)
{
    core->chunk_count = 0;
    str_clear(&core->raw);
}

static uint64_t in_flight(const struct agent_core *core)
{
    uint64_t bytes = 0;
    for (const struct run *run = core->runs; run; run = run->hh.next)
        for (int i = 0; i < STREAM_COUNT; i++)
            bytes += run->sent[i] - run->acked[i];
    return bytes;
}

// Logs leave room for metrics.
static uint64_t room(const struct agent_core *core, enum stream stream)
{
    uint64_t window = stream == STREAM_METRICS ? AGENT_WINDOW_BYTES : AGENT_WINDOW_BYTES - AGENT_READ_MAX;
    return core->window_used < window ? window - core->window_used : 0;
}

// False: the window has no room for it.
static bool ask_read(struct agent_core *core, struct run *run, enum stream stream)
{
    if (run->lengths[stream] <= run->sent[stream])
        return true;
    uint64_t left = run->lengths[stream] - run->sent[stream], space = room(core, stream);
    if (space < READ_MIN)
        return false;
    struct agent_action *action = core_add_action(core, ACTION_READ);
    action->attempt = run->attempt;
    action->stream = stream;
    action->offset = run->sent[stream];
    action->max = space < AGENT_READ_MAX ? (size_t)space : AGENT_READ_MAX;
    action->last = run->state == RUN_EXITED;
    core->window_used += left < action->max ? left : action->max;
    return true;
}

static bool has_streams(const struct run *run)
{
    return run->state == RUN_RUNNING || run->state == RUN_EXITED;
}

// What was sent and never acknowledged was lost on the way: again from where the controller has it.
static void rewind_lost(struct agent_core *core)
{
    for (struct run *run = core->runs; run; run = run->hh.next)
        for (int i = 0; i < STREAM_COUNT; i++)
            if (run->acked[i] < run->sent[i] && core->now_ms - run->progress_ms[i] >= AGENT_RESEND_MS)
                run->sent[i] = run->acked[i];
}

void core_ask_reads(struct agent_core *core)
{
    struct run *run = core->runs, *first = core_find(core, core->log_turn);
    rewind_lost(core);
    core->window_used = in_flight(core);
    for (; run; run = run->hh.next)
        if (has_streams(run) && !ask_read(core, run, STREAM_METRICS))
            break;
    run = first = first ? first : core->runs;
    while (run) {
        if (has_streams(run) && (!ask_read(core, run, STREAM_STDOUT) || !ask_read(core, run, STREAM_STDERR))) {
            core->log_turn = run->attempt;
            return;
        }
        run = run->hh.next ? run->hh.next : core->runs;
        if (run == first)
            return;
    }
}

static bool add_chunk(struct agent_core *core, struct run *run, enum stream stream, const void *data, size_t len, uint64_t skipped)
{
    if (core->session == 0 || core->raw.len + len > MSG_RAW_MAX || core->chunk_count >= REPORT_ITEMS_MAX)
        return false;
    ARRAY_GROW(core->chunks, core->chunk_count, core->chunk_capacity);
    core->chunks[core->chunk_count++] = (struct msg_chunk){
        .attempt = run->attempt, .stream = stream, .offset = run->sent[stream], .skipped = skipped, .length = (uint32_t)len};
    str_addn(&core->raw, data, len);
    if (run->sent[stream] == run->acked[stream])
        run->progress_ms[stream] = core->now_ms;
    run->sent[stream] += len + skipped;
    return true;
}

void agent_core_read_done(struct agent_core *core, uint64_t now_ms, uint64_t attempt, enum stream stream, uint64_t offset,
                          const void *data, size_t len, uint64_t skipped)
{
    struct run *run = core_find(core, attempt);
    core->now_ms = now_ms;
    if (!run || offset != run->sent[stream] || len + skipped == 0)
        return;
    if (add_chunk(core, run, stream, data, len, skipped))
        ask_read(core, run, stream); // the rest, as far as the window goes
}

void agent_core_shrunk(struct agent_core *core, uint64_t now_ms, uint64_t attempt, const uint64_t lengths[STREAM_COUNT])
{
    struct run *run = core_find(core, attempt);
    core->now_ms = now_ms;
    for (int i = 0; i < STREAM_COUNT && run && run->state == RUN_EXITED; i++)
        if (lengths[i] <= run->sent[i] && run->sent[i] < run->lengths[i])
            add_chunk(core, run, (enum stream)i, NULL, 0, run->lengths[i] - run->sent[i]);
}

// ---- The report

static bool wants_exit_sent(const struct agent_core *core, const struct run *run)
{
    return run->state == RUN_EXITED && (run->exit_sent_ms == 0 || core->now_ms - run->exit_sent_ms >= AGENT_RESEND_MS);
}

static bool wants_start_told(const struct agent_core *core, const struct run *run)
{
    return run->state == RUN_RUNNING && !run->started_told && core->now_ms - run->started_at_ms >= AGENT_STARTED_AFTER_MS;
}

static void add_started(struct agent_core *core, struct msg_report *report)
{
    size_t capacity = 0;
    for (struct run *run = core->runs; run && report->started_count < REPORT_ITEMS_MAX; run = run->hh.next) {
        if (!wants_start_told(core, run))
            continue;
        ARRAY_GROW(report->started, report->started_count, capacity);
        report->started[report->started_count++] = run->started;
        run->started_told = true;
    }
}

static void add_exited(struct agent_core *core, struct msg_report *report, size_t *text)
{
    size_t capacity = 0;
    for (struct run *run = core->runs; run && report->exited_count < REPORT_ITEMS_MAX && *text < REPORT_TEXT_MAX; run = run->hh.next) {
        if (!wants_exit_sent(core, run))
            continue;
        ARRAY_GROW(report->exited, report->exited_count, capacity);
        struct msg_exited *copy = &report->exited[report->exited_count++];
        *copy = run->exited;
        copy->class_word = xstrdup(run->exited.class_word);
        copy->message = xstrdup(run->exited.message);
        run->exit_sent_ms = core->now_ms ? core->now_ms : 1;
        *text += strlen(copy->message);
    }
}

// Refusals are told once; of one that is lost the controller asks again, by the launch or the kill that it repeats.
static void add_refused(struct agent_core *core, struct msg_report *report, size_t *text)
{
    size_t count = 0;
    while (count < core->refused_count && count < REPORT_ITEMS_MAX && *text < REPORT_TEXT_MAX)
        *text += strlen(core->refused[count++].reason);
    if (count == 0)
        return;
    report->refused = xmemdup(core->refused, count * sizeof *core->refused);
    report->refused_count = count;
    core->refused_count -= count;
    memmove(core->refused, core->refused + count, core->refused_count * sizeof *core->refused);
}

static void add_chunks(struct agent_core *core, struct agent_action *action)
{
    struct msg_report *report = &action->msg.report;
    if (core->chunk_count == 0)
        return;
    report->chunks = xmemdup(core->chunks, core->chunk_count * sizeof *core->chunks);
    report->chunk_count = core->chunk_count;
    core->chunk_count = 0;
    if (core->raw.len == 0)
        return;
    action->msg.raw_len = core->raw.len;
    action->msg.raw_owned = str_detach(&core->raw);
    action->msg.raw = action->msg.raw_owned;
}

bool core_build_report(struct agent_core *core, struct agent_action *ret)
{
    size_t text = 0;
    if (core->session == 0)
        return false;
    *ret = (struct agent_action){.kind = ACTION_SEND, .msg = {.type = MSG_REPORT, .version = PROTOCOL_VERSION}};
    struct msg_report *report = &ret->msg.report;
    report->session = core->session;
    add_started(core, report);
    add_exited(core, report, &text);
    add_refused(core, report, &text);
    add_chunks(core, ret);
    return report->started_count + report->exited_count + report->refused_count + report->chunk_count > 0;
}

static void sooner(uint64_t *deadline, uint64_t at)
{
    if (at < *deadline)
        *deadline = at;
}

void core_report_deadline(const struct agent_core *core, uint64_t *deadline)
{
    for (const struct run *run = core->runs; run && core->session; run = run->hh.next) {
        if (run->state == RUN_RUNNING && !run->started_told)
            sooner(deadline, run->started_at_ms + AGENT_STARTED_AFTER_MS);
        if (run->state == RUN_EXITED)
            sooner(deadline, run->exit_sent_ms + AGENT_RESEND_MS);
        for (int i = 0; i < STREAM_COUNT; i++)
            if (run->acked[i] < run->sent[i])
                sooner(deadline, run->progress_ms[i] + AGENT_RESEND_MS);
    }
}
