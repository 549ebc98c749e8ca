// Sweeps: submit, suggestions, verbs of people, caps and ends.

#include "controller/core/core_impl.h"

#include "base/num.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- States

void sweep_set_state(struct core *core, struct now now, struct sweep *sweep, enum sweep_state state, const char *reason)
{
    sweep->row.state = state;
    sweep->row.ended_ms = sweep_state_terminal(state) ? now.wall_ms : 0;
    char *copy = xstrdup(reason ? reason : "");
    free(sweep->row.reason);
    sweep->row.reason = copy;
    sweep->dirty = true;
    core_event(core, now, sweep, NULL, NULL, NULL, sweep_state_word(state), copy);
}

bool sweep_gives(const struct core *core, const struct sweep *sweep)
{
    return !core->draining && !sweep->held && sweep->row.state == SWEEP_RUNNING && !sweep->target_reached &&
           (sweep->spec->budget_ms == 0 || sweep->row.active_ms < sweep->spec->budget_ms);
}

// The targets are reached by a trial on the front or by none: what meets them is dominated only by what meets them, too.
void sweep_check_target(struct sweep *sweep)
{
    const struct spec *spec = sweep->spec;
    sweep->target_reached = false;
    for (size_t i = 0; i < sweep->front.count && !sweep->target_reached; i++) {
        bool has_target = false, meets = true;
        for (size_t k = 0; k < spec->objective_count; k++) {
            const struct objective *objective = &spec->objectives[k];
            double sign = objective->goal == GOAL_MAXIMIZE ? -1 : 1;
            has_target = has_target || objective->has_target;
            meets = meets && (!objective->has_target ||
                              sweep->front.costs[i * spec->objective_count + k] <= sign * objective->target);
        }
        sweep->target_reached = has_target && meets;
    }
}

void sweep_note_result(struct sweep *sweep, uint64_t number, const struct values *values)
{
    const struct spec *spec = sweep->spec;
    double costs[OBJECTIVES_MAX];
    if (spec->objective_count == 0 || !values_complete(values, spec->objective_count))
        return;
    if (!sweep->front.worst)
        pareto_front_init(&sweep->front, spec->objective_count);
    for (size_t k = 0; k < spec->objective_count; k++)
        costs[k] = spec->objectives[k].goal == GOAL_MAXIMIZE ? -values->at[k] : values->at[k];
    if (pareto_front_add(&sweep->front, number, costs) && !sweep->target_reached)
        sweep_check_target(sweep);
}

bool sweep_is_cancelling(const struct sweep *sweep)
{
    return sweep->row.state == SWEEP_CANCELLED ||
           (sweep->row.state == SWEEP_STOPPING && str_starts(sweep->row.reason, "cancel"));
}

// One row a batch, however often it changes: a later call puts the newer row into the place of the earlier one.
void sweep_store(struct core *core, struct sweep *sweep)
{
    struct batch *batch = core->batch;
    size_t at = sweep->stored_at;
    bool there = at < batch->change_count && batch->changes[at].kind == CHANGE_SWEEP && batch->changes[at].sweep.id == sweep->row.id;
    struct change *change = there ? &batch->changes[at] : batch_change(batch, CHANGE_SWEEP);
    change->sweep = sweep->row;
    change->sweep.name = NULL;
    change->sweep.spec_text = NULL;
    change->sweep.reason = (char *)batch_string(batch, sweep->row.reason);
    sweep->stored_at = (size_t)(change - batch->changes);
    sweep->dirty = false;
}

uint64_t sweep_trials_left(const struct sweep *sweep)
{
    uint64_t cap = sweep->spec->run_cap ? sweep->spec->run_cap : UINT64_MAX;
    if (sweep->spec->budget_trials && sweep->spec->budget_trials < cap)
        cap = sweep->spec->budget_trials;
    if (cap == UINT64_MAX)
        return UINT64_MAX;
    return cap > sweep->row.trial_count ? cap - sweep->row.trial_count : 0;
}

