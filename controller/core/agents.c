// Agents: hello, beat, bye, and the lease that runs out.

#include "controller/core/core_impl.h"

#include "base/json.h"
#include "base/mutant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_text(char **place, const char *text)
{
    free(*place);
    *place = xstrdup(text ? text : "");
}

struct agent *agent_by_peer(const struct core *core, uint64_t peer)
{
    struct agent *agent = NULL;
    HASH_FIND(hh_peer, core->agents_by_peer, &peer, sizeof peer, agent);
    return agent;
}

static void free_labels(struct agent *agent)
{
    for (size_t i = 0; i < agent->label_count; i++)
        free(agent->labels[i]);
    free(agent->labels);
}

// Capacity as said by a hello, or read back from the row; what is taken is counted anew from the open attempts.
void agent_set_capacity(struct agent *agent, uint32_t gpu_count, char **labels, size_t label_count)
{
    struct attempt *attempt;
    free(agent->gpu_used);
    free(agent->gpu_runs);
    agent->gpu_count = gpu_count;
    agent->gpu_used = xcalloc(gpu_count, sizeof *agent->gpu_used);
    agent->gpu_runs = xcalloc(gpu_count, sizeof *agent->gpu_runs);
    agent->used_slots = agent->used_cpus = 0;
    agent->used_memory = 0;
    DL_FOREACH (agent->attempts, attempt) {
        if (attempt->reserved) {
            attempt->reserved = false;
            attempt_take(attempt);
        }
    }
    char **copy = xcalloc(label_count, sizeof *copy);
    for (size_t i = 0; i < label_count; i++)
        copy[i] = xstrdup(labels[i]);
    free_labels(agent);
    agent->labels = copy;
    agent->label_count = label_count;
}

void agent_free(struct core *core, struct agent *agent)
{
    struct attempt *attempt, *tmp;
    DL_FOREACH_SAFE (agent->attempts, attempt, tmp)
        attempt_free(core, attempt);
    if (agent->peer)
        HASH_DELETE(hh_peer, core->agents_by_peer, agent);
    HASH_DELETE(hh_uid, core->agents_by_uid, agent);
    HASH_DEL(core->agents, agent);
    free(agent->launches);
    free(agent->kills);
    free(agent->gpu_used);
    free(agent->gpu_runs);
    free_labels(agent);
    agent_row_release(&agent->row);
    free(agent);
}

void agent_store(struct core *core, struct now now, struct agent *agent)
{
    struct batch *batch = core->batch;
    agent->row.last_seen_ms = now.wall_ms;
    agent->seen_written_ms = now.mono_ms;
    struct change *change = batch_change(batch, CHANGE_AGENT);
    change->agent = agent->row;
    change->agent.name = (char *)batch_string(batch, agent->row.name);
    change->agent.host = (char *)batch_string(batch, agent->row.host);
    change->agent.version = (char *)batch_string(batch, agent->row.version);
    change->agent.boot = (char *)batch_string(batch, agent->row.boot);
    change->agent.gpus = (char *)batch_string(batch, agent->row.gpus);
    change->agent.labels = (char *)batch_string(batch, agent->row.labels);
}

static void set_peer(struct core *core, struct agent *agent, uint64_t peer)
{
    if (agent->peer)
        HASH_DELETE(hh_peer, core->agents_by_peer, agent);
    agent->peer = 0;
    if (!peer)
        return;
    struct agent *other = agent_by_peer(core, peer);
    if (other) { // one connection speaks for one agent
        HASH_DELETE(hh_peer, core->agents_by_peer, other);
        other->peer = 0;
    }
    agent->peer = peer;
    HASH_ADD(hh_peer, core->agents_by_peer, peer, sizeof agent->peer, agent);
}

// ---- Hello

