// Trials and attempts: their states, and what the end of one means for the other.

#include "controller/core/core_impl.h"

#include "base/num.h"
#include "base/mutant.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- Attempts

struct attempt *attempt_new(struct core *core, struct trial *trial, struct agent *agent, const struct attempt_row *row)
{
    struct attempt *attempt = xcalloc(1, sizeof *attempt);
    attempt->row = *row;
    attempt->row.message = xstrdup(row->message);
    attempt->trial = trial;
    attempt->agent = agent;
    HASH_ADD(hh, core->attempts, row.id, sizeof attempt->row.id, attempt);
    DL_APPEND(agent->attempts, attempt);
    DL_APPEND2(trial->attempts, attempt, trial_prev, trial_next);
    return attempt;
}

void attempt_free(struct core *core, struct attempt *attempt)
{
    attempt_give_back(attempt);
    if (attempt->trial->current == attempt)
        attempt->trial->current = NULL;
    DL_DELETE2(attempt->trial->attempts, attempt, trial_prev, trial_next);
    HASH_DEL(core->attempts, attempt);
    DL_DELETE(attempt->agent->attempts, attempt);
    free(attempt->row.message);
    free(attempt->garbage_first);
    free(attempt->sequences);
    free(attempt);
}

void attempt_store(struct core *core, struct attempt *attempt)
{
    struct change *change = batch_change(core->batch, CHANGE_ATTEMPT);
    change->attempt = attempt->row;
    change->attempt.message = (char *)batch_string(core->batch, attempt->row.message);
    attempt->dirty = false;
}

void attempt_take(struct attempt *attempt)
{
    struct agent *agent = attempt->agent;
    if (attempt->reserved)
        return;
    attempt->reserved = true;
    agent->used_slots++;
    agent->used_cpus += attempt->row.cpus;
    agent->used_memory += attempt->row.memory_bytes;
    for (uint32_t i = 0; i < attempt->row.gpu_count; i++) {
        if (attempt->row.gpus[i] < agent->gpu_count) {
            agent->gpu_used[attempt->row.gpus[i]] += attempt->row.gpu_millis;
            agent->gpu_runs[attempt->row.gpus[i]]++;
        }
    }
}

void attempt_give_back(struct attempt *attempt)
{
    struct agent *agent = attempt->agent;
    if (!attempt->reserved)
        return;
    attempt->reserved = false;
    agent->used_slots--;
    agent->used_cpus -= attempt->row.cpus;
    agent->used_memory -= attempt->row.memory_bytes;
    for (uint32_t i = 0; i < attempt->row.gpu_count; i++) {
        if (attempt->row.gpus[i] < agent->gpu_count) {
            agent->gpu_used[attempt->row.gpus[i]] -= attempt->row.gpu_millis;
            agent->gpu_runs[attempt->row.gpus[i]]--;
        }
    }
}

// Ask for its end; a second call with less grace hastens it, and a person's cancel outweighs other reasons.
void attempt_kill(struct attempt *attempt, const char *class_word, uint64_t grace_ms)
{
    if (attempt->row.state != ATTEMPT_ASSIGNED && attempt->row.state != ATTEMPT_RUNNING)
        return;
    bool outweighs = !attempt->kill_class || (strcmp(class_word, "cancelled") == 0 && strcmp(attempt->kill_class, class_word) != 0);
    if (!outweighs && grace_ms >= attempt->kill_grace_ms)
        return;
    if (outweighs) {
        attempt->kill_grace_ms = attempt->kill_class && attempt->kill_grace_ms < grace_ms ? attempt->kill_grace_ms : grace_ms;
        attempt->kill_class = class_word;
    } else {
        attempt->kill_grace_ms = grace_ms;
    }
    attempt->killed_ms = 0;
}

static void trial_again(struct now now, struct trial *trial, uint64_t wait_ms)
{
    trial_set_state(trial, TRIAL_PENDING);
    trial_queue(trial, wait_ms ? now.mono_ms + wait_ms : 0);
}

static uint64_t backoff_ms(uint32_t used)
{
    uint64_t wait = BACKOFF_FIRST_MS;
    for (uint32_t i = 1; i < used && wait < BACKOFF_MAX_MS; i++)
        wait *= 2;
    return wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS;
}