bool sweep_is_closed(const struct sweep *sweep)
{
    return sweep->target_reached || (sweep->spec->budget_ms && sweep->row.active_ms >= sweep->spec->budget_ms);
}

// Why nothing more will be given out, or NULL while something may.
static const char *end_reason(struct core *core, const struct sweep *sweep)
{
    char text[NUM_TEXT_MAX];
    if (sweep->target_reached)
        return "the target is reached";
    if (sweep->spec->budget_ms && sweep->row.active_ms >= sweep->spec->budget_ms) {
        num_format_duration(sweep->spec->budget_ms, text);
        return batch_stringf(core->batch, "budget of %s is used up", text);
    }
    if (sweep_trials_left(sweep) == 0)
        return sweep->spec->budget_trials && sweep->row.trial_count >= sweep->spec->budget_trials
                   ? batch_stringf(core->batch, "budget of %llu trials is used up", (unsigned long long)sweep->spec->budget_trials)
                   : batch_stringf(core->batch, "run cap of %llu is reached", (unsigned long long)sweep->spec->run_cap);
    if (sweep->row.exhausted)
        return "every configuration has been given out";
    return NULL;
}

void sweep_check_end(struct core *core, struct now now, struct sweep *sweep)
{
    if (sweep->running > 0)
        return;
    if (sweep->row.state == SWEEP_STOPPING) {
        bool cancel = sweep_is_cancelling(sweep);
        sweep_set_state(core, now, sweep, cancel ? SWEEP_CANCELLED : SWEEP_STOPPED, cancel ? "cancelled" : "stopped");
        return;
    }
    if (sweep->row.state != SWEEP_RUNNING || sweep->held || sweep->asking)
        return;
    const char *reason = end_reason(core, sweep);
    if (reason && (sweep->row.trials[TRIAL_PENDING] == 0 || sweep_is_closed(sweep)))
        sweep_set_state(core, now, sweep, SWEEP_FINISHED, reason);
}

void sweep_free(struct core *core, struct sweep *sweep)
{
    struct point *point, *tmp;
    HASH_ITER (hh, sweep->points, point, tmp)
        point_free(sweep, point);
    HASH_DEL(core->sweeps, sweep);
    if (sweep->base != sweep->spec)
        spec_free(sweep->base);
    stopping_free(sweep->stopping);
    spec_free(sweep->spec);
    sweep_row_release(&sweep->row);
    pareto_front_release(&sweep->front);
    free(sweep->blocked_text);
    free(sweep);
}

// ---- Submit

static void make_key(struct core *core, uint64_t id, char key[static SWEEP_KEY_MAX])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    struct rng rng;
    rng_stream(&rng, core->options.key_seed, "sweep key", id);
    key[0] = letters[rng_below(&rng, 26)]; // a word that no shell or tool takes for a number
    for (int i = 1; i < SWEEP_KEY_MAX - 1; i++)
        key[i] = letters[rng_below(&rng, 36)];
    key[SWEEP_KEY_MAX - 1] = '\0';
}

int core_submit(struct core *core, struct now now, struct spec **spec, const char *name, uint64_t *ret_id, struct err *err)
{
    if (!name)
        name = (*spec)->name ? (*spec)->name : "";
    if (strlen(name) > SWEEP_NAME_MAX)
        return err_set(err, ERR_INVALID, "a sweep's name has at most %d bytes, this one has %zu", SWEEP_NAME_MAX, strlen(name));
    struct sweep *sweep = xcalloc(1, sizeof *sweep);
    struct sweep_row *row = &sweep->row;
    sweep->spec = sweep->base = *spec;
    *spec = NULL;
    sweep->mean_ms = -1;
    row->id = core->options.next_sweep++;
    make_key(core, row->id, row->key);
    row->name = xstrdup(name);
    row->reason = xstrdup("");
    row->fingerprint = sweep->spec->fingerprint;
    row->created_ms = now.wall_ms;
    stops_begin(sweep);
    sweep->curves_known = true;
    HASH_ADD(hh, core->sweeps, row.id, sizeof row->id, sweep);
    struct change *change = batch_change(core->batch, CHANGE_SWEEP_NEW);
    change->sweep = *row;
    change->sweep.name = (char *)batch_string(core->batch, row->name);
    change->sweep.reason = (char *)batch_string(core->batch, "");
    change->sweep.spec_text = (char *)batch_string(core->batch, sweep->spec->text);
    core_event(core, now, sweep, NULL, NULL, NULL, "submitted", row->name);
    *ret_id = row->id;
    return 0;
}