static struct agent *find_or_make(struct core *core, struct now now, const struct peer *peer, const struct msg_hello *hello)
{
    struct agent *agent = NULL;
    HASH_FIND(hh_uid, core->agents_by_uid, hello->agent, strlen(hello->agent), agent);
    if (agent)
        return agent;
    agent = xcalloc(1, sizeof *agent);
    agent->row.id = core->options.next_agent++;
    snprintf(agent->row.uid, sizeof agent->row.uid, "%s", hello->agent);
    snprintf(agent->row.public_key, sizeof agent->row.public_key, "%s", peer->public_key);
    agent->row.first_seen_ms = now.wall_ms;
    HASH_ADD(hh, core->agents, row.id, sizeof agent->row.id, agent);
    HASH_ADD_KEYPTR(hh_uid, core->agents_by_uid, agent->row.uid, strlen(agent->row.uid), agent);
    return agent;
}

static char *gpus_json(const struct msg_hello *hello)
{
    struct str out = STR_INIT;
    str_addch(&out, '[');
    for (size_t i = 0; i < hello->gpu_count; i++) {
        str_add(&out, i ? ",{\"id\":" : "{\"id\":");
        json_write_string(&out, hello->gpus[i].id, strlen(hello->gpus[i].id));
        str_add(&out, ",\"name\":");
        json_write_string(&out, hello->gpus[i].name, strlen(hello->gpus[i].name));
        str_addf(&out, ",\"memory_bytes\":%llu}", (unsigned long long)hello->gpus[i].memory_bytes);
    }
    str_addch(&out, ']');
    return str_detach(&out);
}

static char *labels_json(const struct msg_hello *hello)
{
    struct str out = STR_INIT;
    str_addch(&out, '[');
    for (size_t i = 0; i < hello->label_count; i++) {
        if (i)
            str_addch(&out, ',');
        json_write_string(&out, hello->labels[i], strlen(hello->labels[i]));
    }
    str_addch(&out, ']');
    return str_detach(&out);
}

static void take_facts(struct core *core, struct agent *agent, const struct msg_hello *hello)
{
    struct agent_row *row = &agent->row;
    set_text(&row->name, hello->name);
    set_text(&row->host, hello->host);
    set_text(&row->version, hello->version);
    set_text(&row->boot, hello->boot);
    row->incarnation = hello->incarnation;
    row->hello = hello->hello;
    row->session = core->options.next_session++;
    row->slots = hello->slots;
    row->cpus = hello->cpus > hello->slots ? hello->cpus : hello->slots;
    row->memory_bytes = hello->memory_bytes;
    row->draining = row->gone = false;
    free(row->gpus);
    free(row->labels);
    row->gpus = gpus_json(hello);
    row->labels = labels_json(hello);
    agent_set_capacity(agent, (uint32_t)hello->gpu_count, hello->labels, hello->label_count);
}

static const struct msg_held *held_by(const struct msg_hello *hello, uint64_t attempt)
{
    for (size_t i = 0; i < hello->held_count; i++)
        if (hello->held[i].attempt == attempt)
            return &hello->held[i];
    return NULL;
}

// What is open here and not there is over: launches are bound to sessions, and this hello ended the last one.
static void drop_missing(struct core *core, struct now now, struct agent *agent, const struct msg_hello *hello)
{
    struct attempt *attempt, *tmp;
    DL_FOREACH_SAFE (agent->attempts, attempt, tmp) {
        enum attempt_state state = attempt->row.state;
        if (state == ATTEMPT_LOST || state == ATTEMPT_REFUSED || held_by(hello, attempt->row.id))
            continue;
        bool started = state != ATTEMPT_ASSIGNED;
        struct trial *trial = attempt->trial;
        attempt_end(core, now, attempt, started ? ATTEMPT_LOST : ATTEMPT_REFUSED,
                    started ? batch_stringf(core->batch, "its agent %s no longer has it", agent->row.name)
                            : "it had not been started when its agent connected anew",
                    0);
        attempt_free(core, attempt);
        if (trial_state_terminal(trial->row.state))
            trial_free(core, trial);
    }
}

