// A warm start: results from elsewhere, told before the first question, and configurations that people want tried first.

#include "controller/core/core_impl.h"

#include <stdlib.h>
#include <string.h>

// ---- Priors

static size_t objectives_of(const struct sweep *sweep)
{
    return sweep->base->objective_count > 1 ? sweep->base->objective_count : 1;
}

static int check_priors(const struct sweep *sweep, uint64_t offset, const struct prior_row *rows, size_t count, struct err *err)
{
    if (sweep->row.point_count > 0 || sweep->asking)
        return err_set(err, ERR_STATE,
                       "sweep %s has begun; prior trials are given when it is made (`trawl run --new --prior ...` makes another)", sweep->row.key);
    if (offset > sweep->prior_count)
        return err_set(err, ERR_INVALID, "prior trials are given in order: the next one is number %llu, not %llu",
                       (unsigned long long)sweep->prior_count + 1, (unsigned long long)offset + 1);
    if (offset + count > PRIORS_MAX)
        return err_set(err, ERR_LIMIT, "a sweep takes at most %d prior trials", PRIORS_MAX);
    for (size_t i = 0; i < count; i++) {
        bool done = rows[i].state == TRIAL_DONE, bare = rows[i].state == TRIAL_FAILED || rows[i].state == TRIAL_STOPPED;
        if (!done && !bare)
            return err_set(err, ERR_INVALID, "%s: a prior trial is done, failed or stopped, not %s", rows[i].source, trial_state_word(rows[i].state));
        if (rows[i].value_count != objectives_of(sweep) && (done || rows[i].value_count > 0))
            return err_set(err, ERR_INVALID, "%s: the sweep has %zu objective%s, and the prior trial %zu value%s", rows[i].source,
                           objectives_of(sweep), objectives_of(sweep) == 1 ? "" : "s", rows[i].value_count, rows[i].value_count == 1 ? "" : "s");
    }
    return 0;
}

int core_prior(struct core *core, struct now now, uint64_t id, uint64_t offset, const struct prior_row *rows, size_t count,
               uint64_t *ret_first, size_t *ret_count, struct err *err)
{
    struct sweep *sweep = core_find_sweep(core, id);
    if (!sweep)
        return err_set(err, ERR_NOT_FOUND, "the sweep's spec cannot be read by this version");
    int rc = check_priors(sweep, offset, rows, count, err);
    if (rc != 0)
        return rc;
    uint64_t known = sweep->prior_count - offset;
    size_t skip = known < count ? (size_t)known : count;
    *ret_first = sweep->prior_count + 1;
    *ret_count = count - skip;
    for (size_t i = skip; i < count; i++) {
        struct change *change = batch_change(core->batch, CHANGE_PRIOR);
        change->prior = rows[i];
        change->prior.sweep = id;
        change->prior.number = ++sweep->prior_count;
        change->prior.config = (char *)batch_string(core->batch, rows[i].config);
        change->prior.source = (char *)batch_string(core->batch, rows[i].source ? rows[i].source : "");
    }
    if (*ret_count > 0)
        core_event(core, now, sweep, NULL, NULL, NULL, "prior", batch_stringf(core->batch, "%zu prior trials given", *ret_count));
    return 0;
}

void core_restore_priors(struct core *core, uint64_t id, uint64_t count)
{
    struct sweep *sweep = core_find_sweep(core, id);
    if (sweep)
        sweep->prior_count = count;
}

uint64_t core_priors(const struct core *core, uint64_t id)
{
    const struct sweep *sweep = core_find_sweep(core, id);
    return sweep ? sweep->prior_count : 0;
}

// ---- Configurations of people

