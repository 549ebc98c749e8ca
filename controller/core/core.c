// Making, restoring, time, looking in.

#include "controller/core/core.h"

#include "base/json.h"
#include "controller/core/core_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// ---- Small things all files use

struct sweep *core_find_sweep(const struct core *core, uint64_t id)
{
    struct sweep *sweep = NULL;
    HASH_FIND(hh, core->sweeps, &id, sizeof id, sweep);
    return sweep;
}

struct trial *core_find_trial(const struct core *core, uint64_t id)
{
    struct trial *trial = NULL;
    HASH_FIND(hh, core->trials, &id, sizeof id, trial);
    return trial;
}

struct attempt *core_find_attempt(const struct core *core, uint64_t id)
{
    struct attempt *attempt = NULL;
    HASH_FIND(hh, core->attempts, &id, sizeof id, attempt);
    return attempt;
}

void core_event(struct core *core, struct now now, const struct sweep *sweep, const struct trial *trial,
                const struct attempt *attempt, const struct agent *agent, const char *kind, const char *text)
{
    struct change *change = batch_change(core->batch, CHANGE_EVENT);
    change->event.sweep = sweep ? sweep->row.id : 0;
    change->event.trial = trial ? trial->row.id : 0;
    change->event.attempt = attempt ? attempt->row.id : 0;
    change->event.agent = agent ? agent->row.id : 0;
    change->event.at_ms = now.wall_ms;
    change->event.kind = kind;
    change->event.text = batch_string(core->batch, text);
}

struct msg *core_send(struct core *core, uint64_t peer, enum msg_type type)
{
    struct batch *batch = core->batch;
    ARRAY_GROW(batch->sends, batch->send_count, batch->send_capacity);
    struct send *send = &batch->sends[batch->send_count++];
    *send = (struct send){.peer = peer, .msg = {.type = type, .version = PROTOCOL_VERSION}};
    return &send->msg;
}

// ---- Making

struct core *core_new(const struct core_options *options, struct batch *batch)
{
    struct core *core = xcalloc(1, sizeof *core);
    core->options = *options;
    core->store = xstrdup(options->store);
    core->options.store = core->store;
    core->batch = batch;
    core->parser = metrics_parser_new();
    return core;
}

void core_free(struct core *core)
{
    if (!core)
        return;
    struct agent *agent, *tmp_agent;
    struct trial *trial, *tmp_trial;
    struct sweep *sweep, *tmp_sweep;
    struct metric_name *name, *tmp_name;
    HASH_ITER (hh, core->agents, agent, tmp_agent)
        agent_free(core, agent);
    HASH_ITER (hh, core->trials, trial, tmp_trial)
        trial_free(core, trial);
    HASH_ITER (hh, core->sweeps, sweep, tmp_sweep)
        sweep_free(core, sweep);
    HASH_ITER (hh, core->names, name, tmp_name) {
        HASH_DEL(core->names, name);
        free(name->name);
        free(name);
    }
    metrics_parser_free(core->parser);
    free(core->store);
    free(core);
}

// ---- Restoring

static char **labels_of(const char *text, size_t *ret_count)
{
    struct json_object *json = NULL;
    *ret_count = 0;
    if (!text || json_parse(text, strlen(text), &json, NULL) != 0 || !json_object_is_type(json, json_type_array)) {
        json_object_put(json);
        return NULL;
    }
    size_t count = json_object_array_length(json);
    char **labels = xcalloc(count, sizeof *labels);
    for (size_t i = 0; i < count; i++)
        labels[i] = xstrdup(json_object_get_string(json_object_array_get_idx(json, i)));
    *ret_count = count;
    json_object_put(json);
    return labels;
}

static uint32_t gpus_of(const char *text)
{
    struct json_object *json = NULL;
    uint32_t count = 0;
    if (text && json_parse(text, strlen(text), &json, NULL) == 0 && json_object_is_type(json, json_type_array))
        count = (uint32_t)json_object_array_length(json);
    json_object_put(json);
    return count;
}

