// Placement: which trial goes to which agent, and the messages that say so.
//
// The next free slot goes to the sweep with the fewest running trials; among agents that fit, the search goes round. A run takes a slot,
// cores, memory and GPUs; whole GPUs are its own, a fraction shares the GPU that is fullest and still has room. Short runs are sent ahead
// of free slots, so that the agent starts the next one without asking.

#include "controller/core/core_impl.h"

#include "base/json.h"
#include "base/num.h"
#include "space/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct place { // where a run would go
    struct agent *agent;
    uint32_t gpus[GPUS_MAX];
    uint32_t gpu_count, gpu_millis;
};

// ---- Fitting

static bool has_labels(const struct agent *agent, const struct resources *need)
{
    for (size_t i = 0; i < need->label_count; i++) {
        bool found = false;
        for (size_t j = 0; j < agent->label_count && !found; j++)
            found = strcmp(agent->labels[j], need->labels[i]) == 0;
        if (!found)
            return false;
    }
    return true;
}

static uint32_t cpus_needed(const struct resources *need)
{
    return need->cpus ? need->cpus : 1;
}

// Attempts that may wait at an agent beyond its slots.
static uint32_t prefetch(const struct sweep *sweep, const struct agent *agent)
{
    if (sweep->mean_ms < 0 || sweep->mean_ms >= CORE_PREFETCH_MS || (agent->gpu_count > 0 && !sweep->spec->resources.gpus_given))
        return 0;
    if (sweep->spec->resources.gpu_millis || sweep->spec->resources.memory_bytes || sweep->spec->resources.cpus > 1)
        return 0;
    uint32_t ahead = agent->row.slots * 4;
    return ahead < 2 ? 2 : ahead > CORE_PREFETCH_MAX ? CORE_PREFETCH_MAX : ahead;
}

static bool take_whole_gpus(const struct agent *agent, uint32_t count, struct place *ret)
{
    ret->gpu_millis = 1000;
    for (uint32_t i = 0; i < agent->gpu_count && ret->gpu_count < count && ret->gpu_count < GPUS_MAX; i++)
        if (agent->gpu_used[i] == 0)
            ret->gpus[ret->gpu_count++] = i;
    return ret->gpu_count == count;
}

// The fullest GPU that still has room, so that whole ones stay free.
static bool take_fraction(const struct agent *agent, uint32_t millis, struct place *ret)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < agent->gpu_count; i++)
        if (agent->gpu_used[i] + millis <= 1000 && (best == UINT32_MAX || agent->gpu_used[i] > agent->gpu_used[best]))
            best = i;
    if (best == UINT32_MAX)
        return false;
    ret->gpu_millis = millis;
    ret->gpus[ret->gpu_count++] = best;
    return true;
}

static bool take_least_shared(const struct agent *agent, struct place *ret)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < agent->gpu_count; i++)
        if (agent->gpu_runs[i] < agent->gpu_runs[best])
            best = i;
    ret->gpu_millis = 0;
    ret->gpus[ret->gpu_count++] = best;
    return true;
}

static bool take_gpus(const struct agent *agent, const struct resources *need, struct place *ret)
{
    if (need->gpu_millis >= 1000)
        return take_whole_gpus(agent, (need->gpu_millis + 999) / 1000, ret);
    if (need->gpu_millis > 0)
        return take_fraction(agent, need->gpu_millis, ret);
    if (need->gpus_given || agent->gpu_count == 0)
        return true;
    if (agent->row.slots <= agent->gpu_count)
        return take_whole_gpus(agent, 1, ret);
    return take_least_shared(agent, ret);
}

static bool fits(const struct sweep *sweep, struct agent *agent, bool ahead, struct place *ret)
{
    const struct resources *need = &sweep->spec->resources;
    *ret = (struct place){.agent = agent};
    if (!agent->peer || agent->row.draining || !has_labels(agent, need))
        return false;
    if (ahead) // only behind full slots: a run that finds no room for other reasons does not wait in a queue
        return agent->used_slots >= agent->row.slots && agent->used_slots < agent->row.slots + prefetch(sweep, agent);
    return agent->used_slots < agent->row.slots && agent->used_cpus + cpus_needed(need) <= agent->row.cpus &&
           agent->used_memory + need->memory_bytes <= agent->row.memory_bytes && take_gpus(agent, need, ret);
}

static struct agent *after(const struct core *core, const struct agent *agent)
{
    return agent && agent->hh.next ? agent->hh.next : core->agents;
}

