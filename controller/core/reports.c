// Reports of agents: started, stream bytes, ends, refusals. Each is applied once, however often it comes.

#include "controller/core/core_impl.h"

#include "base/mutant.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct report { // one report while it is applied
    struct core *core;
    struct now now;
    struct agent *agent;
    struct attempt *attempt; // whose metrics are parsed
    struct msg_ack ack;
    size_t cursor_capacity, forget_capacity;
};

static void forget(struct report *report, uint64_t attempt)
{
    ARRAY_GROW(report->ack.forget, report->ack.forget_count, report->forget_capacity);
    report->ack.forget[report->ack.forget_count++] = attempt;
}

static void acknowledge(struct report *report, uint64_t attempt, uint32_t stream, uint64_t offset)
{
    ARRAY_GROW(report->ack.cursors, report->ack.cursor_count, report->cursor_capacity);
    report->ack.cursors[report->ack.cursor_count++] =
        (struct msg_cursor){.attempt = attempt, .stream = stream, .offset = offset};
}

static struct attempt *find_own(struct report *report, uint64_t id)
{
    struct attempt *attempt = core_find_attempt(report->core, id);
    return attempt && attempt->agent == report->agent ? attempt : NULL;
}

// ---- Started

static void apply_started(struct report *report, const struct msg_started *started)
{
    struct attempt *attempt = find_own(report, started->attempt);
    if (!attempt || attempt->row.state != ATTEMPT_ASSIGNED)
        return;
    attempt->row.state = ATTEMPT_RUNNING;
    attempt->row.pid = started->pid;
    attempt->row.started_ms = started->at_ms ? started->at_ms : report->now.wall_ms; // an adopted run's agent does not know
    attempt_store(report->core, attempt);
    struct trial *trial = attempt->trial;
    if (trial->current == attempt) {
        trial->row.started_ms = attempt->row.started_ms;
        trial_store(report->core, trial);
    }
}

// ---- Metrics

static uint32_t name_id(struct core *core, const char *name)
{
    struct metric_name *entry = NULL;
    HASH_FIND_STR(core->names, name, entry);
    if (entry)
        return entry->id;
    if (HASH_COUNT(core->names) >= METRIC_NAMES_MAX || strlen(name) > METRIC_NAME_MAX)
        return 0;
    entry = xcalloc(1, sizeof *entry);
    entry->name = xstrdup(name);
    entry->id = core->options.next_metric_name++;
    HASH_ADD_KEYPTR(hh, core->names, entry->name, strlen(entry->name), entry);
    struct change *change = batch_change(core->batch, CHANGE_METRIC_NAME);
    change->metric_name.id = entry->id;
    change->metric_name.name = batch_string(core->batch, name);
    return entry->id;
}

// The count of points of this name before this one, counted up. A run has few names: a list is enough.
static uint64_t next_sequence(struct attempt *attempt, uint32_t name)
{
    for (size_t i = 0; i < attempt->sequence_count; i++)
        if (attempt->sequences[i].name == name)
            return attempt->sequences[i].count++;
    ARRAY_GROW(attempt->sequences, attempt->sequence_count, attempt->sequence_capacity);
    attempt->sequences[attempt->sequence_count++] = (struct sequence){.name = name, .count = 1};
    return 0;
}

// The place of an objective, or objective_count for another metric.
static size_t objective_of(const struct attempt *attempt, const char *name)
{
    const struct spec *spec = attempt->trial->sweep->spec;
    size_t i = 0;
    while (i < spec->objective_count && strcmp(spec->objectives[i].name, name) != 0)
        i++;
    return i;
}

// A value of an objective: the last one counts, but one of a summary before all that are none.
static void note_value(struct attempt *attempt, const char *name, bool is_summary, double value)
{
    size_t objective = objective_of(attempt, name);
    if (objective == attempt->trial->sweep->spec->objective_count || (attempt->has_summary[objective] && !is_summary))
        return;
    attempt->row.values.has[objective] = true;
    attempt->row.values.at[objective] = value;
    attempt->has_summary[objective] = is_summary;
}