void core_restore_agent(struct core *core, const struct agent_row *row)
{
    struct agent *agent = xcalloc(1, sizeof *agent);
    agent->row = *row;
    agent->row.name = xstrdup(row->name ? row->name : "");
    agent->row.host = xstrdup(row->host ? row->host : "");
    agent->row.version = xstrdup(row->version ? row->version : "");
    agent->row.boot = xstrdup(row->boot ? row->boot : "");
    agent->row.gpus = xstrdup(row->gpus ? row->gpus : "[]");
    agent->row.labels = xstrdup(row->labels ? row->labels : "[]");
    HASH_ADD(hh, core->agents, row.id, sizeof agent->row.id, agent);
    HASH_ADD_KEYPTR(hh_uid, core->agents_by_uid, agent->row.uid, strlen(agent->row.uid), agent);
    size_t count;
    char **labels = labels_of(agent->row.labels, &count);
    agent_set_capacity(agent, gpus_of(agent->row.gpus), labels, count);
    for (size_t i = 0; i < count; i++)
        free(labels[i]);
    free(labels);
}

void core_restore_metric_name(struct core *core, uint32_t id, const char *name)
{
    struct metric_name *entry = xcalloc(1, sizeof *entry);
    entry->id = id;
    entry->name = xstrdup(name);
    HASH_ADD_KEYPTR(hh, core->names, entry->name, strlen(entry->name), entry);
}

void core_restore_sweep(struct core *core, const struct sweep_row *row, struct spec **spec)
{
    struct sweep *sweep = xcalloc(1, sizeof *sweep);
    sweep->row = *row;
    sweep->row.name = xstrdup(row->name ? row->name : "");
    sweep->row.reason = xstrdup(row->reason ? row->reason : "");
    sweep->row.spec_text = NULL;
    sweep->spec = sweep->base = *spec;
    *spec = NULL;
    sweep->mean_ms = -1;
    stops_begin(sweep);
    HASH_ADD(hh, core->sweeps, row.id, sizeof sweep->row.id, sweep);
}

int core_restore_trial(struct core *core, const struct trial_row *row, struct err *err)
{
    struct sweep *sweep = core_find_sweep(core, row->sweep);
    if (!sweep)
        return err_set(err, ERR_NOT_FOUND, "its sweep is not there");
    struct trial *trial = trial_new(core, sweep, row);
    struct point *point = point_get(sweep, row->point);
    point->made++;
    point->told = point->told || row->tell_number != 0;
    if (row->state == TRIAL_PENDING)
        trial_queue(trial, 0);
    return 0;
}

void core_restore_attempt(struct core *core, const struct attempt_row *row)
{
    struct trial *trial = core_find_trial(core, row->trial);
    struct agent *agent = NULL;
    HASH_FIND(hh, core->agents, &row->agent, sizeof row->agent, agent);
    if (!trial || !agent)
        return;
    struct attempt *attempt = attempt_new(core, trial, agent, row);
    if (row->state == ATTEMPT_LOST)
        return;
    if (row->state != ATTEMPT_EXITED)
        attempt_take(attempt);
    if (trial->row.attempt == row->id && trial->row.state == TRIAL_RUNNING) {
        trial->current = attempt;
        trial->sweep->running++;
        if (row->has_class && row->exit_class == EXIT_CANCELLED)
            attempt_kill(attempt, "cancelled", trial->sweep->spec->grace_ms); // asked before the restart
        else if (row->has_class && row->exit_class == EXIT_STOPPED)
            attempt_kill(attempt, "stopped", trial->sweep->spec->grace_ms);
    } else {
        attempt_kill(attempt, "lost", 0); // superseded before the restart
    }
}

