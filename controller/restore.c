// From the store's rows back to a living core: what a controller does before its first turn.

#include "base/json.h"
#include "base/log.h"
#include "base/num.h"
#include "controller/controller_impl.h"

#include <stdlib.h>
#include <string.h>

struct walk {
    struct controller *controller;
    struct err *err;
    uint64_t asked; // number of the trial whose point was restored last
    uint64_t told;  // tells that the strategy has heard
};

static int each_agent(void *context, const struct agent_row *row)
{
    struct walk *walk = context;
    core_restore_agent(walk->controller->core, row);
    return 0;
}

static int each_metric_name(void *context, uint32_t id, const char *name)
{
    struct walk *walk = context;
    core_restore_metric_name(walk->controller->core, id, name);
    return 0;
}

// A spec that this version cannot read any more costs its own sweep only.
static struct spec *spec_of(const struct sweep_row *row)
{
    struct problems problems = {0};
    struct spec *spec = NULL;
    if (spec_parse(row->spec_text, strlen(row->spec_text), &spec, &problems) != 0)
        log_error("sweep %s is left alone: its stored spec cannot be read (%s)", row->key,
                  problems.count ? problems.items[0].message : "no reason given");
    problems_release(&problems);
    return spec;
}

static int each_sweep(void *context, const struct sweep_row *row)
{
    struct walk *walk = context;
    struct controller *controller = walk->controller;
    struct spec *spec = spec_of(row);
    if (!spec)
        return 0;
    core_restore_sweep(controller->core, row, &spec);
    struct err err = {0};
    if (suggester_add(controller->suggester, row->id, core_sweep_spec(controller->core, row->id),
                      row->cursor, &err) != 0)
        log_error("sweep %s gets no new configurations: %s", row->key, err.text);
    return 0;
}

static int each_trial(void *context, const struct trial_row *row)
{
    struct walk *walk = context;
    if (!core_sweep(walk->controller->core, row->sweep))
        return 0;
    struct err err = {0};
    if (core_restore_trial(walk->controller->core, row, &err) != 0)
        log_error("trial %llu of sweep %llu is left alone: %s", (unsigned long long)row->number,
                  (unsigned long long)row->sweep, err.text);
    return 0;
}

static int each_attempt(void *context, const struct attempt_row *row)
{
    struct walk *walk = context;
    core_restore_attempt(walk->controller->core, row);
    return 0;
}

static int each_sequence(void *context, uint64_t attempt, uint32_t name, uint64_t count)
{
    struct walk *walk = context;
    core_restore_sequence(walk->controller->core, attempt, name, count);
    return 0;
}

static int each_repeat(void *context, const struct trial_row *row)
{
    struct walk *walk = context;
    core_restore_repeat(walk->controller->core, row);
    return 0;
}

static int each_result(void *context, const struct trial_row *row)
{
    struct walk *walk = context;
    core_restore_result(walk->controller->core, row->sweep, row->number, &row->values);
    return 0;
}

static int each_step(void *context, const struct point_row *row)
{
    struct tell *tell = context;
    tell->has_step = true;
    tell->last_step = row->step;
    return 0;
}

// As it was told, with how far a stopped run came.
static int tell_again(struct controller *controller, const struct spec *spec, const struct trial_row *row, const struct outcome *outcome)
{
    struct tell tell = {.sweep = row->sweep, .point = row->point, .outcome = *outcome};
    int rc = 0;
    if (outcome->state == POINT_STOPPED && spec->repeats == 1)
        rc = store_each_point(controller->store, row->sweep, row->number, spec->objectives[0].name, each_step, &tell, NULL);
    suggester_tell(controller->suggester, &tell);
    return rc;
}