// The trial's attempt ended in a way that gives no result: again within the budget of that class, else failed.
static void retry_or_fail(struct core *core, struct now now, struct trial *trial, const struct attempt *attempt,
                          enum exit_class class_id)
{
    struct sweep *sweep = trial->sweep;
    const char *message = attempt->row.message && *attempt->row.message ? attempt->row.message : NULL;
    if (sweep_is_cancelling(sweep)) { // it does not run anything again
        trial_finish(core, now, trial, TRIAL_CANCELLED, "the sweep was cancelled");
        if (!MUTANT(MUTANT_CANCEL_NOT_STORED))
            trial_store(core, trial);
        return;
    }
    if (class_id == EXIT_INTERRUPTED) {
        core_event(core, now, sweep, trial, attempt, attempt->agent, "interrupted", "ended on request; it runs again when the sweep goes on");
        trial_again(now, trial, 0);
    } else if (trial->row.retries[class_id] < sweep->spec->retry[class_id]) {
        uint32_t used = ++trial->row.retries[class_id];
        bool at_once = class_id == EXIT_LOST || class_id == EXIT_KILLED;
        core_event(core, now, sweep, trial, attempt, attempt->agent, "retry",
                   batch_stringf(core->batch, "%s (%s)%s%s; retry %u of %u", exit_class_word(class_id),
                                 exit_class_meaning(class_id), message ? ": " : "", message ? message : "", used,
                                 sweep->spec->retry[class_id]));
        trial_again(now, trial, at_once ? 0 : backoff_ms(used));
    } else {
        const char *text = batch_stringf(core->batch, "%s: %s%s%s", exit_class_word(class_id),
                                         class_id == EXIT_FAILED ? batch_stringf(core->batch, "exit code %lld", (long long)attempt->row.code)
                                                                 : exit_class_meaning(class_id),
                                         message ? ": " : "", message ? message : "");
        trial_finish(core, now, trial, TRIAL_FAILED, text);
    }
    trial_store(core, trial);
}

static const char *stopped_text(struct core *core, const struct attempt *attempt)
{
    char value[NUM_TEXT_MAX];
    if (!attempt->row.values.has[0])
        return "stopped early";
    num_format_double(attempt->row.values.at[0], value);
    return batch_stringf(core->batch, "stopped early; its last value, %s, counts", value);
}

// An attempt that will not give a result any more (lost, refused): its trial goes on without it, after `wait_ms` where it costs no retry.
void attempt_end(struct core *core, struct now now, struct attempt *attempt, enum attempt_state state, const char *text, uint64_t wait_ms)
{
    struct trial *trial = attempt->trial;
    bool was_running = attempt->row.state != ATTEMPT_ASSIGNED;
    bool asked = attempt->kill_class != NULL;
    attempt_give_back(attempt);
    attempt->row.state = state;
    attempt->row.ended_ms = now.wall_ms;
    if (state == ATTEMPT_LOST) {
        attempt->row.has_class = true;
        attempt->row.exit_class = EXIT_LOST;
        free(attempt->row.message);
        attempt->row.message = xstrdup(text);
    }
    attempt_store(core, attempt);
    core_event(core, now, trial->sweep, trial, attempt, attempt->agent, attempt_state_word(state), text);
    if (trial->current != attempt)
        return;
    trial->current = NULL;
    trial->sweep->running--;
    if (trial_state_terminal(trial->row.state))
        return;
    if (asked && strcmp(attempt->kill_class, "cancelled") == 0) {
        trial_finish(core, now, trial, TRIAL_CANCELLED, "cancelled");
        trial_store(core, trial);
    } else if (asked && strcmp(attempt->kill_class, "stopped") == 0 && attempt->row.values.has[0]) {
        trial->row.values = attempt->row.values; // it was given up already: nothing is gained by running it again
        trial_finish(core, now, trial, TRIAL_STOPPED, stopped_text(core, attempt));
        trial_store(core, trial);
    } else if (was_running && !asked) {
        retry_or_fail(core, now, trial, attempt, EXIT_LOST);
    } else {
        trial_again(now, trial, asked ? 0 : wait_ms);
        trial_store(core, trial);
    }
}