static bool find_place(struct core *core, const struct sweep *sweep, bool ahead, struct place *ret)
{
    struct agent *first = core->next_agent ? core->next_agent : core->agents;
    struct agent *agent = first;
    do {
        if (agent && fits(sweep, agent, ahead, ret)) {
            core->next_agent = after(core, agent);
            return true;
        }
        agent = after(core, agent);
    } while (agent && agent != first);
    return false;
}

// Trials that could be given to agents now, also ahead of free slots.
uint64_t place_room(const struct core *core, const struct sweep *sweep)
{
    uint64_t room = 0;
    for (const struct agent *agent = core->agents; agent; agent = agent->hh.next) {
        uint64_t slots = agent->row.slots + prefetch(sweep, agent);
        if (agent->peer && !agent->row.draining && slots > agent->used_slots && has_labels(agent, &sweep->spec->resources))
            room += slots - agent->used_slots;
    }
    uint64_t parallel = sweep->spec->parallel ? sweep->spec->parallel : UINT64_MAX;
    uint64_t left = parallel > sweep->running ? parallel - sweep->running : 0;
    return room < left ? room : left;
}

// ---- Launching

static void add_env(struct msg_launch_item *item, const char *name, const char *value)
{
    item->env = xreallocarray(item->env, item->env_count + 1, sizeof *item->env);
    item->env[item->env_count++] = (struct msg_env){.name = xstrdup(name), .value = xstrdup(value)};
}

static void set_env(struct msg_launch_item *item, const struct sweep *sweep, const struct trial *trial)
{
    char number[32], run[64];
    const struct spec *spec = sweep->spec;
    snprintf(number, sizeof number, "%llu", (unsigned long long)trial->row.number);
    snprintf(run, sizeof run, "%s-%s", sweep->row.key, number);
    add_env(item, "WANDB_SWEEP_ID", sweep->row.key);
    add_env(item, "WANDB_RUN_ID", run);
    if (spec->project)
        add_env(item, "WANDB_PROJECT", spec->project);
    if (spec->entity)
        add_env(item, "WANDB_ENTITY", spec->entity);
    for (size_t i = 0; i < spec->env_count; i++)
        add_env(item, spec->env[i].name, spec->env[i].value);
}

static void set_argv(struct msg_launch_item *item, const struct sweep *sweep, const struct trial *trial)
{
    struct json_object *json = NULL;
    struct config config = {0};
    if (json_parse(trial->row.config, strlen(trial->row.config), &json, NULL) == 0)
        config_from_json(sweep->base->space, json, &config, NULL);
    json_object_put(json);
    const struct command_context context = {.program = sweep->spec->program,
                                            .space = sweep->base->space,
                                            .config = &config,
                                            .trial = trial->row.number,
                                            .seed = item->seed};
    struct command command = {0};
    command_expand((const char *const *)sweep->spec->command, sweep->spec->command_count, &context, &command);
    item->argc = command.count;
    item->argv = xcalloc(command.count, sizeof *item->argv);
    for (size_t i = 0; i < command.count; i++) {
        item->argv[i] = (struct msg_arg){.text = command.items[i].text, .local = command.items[i].local};
        command.items[i].text = NULL; // moved
    }
    command_release(&command);
    config_release(&config);
}

// The same for every retry of a trial, another for each repeat; 31 bits, which every library takes.
static uint64_t seed_of(const struct sweep *sweep, const struct trial *trial)
{
    uint64_t parts[2] = {trial->row.point, trial->row.repeat};
    return hash64(parts, sizeof parts, sweep->base->seed) & 0x7fffffff;
}

static void fill_item(struct msg_launch_item *item, const struct sweep *sweep, const struct trial *trial,
                      const struct attempt *attempt)
{
    const struct spec *spec = sweep->spec;
    *item = (struct msg_launch_item){.attempt = attempt->row.id,
                                     .sweep = xstrdup(sweep->row.key),
                                     .sweep_name = xstrdup(sweep->row.name),
                                     .trial = trial->row.number,
                                     .number = attempt->row.number,
                                     .seed = seed_of(sweep, trial),
                                     .config = xstrdup(trial->row.config),
                                     .working_dir = xstrdup(spec->working_dir ? spec->working_dir : ""),
                                     .timeout_ms = spec->timeout_ms,
                                     .grace_ms = spec->grace_ms,
                                     .pattern = xstrdup(spec->metric_pattern ? spec->metric_pattern : ""),
                                     .metric = xstrdup(spec->metric ? spec->metric : ""),
                                     .cpus = attempt->row.cpus,
                                     .memory_bytes = attempt->row.memory_bytes};
    set_argv(item, sweep, trial);
    set_env(item, sweep, trial);
    item->gpu_count = attempt->row.gpu_count;
    if (item->gpu_count)
        item->gpus = xmemdup(attempt->row.gpus, item->gpu_count * sizeof *item->gpus);
}