static int restore_point(struct controller *controller, const struct trial_row *row)
{
    struct json_object *json = NULL;
    struct config config = {0};
    const struct spec *spec = core_sweep_spec(controller->core, row->sweep);
    if (spec && json_parse(row->config, strlen(row->config), &json, NULL) == 0 &&
        config_from_json(spec->space, json, &config, NULL) == 0)
        suggester_restore(controller->suggester, row->sweep, row->point, &config);
    config_release(&config);
    json_object_put(json);
    return 0;
}

static enum point_state point_state_of(enum trial_state state)
{
    return state == TRIAL_DONE ? POINT_DONE : state == TRIAL_STOPPED ? POINT_STOPPED : POINT_FAILED;
}

int controller_tell_prior(struct controller *controller, const struct prior_row *row, struct err *err)
{
    struct json_object *json = NULL;
    struct config config = {0};
    const struct spec *spec = core_sweep_spec(controller->core, row->sweep);
    int rc = spec ? json_parse(row->config, strlen(row->config), &json, err) : ERR_NOT_FOUND;
    if (rc == 0)
        rc = config_from_json(spec->space, json, &config, err);
    if (rc == 0) {
        struct tell tell = {.sweep = row->sweep,
                            .point = PRIOR_POINT(row->number),
                            .outcome = {.state = point_state_of(row->state), .value_count = row->value_count > 0}};
        memcpy(tell.outcome.values, row->values, sizeof row->values);
        suggester_restore(controller->suggester, row->sweep, tell.point, &config);
        suggester_tell(controller->suggester, &tell);
    }
    config_release(&config);
    json_object_put(json);
    return rc;
}

static int each_prior(void *context, const struct prior_row *row)
{
    struct walk *walk = context;
    struct controller *controller = walk->controller;
    struct err err = {0};
    core_restore_priors(controller->core, row->sweep, row->number);
    if (controller_tell_prior(controller, row, &err) != 0)
        log_warn("prior trial %s is left out: %s", row->source, err.text);
    return 0;
}

// A strategy that learns sees its history again: what came from elsewhere, then its points and what came of them, each when it did.

static int each_asked(void *context, const struct trial_row *row)
{
    struct walk *walk = context;
    if (row->asked_after > walk->told)
        return 1; // not yet
    walk->asked = row->number;
    return restore_point(walk->controller, row);
}

static int each_told(void *context, const struct trial_row *row, const struct outcome *outcome)
{
    struct walk *walk = context;
    const struct spec *spec = core_sweep_spec(walk->controller->core, row->sweep);
    int rc = store_each_asked(walk->controller->store, row->sweep, walk->asked, each_asked, walk, walk->err);
    walk->told = row->tell_number;
    return rc == 0 && spec ? tell_again(walk->controller, spec, row, outcome) : rc;
}

static int restore_history(struct walk *walk, uint64_t sweep, const struct spec *spec)
{
    struct store *store = walk->controller->store;
    walk->asked = walk->told = 0;
    int rc = store_each_prior(store, sweep, each_prior, walk, walk->err);
    if (rc == 0)
        rc = store_each_told(store, sweep, spec->objective_count, each_told, walk, walk->err);
    walk->told = UINT64_MAX;
    return rc == 0 ? store_each_asked(store, sweep, walk->asked, each_asked, walk, walk->err) : rc;
}

// ---- Curves, for stopping rules

struct curve_walk {
    struct controller *controller;
    uint64_t sweep;
    const char *metric;
    struct err *err;
};

static int each_curve_point(void *context, const struct point_row *row)
{
    struct curve_walk *walk = context;
    core_restore_curve(walk->controller->core, walk->sweep, row->trial_number, row->attempt, row->step, row->value);
    return 0;
}

static int each_curve_trial(void *context, const struct trial_row *row)
{
    struct curve_walk *walk = context;
    if (row->attempt == 0)
        return 0;
    return store_each_point(walk->controller->store, walk->sweep, row->number, walk->metric,
                            each_curve_point, walk, walk->err);
}