static enum exit_class class_of(const struct attempt *attempt, const struct sweep *sweep)
{
    enum exit_class class_id = attempt->row.exit_class;
    size_t objective_count = sweep->spec->objective_count;
    bool good = attempt->row.code == 0 && values_complete(&attempt->row.values, objective_count);
    bool cancelled = attempt->kill_class && strcmp(attempt->kill_class, "cancelled") == 0;
    if (class_id == EXIT_INTERRUPTED && cancelled)
        return EXIT_CANCELLED; // it was ending already when it was cancelled
    bool given_up = attempt->kill_class && strcmp(attempt->kill_class, "stopped") == 0 && attempt->row.values.has[0];
    if (given_up && (class_id == EXIT_INTERRUPTED || class_id == EXIT_LOST || class_id == EXIT_KILLED))
        return EXIT_STOPPED; // what ended it came between; it would not be let run on
    if (class_id == EXIT_INTERRUPTED && good && objective_count > 0)
        return EXIT_SUCCESS_CLASS; // it reported its objectives and ended well: that is a result
    if (class_id == EXIT_SUCCESS_CLASS && !good)
        return EXIT_NO_METRIC;
    return class_id;
}

static void learn_duration(struct sweep *sweep, const struct attempt *attempt)
{
    if (attempt->row.started_ms <= 0 || attempt->row.ended_ms < attempt->row.started_ms)
        return;
    double ms = (double)(attempt->row.ended_ms - attempt->row.started_ms);
    sweep->mean_ms = sweep->mean_ms < 0 ? ms : 0.9 * sweep->mean_ms + 0.1 * ms;
}

static const char *done_text(struct core *core, const struct attempt *attempt)
{
    const struct values *values = &attempt->row.values;
    size_t objective_count = attempt->trial->sweep->spec->objective_count;
    char took[NUM_TEXT_MAX], value[NUM_TEXT_MAX], text[OBJECTIVES_MAX * (NUM_TEXT_MAX + 2)];
    size_t len = 0;
    int64_t ms = attempt->row.ended_ms - attempt->row.started_ms;
    num_format_duration(ms > 0 ? (uint64_t)ms : 0, took);
    if (objective_count == 0)
        return batch_stringf(core->batch, "done on %s in %s", attempt->agent->row.name, took);
    for (size_t i = 0; i < objective_count; i++) {
        num_format_double(values->at[i], value);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? ", " : "", value);
    }
    return batch_stringf(core->batch, "done on %s in %s, value%s %s", attempt->agent->row.name, took,
                         objective_count > 1 ? "s" : "", text);
}

static void check_start_failures(struct core *core, struct now now, struct sweep *sweep, const struct attempt *attempt,
                                 enum exit_class class_id)
{
    if (class_id != EXIT_START_FAILED)
        sweep->start_failures = 0;
    if (class_id != EXIT_START_FAILED || sweep->row.trials[TRIAL_DONE] > 0)
        return;
    if (++sweep->start_failures < CORE_START_FAILURES_MAX || sweep->row.state != SWEEP_RUNNING)
        return;
    sweep->start_failures = 0;
    sweep_set_state(core, now, sweep, SWEEP_PAUSED,
                    batch_stringf(core->batch, "%d runs in a row could not be started: %s; correct it, then `trawl resume`",
                                  CORE_START_FAILURES_MAX,
                                  attempt->row.message && *attempt->row.message ? attempt->row.message : "no reason was given"));
}

static void apply_result(struct core *core, struct now now, struct trial *trial, struct attempt *attempt)
{
    struct sweep *sweep = trial->sweep;
    enum exit_class class_id = class_of(attempt, sweep);
    attempt->row.exit_class = class_id;
    learn_duration(sweep, attempt);
    trial->row.values = attempt->row.values;
    check_start_failures(core, now, sweep, attempt, class_id);
    if (class_id == EXIT_SUCCESS_CLASS)
        trial_finish(core, now, trial, TRIAL_DONE, done_text(core, attempt));
    else if (class_id == EXIT_CANCELLED)
        trial_finish(core, now, trial, TRIAL_CANCELLED, "cancelled");
    else if (class_id == EXIT_STOPPED)
        trial_finish(core, now, trial, TRIAL_STOPPED, stopped_text(core, attempt));
    else {
        retry_or_fail(core, now, trial, attempt, class_id);
        return;
    }
    trial_store(core, trial);
}

