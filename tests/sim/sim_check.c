// What must hold: of each batch that the store took, and of everything at the end.

#include "tests/sim/sim.h"

#define ATTEMPTS_PER_TRIAL_MAX 1000

struct fate *fate_of(struct sim *sim, uint64_t id)
{
    struct fate *fate = NULL;
    HASH_FIND(hh, sim->fates, &id, sizeof id, fate);
    return fate;
}

struct seen *seen_of(const struct sim *sim, uint64_t attempt)
{
    struct seen *seen = NULL;
    HASH_FIND(hh, sim->started, &attempt, sizeof attempt, seen);
    return seen;
}

// ---- Each batch

static void check_trial(struct sim *sim, const struct trial_row *row)
{
    struct fate *fate = fate_of(sim, row->id);
    if (!fate) {
        fate = xcalloc(1, sizeof *fate);
        *fate = (struct fate){.id = row->id, .sweep = row->sweep, .trial = row->number};
        HASH_ADD(hh, sim->fates, id, sizeof fate->id, fate);
    }
    if (trial_state_terminal(fate->state) && row->state != fate->state) {
        if (!fate->retried)
            fail(sim, "I5: trial %llu was %s and became %s", (unsigned long long)row->number, trial_state_word(fate->state),
                 trial_state_word(row->state));
        fate->retried = false;
    }
    fate->state = row->state;
}

static void check_point(struct sim *sim, uint64_t attempt, uint64_t sequence, double value)
{
    struct seen *seen = seen_of(sim, attempt);
    if (!seen)
        fail(sim, "I4: attempt %llu has points and never ran", (unsigned long long)attempt);
    else if (value >= ATTEMPT_BASE && value != (double)(ATTEMPT_BASE + attempt))
        fail(sim, "I4: attempt %llu has a line of another", (unsigned long long)attempt);
    else if (value < ATTEMPT_BASE && value >= LINE_BASE && value != (double)(LINE_BASE + sequence))
        fail(sim, "I4: point %llu of attempt %llu is of line %.0f", (unsigned long long)sequence, (unsigned long long)attempt, value - LINE_BASE);
    else if (value < ATTEMPT_BASE && value >= LINE_BASE && ++seen->lines > seen->process->lines_written)
        fail(sim, "I4: attempt %llu has more lines than it wrote", (unsigned long long)attempt);
    else if (value < LINE_BASE && value != OBJECTIVE)
        fail(sim, "I4: attempt %llu has a value that it never wrote", (unsigned long long)attempt);
}

static void check_log(struct sim *sim, uint64_t attempt, uint64_t offset, const uint8_t *data, size_t len)
{
    struct seen *seen = seen_of(sim, attempt);
    if (!seen || offset != seen->printed || offset + len > seen->process->printed_written) {
        fail(sim, "I4: output of attempt %llu at %llu, %llu are stored", (unsigned long long)attempt, (unsigned long long)offset,
             (unsigned long long)(seen ? seen->printed : 0));
        return;
    }
    for (size_t i = 0; i < len; i++)
        if (data[i] != printed_byte(attempt, offset + i))
            fail(sim, "I4: output of attempt %llu differs at %llu", (unsigned long long)attempt, (unsigned long long)(offset + i));
    seen->printed += len;
}

void check_committed(struct sim *sim)
{
    const struct batch *batch = &sim->controller.batch;
    for (size_t i = 0; i < batch->change_count; i++) {
        const struct change *change = &batch->changes[i];
        if (change->kind == CHANGE_TRIAL || change->kind == CHANGE_TRIAL_NEW)
            check_trial(sim, &change->trial);
        else if (change->kind == CHANGE_POINT)
            check_point(sim, change->point.attempt, change->point.sequence, change->point.value);
        else if (change->kind == CHANGE_LOG)
            check_log(sim, change->log.attempt, change->log.offset, change->log.data, change->log.len);
        sim->changes += change->kind == CHANGE_TRIAL || change->kind == CHANGE_ATTEMPT || change->kind == CHANGE_ATTEMPT_NEW;
    }
}

// Under policy `stop` a trial never has two live processes; under `keep` only after a lease has run out.
void check_alone(struct sim *sim, const struct process *process)
{
    unsigned live = 0;
    for (size_t i = 0; i < AGENTS; i++)
        for (const struct process *p = sim->nodes[i].processes; p; p = p->next)
            live += p->alive && p->trial == process->trial && p->sweep == process->sweep &&
                    !(p->stop_policy && sim->now_ms >= p->lease_until_ms); // ends in this instant
    if (live > 1 && (process->stop_policy || !sim->lease_may_end))
        fail(sim, "I2: trial %llu has %u live processes", (unsigned long long)process->trial, live);
}

// ---- The end

bool is_over(const struct sim *sim)
{
    if (faults(sim) || !sim->controller_up || core_running(sim->controller.core, 0) > 0)
        return false;
    for (size_t i = 0; i < sim->sweep_count; i++)
        if (!sweep_state_terminal(core_sweep(sim->controller.core, sim->sweeps[i])->state))
            return false;
    return true;
}