int controller_restore_curves(struct controller *controller, uint64_t sweep, struct err *err)
{
    struct store *store = controller->store;
    bool all = false;
    if (!core_wants_curves(controller->core, sweep, &all))
        return 0;
    struct curve_walk walk = {.controller = controller,
                              .sweep = sweep,
                              .metric = core_sweep_spec(controller->core, sweep)->objectives[0].name,
                              .err = err};
    struct trial_query query = {.sweep = sweep, .state = TRIAL_RUNNING};
    int rc;
    if (all) {
        rc = store_each_point(store, sweep, 0, walk.metric, each_curve_point, &walk, err);
    } else {
        rc = store_each_trial(store, &query, each_curve_trial, &walk, err);
        query.state = TRIAL_PENDING; // a lost attempt may come back
        if (rc == 0)
            rc = store_each_trial(store, &query, each_curve_trial, &walk, err);
    }
    if (rc == 0)
        core_curves_known(controller->core, sweep);
    return rc;
}

static int restore_histories(struct walk *walk)
{
    struct controller *controller = walk->controller;
    for (size_t i = 0; i < core_sweep_count(controller->core); i++) {
        uint64_t id = core_sweep_id(controller->core, i);
        const struct spec *spec = core_sweep_spec(controller->core, id);
        // With one objective its best alone is needed, which the store knows; a front is made of all.
        struct trial_query results = {.sweep = id,
                                      .state = TRIAL_DONE,
                                      .by_value = spec->objective_count == 1,
                                      .maximize = spec->objectives[0].goal == GOAL_MAXIMIZE,
                                      .limit = spec->objective_count == 1};
        int rc = spec->objective_count > 0
                     ? store_each_trial(controller->store, &results, each_result, walk, walk->err)
                     : 0;
        if (rc == 0 && suggester_learns(controller->suggester, id))
            rc = restore_history(walk, id, spec);
        if (rc == 0 && !sweep_state_terminal(core_sweep(controller->core, id)->state))
            rc = controller_restore_curves(controller, id, walk->err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int restore_rows(struct walk *walk)
{
    struct store *store = walk->controller->store;
    struct err *err = walk->err;
    int rc = store_each_agent(store, each_agent, walk, err);
    if (rc == 0)
        rc = store_each_metric_name(store, each_metric_name, walk, err);
    if (rc == 0)
        rc = store_each_sweep(store, false, each_sweep, walk, err);
    if (rc == 0)
        rc = store_each_live_trial(store, each_trial, walk, err);
    if (rc == 0)
        rc = store_each_open_repeat(store, each_repeat, walk, err);
    if (rc == 0)
        rc = store_each_live_attempt(store, each_attempt, walk, err);
    if (rc == 0)
        rc = store_each_sequence(store, each_sequence, walk, err);
    return rc == 0 ? restore_histories(walk) : rc;
}

int controller_restore_at(struct controller *controller, uint64_t epoch, const struct controller_options *given,
                          struct now now, struct err *err)
{
    struct store_counters counters;
    int rc = store_counters(controller->store, &counters, err);
    if (rc != 0)
        return rc;
    struct core_options options = {
        .epoch = epoch,
        .store = store_id(controller->store),
        .lease_ms = given->lease_ms ? given->lease_ms : CORE_LEASE_MS,
        .next_trial = counters.next_trial,
        .next_attempt = counters.next_attempt,
        .next_agent = counters.next_agent,
        .next_sweep = counters.next_sweep,
        .next_session = counters.next_session,
        .next_metric_name = counters.next_metric_name,
        .key_seed = hash64(store_id(controller->store), strlen(store_id(controller->store)), epoch),
    };
    controller->core = core_new(&options, &controller->batch);
    struct walk walk = {.controller = controller, .err = err};
    rc = restore_rows(&walk);
    for (size_t i = 0; given->hold_restored && i < core_sweep_count(controller->core); i++)
        core_hold(controller->core, core_sweep_id(controller->core, i));
    if (rc == 0)
        core_started(controller->core, now);
    return rc;
}