// What is left to do after a change of caps: something pending, or room under every cap.
static bool has_more(struct core *core, const struct sweep *sweep)
{
    return !sweep_is_closed(sweep) && (sweep->row.trials[TRIAL_PENDING] > 0 || sweep->running > 0 || !end_reason(core, sweep));
}

int core_respec(struct core *core, struct now now, uint64_t id, struct spec **spec)
{
    struct sweep *sweep = core_find_sweep(core, id);
    if (!sweep)
        return ERR_NOT_FOUND;
    if (sweep->row.state == SWEEP_CANCELLED)
        return ERR_STATE;
    struct spec *old = sweep->spec;
    uint64_t left = sweep_trials_left(sweep);
    sweep->spec = *spec;
    sweep_check_target(sweep);
    bool more = sweep->row.state != SWEEP_FINISHED || has_more(core, sweep);
    if (!more && sweep_trials_left(sweep) <= left) { // else there is room for what people enqueue
        sweep->spec = old;
        sweep_check_target(sweep);
        return ERR_STATE;
    }
    *spec = NULL;
    if (old != sweep->base)
        spec_free(old);
    struct change *change = batch_change(core->batch, CHANGE_SWEEP_SPEC);
    change->sweep.id = id;
    change->sweep.spec_text = (char *)batch_string(core->batch, sweep->spec->text);
    sweep->held = false;
    if (more && sweep->row.state != SWEEP_RUNNING)
        sweep_set_state(core, now, sweep, SWEEP_RUNNING, "");
    return 0;
}

void core_await_priors(struct core *core, struct now now, uint64_t id)
{
    struct sweep *sweep = core_find_sweep(core, id);
    if (sweep && sweep->row.state == SWEEP_RUNNING && sweep->row.point_count == 0 && !sweep->asking)
        sweep_set_state(core, now, sweep, SWEEP_PAUSED, "its prior trials are awaited; `trawl resume` goes on without the rest");
}

void core_hold(struct core *core, uint64_t id)
{
    struct sweep *sweep = core_find_sweep(core, id);
    if (sweep)
        sweep->held = true;
}

// ---- Suggestions

#define AGAIN_LATER_MS 1000

// A strategy that learns says ERR_AGAIN until it is told something: while something may still be told, asking does not help.
static bool waits_for_tell(const struct sweep *sweep)
{
    return sweep->awaits_tell && sweep->row.tell_count == sweep->asked_tells &&
           sweep->row.trials[TRIAL_PENDING] + sweep->row.trials[TRIAL_RUNNING] > 0;
}

// Others (a grid that is almost infeasible) are asked again at once. One that learns and has nothing in flight should not say it.
static void ask_again(struct sweep *sweep, struct now now, size_t given)
{
    const struct strategy_method *method = strategy_find(sweep->spec->strategy);
    sweep->awaits_tell = method && (method->caps & STRATEGY_LEARNS);
    sweep->ask_after_ms = sweep->awaits_tell ? now.mono_ms + AGAIN_LATER_MS : given > 0 ? 0 : now.mono_ms + 1;
    if (sweep->awaits_tell && (sweep->row.tell_count != sweep->asked_tells || waits_for_tell(sweep)))
        sweep->ask_after_ms = 0;
}