// A lost attempt that is back: its trial may take it again when nothing better has come of it.
static bool take_back(struct core *core, struct now now, struct attempt *attempt, bool exited)
{
    struct trial *trial = attempt->trial;
    if (attempt->row.state != ATTEMPT_LOST || trial_state_terminal(trial->row.state))
        return false;
    if (trial->current && !exited)
        return false; // another attempt runs: the one that came late yields
    if (trial->current) {
        attempt_kill(trial->current, "lost", 0);
        trial->current = attempt;
    } else {
        trial_unqueue(trial);
        trial->current = attempt;
        trial->sweep->running++;
        trial_set_state(trial, TRIAL_RUNNING);
    }
    if (attempt->row.started_ms > 0 && trial->row.retries[EXIT_LOST] > 0)
        trial->row.retries[EXIT_LOST]--; // one that had not started when it was lost had cost nothing
    trial->row.attempt = attempt->row.id;
    attempt->row.state = ATTEMPT_RUNNING;
    attempt->row.has_class = false;
    attempt->row.ended_ms = 0;
    attempt_take(attempt);
    attempt_store(core, attempt);
    trial_store(core, trial);
    core_event(core, now, trial->sweep, trial, attempt, attempt->agent, "found", "its agent is back and still has it");
    return true;
}

static const char *judge(struct core *core, struct now now, struct agent *agent, const struct msg_held *held,
                         struct attempt *attempt)
{
    bool exited = strcmp(held->state, "exited") == 0;
    if (!attempt || attempt->agent != agent)
        return exited ? "forget" : "kill";
    switch (attempt->row.state) {
    case ATTEMPT_ASSIGNED:
    case ATTEMPT_RUNNING:
    case ATTEMPT_EXITED:
        return "keep";
    case ATTEMPT_LOST:
        return take_back(core, now, attempt, exited) ? "keep" : exited ? "forget" : "kill";
    case ATTEMPT_SEALED:
    case ATTEMPT_REFUSED:
    case ATTEMPT_STATE_COUNT:
        break;
    }
    return exited ? "forget" : "kill";
}

static void welcome(struct core *core, struct now now, struct agent *agent, const struct msg_hello *hello)
{
    struct msg *msg = core_send(core, agent->peer, MSG_WELCOME);
    struct msg_verdict *verdicts = xcalloc(hello->held_count, sizeof *verdicts);
    for (size_t i = 0; i < hello->held_count; i++) {
        struct attempt *attempt = core_find_attempt(core, hello->held[i].attempt);
        verdicts[i].attempt = hello->held[i].attempt;
        verdicts[i].action = xstrdup(judge(core, now, agent, &hello->held[i], attempt));
        if (attempt && attempt->agent == agent)
            memcpy(verdicts[i].cursors, attempt->row.cursors, sizeof verdicts[i].cursors);
    }
    msg->welcome = (struct msg_welcome){.agent = xstrdup(hello->agent),
                                        .store = xstrdup(core->store),
                                        .epoch = core->options.epoch,
                                        .session = agent->row.session,
                                        .incarnation = hello->incarnation,
                                        .hello = hello->hello,
                                        .sent_ms = hello->sent_ms,
                                        .lease_ms = core->options.lease_ms,
                                        .verdicts = verdicts,
                                        .verdict_count = hello->held_count};
}

void agent_hello(struct core *core, struct now now, const struct peer *peer, const struct msg_hello *hello)
{
    if (strlen(hello->agent) != 32) {
        struct msg *msg = core_send(core, peer->id, MSG_ERROR);
        msg->error = (struct msg_error){.code = ERR_PROTOCOL, .text = xstrdup("an agent's id has 32 digits")};
        return;
    }
    struct agent *agent = find_or_make(core, now, peer, hello);
    if (strcmp(agent->row.public_key, peer->public_key) != 0) {
        struct msg *msg = core_send(core, peer->id, MSG_ERROR);
        msg->error = (struct msg_error){
            .code = ERR_PERMISSION, .text = xstrdup("this agent's directory belongs to another key; use another --dir")};
        return;
    }
    bool newer = MUTANT(MUTANT_NO_HELLO_ORDER) || hello->incarnation > agent->row.incarnation ||
                 (hello->incarnation == agent->row.incarnation && hello->hello > agent->row.hello);
    if (!newer)
        return; // delayed or doubled: a later one has been heard
    bool first = agent->row.hello == 0 || agent->row.gone;
    set_peer(core, agent, peer->id);
    take_facts(core, agent, hello);
    agent->lease_until_ms = now.mono_ms + core->options.lease_ms;
    drop_missing(core, now, agent, hello);
    welcome(core, now, agent, hello);
    struct attempt *attempt;
    DL_FOREACH (agent->attempts, attempt) {
        attempt->row.session = agent->row.session;
        attempt->killed_ms = 0; // an old kill may be lost with the old session
    }
    if (first)
        core_event(core, now, NULL, NULL, NULL, agent, "connected",
                   batch_stringf(core->batch, "agent %s with %u slots", agent->row.name, agent->row.slots));
    agent_store(core, now, agent);
}