struct tally {
    struct sim *sim;
    uint64_t result;          // attempt that gave the trial's
    enum trial_state state;
    uint64_t attempts, sealed_good;
    uint64_t states[TRIAL_STATE_COUNT];
};

static int tally_attempt(void *context, const struct attempt_row *row)
{
    struct tally *tally = context;
    struct sim *sim = tally->sim;
    const struct seen *seen = seen_of(sim, row->id);
    unsigned long long attempt = row->id;
    bool sealed = row->state == ATTEMPT_SEALED;
    tally->attempts++;
    tally->sealed_good += sealed && row->exit_class == EXIT_SUCCESS_CLASS;
    if (row->cursors[STREAM_METRICS] != (seen ? seen->lines * LINE_LEN : 0) || row->cursors[STREAM_STDOUT] != (seen ? seen->printed : 0))
        fail(sim, "I4: the cursors of attempt %llu are not where its bytes end", attempt);
    if (!seen)
        return 0;
    if (sealed && (seen->lines < seen->process->lines || seen->printed < seen->process->printed))
        fail(sim, "I4: attempt %llu is sealed without its last bytes", attempt);
    if (seen->process->forgotten && !sim->lease_may_end && seen->process->class_word && strcmp(seen->process->class_word, "success") == 0 &&
        !sealed)
        fail(sim, "I3: the end of attempt %llu was forgotten, it is %s", attempt, attempt_state_word(row->state));
    if (row->id == tally->result && tally->state == TRIAL_DONE && !sealed)
        fail(sim, "I5: the result came from attempt %llu, which is %s", attempt, attempt_state_word(row->state));
    return 0;
}

static int tally_trial(void *context, const struct trial_row *row)
{
    struct tally *tally = context;
    struct sim *sim = tally->sim;
    struct tally own = {.sim = sim, .result = row->attempt, .state = row->state};
    unsigned long long number = row->number;
    const struct fate *fate = fate_of(sim, row->id);
    tally->states[row->state]++;
    store_each_attempt(sim->controller.store, row->id, tally_attempt, &own, NULL);
    if (row->state == TRIAL_DONE && (!row->values.has[0] || row->values.at[0] != OBJECTIVE))
        fail(sim, "trial %llu is done without its value", number);
    if (row->state == TRIAL_STOPPED && (!row->values.has[0] || row->values.at[0] != OBJECTIVE))
        fail(sim, "trial %llu is stopped without its last value", number);
    const struct seen *result = seen_of(sim, row->attempt);
    if (row->state == TRIAL_STOPPED && (!result || result->lines < PATIENCE + 1))
        fail(sim, "trial %llu is stopped after %llu reports", number, (unsigned long long)(result ? result->lines : 0));
    if (!fate || fate->state != row->state)
        fail(sim, "trial %llu is not as it was told", number);
    if (own.attempts != row->attempt_count || own.attempts > ATTEMPTS_PER_TRIAL_MAX)
        fail(sim, "trial %llu has %llu attempts and counts %u", number, (unsigned long long)own.attempts, row->attempt_count);
    if (row->state == TRIAL_DONE && own.sealed_good == 0)
        fail(sim, "trial %llu is done and none of its attempts ended well", number);
    if (sim->calm && row->state != TRIAL_DONE)
        fail(sim, "I3: trial %llu is %s", number, trial_state_word(row->state));
    if (sim->calm && !sim->lease_may_end && fate && fate->completions != 1)
        fail(sim, "trial %llu ran to completion %llu times", number, (unsigned long long)fate->completions);
    return 0;
}

static void check_sweep(struct sim *sim, uint64_t id)
{
    struct tally tally = {.sim = sim};
    struct trial_query query = {.sweep = id, .state = -1};
    const struct sweep_row *sweep = core_sweep(sim->controller.core, id);
    if (store_each_trial(sim->controller.store, &query, tally_trial, &tally, NULL) != 0)
        fail(sim, "the trials cannot be read");
    for (int i = 0; i < TRIAL_STATE_COUNT; i++)
        if (tally.states[i] != sweep->trials[i])
            fail(sim, "the sweep counts %llu trials as %s, there are %llu", (unsigned long long)sweep->trials[i],
                 trial_state_word((enum trial_state)i), (unsigned long long)tally.states[i]);
    if (tally.states[TRIAL_RUNNING] > 0 || (sweep->state == SWEEP_FINISHED && tally.states[TRIAL_PENDING] > 0))
        fail(sim, "I6: the sweep is %s and %llu trials are not over", sweep_state_word(sweep->state),
             (unsigned long long)(tally.states[TRIAL_RUNNING] + tally.states[TRIAL_PENDING]));
    if (sim->calm && sweep->state != SWEEP_FINISHED)
        fail(sim, "I6: the sweep is %s", sweep_state_word(sweep->state));
    if (sim->calm && sweep->tell_count != sweep->point_count)
        fail(sim, "of %llu points %llu were told", (unsigned long long)sweep->point_count, (unsigned long long)sweep->tell_count);
}

void check_end(struct sim *sim)
{
    for (size_t i = 0; i < sim->sweep_count; i++)
        check_sweep(sim, sim->sweeps[i]);
}