void core_restore_repeat(struct core *core, const struct trial_row *row)
{
    struct sweep *sweep = core_find_sweep(core, row->sweep);
    if (!sweep)
        return;
    struct point *point = point_count(sweep, row);
    point->made++;
    point->told = point->told || row->tell_number != 0;
}

void core_restore_sequence(struct core *core, uint64_t id, uint32_t name, uint64_t count)
{
    struct attempt *attempt = core_find_attempt(core, id);
    if (!attempt)
        return;
    ARRAY_GROW(attempt->sequences, attempt->sequence_count, attempt->sequence_capacity);
    attempt->sequences[attempt->sequence_count++] = (struct sequence){.name = name, .count = count};
}

void core_restore_result(struct core *core, uint64_t id, uint64_t number, const struct values *values)
{
    struct sweep *sweep = core_find_sweep(core, id);
    if (sweep)
        sweep_note_result(sweep, number, values);
}

void core_started(struct core *core, struct now now)
{
    struct agent *agent, *tmp_agent;
    struct sweep *sweep, *tmp_sweep;
    struct trial *trial, *tmp_trial;
    HASH_ITER (hh, core->agents, agent, tmp_agent)
        if (agent->attempts)
            agent->lease_until_ms = now.mono_ms + core->options.lease_ms;
    HASH_ITER (hh, core->trials, trial, tmp_trial) {
        // A running trial whose attempt is not there (a damaged row): it runs again.
        if (trial->row.state == TRIAL_RUNNING && !trial->current) {
            trial_set_state(trial, TRIAL_PENDING);
            trial_queue(trial, 0);
            trial_store(core, trial);
        }
    }
    HASH_ITER (hh, core->sweeps, sweep, tmp_sweep)
        if (sweep_is_cancelling(sweep))
            sweep_cancel_rest(core, now, sweep);
}

// ---- Messages

static uint64_t session_of(const struct msg *msg)
{
    switch (msg->type) {
    case MSG_BEAT:
        return msg->beat.session;
    case MSG_REPORT:
        return msg->report.session;
    case MSG_BYE:
        return msg->bye.session;
    case MSG_JOIN:
    case MSG_JOINED:
    case MSG_HELLO:
    case MSG_WELCOME:
    case MSG_NEED_HELLO:
    case MSG_BEAT_ACK:
    case MSG_LAUNCH:
    case MSG_ACK:
    case MSG_KILL:
    case MSG_DRAIN:
    case MSG_REQUEST:
    case MSG_REPLY:
    case MSG_ERROR:
        break;
    }
    return 0;
}

void core_message(struct core *core, struct now now, const struct peer *peer, const struct msg *msg)
{
    core->now_ms = now.mono_ms;
    if (msg->type == MSG_HELLO) {
        agent_hello(core, now, peer, &msg->hello);
        return;
    }
    if (msg->type == MSG_ERROR)
        return; // an answer to an error would be answered
    if (msg->type != MSG_BEAT && msg->type != MSG_REPORT && msg->type != MSG_BYE) {
        struct msg *answer = core_send(core, peer->id, MSG_ERROR);
        answer->error = (struct msg_error){.code = ERR_PROTOCOL, .text = xasprintf("a %s is not for a controller", msg_name(msg->type))};
        return;
    }
    struct agent *agent = agent_by_peer(core, peer->id);
    uint64_t session = session_of(msg);
    if (!agent || agent->row.session != session) {
        struct msg *answer = core_send(core, peer->id, MSG_NEED_HELLO);
        answer->need_hello = (struct msg_need_hello){.session = session, .epoch = core->options.epoch};
        return;
    }
    agent->lease_until_ms = now.mono_ms + core->options.lease_ms;
    if (msg->type == MSG_BEAT)
        agent_beat(core, now, agent, &msg->beat);
    else if (msg->type == MSG_BYE)
        agent_bye(core, now, agent, &msg->bye);
    else
        report_apply(core, now, agent, &msg->report, msg->raw);
}