static int check_room(struct sweep *sweep, size_t count, struct err *err)
{
    uint64_t left = sweep_trials_left(sweep), repeats = sweep->spec->repeats;
    uint64_t promised = sweep->asking ? sweep->asked_count * repeats : 0; // the strategy's answer is on its way
    if (left != UINT64_MAX)
        left = left > promised ? left - promised : 0;
    if (sweep_is_cancelling(sweep))
        return err_set(err, ERR_STATE, "sweep %s is cancelled and stays so; submit it anew", sweep->row.key);
    if (sweep_is_closed(sweep))
        return err_set(err, ERR_STATE, "sweep %s is over (%s): raise that in the spec and `trawl run` it, then enqueue", sweep->row.key,
                       sweep->target_reached ? "its target is reached" : "its time budget is used up");
    if (count > left / repeats)
        return err_set(err, ERR_STATE,
                       "sweep %s has room for %llu more configuration%s, not %zu: raise `run_cap:` or `budget: {trials}` in its spec and "
                       "`trawl submit --continue` it, then enqueue",
                       sweep->row.key, (unsigned long long)(left / repeats), left / repeats == 1 ? "" : "s", count);
    return 0;
}

static void free_enqueued(struct enqueued *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        config_release(&items[i].config);
    free(items);
}

static void make_enqueued(struct core *core, struct now now, struct sweep *sweep, struct enqueued *item, const char *drawn)
{
    struct str config = STR_INIT;
    config_write_json(&config, sweep->base->space, &item->config);
    sweep->row.point_count = item->point;
    item->number = sweep->row.trial_count + 1;
    for (uint32_t repeat = 0; repeat < sweep->spec->repeats; repeat++) {
        struct trial_row row = {.point = item->point,
                                .repeat = repeat,
                                .config = (char *)str_get(&config),
                                .asked_after = sweep->row.tell_count,
                                .enqueued = true};
        struct trial *trial = sweep_make_trial(core, now, sweep, &row);
        core_event(core, now, sweep, trial, NULL, NULL, "enqueued", drawn);
    }
    str_release(&config);
}

// What a person gave and what was drawn, as a sentence for `trawl why`.
static const char *enqueued_text(struct core *core, const struct config_draft *draft, const struct config *config)
{
    struct str drawn = STR_INIT;
    for (size_t i = 0; i < config->count; i++)
        if (config->active[i] && !draft->given[i] && param_cardinality(space_param(draft->space, i)) != 1)
            str_addf(&drawn, "%s%s", drawn.len ? ", " : "", space_param(draft->space, i)->name);
    const char *text = drawn.len ? batch_stringf(core->batch, "enqueued by a person; drawn at random: %s", str_get(&drawn))
                                 : "enqueued by a person";
    str_release(&drawn);
    return text;
}

int core_enqueue(struct core *core, struct now now, uint64_t id, const struct config_draft *drafts, size_t count,
                 struct enqueued **ret, struct err *err)
{
    struct sweep *sweep = core_find_sweep(core, id);
    if (!sweep)
        return err_set(err, ERR_NOT_FOUND, "the sweep's spec cannot be read by this version");
    int rc = check_room(sweep, count, err);
    if (rc != 0)
        return rc;
    // Points of an ask that is out are the strategy's already.
    uint64_t last = sweep->asking && sweep->asked_point > sweep->row.point_count ? sweep->asked_point : sweep->row.point_count;
    struct enqueued *items = xcalloc(count, sizeof *items);
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct err why = {0};
        items[i].point = last + i + 1;
        rc = config_draft_draw(&drafts[i], sweep->base->seed, "enqueue", items[i].point, &items[i].config, &why);
        if (rc != 0)
            err_set(err, rc, "configuration %zu: %s", i + 1, why.text);
    }
    if (rc != 0) {
        free_enqueued(items, count);
        return rc;
    }
    for (size_t i = 0; i < count; i++)
        make_enqueued(core, now, sweep, &items[i], enqueued_text(core, &drafts[i], &items[i].config));
    sweep->held = false;
    if (sweep->row.state == SWEEP_FINISHED)
        sweep_set_state(core, now, sweep, SWEEP_RUNNING, "");
    sweep_store(core, sweep);
    *ret = items;
    return 0;
}