static void queue_launch(struct core *core, struct now now, struct attempt *attempt)
{
    struct agent *agent = attempt->agent;
    ARRAY_GROW(agent->launches, agent->launch_count, agent->launch_capacity);
    struct msg_launch_item *item = &agent->launches[agent->launch_count++];
    fill_item(item, attempt->trial->sweep, attempt->trial, attempt);
    // The shim's lease ends well before ours: a quarter is how old the confirmation may be that renews it (agent/core.c), an eighth
    // is for drift and for the killing.
    if (attempt->trial->sweep->spec->isolation == ISOLATION_STOP)
        item->lease_ms = core->options.lease_ms / 8 * 5;
    attempt->launched_ms = now.mono_ms;
}

static void launch(struct core *core, struct now now, struct trial *trial, const struct place *place)
{
    struct sweep *sweep = trial->sweep;
    struct attempt_row row = {.id = core->options.next_attempt++,
                              .trial = trial->row.id,
                              .sweep = sweep->row.id,
                              .number = ++trial->row.attempt_count,
                              .agent = place->agent->row.id,
                              .session = place->agent->row.session,
                              .state = ATTEMPT_ASSIGNED,
                              .assigned_ms = now.wall_ms,
                              .cpus = cpus_needed(&sweep->spec->resources),
                              .memory_bytes = sweep->spec->resources.memory_bytes,
                              .gpu_count = place->gpu_count,
                              .gpu_millis = place->gpu_millis};
    memcpy(row.gpus, place->gpus, sizeof place->gpus);
    trial_unqueue(trial);
    trial_set_state(trial, TRIAL_RUNNING);
    trial->row.attempt = row.id;
    struct attempt *attempt = attempt_new(core, trial, place->agent, &row);
    trial->current = attempt;
    attempt_take(attempt);
    sweep->running++;
    sweep->served = ++core->serving;
    queue_launch(core, now, attempt);
    struct change *change = batch_change(core->batch, CHANGE_ATTEMPT_NEW);
    change->attempt = row;
    trial_store(core, trial);
    core_event(core, now, sweep, trial, attempt, place->agent, "assigned",
               batch_stringf(core->batch, "attempt %u to agent %s", row.number, place->agent->row.name));
}

// ---- Choosing

static struct trial *ready(const struct sweep *sweep, uint64_t now_ms)
{
    struct trial *trial;
    DL_FOREACH (sweep->pending, trial)
        if (trial->not_before_ms <= now_ms)
            return trial;
    return NULL;
}

static bool may_start(const struct core *core, const struct sweep *sweep)
{
    return sweep_gives(core, sweep) && (!sweep->spec->parallel || sweep->running < sweep->spec->parallel);
}

// The sweep whose turn it is, among those after `best` in order; NULL when none has a trial that is ready.
static struct sweep *choose(const struct core *core, uint64_t now_ms, uint64_t tried)
{
    struct sweep *best = NULL;
    for (struct sweep *sweep = core->sweeps; sweep; sweep = sweep->hh.next) {
        if (!sweep->pending || sweep->served > tried || !may_start(core, sweep) || !ready(sweep, now_ms))
            continue;
        if (!best || sweep->running < best->running || (sweep->running == best->running && sweep->served < best->served))
            best = sweep;
    }
    return best;
}

static void set_blocked(struct sweep *sweep, const char *text)
{
    if (str_equal(sweep->blocked_text, text))
        return;
    free(sweep->blocked_text);
    sweep->blocked_text = xstrdup(text);
}