static bool is_complete(const struct attempt *attempt)
{
    for (int i = 0; i < STREAM_COUNT; i++)
        if (attempt->row.cursors[i] < attempt->row.lengths[i])
            return false;
    return true;
}

// An exited attempt whose streams are stored to their ends is sealed: only now its trial may have the result.
void attempt_seal(struct core *core, struct now now, struct attempt *attempt)
{
    struct trial *trial = attempt->trial;
    if (attempt->row.state != ATTEMPT_EXITED || (!is_complete(attempt) && !MUTANT(MUTANT_SEAL_EARLY)))
        return;
    attempt->row.state = ATTEMPT_SEALED;
    if (attempt->garbage > 0)
        core_event(core, now, trial->sweep, trial, attempt, attempt->agent, "garbage",
                   batch_stringf(core->batch, "%llu lines of metrics were not JSON objects; the first: %.120s",
                                 (unsigned long long)attempt->garbage, attempt->garbage_first));
    if (attempt->nameless > 0)
        core_event(core, now, trial->sweep, trial, attempt, attempt->agent, "dropped",
                   batch_stringf(core->batch, "%llu values of metrics were dropped: a name has at most %d bytes, a database %d names",
                                 (unsigned long long)attempt->nameless, METRIC_NAME_MAX, METRIC_NAMES_MAX));
    if (trial->current == attempt) {
        trial->current = NULL;
        trial->sweep->running--;
        if (!trial_state_terminal(trial->row.state))
            apply_result(core, now, trial, attempt);
    }
    if (MUTANT(MUTANT_RESULT_OVERWRITES) && trial->current && trial->current != attempt)
        apply_result(core, now, trial, attempt);
    attempt_store(core, attempt);
    attempt_free(core, attempt);
    if (trial_state_terminal(trial->row.state))
        trial_free(core, trial);
}

// ---- Trials

struct trial *trial_new(struct core *core, struct sweep *sweep, const struct trial_row *row)
{
    struct trial *trial = xcalloc(1, sizeof *trial);
    trial->row = *row;
    trial->row.config = xstrdup(row->config);
    trial->sweep = sweep;
    trial->curve = row->attempt;
    HASH_ADD(hh, core->trials, row.id, sizeof trial->row.id, trial);
    return trial;
}

// Forget a trial, unless an attempt of it is still open somewhere.
void trial_free(struct core *core, struct trial *trial)
{
    struct attempt *attempt, *tmp;
    if (trial->current)
        return;
    DL_FOREACH_SAFE2 (trial->attempts, attempt, tmp, trial_next) {
        if (attempt->row.state != ATTEMPT_LOST && attempt->row.state != ATTEMPT_REFUSED)
            return; // superseded, but its process still runs: it is being ended
        attempt_free(core, attempt);
    }
    trial_unqueue(trial);
    HASH_DEL(core->trials, trial);
    free(trial->row.config);
    free(trial);
}

void trial_store(struct core *core, const struct trial *trial)
{
    struct change *change = batch_change(core->batch, CHANGE_TRIAL);
    change->trial = trial->row;
    change->trial.config = NULL;
}

// What people asked for goes first.
static int by_turn(const struct trial *a, const struct trial *b)
{
    if (a->row.enqueued != b->row.enqueued)
        return a->row.enqueued ? -1 : 1;
    return a->row.number < b->row.number ? -1 : a->row.number > b->row.number;
}

static void append_pending(struct trial *trial)
{
    struct sweep *sweep = trial->sweep;
    trial->not_before_ms = 0;
    sweep->pending_count++;
    if (!sweep->pending || by_turn(sweep->pending->prev, trial) < 0)
        DL_APPEND(sweep->pending, trial); // the usual case: a new one
    else
        DL_INSERT_INORDER(sweep->pending, trial, by_turn);
}

void trial_queue(struct trial *trial, uint64_t not_before_ms)
{
    struct sweep *sweep = trial->sweep;
    if (trial->queued)
        return;
    trial->queued = true;
    if (not_before_ms == 0) {
        append_pending(trial);
        return;
    }
    trial->not_before_ms = not_before_ms;
    if (!sweep->waiting || not_before_ms < sweep->wake_ms)
        sweep->wake_ms = not_before_ms;
    sweep->waiting_count++;
    DL_APPEND(sweep->waiting, trial);
}