static void on_point(void *context, const char *name, bool has_step, int64_t step, double time, double value)
{
    struct report *report = context;
    struct attempt *attempt = report->attempt;
    note_value(attempt, name, false, value);
    uint32_t id = name_id(report->core, name);
    if (id == 0) {
        attempt->nameless++;
        return;
    }
    uint64_t sequence = next_sequence(attempt, id);
    struct change *change = batch_change(report->core->batch, CHANGE_POINT);
    change->point.attempt = attempt->row.id;
    change->point.name = id;
    change->point.sequence = sequence;
    change->point.step = has_step ? step : (int64_t)sequence;
    change->point.time = time;
    change->point.value = value;
    if (attempt->trial->sweep->spec->objective_count > 0 && objective_of(attempt, name) == 0)
        stops_report(report->core, report->now, attempt, change->point.step, value);
}

static void on_summary(void *context, const char *name, const char *json, bool is_number, double value)
{
    struct report *report = context;
    struct attempt *attempt = report->attempt;
    if (is_number)
        note_value(attempt, name, true, value);
    uint32_t id = name_id(report->core, name);
    if (id == 0) {
        attempt->nameless++;
        return;
    }
    struct change *change = batch_change(report->core->batch, CHANGE_SUMMARY);
    change->summary.attempt = attempt->row.id;
    change->summary.name = id;
    change->summary.json = batch_string(report->core->batch, json);
}

static void parse_metrics(struct report *report, struct attempt *attempt, const char *data, size_t len)
{
    const struct metrics_sink sink = {.context = report, .point = on_point, .summary = on_summary};
    report->attempt = attempt;
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        size_t line = end ? (size_t)(end - data) : len;
        if (!metrics_parse_line(report->core->parser, data, line, &sink) && attempt->garbage++ == 0)
            attempt->garbage_first = xstrndup(data, line < 120 ? line : 120);
        size_t step = end ? line + 1 : line;
        data += step;
        len -= step;
    }
}

// ---- Bytes

// Bytes count only when they begin just where the stored ones end; whatever else comes is answered with the cursor.
static void apply_chunk(struct report *report, const struct msg_chunk *chunk, const char *data)
{
    struct attempt *attempt = find_own(report, chunk->attempt);
    if (!attempt || (attempt->row.state != ATTEMPT_ASSIGNED && attempt->row.state != ATTEMPT_RUNNING &&
                     attempt->row.state != ATTEMPT_EXITED))
        return;
    uint64_t *cursor = &attempt->row.cursors[chunk->stream];
    if ((chunk->offset == *cursor || MUTANT(MUTANT_NO_OFFSET_CHECK)) && chunk->skipped + chunk->length > 0) {
        struct core *core = report->core;
        struct trial *trial = attempt->trial;
        if (chunk->skipped > 0)
            core_event(core, report->now, trial->sweep, trial, attempt, report->agent, "skipped",
                       batch_stringf(core->batch, "%llu bytes of %s were left out (a line over %d bytes)",
                                     (unsigned long long)chunk->skipped, stream_name((enum stream)chunk->stream), METRIC_LINE_MAX));
        if (chunk->stream == STREAM_METRICS) {
            parse_metrics(report, attempt, data, chunk->length);
        } else if (chunk->length > 0) {
            struct change *change = batch_change(core->batch, CHANGE_LOG);
            change->log.attempt = attempt->row.id;
            change->log.sweep = trial->sweep->row.id;
            change->log.trial_number = trial->row.number;
            change->log.attempt_number = attempt->row.number;
            change->log.stream = (enum stream)chunk->stream;
            change->log.offset = *cursor + chunk->skipped;
            change->log.data = data;
            change->log.len = chunk->length;
        }
        *cursor += chunk->skipped + chunk->length;
        attempt->dirty = true;
    }
    acknowledge(report, chunk->attempt, chunk->stream, *cursor);
}

// ---- Ends

// A power loss may take back bytes of a run that had ended and said so: what its disk has no more will never come, and is not waited for.
static void shorten(struct report *report, struct attempt *attempt, const uint64_t lengths[STREAM_COUNT])
{
    struct core *core = report->core;
    struct attempt_row *row = &attempt->row;
    for (int i = 0; i < STREAM_COUNT; i++) {
        uint64_t length = lengths[i] > row->cursors[i] ? lengths[i] : row->cursors[i];
        if (length >= row->lengths[i])
            continue;
        core_event(core, report->now, attempt->trial->sweep, attempt->trial, attempt, report->agent, "skipped",
                   batch_stringf(core->batch, "%llu bytes of %s were lost with the machine's power after the run had ended",
                                 (unsigned long long)(row->lengths[i] - length), stream_name((enum stream)i)));
        row->lengths[i] = length;
        attempt->dirty = true;
    }
}