static void explain_blocked(const struct core *core, struct sweep *sweep)
{
    const struct resources *need = &sweep->spec->resources;
    uint32_t gpus = (need->gpu_millis + 999) / 1000, most_gpus = 0, most_cpus = 0, connected = 0, labelled = 0;
    uint64_t most_memory = 0;
    for (const struct agent *agent = core->agents; agent; agent = agent->hh.next) {
        connected += agent->peer != 0;
        if (!agent->peer || !has_labels(agent, need))
            continue;
        labelled++;
        most_gpus = agent->gpu_count > most_gpus ? agent->gpu_count : most_gpus;
        most_cpus = agent->row.cpus > most_cpus ? agent->row.cpus : most_cpus;
        most_memory = agent->row.memory_bytes > most_memory ? agent->row.memory_bytes : most_memory;
    }
    char text[256] = "";
    if (connected == 0)
        snprintf(text, sizeof text, "no agent is connected");
    else if (labelled == 0)
        snprintf(text, sizeof text, "no connected agent has the label %s", need->labels[0]);
    else if (gpus > most_gpus)
        snprintf(text, sizeof text, "a run needs %u GPU%s; the largest connected agent has %u", gpus, gpus == 1 ? "" : "s", most_gpus);
    else if (cpus_needed(need) > most_cpus)
        snprintf(text, sizeof text, "a run needs %u cores; the largest connected agent has %u", cpus_needed(need), most_cpus);
    else if (need->memory_bytes > most_memory)
        snprintf(text, sizeof text, "a run needs %llu MiB of memory; the largest connected agent has %llu",
                 (unsigned long long)(need->memory_bytes >> 20), (unsigned long long)(most_memory >> 20));
    set_blocked(sweep, text[0] ? text : NULL);
}

static void place_pass(struct core *core, struct now now, bool ahead)
{
    for (;;) {
        uint64_t before = core->serving;
        bool placed = false;
        // Sweeps that find no place are passed over in this pass: marked by being served "now" without a slot.
        struct sweep *sweep;
        while (!placed && (sweep = choose(core, now.mono_ms, before))) {
            struct place place;
            if (find_place(core, sweep, ahead, &place)) {
                launch(core, now, ready(sweep, now.mono_ms), &place);
                placed = true;
            } else {
                sweep->served = ++core->serving;
            }
        }
        if (!placed)
            return;
    }
}

void place_all(struct core *core, struct now now)
{
    struct sweep *sweep, *tmp;
    if (!core->draining && core->agents) {
        place_pass(core, now, false);
        place_pass(core, now, true);
    }
    HASH_ITER (hh, core->sweeps, sweep, tmp) {
        if (sweep_gives(core, sweep) && sweep->running == 0 && (sweep->pending || !sweep->row.exhausted))
            explain_blocked(core, sweep);
        else
            set_blocked(sweep, NULL);
    }
}

// ---- Sending

static void flush_launches(struct core *core, struct agent *agent)
{
    size_t sent = 0;
    while (sent < agent->launch_count) {
        size_t count = agent->launch_count - sent < LAUNCH_ITEMS_MAX ? agent->launch_count - sent : LAUNCH_ITEMS_MAX;
        struct msg *msg = core_send(core, agent->peer, MSG_LAUNCH);
        msg->launch.session = agent->row.session;
        msg->launch.items = xmemdup(agent->launches + sent, count * sizeof *agent->launches);
        msg->launch.count = count;
        sent += count;
    }
    agent->launch_count = 0;
}

static void queue_kill(struct agent *agent, const struct attempt *attempt)
{
    ARRAY_GROW(agent->kills, agent->kill_count, agent->kill_capacity);
    agent->kills[agent->kill_count++] = (struct msg_kill_item){.attempt = attempt->row.id,
                                                               .class_word = xstrdup(attempt->kill_class),
                                                               .grace_ms = attempt->kill_grace_ms};
}

static void flush_kills(struct core *core, struct agent *agent)
{
    if (agent->kill_count == 0)
        return;
    struct msg *msg = core_send(core, agent->peer, MSG_KILL);
    msg->kill.session = agent->row.session;
    msg->kill.items = xmemdup(agent->kills, agent->kill_count * sizeof *agent->kills);
    msg->kill.count = agent->kill_count;
    agent->kill_count = 0;
}

// Launches and kills are repeated by timers until their effect is seen; a launch stays bound to its session.
void place_flush(struct core *core, struct now now)
{
    struct agent *agent, *tmp;
    HASH_ITER (hh, core->agents, agent, tmp) {
        struct attempt *attempt;
        if (!agent->peer)
            continue;
        DL_FOREACH (agent->attempts, attempt) {
            bool open = attempt->row.state == ATTEMPT_ASSIGNED || attempt->row.state == ATTEMPT_RUNNING;
            if (open && attempt->kill_class) {
                if (attempt->killed_ms == 0 || now.mono_ms - attempt->killed_ms >= KILL_RESEND_MS) {
                    attempt->killed_ms = now.mono_ms;
                    queue_kill(agent, attempt);
                }
            } else if (attempt->row.state == ATTEMPT_ASSIGNED && now.mono_ms - attempt->launched_ms >= LAUNCH_RESEND_MS) {
                queue_launch(core, now, attempt);
            }
        }
        flush_launches(core, agent);
        flush_kills(core, agent);
    }
}