// ---- Beat, bye, lease

void agent_beat(struct core *core, struct now now, struct agent *agent, const struct msg_beat *beat)
{
    agent->lease_until_ms = now.mono_ms + core->options.lease_ms;
    struct msg *msg = core_send(core, agent->peer, MSG_BEAT_ACK);
    msg->beat_ack = (struct msg_beat_ack){
        .session = agent->row.session, .epoch = core->options.epoch, .sent_ms = beat->sent_ms};
    if (now.mono_ms - agent->seen_written_ms >= SEEN_EVERY_MS)
        agent_store(core, now, agent);
}

// Lose whatever the agent has open.
static void lose_all(struct core *core, struct now now, struct agent *agent, const char *text)
{
    struct attempt *attempt, *tmp;
    DL_FOREACH_SAFE (agent->attempts, attempt, tmp) {
        enum attempt_state state = attempt->row.state;
        if (state != ATTEMPT_ASSIGNED && state != ATTEMPT_RUNNING && state != ATTEMPT_EXITED)
            continue;
        struct trial *trial = attempt->trial;
        attempt_end(core, now, attempt, ATTEMPT_LOST, text, 0);
        if (trial_state_terminal(trial->row.state))
            trial_free(core, trial);
    }
}

void agent_bye(struct core *core, struct now now, struct agent *agent, const struct msg_bye *bye)
{
    core_event(core, now, NULL, NULL, NULL, agent, "left",
               batch_stringf(core->batch, "agent %s left: %s", agent->row.name, bye->reason));
    lose_all(core, now, agent, batch_stringf(core->batch, "its agent %s left", agent->row.name));
    agent->row.gone = true;
    agent->lease_until_ms = 0;
    agent_store(core, now, agent);
    set_peer(core, agent, 0);
}

void agent_check_leases(struct core *core, struct now now)
{
    struct agent *agent, *tmp;
    HASH_ITER (hh, core->agents, agent, tmp) {
        if (agent->lease_until_ms == 0 || now.mono_ms < agent->lease_until_ms)
            continue;
        agent->lease_until_ms = 0;
        core_event(core, now, NULL, NULL, NULL, agent, "silent",
                   batch_stringf(core->batch, "agent %s has been silent for %llu s", agent->row.name,
                                 (unsigned long long)(core->options.lease_ms / 1000)));
        lose_all(core, now, agent, batch_stringf(core->batch, "its agent %s has been silent for longer than its lease", agent->row.name));
        agent->row.gone = true;
        agent_store(core, now, agent);
        set_peer(core, agent, 0);
    }
}

void core_expel(struct core *core, struct now now, const char *public_key)
{
    struct agent *agent, *tmp;
    HASH_ITER (hh, core->agents, agent, tmp) {
        if (!*public_key || strcmp(agent->row.public_key, public_key) != 0)
            continue;
        core_event(core, now, NULL, NULL, NULL, agent, "revoked",
                   batch_stringf(core->batch, "the key of agent %s was revoked", agent->row.name));
        lose_all(core, now, agent, batch_stringf(core->batch, "the key of its agent %s was revoked", agent->row.name));
        agent->row.gone = true;
        agent->lease_until_ms = 0;
        agent_store(core, now, agent);
        set_peer(core, agent, 0);
    }
}