void sweep_ask(struct core *core, struct now now, struct sweep *sweep, uint64_t room)
{
    if (waits_for_tell(sweep))
        return;
    if (!sweep_gives(core, sweep) || sweep->asking || sweep->row.exhausted || room <= sweep->pending_count ||
        now.mono_ms < sweep->ask_after_ms)
        return;
    uint64_t want = room - sweep->pending_count, left = sweep_trials_left(sweep);
    want = want < left ? want : left;
    uint64_t points = (want + sweep->spec->repeats - 1) / sweep->spec->repeats;
    if (points == 0)
        return;
    struct batch *batch = core->batch;
    ARRAY_GROW(batch->asks, batch->ask_count, batch->ask_capacity);
    batch->asks[batch->ask_count++] = (struct ask){.sweep = sweep->row.id,
                                                   .first_point = sweep->row.point_count + 1,
                                                   .count = (uint32_t)(points < ASK_MAX ? points : ASK_MAX)};
    sweep->asking = true;
    sweep->awaits_tell = false;
    sweep->asked_count = batch->asks[batch->ask_count - 1].count;
    sweep->asked_point = sweep->row.point_count + sweep->asked_count;
    sweep->asked_tells = sweep->row.tell_count;
}

// The next trial of the sweep; `made` has its point, repeat, configuration and origin.
struct trial *sweep_make_trial(struct core *core, struct now now, struct sweep *sweep, const struct trial_row *made)
{
    struct trial_row row = *made;
    row.id = core->options.next_trial++;
    row.sweep = sweep->row.id;
    row.number = ++sweep->row.trial_count;
    row.state = TRIAL_PENDING;
    row.created_ms = now.wall_ms;
    struct trial *trial = trial_new(core, sweep, &row);
    sweep->row.trials[TRIAL_PENDING]++;
    point_get(sweep, row.point)->made++;
    trial_queue(trial, 0);
    struct change *change = batch_change(core->batch, CHANGE_TRIAL_NEW);
    change->trial = row;
    change->trial.config = (char *)batch_string(core->batch, row.config);
    return trial;
}

static void make_suggested(struct core *core, struct now now, struct sweep *sweep, const struct suggestion *suggestion,
                           uint32_t repeat, const char *config)
{
    struct trial_row row = {.point = suggestion->point, .repeat = repeat, .config = (char *)config, .asked_after = sweep->asked_tells};
    if (repeat < suggestion->parent_run_count) {
        row.parent = suggestion->parent_runs[repeat].trial;
        row.parent_attempt = suggestion->parent_runs[repeat].attempt;
    }
    struct trial *trial = sweep_make_trial(core, now, sweep, &row);
    if (suggestion->why)
        core_event(core, now, sweep, trial, NULL, NULL, "suggested", suggestion->why);
    if (row.parent)
        core_event(core, now, sweep, trial, NULL, NULL, "parent",
                   batch_stringf(core->batch, "goes on from trial %llu", (unsigned long long)row.parent));
}

void core_suggested(struct core *core, struct now now, uint64_t id, const struct suggestion *suggestions, size_t count,
                    uint64_t cursor, int outcome, const char *reason)
{
    struct sweep *sweep = core_find_sweep(core, id);
    if (!sweep)
        return;
    struct str config = STR_INIT;
    sweep->asking = false;
    if (sweep_is_cancelling(sweep))
        return; // it was asked before the cancel; nothing of the answer is kept
    sweep->row.cursor = cursor;
    for (size_t i = 0; i < count; i++) {
        str_clear(&config);
        config_write_json(&config, sweep->base->space, &suggestions[i].config);
        if (suggestions[i].point > sweep->row.point_count)
            sweep->row.point_count = suggestions[i].point; // else a person's came meanwhile
        for (uint32_t repeat = 0; repeat < sweep->spec->repeats && sweep_trials_left(sweep) > 0; repeat++)
            make_suggested(core, now, sweep, &suggestions[i], repeat, str_get(&config));
    }
    str_release(&config);
    if (outcome == ERR_EXHAUSTED)
        sweep->row.exhausted = true;
    else if (outcome == ERR_AGAIN)
        ask_again(sweep, now, count);
    else if (outcome != 0 && sweep->row.state == SWEEP_RUNNING)
        sweep_set_state(core, now, sweep, SWEEP_PAUSED, batch_stringf(core->batch, "no configuration could be found: %s", reason));
    sweep_store(core, sweep); // with the trials, whatever else this turn does
}