void core_drain(struct core *core, struct now now, bool end_runs, uint64_t grace_ms_max)
{
    struct attempt *attempt, *tmp;
    (void)now;
    core->draining = true;
    if (!end_runs)
        return;
    HASH_ITER (hh, core->attempts, attempt, tmp) {
        uint64_t grace = attempt->trial->sweep->spec->grace_ms;
        attempt_kill(attempt, "interrupted", grace < grace_ms_max ? grace : grace_ms_max);
    }
}

void core_dismiss_agents(struct core *core, struct now now, const char *reason)
{
    struct agent *agent, *tmp;
    (void)now;
    HASH_ITER (hh, core->agents, agent, tmp) {
        if (!agent->peer)
            continue;
        agent->row.draining = true;
        struct msg *msg = core_send(core, agent->peer, MSG_DRAIN);
        msg->drain = (struct msg_drain){.session = agent->row.session, .reason = xstrdup(reason)};
    }
}

// ---- Time

// Wall time with at least one trial running counts against `budget: {time}`.
static void count_active(struct now now, struct sweep *sweep)
{
    if (sweep->active_since_ms && now.mono_ms > sweep->active_since_ms) {
        sweep->row.active_ms += now.mono_ms - sweep->active_since_ms;
        sweep->dirty = sweep->dirty || sweep->spec->budget_ms;
    }
    sweep->active_since_ms = sweep->running > 0 ? now.mono_ms : 0;
}

