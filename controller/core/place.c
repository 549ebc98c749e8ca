// Placement: which trial goes to which agent.
//
// The next free slot goes to the sweep with the fewest running trials. Among agents that fit, the search goes round, so that load is
// spread; runs that ask for GPUs go where the fewest stay free, so that large ones find room. A run takes a slot, cores, memory and GPUs;
// whole GPUs are its own, a fraction shares the GPU that is fullest and still has room. Short runs are sent ahead of free slots, so
// that the agent starts the next one without asking.

#include "controller/core/core_impl.h"

#include <stdlib.h>
#include <string.h>

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

uint32_t place_cpus(const struct resources *need)
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
        if (agent->gpu_runs[i] == 0)
            ret->gpus[ret->gpu_count++] = i;
    return ret->gpu_count == count;
}

static uint32_t free_gpus(const struct agent *agent)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < agent->gpu_count; i++)
        count += agent->gpu_runs[i] == 0;
    return count;
}

// The fullest GPU that still has room, so that whole ones stay free.
static bool take_fraction(const struct agent *agent, uint32_t millis, struct place *ret)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < agent->gpu_count; i++)
        if (agent->gpu_used[i] + millis <= 1000 && (agent->gpu_runs[i] == 0 || agent->gpu_used[i] > 0) && (best == UINT32_MAX || agent->gpu_used[i] > agent->gpu_used[best]))
            best = i;
    if (best == UINT32_MAX)
        return false;
    ret->gpu_millis = millis;
    ret->gpus[ret->gpu_count++] = best;
    return true;
}

// Among those that no run has asked for.
static bool take_least_shared(const struct agent *agent, struct place *ret)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < agent->gpu_count; i++)
        if (agent->gpu_used[i] == 0 && (best == UINT32_MAX || agent->gpu_runs[i] < agent->gpu_runs[best]))
            best = i;
    if (best == UINT32_MAX)
        return false;
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
    if (agent->used_slots >= agent->row.slots || (uint64_t)agent->used_cpus + place_cpus(need) > agent->row.cpus ||
        agent->used_memory + need->memory_bytes > agent->row.memory_bytes || !take_gpus(agent, need, ret))
        return false;
    bool opens = false; // a GPU that was free
    for (uint32_t i = 0; i < ret->gpu_count; i++)
        opens = opens || agent->gpu_runs[ret->gpus[i]] == 0;
    ret->left_free = free_gpus(agent) - (opens ? ret->gpu_count : 0);
    return true;
}

// Less room left over is better; a fraction prefers a GPU that is in use already.
static bool is_tighter(const struct place *place, const struct place *best)
{
    bool shares = place->agent->gpu_runs[place->gpus[0]] > 0, best_shares = best->agent->gpu_runs[best->gpus[0]] > 0;
    return shares != best_shares ? shares : place->left_free < best->left_free;
}

static struct agent *after(const struct core *core, const struct agent *agent)
{
    return agent && agent->hh.next ? agent->hh.next : core->agents;
}