void trial_wake(struct sweep *sweep, uint64_t now_ms)
{
    struct trial *trial, *tmp;
    if (!sweep->waiting || now_ms < sweep->wake_ms)
        return;
    sweep->wake_ms = UINT64_MAX;
    DL_FOREACH_SAFE (sweep->waiting, trial, tmp) {
        if (trial->not_before_ms <= now_ms) {
            DL_DELETE(sweep->waiting, trial);
            sweep->waiting_count--;
            append_pending(trial);
        } else if (trial->not_before_ms < sweep->wake_ms) {
            sweep->wake_ms = trial->not_before_ms;
        }
    }
}

void trial_unqueue(struct trial *trial)
{
    struct sweep *sweep = trial->sweep;
    if (!trial->queued)
        return;
    trial->queued = false;
    if (trial->not_before_ms > 0) {
        DL_DELETE(sweep->waiting, trial);
        sweep->waiting_count--;
    } else {
        DL_DELETE(sweep->pending, trial);
        sweep->pending_count--;
    }
}

void trial_set_state(struct trial *trial, enum trial_state state)
{
    struct sweep *sweep = trial->sweep;
    sweep->row.trials[trial->row.state]--;
    sweep->row.trials[state]++;
    trial->row.state = state;
    sweep->dirty = true;
}

struct point *point_get(struct sweep *sweep, uint64_t point)
{
    struct point *found = NULL;
    HASH_FIND(hh, sweep->points, &point, sizeof point, found);
    if (!found) {
        found = xcalloc(1, sizeof *found);
        found->point = point;
        HASH_ADD(hh, sweep->points, point, sizeof found->point, found);
    }
    return found;
}

void point_free(struct sweep *sweep, struct point *point)
{
    HASH_DEL(sweep->points, point);
    free(point->over);
    free(point);
}

struct point *point_count(struct sweep *sweep, const struct trial_row *row)
{
    struct point *point = point_get(sweep, row->point);
    ARRAY_GROW(point->over, point->over_count, point->over_capacity);
    point->over[point->over_count++] = (struct repeat){.number = row->repeat, .state = row->state, .values = row->values};
    return point;
}

// A result that was counted is taken out again: its trial runs once more.
void point_uncount(struct point *point, const struct trial_row *row)
{
    for (size_t i = 0; i < point->over_count; i++) {
        if (point->over[i].number == row->repeat) {
            point->over[i] = point->over[--point->over_count];
            return;
        }
    }
}

// All repeats of the point are over: the strategy hears of it, once, also when some of them are run again later.
static void tell_point(struct core *core, struct sweep *sweep, struct trial *trial, struct point *point)
{
    struct batch *batch = core->batch;
    struct outcome outcome = repeats_outcome(point->over, point->over_count, sweep->spec->objective_count);
    ARRAY_GROW(batch->tells, batch->tell_count, batch->tell_capacity);
    batch->tells[batch->tell_count++] =
        (struct tell){.sweep = sweep->row.id,
                      .point = point->point,
                      .outcome = outcome,
                      .has_step = outcome.state == POINT_STOPPED && sweep->spec->repeats == 1 && trial->has_step,
                      .last_step = trial->last_step};
    trial->row.tell_number = ++sweep->row.tell_count;
}

void trial_finish(struct core *core, struct now now, struct trial *trial, enum trial_state state, const char *text)
{
    struct sweep *sweep = trial->sweep;
    trial_unqueue(trial);
    trial_set_state(trial, state);
    trial->row.ended_ms = now.wall_ms;
    core_event(core, now, sweep, trial, NULL, NULL, trial_state_word(state), text);
    stops_ended(trial);
    if (state == TRIAL_DONE)
        sweep_note_result(sweep, trial->row.number, &trial->row.values);
    struct point *point = point_count(sweep, &trial->row);
    if (point->over_count < point->made)
        return;
    if (!point->told)
        tell_point(core, sweep, trial, point);
    point_free(sweep, point);
}
