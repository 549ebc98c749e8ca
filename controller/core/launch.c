// Launches and kills: what a run is told, and the messages that carry it.
//
// Both are repeated by timers until their effect is seen. A launch stays bound to the session that it was made for; nothing is sent
// that an agent could not take.

#include "controller/core/core_impl.h"

#include "base/json.h"
#include "base/mutant.h"
#include "base/num.h"
#include "space/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- The item

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

// Also that of a `metric:` without a name: its named groups are metrics.
static void set_patterns(struct msg_launch_item *item, const struct spec *spec)
{
    item->patterns = xcalloc(OBJECTIVES_MAX, sizeof *item->patterns);
    for (size_t i = 0; i < OBJECTIVES_MAX; i++) {
        const struct objective *objective = &spec->objectives[i];
        if (objective->pattern)
            item->patterns[item->pattern_count++] =
                (struct msg_pattern){.metric = xstrdup(objective->name ? objective->name : ""), .pattern = xstrdup(objective->pattern)};
    }
}

// The same for every retry of a trial, another for each repeat; 31 bits, which every library takes.
static uint64_t seed_of(const struct sweep *sweep, const struct trial *trial)
{
    uint64_t parts[2] = {trial->row.point, trial->row.repeat};
    return hash64(parts, sizeof parts, sweep->base->seed) & 0x7fffffff;
}

static void fill_item(struct msg_launch_item *item, const struct core *core, const struct trial *trial, const struct attempt_row *row)
{
    const struct sweep *sweep = trial->sweep;
    const struct spec *spec = sweep->spec;
    *item = (struct msg_launch_item){.attempt = row->id,
                                     .sweep = xstrdup(sweep->row.key),
                                     .sweep_name = xstrdup(sweep->row.name),
                                     .trial = trial->row.number,
                                     .number = row->number,
                                     .seed = seed_of(sweep, trial),
                                     .parent_trial = trial->row.parent,
                                     .parent_attempt = trial->row.parent_attempt,
                                     .config = xstrdup(trial->row.config),
                                     .working_dir = xstrdup(spec->working_dir ? spec->working_dir : ""),
                                     .timeout_ms = spec->timeout_ms,
                                     .grace_ms = spec->grace_ms,
                                     .cpus = row->cpus,
                                     .memory_bytes = row->memory_bytes};
    set_argv(item, sweep, trial);
    set_env(item, sweep, trial);
    set_patterns(item, spec);
    item->gpu_count = row->gpu_count;
    if (item->gpu_count)
        item->gpus = xmemdup(row->gpus, item->gpu_count * sizeof *item->gpus);
    // The shim's lease ends well before ours: a quarter is how old the confirmation may be that renews it (agent/core.c), an eighth
    // is for drift and for the killing.
    if (spec->isolation == ISOLATION_STOP)
        item->lease_ms = core->options.lease_ms / 8 * (MUTANT(MUTANT_LONG_LEASE) ? 16 : 5);
}

// At most, as a JSON string.
static size_t json_bytes(const char *text)
{
    size_t bytes = 2;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bytes += c == '"' || c == '\\' || c == '\n' || c == '\t' ? 2 : c < 0x20 || c == 0x7F ? 6 : c < 0x80 ? 1 : 3;
    }
    return bytes;
}

// At most, on the wire: keys and numbers with some to spare.
static size_t item_bytes(const struct msg_launch_item *item)
{
    size_t bytes = 512 + 16 * item->gpu_count + json_bytes(item->sweep) + json_bytes(item->sweep_name) + json_bytes(item->config) +
                   json_bytes(item->working_dir);
    for (size_t i = 0; i < item->pattern_count; i++)
        bytes += 32 + json_bytes(item->patterns[i].metric) + json_bytes(item->patterns[i].pattern);
    for (size_t i = 0; i < item->argc; i++)
        bytes += 32 + json_bytes(item->argv[i].text);
    for (size_t i = 0; i < item->env_count; i++)
        bytes += 32 + json_bytes(item->env[i].name) + json_bytes(item->env[i].value);
    return bytes;
}