static bool find_place(struct core *core, const struct sweep *sweep, bool ahead, struct place *ret)
{
    bool pack = sweep->spec->resources.gpu_millis > 0, found = false;
    struct agent *first = core->next_agent ? core->next_agent : core->agents, *agent = first;
    do {
        struct place place;
        if (fits(sweep, agent, ahead, &place) && (!found || is_tighter(&place, ret))) {
            *ret = place;
            found = true;
        }
        agent = after(core, agent);
    } while (agent != first && !(found && (!pack || ret->left_free == 0)));
    if (found && !pack)
        core->next_agent = agent;
    return found;
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

// ---- Choosing

static bool may_start(const struct core *core, const struct sweep *sweep)
{
    return sweep_gives(core, sweep) && (!sweep->spec->parallel || sweep->running < sweep->spec->parallel);
}

// The sweep whose turn it is; NULL when none has a trial that may start.
static struct sweep *choose(const struct core *core)
{
    struct sweep *best = NULL;
    for (struct sweep *sweep = core->sweeps; sweep; sweep = sweep->hh.next) {
        if (!sweep->pending || sweep->passed_over || !may_start(core, sweep))
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

struct largest { // the connected agent with the most of something
    const struct agent *agent;
    uint64_t amount;
};

static void compare(struct largest *largest, const struct agent *agent, uint64_t amount)
{
    if (!largest->agent || amount > largest->amount)
        *largest = (struct largest){.agent = agent, .amount = amount};
}

static void explain_too_small(const struct sweep *sweep, const struct largest *gpus, const struct largest *cpus,
                              const struct largest *memory, struct str *out)
{
    const struct resources *need = &sweep->spec->resources;
    uint32_t whole = (need->gpu_millis + 999) / 1000;
    if (whole > GPUS_MAX)
        str_addf(out, "a run needs %u GPUs; one run can have %d at most", whole, GPUS_MAX);
    else if (whole > gpus->amount)
        str_addf(out, "a run needs %u GPU%s; the largest connected agent, %s, has %llu", whole, whole == 1 ? "" : "s",
                 gpus->agent->row.name, (unsigned long long)gpus->amount);
    else if (place_cpus(need) > cpus->amount)
        str_addf(out, "a run needs %u cores; the largest connected agent, %s, has %llu", place_cpus(need), cpus->agent->row.name,
                 (unsigned long long)cpus->amount);
    else if (need->memory_bytes > memory->amount)
        str_addf(out, "a run needs %llu MiB of memory; the largest connected agent, %s, has %llu",
                 (unsigned long long)(need->memory_bytes >> 20), memory->agent->row.name, (unsigned long long)(memory->amount >> 20));
}

static void explain_labels(const struct resources *need, struct str *out)
{
    str_addf(out, "no connected agent has the label%s", need->label_count == 1 ? "" : "s");
    for (size_t i = 0; i < need->label_count; i++)
        str_addf(out, "%s %s", i == 0 ? "" : i + 1 < need->label_count ? "," : " and", need->labels[i]);
}

static void explain_blocked(const struct core *core, struct sweep *sweep)
{
    struct largest gpus = {0}, cpus = {0}, memory = {0};
    struct str text = STR_INIT;
    bool connected = false;
    for (const struct agent *agent = core->agents; agent; agent = agent->hh.next) {
        if (!agent->peer || agent->row.draining)
            continue;
        connected = true;
        if (!has_labels(agent, &sweep->spec->resources))
            continue;
        compare(&gpus, agent, agent->gpu_count);
        compare(&cpus, agent, agent->row.cpus);
        compare(&memory, agent, agent->row.memory_bytes);
    }
    if (!connected)
        str_add(&text, "no agent is connected");
    else if (!gpus.agent)
        explain_labels(&sweep->spec->resources, &text);
    else
        explain_too_small(sweep, &gpus, &cpus, &memory, &text);
    set_blocked(sweep, text.len ? str_get(&text) : NULL);
    str_release(&text);
}

// A sweep that finds no place is passed over from then on: what others take leaves less.
static void place_pass(struct core *core, struct now now, bool ahead)
{
    struct sweep *sweep;
    struct place place;
    for (sweep = core->sweeps; sweep; sweep = sweep->hh.next)
        sweep->passed_over = false;
    while ((sweep = choose(core))) {
        if (find_place(core, sweep, ahead, &place))
            launch_trial(core, now, sweep->pending, &place);
        else
            sweep->passed_over = true;
    }
}

void place_all(struct core *core, struct now now)
{
    struct sweep *sweep, *tmp;
    HASH_ITER (hh, core->sweeps, sweep, tmp)
        trial_wake(sweep, now.mono_ms);
    if (!core->draining && core->agents) {
        place_pass(core, now, false);
        place_pass(core, now, true);
    }
    HASH_ITER (hh, core->sweeps, sweep, tmp) {
        if (sweep_gives(core, sweep) && sweep->running == 0 && (sweep->pending || sweep->waiting || !sweep->row.exhausted))
            explain_blocked(core, sweep);
        else
            set_blocked(sweep, NULL);
    }
}
