// Early stopping: each value of the objective is judged as it arrives, and a run that its sweep's rule gives up is asked to end.
//
// A run is a trial's number; the rule holds the curve of one attempt of each trial, the one that was launched last.

#include "controller/core/core_impl.h"

#include "base/mutant.h"

void stops_begin(struct sweep *sweep)
{
    const struct spec *spec = sweep->base;
    if (spec->early_stop.kind != STOP_NONE && spec->objective_count > 0)
        sweep->stopping = stopping_new(&spec->early_stop, spec->objectives[0].goal);
}

void stops_launched(struct trial *trial, uint64_t attempt)
{
    if (trial->sweep->stopping && trial->curve && !MUTANT(MUTANT_OLD_CURVE))
        stopping_restart(trial->sweep->stopping, trial->row.number);
    trial->curve = attempt;
    trial->has_step = false;
}

void stops_ended(const struct trial *trial)
{
    if (trial->sweep->stopping)
        stopping_end(trial->sweep->stopping, trial->row.number);
}

void stops_report(struct core *core, struct now now, struct attempt *attempt, int64_t step, double value)
{
    struct trial *trial = attempt->trial;
    struct sweep *sweep = trial->sweep;
    struct str why = STR_INIT;
    if (!sweep->stopping || trial->current != attempt || trial->curve != attempt->row.id)
        return;
    trial->has_step = true;
    trial->last_step = step;
    bool stop = stopping_report(sweep->stopping, trial->row.number, step, value, &why);
    bool open = attempt->row.state == ATTEMPT_ASSIGNED || attempt->row.state == ATTEMPT_RUNNING;
    if (stop && open && !attempt->kill_class) {
        attempt_kill(attempt, "stopped", sweep->spec->grace_ms);
        attempt->row.has_class = true; // a restart must not forget it
        attempt->row.exit_class = EXIT_STOPPED;
        attempt->dirty = true;
        core_event(core, now, sweep, trial, attempt, attempt->agent, "stop", str_get(&why));
    }
    str_release(&why);
}

bool core_wants_curves(const struct core *core, uint64_t id, bool *ret_all)
{
    const struct sweep *sweep = core_find_sweep(core, id);
    if (!sweep || !sweep->stopping || sweep->curves_known)
        return false;
    *ret_all = stop_compares(&sweep->base->early_stop);
    return true;
}

void core_restore_curve(struct core *core, uint64_t id, uint64_t trial_number, uint64_t attempt_id, int64_t step, double value)
{
    struct attempt *attempt = core_find_attempt(core, attempt_id);
    struct sweep *sweep = core_find_sweep(core, id);
    struct str why = STR_INIT;
    if (sweep && sweep->stopping)
        stopping_report(sweep->stopping, trial_number, step, value, &why); // what came of it is in the rows already
    if (attempt) {
        attempt->trial->has_step = true;
        attempt->trial->last_step = step;
    }
    str_release(&why);
}

void core_curves_known(struct core *core, uint64_t id)
{
    struct sweep *sweep = core_find_sweep(core, id);
    if (sweep)
        sweep->curves_known = true;
}