// Why no agent could take it, or NULL.
static const char *too_large(struct core *core, const struct msg_launch_item *item)
{
    size_t bytes = item_bytes(item);
    if (bytes > LAUNCH_BYTES_MAX)
        return batch_stringf(core->batch, "a run's configuration, command line and environment take %zu bytes; %d at most", bytes,
                             LAUNCH_BYTES_MAX);
    bool fits = strlen(item->working_dir) <= 4096;
    for (size_t i = 0; i < item->pattern_count; i++)
        fits = fits && strlen(item->patterns[i].metric) <= METRIC_NAME_MAX && strlen(item->patterns[i].pattern) <= 4096;
    if (!fits)
        return "metric.name has at most 256 bytes, metric.pattern and working_dir 4096";
    for (size_t i = 0; i < item->env_count; i++)
        if (strlen(item->env[i].name) > 256 || strlen(item->env[i].value) > MSG_STRING_MAX)
            return batch_stringf(core->batch, "a variable of `env:` has a name of at most 256 bytes and a value of at most %d", MSG_STRING_MAX);
    if (item->argc > MSG_ITEMS_MAX || item->env_count > MSG_ITEMS_MAX)
        return batch_stringf(core->batch, "a run has %zu arguments and %zu variables; %d at most of each", item->argc, item->env_count,
                             MSG_ITEMS_MAX);
    for (size_t i = 0; i < item->argc; i++)
        if (strlen(item->argv[i].text) > MSG_STRING_MAX)
            return batch_stringf(core->batch, "an argument of a run has %zu bytes; %d at most (${args_json_file} passes long ones by a file)",
                                 strlen(item->argv[i].text), MSG_STRING_MAX);
    return NULL;
}

static void release_item(struct msg_launch_item *item)
{
    struct msg msg = {.type = MSG_LAUNCH, .launch = {.items = xmemdup(item, sizeof *item), .count = 1}};
    msg_release(&msg);
}

static void queue_launch(struct now now, struct attempt *attempt, const struct msg_launch_item *item)
{
    struct agent *agent = attempt->agent;
    ARRAY_GROW(agent->launches, agent->launch_count, agent->launch_capacity);
    agent->launches[agent->launch_count++] = *item;
    attempt->launched_ms = now.mono_ms;
}

void launch_trial(struct core *core, struct now now, struct trial *trial, const struct place *place)
{
    struct sweep *sweep = trial->sweep;
    struct attempt_row row = {.id = core->options.next_attempt++,
                              .trial = trial->row.id,
                              .sweep = sweep->row.id,
                              .number = trial->row.attempt_count + 1,
                              .agent = place->agent->row.id,
                              .session = place->agent->row.session,
                              .state = ATTEMPT_ASSIGNED,
                              .assigned_ms = now.wall_ms,
                              .cpus = place_cpus(&sweep->spec->resources),
                              .memory_bytes = sweep->spec->resources.memory_bytes,
                              .gpu_count = place->gpu_count,
                              .gpu_millis = place->gpu_millis};
    memcpy(row.gpus, place->gpus, sizeof place->gpus);
    struct msg_launch_item item;
    fill_item(&item, core, trial, &row);
    const char *problem = too_large(core, &item);
    if (problem) {
        release_item(&item);
        sweep_set_state(core, now, sweep, SWEEP_PAUSED, problem);
        return;
    }
    trial_unqueue(trial);
    trial_set_state(trial, TRIAL_RUNNING);
    trial->row.attempt = row.id;
    trial->row.attempt_count = row.number;
    struct attempt *attempt = attempt_new(core, trial, place->agent, &row);
    trial->current = attempt;
    stops_launched(trial, row.id);
    attempt_take(attempt);
    sweep->running++;
    sweep->served = ++core->serving;
    queue_launch(now, attempt, &item);
    struct change *change = batch_change(core->batch, CHANGE_ATTEMPT_NEW);
    change->attempt = row;
    trial_store(core, trial);
    core_event(core, now, sweep, trial, attempt, place->agent, "assigned",
               batch_stringf(core->batch, "attempt %u to agent %s", row.number, place->agent->row.name));
}

// ---- Sending

static void flush_launches(struct core *core, struct agent *agent)
{
    size_t sent = 0;
    while (sent < agent->launch_count) {
        size_t count = 1, bytes = item_bytes(&agent->launches[sent]);
        while (count < LAUNCH_ITEMS_MAX && sent + count < agent->launch_count &&
               (bytes += item_bytes(&agent->launches[sent + count])) <= LAUNCH_BYTES_MAX)
            count++;
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
    for (size_t sent = 0; sent < agent->kill_count;) {
        size_t count = agent->kill_count - sent < MSG_ITEMS_MAX ? agent->kill_count - sent : MSG_ITEMS_MAX;
        struct msg *msg = core_send(core, agent->peer, MSG_KILL);
        msg->kill.session = agent->row.session;
        msg->kill.items = xmemdup(agent->kills + sent, count * sizeof *agent->kills);
        msg->kill.count = count;
        sent += count;
    }
    agent->kill_count = 0;
}

// Launches and kills are repeated by timers until their effect is seen; a launch stays bound to its session.
void launch_flush(struct core *core, struct now now)
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
                struct msg_launch_item item;
                fill_item(&item, core, attempt->trial, &attempt->row);
                queue_launch(now, attempt, &item);
            }
        }
        flush_launches(core, agent);
        flush_kills(core, agent);
    }
}
