// Deterministic simulation: the real controller core, store and restore code against the real agent cores, over a network that loses, doubles,
// reorders and delays, with crashes of controllers before and after each commit, of agents, shims and machines, partitions, and people who
// change their minds. One seed is one schedule, the same on every machine.
//
// usage: sim [--seeds N] [--first SEED] [--trace SEED]
//        sim_mutants: every deliberate bug of base/mutant.h must be caught within MUTANT_SEEDS schedules
//
// Checked after every event: core_check of both sides; I1 an attempt's process starts at most once; I2 at most one live process a trial, under
// policy `keep` while no lease ran out; I4 stored bytes are those that the run wrote, once and in order; I5 terminal states never change but by a
// retry; I8 no storm of messages. At the end, with the faults over: I3 no acknowledged result is lost, I6 every trial is over within a bound,
// the counts add up; and in calm schedules each trial ran to completion exactly once.

#include "tests/sim/sim.h"

#include <stdarg.h>

#define STORM_PER_SECOND 600 // messages posted in a second of the simulation: three machines with two slots each need a fraction

static uint64_t worst_storm; // of all schedules, for the summary

void say(struct sim *sim, const char *format, ...)
{
    if (!sim->trace)
        return;
    va_list args;
    va_start(args, format);
    printf("%9llu  ", (unsigned long long)sim->now_ms);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

void fail(struct sim *sim, const char *format, ...)
{
    if (sim->failure)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(sim->failure_text, sizeof sim->failure_text, format, args);
    va_end(args);
    sim->failure = sim->failure_text;
    say(sim, "VIOLATION %s", sim->failure);
}

bool chance(struct sim *sim, unsigned percent)
{
    return rng_below(&sim->rng, 100) < percent;
}

bool faults(const struct sim *sim)
{
    return sim->now_ms < FAULTS_UNTIL_MS;
}

struct now now_of(const struct sim *sim)
{
    return (struct now){.mono_ms = sim->now_ms, .wall_ms = WALL_OFFSET + (int64_t)sim->now_ms};
}

// ---- The network

static void post_once(struct sim *sim, bool to_controller, size_t node, uint64_t peer, const struct msg *msg)
{
    struct letter *letter = xcalloc(1, sizeof *letter), **place = &sim->letters;
    uint64_t delay = faults(sim) && chance(sim, 10) ? rng_below(&sim->rng, chance(sim, 5) ? 30000 : 3000) : 1 + rng_below(&sim->rng, 5);
    letter->at_ms = sim->now_ms + delay;
    letter->order = sim->order++;
    letter->to_controller = to_controller;
    letter->node = node;
    letter->peer = peer;
    msg_copy(msg, &letter->msg);
    while (*place && ((*place)->at_ms < letter->at_ms || ((*place)->at_ms == letter->at_ms && (*place)->order < letter->order)))
        place = &(*place)->next;
    letter->next = *place;
    *place = letter;
}

static void check_storm(struct sim *sim)
{
    uint64_t second = sim->now_ms / 1000;
    if (second != sim->storm_second)
        sim->storm_count = 0;
    sim->storm_second = second;
    if (++sim->storm_count > STORM_PER_SECOND)
        fail(sim, "I8: more than %d messages in a second", STORM_PER_SECOND);
    if (sim->storm_count > worst_storm)
        worst_storm = sim->storm_count;
}

void post(struct sim *sim, bool to_controller, size_t node, uint64_t peer, const struct msg *msg)
{
    const struct node *machine = &sim->nodes[node];
    check_storm(sim);
    if (sim->now_ms < (to_controller ? machine->out_cut_ms : machine->in_cut_ms) || (faults(sim) && chance(sim, 3))) {
        say(sim, "lost %s", msg_name(msg->type));
        return;
    }
    post_once(sim, to_controller, node, peer, msg);
    if (faults(sim) && chance(sim, 3))
        post_once(sim, to_controller, node, peer, msg);
}

// What a connection that is gone had brought may still lie in the controller's queue; the other way it ends with the connection.
static void deliver(struct sim *sim)
{
    struct letter *letter = sim->letters;
    struct node *node = &sim->nodes[letter->node];
    bool old = letter->peer != node->peer;
    sim->letters = letter->next;
    sim->events++;
    if (letter->to_controller && sim->controller_up && (!old || chance(sim, 50))) {
        struct peer peer = {.id = letter->peer, .role = PEER_LOCAL};
        core_message(sim->controller.core, now_of(sim), &peer, &letter->msg);
        finish_turn(sim);
    } else if (!letter->to_controller && node->core && !old) {
        agent_core_message(node->core, sim->now_ms, &letter->msg);
        run_agent(sim, letter->node);
    }
    msg_release(&letter->msg);
    free(letter);
}

// ---- Faults and time

static void cut(struct sim *sim, size_t index)
{
    struct node *node = &sim->nodes[index];
    uint64_t until = sim->now_ms + rng_below(&sim->rng, sim->lease_may_end ? 60000 : 8000);
    unsigned direction = (unsigned)rng_below(&sim->rng, 3);
    if (direction != 1)
        node->in_cut_ms = until;
    if (direction != 2)
        node->out_cut_ms = until;
    say(sim, "agent %zu is cut off (%u) until %llu", index, direction, (unsigned long long)until);
}

static void inject(struct sim *sim)
{
    size_t index = (size_t)rng_below(&sim->rng, AGENTS);
    struct node *node = &sim->nodes[index];
    switch (rng_below(&sim->rng, 14)) {
    case 0:
        stop_agent(sim, index, "dies");
        return;
    case 1:
        if (sim->controller_up)
            crash_controller(sim, "between turns");
        return;
    case 2:
        cut(sim, index);
        return;
    case 3:
        lose_processes(sim, index);
        return;
    case 4:
        if (!sim->calm && chance(sim, 30))
            lose_power(sim, index);
        return;
    case 5:
    case 6:
        if (!sim->calm)
            use_a_verb(sim);
        return;
    case 7:
        if (node->core && chance(sim, 20))
            agent_core_drain(node->core, sim->now_ms, chance(sim, 50));
        else if (node->core && chance(sim, 20))
            agent_core_detach(node->core, sim->now_ms);
        return;
    default:
        return;
    }
}

static void step(struct sim *sim)
{
    uint64_t next = sim->now_ms + 20 + rng_below(&sim->rng, 60);
    if (sim->letters && sim->letters->at_ms <= next) {
        sim->now_ms = sim->letters->at_ms > sim->now_ms ? sim->letters->at_ms : sim->now_ms;
        deliver(sim);
        return;
    }
    sim->now_ms = next;
    sim->events++;
    if (faults(sim) && chance(sim, 8))
        inject(sim);
    if (!sim->controller_up && sim->now_ms >= sim->controller_back_ms)
        start_controller(sim);
    for (size_t i = 0; i < AGENTS; i++) {
        if (!sim->nodes[i].core && sim->now_ms >= sim->nodes[i].back_ms)
            start_agent(sim, i);
        run_processes(sim, i);
    }
    if (sim->controller_up && !faults(sim))
        resume_all(sim);
    if (sim->controller_up && sim->now_ms >= core_deadline(sim->controller.core))
        finish_turn(sim);
}

static void release(struct sim *sim)
{
    struct fate *fate, *tmp_fate;
    struct seen *seen, *tmp_seen;
    while (sim->letters) {
        struct letter *letter = sim->letters;
        sim->letters = letter->next;
        msg_release(&letter->msg);
        free(letter);
    }
    HASH_ITER (hh, sim->fates, fate, tmp_fate) {
        HASH_DEL(sim->fates, fate);
        free(fate);
    }
    HASH_ITER (hh, sim->started, seen, tmp_seen) {
        HASH_DEL(sim->started, seen);
        free(seen);
    }
    for (size_t i = 0; i < AGENTS; i++) {
        agent_core_free(sim->nodes[i].core);
        while (sim->nodes[i].processes) {
            struct process *p = sim->nodes[i].processes;
            sim->nodes[i].processes = p->next;
            free(p);
        }
    }
    forget_core(sim);
    batch_release(&sim->controller.batch);
    store_close(sim->controller.store);
}

static void begin(struct sim *sim)
{
    struct err err = {0};
    rng_stream(&sim->rng, sim->seed, "simulation", 0);
    sim->lease_may_end = chance(sim, 40);
    sim->calm = chance(sim, 40);
    sim->lease_ms = sim->lease_may_end ? SHORT_LEASE_MS : LEASE_MS;
    batch_init(&sim->controller.batch);
    if (store_open_memory(&sim->controller.store, &err) != 0)
        fail(sim, "store: %s", err.text);
    sim->now_ms = 1000;
    while (!sim->controller_up)
        start_controller(sim);
    for (uint64_t count = 1 + rng_below(&sim->rng, SWEEPS_MAX); sim->sweep_count < count;)
        submit(sim);
    if (store_commit(sim->controller.store, &sim->controller.batch, &err) != 0)
        fail(sim, "the store refused: %s", err.text);
    batch_clear(&sim->controller.batch);
    for (size_t i = 0; i < AGENTS; i++) {
        sim->nodes[i].uid = i + 1;
        start_agent(sim, i);
    }
}

static bool run_seed(uint64_t seed, bool trace)
{
    struct sim sim = {.seed = seed, .trace = trace};
    begin(&sim);
    while (!sim.failure && !is_over(&sim)) {
        if (sim.now_ms > END_MS)
            fail(&sim, "I6: not over long after the last fault");
        else
            step(&sim);
    }
    if (!sim.failure)
        check_end(&sim);
    if (sim.failure)
        printf("seed %llu: %s\n", (unsigned long long)seed, sim.failure);
    bool good = sim.failure == NULL;
    release(&sim);
    return good;
}

#ifdef TRAWL_MUTANTS
#define MUTANT_SEEDS 20000

enum mutant trawl_mutant;

int main(void)
{
    static const char *const texts[] = {
        "none",
#define MUTANT_TEXT(id, text) text,
        MUTANT_LIST(MUTANT_TEXT)
#undef MUTANT_TEXT
    };
    int survivors = 0;
    for (int mutant = MUTANT_NONE + 1; mutant < MUTANT_COUNT; mutant++) {
        uint64_t seed = 1;
        trawl_mutant = (enum mutant)mutant;
        while (seed <= MUTANT_SEEDS && run_seed(seed, false))
            seed++;
        printf("mutant %d (%s): %s\n", mutant, texts[mutant], seed <= MUTANT_SEEDS ? "caught" : "SURVIVED");
        fflush(stdout);
        survivors += seed > MUTANT_SEEDS;
    }
    return survivors > 0;
}
#else
int main(int argc, char **argv)
{
    uint64_t seeds = 200, first = 1, failures = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t number = 0;
        if (!num_parse_u64(argv[i + 1], &number))
            return 2;
        if (strcmp(argv[i], "--seeds") == 0)
            seeds = number;
        else if (strcmp(argv[i], "--first") == 0)
            first = number;
        else if (strcmp(argv[i], "--trace") == 0)
            return !run_seed(number, true);
        else
            return 2;
    }
    for (uint64_t seed = first; seed < first + seeds; seed++)
        failures += !run_seed(seed, false);
    printf("%llu schedules from seed %llu, %llu with a violation; rerun one with --trace SEED\n", (unsigned long long)seeds,
           (unsigned long long)first, (unsigned long long)failures);
    return failures > 0;
}
#endif