// ---- Verbs

static int pause_sweep(struct core *core, struct now now, struct sweep *sweep, struct err *err)
{
    if (sweep->row.state != SWEEP_RUNNING)
        return err_set(err, ERR_STATE, "sweep %s is %s and cannot be paused", sweep->row.key, sweep_state_word(sweep->row.state));
    sweep_set_state(core, now, sweep, SWEEP_PAUSED, "paused by `trawl pause`");
    return 0;
}

static int resume_sweep(struct core *core, struct now now, struct sweep *sweep, struct err *err)
{
    sweep->held = false;
    switch (sweep->row.state) {
    case SWEEP_RUNNING:
        return 0;
    case SWEEP_STOPPING:
        if (sweep_is_cancelling(sweep))
            break;
        sweep_set_state(core, now, sweep, SWEEP_RUNNING, "");
        return 0;
    case SWEEP_PAUSED:
    case SWEEP_STOPPED:
        sweep_set_state(core, now, sweep, SWEEP_RUNNING, "");
        return 0;
    case SWEEP_FINISHED:
        if (!has_more(core, sweep))
            return err_set(err, ERR_STATE, "sweep %s is finished (%s): raise its cap in the spec and `trawl run` it, or retry trials with `trawl retry %s`",
                           sweep->row.key, sweep->row.reason, sweep->row.key);
        sweep_set_state(core, now, sweep, SWEEP_RUNNING, "");
        return 0;
    case SWEEP_CANCELLED:
    case SWEEP_STATE_COUNT:
        break;
    }
    return err_set(err, ERR_STATE, "sweep %s is cancelled and stays so; submit it anew", sweep->row.key);
}

static int stop_sweep(struct core *core, struct now now, struct sweep *sweep, struct err *err)
{
    if (sweep->row.state != SWEEP_RUNNING && sweep->row.state != SWEEP_PAUSED)
        return err_set(err, ERR_STATE, "sweep %s is %s already", sweep->row.key, sweep_state_word(sweep->row.state));
    sweep_set_state(core, now, sweep, SWEEP_STOPPING, "stopped by `trawl stop`; waits for its running trials");
    return 0;
}

void sweep_cancel_rest(struct core *core, struct now now, struct sweep *sweep)
{
    struct trial *trial, *tmp;
    struct attempt *attempt, *tmp_attempt;
    HASH_ITER (hh, core->trials, trial, tmp) {
        if (trial->sweep != sweep || !trial->queued)
            continue;
        trial_finish(core, now, trial, TRIAL_CANCELLED, "the sweep was cancelled");
        trial_store(core, trial);
        trial_free(core, trial);
    }
    HASH_ITER (hh, core->attempts, attempt, tmp_attempt)
        if (attempt->trial->sweep == sweep)
            attempt_kill(attempt, "cancelled", sweep->spec->grace_ms);
}

static int cancel_sweep(struct core *core, struct now now, struct sweep *sweep, struct err *err)
{
    if (sweep->row.state == SWEEP_CANCELLED || sweep->row.state == SWEEP_FINISHED)
        return err_set(err, ERR_STATE, "sweep %s is %s already", sweep->row.key, sweep_state_word(sweep->row.state));
    sweep_set_state(core, now, sweep, SWEEP_STOPPING, "cancelled by `trawl cancel`; its running trials are being ended");
    sweep_cancel_rest(core, now, sweep);
    return 0;
}