void core_tick(struct core *core, struct now now)
{
    struct sweep *sweep, *tmp;
    core->now_ms = now.mono_ms;
    agent_check_leases(core, now);
    HASH_ITER (hh, core->sweeps, sweep, tmp)
        count_active(now, sweep);
    place_all(core, now);
    HASH_ITER (hh, core->sweeps, sweep, tmp) {
        sweep_ask(core, now, sweep, core->draining ? 0 : place_room(core, sweep));
        sweep_check_end(core, now, sweep);
    }
    launch_flush(core, now);
    HASH_ITER (hh, core->sweeps, sweep, tmp)
        if (sweep->dirty)
            sweep_store(core, sweep);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t sweep_deadline(const struct core *core, const struct sweep *sweep)
{
    uint64_t deadline = UINT64_MAX;
    if (!sweep_gives(core, sweep))
        return deadline;
    if (sweep->waiting)
        deadline = earlier(deadline, sweep->wake_ms);
    if (sweep->ask_after_ms > core->now_ms)
        deadline = earlier(deadline, sweep->ask_after_ms);
    if (sweep->spec->budget_ms && sweep->running > 0)
        deadline = earlier(deadline, core->now_ms + (sweep->spec->budget_ms - sweep->row.active_ms));
    return deadline;
}

uint64_t core_deadline(const struct core *core)
{
    uint64_t deadline = UINT64_MAX;
    for (const struct agent *agent = core->agents; agent; agent = agent->hh.next) {
        if (agent->lease_until_ms)
            deadline = earlier(deadline, agent->lease_until_ms);
        const struct attempt *attempt;
        if (!agent->peer)
            continue;
        DL_FOREACH (agent->attempts, attempt) {
            if (attempt->kill_class && (attempt->row.state == ATTEMPT_ASSIGNED || attempt->row.state == ATTEMPT_RUNNING))
                deadline = earlier(deadline, attempt->killed_ms + KILL_RESEND_MS);
            else if (attempt->row.state == ATTEMPT_ASSIGNED)
                deadline = earlier(deadline, attempt->launched_ms + LAUNCH_RESEND_MS);
        }
    }
    for (const struct sweep *sweep = core->sweeps; sweep; sweep = sweep->hh.next)
        deadline = earlier(deadline, sweep_deadline(core, sweep));
    return deadline;
}

// ---- Looking in

const struct sweep_row *core_sweep(const struct core *core, uint64_t id)
{
    const struct sweep *sweep = core_find_sweep(core, id);
    return sweep ? &sweep->row : NULL;
}

const struct spec *core_sweep_spec(const struct core *core, uint64_t id)
{
    const struct sweep *sweep = core_find_sweep(core, id);
    return sweep ? sweep->base : NULL;
}

size_t core_sweep_count(const struct core *core)
{
    return HASH_COUNT(core->sweeps);
}

uint64_t core_sweep_id(const struct core *core, size_t index)
{
    const struct sweep *sweep = core->sweeps;
    while (index-- > 0)
        sweep = sweep->hh.next;
    return sweep->row.id;
}

const struct pareto_front *core_sweep_front(const struct core *core, uint64_t id)
{
    const struct sweep *sweep = core_find_sweep(core, id);
    return sweep && sweep->front.count > 0 ? &sweep->front : NULL;
}

uint32_t core_running(const struct core *core, uint64_t id)
{
    uint32_t running = 0;
    for (const struct sweep *sweep = core->sweeps; sweep; sweep = sweep->hh.next)
        if (id == 0 || sweep->row.id == id)
            running += sweep->running;
    return running;
}

uint32_t core_agents_alive(const struct core *core)
{
    return HASH_CNT(hh_peer, core->agents_by_peer);
}

const char *core_blocked(const struct core *core, uint64_t id)
{
    const struct sweep *sweep = core_find_sweep(core, id);
    return sweep ? sweep->blocked_text : NULL;
}

// ---- Checking

static bool check_sweep(const struct core *core, const struct sweep *sweep, struct err *err)
{
    uint64_t total = 0, pending = 0, running = 0;
    for (int i = 0; i < TRIAL_STATE_COUNT; i++)
        total += sweep->row.trials[i];
    for (const struct trial *trial = core->trials; trial; trial = trial->hh.next) {
        if (trial->sweep != sweep)
            continue;
        pending += trial->row.state == TRIAL_PENDING;
        running += trial->row.state == TRIAL_RUNNING;
        if ((trial->row.state == TRIAL_RUNNING) != (trial->current != NULL))
            return err_set(err, ERR_STATE, "trial %llu runs without an attempt, or has one without running",
                           (unsigned long long)trial->row.number), false;
        if (trial->queued != (trial->row.state == TRIAL_PENDING))
            return err_set(err, ERR_STATE, "trial %llu is pending and not in the queue", (unsigned long long)trial->row.number), false;
    }
    if (total != sweep->row.trial_count || pending != sweep->row.trials[TRIAL_PENDING] || pending != sweep->pending_count + sweep->waiting_count ||
        running != sweep->row.trials[TRIAL_RUNNING] || running != sweep->running)
        return err_set(err, ERR_STATE, "the counts of sweep %s do not add up", sweep->row.key), false;
    return true;
}

static bool check_agent(const struct agent *agent, struct err *err)
{
    uint32_t slots = 0;
    const struct attempt *attempt;
    DL_FOREACH (agent->attempts, attempt) {
        bool open = attempt->row.state == ATTEMPT_ASSIGNED || attempt->row.state == ATTEMPT_RUNNING;
        if (open != attempt->reserved)
            return err_set(err, ERR_STATE, "attempt %llu and its resources disagree", (unsigned long long)attempt->row.id), false;
        slots += attempt->reserved;
    }
    if (slots != agent->used_slots)
        return err_set(err, ERR_STATE, "the slots of agent %s do not add up", agent->row.name), false;
    return true;
}

bool core_check(const struct core *core, struct err *err)
{
    for (const struct sweep *sweep = core->sweeps; sweep; sweep = sweep->hh.next)
        if (!check_sweep(core, sweep, err))
            return false;
    for (const struct agent *agent = core->agents; agent; agent = agent->hh.next)
        if (!check_agent(agent, err))
            return false;
    return true;
}