static void apply_exited(struct report *report, const struct msg_exited *exited)
{
    struct attempt *attempt = find_own(report, exited->attempt);
    enum exit_class class_id;
    if (!attempt || attempt->row.state == ATTEMPT_REFUSED || !exit_class_parse(exited->class_word, &class_id)) {
        forget(report, exited->attempt); // sealed before, or never ours
        return;
    }
    if (attempt->row.state == ATTEMPT_LOST) {
        forget(report, exited->attempt); // it counts only through a hello, which may take it back
        return;
    }
    if (attempt->row.state == ATTEMPT_EXITED) {
        if (!MUTANT(MUTANT_LENGTHS_STAY))
            shorten(report, attempt, exited->lengths);
        return;
    }
    struct attempt_row *row = &attempt->row;
    attempt_give_back(attempt);
    row->state = ATTEMPT_EXITED;
    row->has_class = true;
    row->exit_class = class_id;
    row->code = exited->code;
    row->signal = exited->signal;
    row->started_ms = exited->started_ms;
    row->ended_ms = exited->ended_ms;
    row->cpu_ms = exited->cpu_ms;
    row->max_rss_bytes = exited->max_rss_bytes;
    row->dropped_bytes = exited->dropped_bytes;
    memcpy(row->lengths, exited->lengths, sizeof row->lengths);
    free(row->message);
    row->message = xstrdup(exited->message);
    if (attempt->trial->current == attempt) {
        attempt->trial->row.started_ms = exited->started_ms;
        attempt->trial->row.ended_ms = exited->ended_ms;
    }
    attempt->dirty = true;
}

static void apply_refused(struct report *report, const struct msg_refused *refused)
{
    struct attempt *attempt = find_own(report, refused->attempt);
    forget(report, refused->attempt);
    if (!attempt || attempt->row.state != ATTEMPT_ASSIGNED)
        return;
    struct trial *trial = attempt->trial;
    attempt_end(report->core, report->now, attempt, ATTEMPT_REFUSED, batch_string(report->core->batch, refused->reason), BACKOFF_FIRST_MS);
    attempt_free(report->core, attempt);
    if (trial_state_terminal(trial->row.state))
        trial_free(report->core, trial);
}

// Seal what is complete now, store what changed otherwise.
static void settle(struct report *report, uint64_t id)
{
    struct attempt *attempt = find_own(report, id);
    if (!attempt)
        return;
    attempt_seal(report->core, report->now, attempt);
    attempt = find_own(report, id);
    if (!attempt)
        forget(report, id);
    else if (attempt->dirty)
        attempt_store(report->core, attempt);
}

void report_apply(struct core *core, struct now now, struct agent *agent, const struct msg_report *msg, const char *raw)
{
    struct report report = {.core = core, .now = now, .agent = agent};
    for (size_t i = 0; i < msg->started_count; i++)
        apply_started(&report, &msg->started[i]);
    for (size_t i = 0; i < msg->chunk_count; i++) {
        apply_chunk(&report, &msg->chunks[i], raw);
        raw += msg->chunks[i].length;
    }
    for (size_t i = 0; i < msg->exited_count; i++)
        apply_exited(&report, &msg->exited[i]);
    for (size_t i = 0; i < msg->refused_count; i++)
        apply_refused(&report, &msg->refused[i]);
    for (size_t i = 0; i < msg->chunk_count; i++)
        settle(&report, msg->chunks[i].attempt);
    for (size_t i = 0; i < msg->exited_count; i++)
        settle(&report, msg->exited[i].attempt);
    if (report.ack.cursor_count == 0 && report.ack.forget_count == 0) {
        free(report.ack.cursors);
        free(report.ack.forget);
        return;
    }
    struct msg *ack = core_send(core, agent->peer, MSG_ACK);
    ack->ack = report.ack;
    ack->ack.session = agent->row.session;
}