int core_control_sweep(struct core *core, struct now now, uint64_t id, enum sweep_verb verb, struct err *err)
{
    struct sweep *sweep = core_find_sweep(core, id);
    if (!sweep)
        return err_set(err, ERR_NOT_FOUND, "the sweep's spec cannot be read by this version");
    switch (verb) {
    case VERB_PAUSE:
        return pause_sweep(core, now, sweep, err);
    case VERB_RESUME:
        return resume_sweep(core, now, sweep, err);
    case VERB_STOP:
        return stop_sweep(core, now, sweep, err);
    case VERB_CANCEL:
        return cancel_sweep(core, now, sweep, err);
    }
    return ERR_UNSUPPORTED;
}

int core_cancel_trial(struct core *core, struct now now, uint64_t id, struct err *err)
{
    struct trial *trial = core_find_trial(core, id);
    if (!trial || trial_state_terminal(trial->row.state))
        return err_set(err, ERR_STATE, "the trial has ended already; `trawl show` tells how");
    if (trial->current) {
        attempt_kill(trial->current, "cancelled", trial->sweep->spec->grace_ms);
        trial->current->row.has_class = true; // a restart must not forget it
        trial->current->row.exit_class = EXIT_CANCELLED;
        attempt_store(core, trial->current);
        core_event(core, now, trial->sweep, trial, trial->current, NULL, "cancel", "asked to end by `trawl cancel`");
        return 0;
    }
    trial_finish(core, now, trial, TRIAL_CANCELLED, "cancelled by `trawl cancel` before it ran");
    trial_store(core, trial);
    trial_free(core, trial);
    return 0;
}

// The trial's place in its group of repeats: a result that was counted is taken out again; a group that is over was told, and what is
// run again in it is not told again.
static void reopen_point(struct sweep *sweep, const struct trial_row *row)
{
    struct point *point = NULL;
    HASH_FIND(hh, sweep->points, &row->point, sizeof row->point, point);
    if (!point) {
        point = point_get(sweep, row->point);
        point->told = true;
    }
    if (point->told)
        point->made++;
    else
        point_uncount(point, row);
}

static int check_retry(const struct sweep *sweep, const struct trial_row *row, struct err *err)
{
    if (!trial_state_terminal(row->state))
        return err_set(err, ERR_STATE, "trial %llu is %s; only an ended trial can be run again",
                       (unsigned long long)row->number, trial_state_word(row->state));
    if (sweep_is_cancelling(sweep))
        return err_set(err, ERR_STATE, "sweep %s is cancelled and stays so; submit it anew", sweep->row.key);
    if (sweep_is_closed(sweep))
        return err_set(err, ERR_STATE, "sweep %s is over (%s): raise that in the spec and `trawl run` it, then retry", sweep->row.key,
                       sweep->target_reached ? "its target is reached" : "its time budget is used up");
    return 0;
}

int core_retry_trial(struct core *core, struct now now, const struct trial_row *row, struct err *err)
{
    struct sweep *sweep = core_find_sweep(core, row->sweep);
    if (!sweep)
        return err_set(err, ERR_NOT_FOUND, "the sweep's spec cannot be read by this version");
    struct trial *trial = core_find_trial(core, row->id);
    if (trial && !trial_state_terminal(trial->row.state) && trial_state_terminal(row->state))
        return err_set(err, ERR_STATE, "trial %llu is waiting to run again already", (unsigned long long)row->number);
    int rc = check_retry(sweep, row, err);
    if (rc != 0)
        return rc;
    if (!trial)
        trial = trial_new(core, sweep, row);
    reopen_point(sweep, row);
    memset(trial->row.retries, 0, sizeof trial->row.retries);
    trial->row.values = (struct values){0};
    trial->row.started_ms = trial->row.ended_ms = 0;
    trial_set_state(trial, TRIAL_PENDING);
    trial_queue(trial, 0);
    trial_store(core, trial);
    core_event(core, now, sweep, trial, NULL, NULL, "retry", "to be run again by `trawl retry`, with fresh budgets");
    sweep->held = false;
    if (sweep->row.state == SWEEP_FINISHED || sweep->row.state == SWEEP_STOPPED)
        sweep_set_state(core, now, sweep, SWEEP_RUNNING, "");
    return 0;
}
