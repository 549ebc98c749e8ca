// The controller's side: its turns with a crash at each edge, its restarts from the store, and what people ask of it.

#include "tests/sim/sim.h"

void forget_core(struct sim *sim)
{
    struct controller *controller = &sim->controller;
    core_free(controller->core);
    suggester_free(controller->suggester);
    batch_clear(&controller->batch);
    controller->core = NULL;
    controller->suggester = NULL;
    sim->controller_up = false;
}

void crash_controller(struct sim *sim, const char *when)
{
    say(sim, "controller dies %s", when);
    forget_core(sim);
    sim->controller_back_ms = sim->now_ms + rng_below(&sim->rng, chance(sim, 10) ? 40000 : 5000);
}

// ---- A turn

static void send_batch(struct sim *sim, size_t count)
{
    struct batch *batch = &sim->controller.batch;
    for (size_t i = 0; i < count; i++)
        for (size_t node = 0; node < AGENTS; node++)
            if (sim->nodes[node].peer == batch->sends[i].peer)
                post(sim, false, node, batch->sends[i].peer, &batch->sends[i].msg);
}

// Time, questions to the strategies and their answers, until none is open.
static void settle(struct sim *sim)
{
    struct controller *controller = &sim->controller;
    struct batch *batch = &controller->batch;
    size_t told = 0, asked = 0;
    do {
        core_tick(controller->core, now_of(sim));
        for (; told < batch->tell_count; told++)
            suggester_tell(controller->suggester, &batch->tells[told]);
        if (asked == batch->ask_count)
            return;
        struct answer answer;
        struct ask ask = batch->asks[asked++];
        suggester_ask(controller->suggester, &ask, &answer);
        core_suggested(controller->core, now_of(sim), answer.sweep, answer.suggestions, answer.count, answer.cursor, answer.outcome, "");
        answer_release(&answer);
    } while (true);
}

// What controller.c's turn does after the inputs: questions, one transaction, outputs; with a crash at each edge.
void finish_turn(struct sim *sim)
{
    struct controller *controller = &sim->controller;
    struct batch *batch = &controller->batch;
    struct err err = {0};
    settle(sim);
    if (!core_check(controller->core, &err))
        fail(sim, "core_check: %s", err.text);
    if (MUTANT(MUTANT_SEND_BEFORE_COMMIT))
        send_batch(sim, batch->send_count);
    if (faults(sim) && rng_below(&sim->rng, 150) == 0) {
        crash_controller(sim, "before its commit");
        return;
    }
    if (store_commit(controller->store, batch, &err) != 0)
        fail(sim, "the store refused: %s", err.text);
    check_committed(sim);
    if (faults(sim) && rng_below(&sim->rng, 150) == 0) {
        send_batch(sim, batch->send_count ? rng_below(&sim->rng, batch->send_count + 1) : 0);
        crash_controller(sim, "after its commit");
        return;
    }
    if (!MUTANT(MUTANT_SEND_BEFORE_COMMIT))
        send_batch(sim, batch->send_count);
    batch_clear(batch);
}

void start_controller(struct sim *sim)
{
    struct controller *controller = &sim->controller;
    struct controller_options options = {.lease_ms = sim->lease_ms};
    struct err err = {0};
    uint64_t epoch;
    if (store_begin_epoch(controller->store, &epoch, &err) != 0)
        fail(sim, "begin epoch: %s", err.text);
    controller->suggester = suggester_new(false);
    if (controller_restore_at(controller, epoch, &options, now_of(sim), &err) != 0)
        fail(sim, "restore: %s", err.text);
    sim->controller_up = true;
    for (size_t i = 0; i < AGENTS; i++) { // connections are new
        sim->nodes[i].peer = ++sim->next_peer;
        if (sim->nodes[i].core && chance(sim, 50))
            agent_core_reconnected(sim->nodes[i].core, sim->now_ms);
    }
    say(sim, "controller starts, epoch %llu", (unsigned long long)epoch);
    finish_turn(sim);
}

// ---- People

#define TEXT(number) #number
#define TEXT_OF(macro) TEXT(macro)

// Every value is the same, so a run that reports more than PATIENCE + 1 lines is stopped, unless it ends before.
static const char *stopping_rule(const struct sim *sim)
{
    struct rng rng;
    rng_stream(&rng, sim->seed, "stopping", sim->sweep_count);
    return rng_below(&rng, 2) ? "early_terminate: {type: patience, patience: " TEXT_OF(PATIENCE) "}\n" : "";
}

static char *make_spec(struct sim *sim)
{
    static const char *const methods[] = {"method: grid\nparameters: {x: {min: 1, max: 40}}\n",
                                          "method: random\nrun_cap: 40\nrepeats: 3\nparameters: {x: {min: 0.0, max: 1.0}}\n",
                                          "method: sobol\nrun_cap: 25\nparallel: 2\nparameters: {x: {min: 0.0, max: 1.0}}\n"};
    const char *policy = chance(sim, 30) ? "on_isolation: stop\n" : "";
    const char *method = methods[rng_below(&sim->rng, ARRAY_LEN(methods))];
    if (sim->calm)
        return xasprintf("%s%smetric: {name: loss, goal: minimize}\ncommand: ['true']\nretry: {lost: 1000, killed: 1000}\n", method, policy);
    return xasprintf("%s%smetric: {name: loss, goal: minimize}\ncommand: ['true']\nretry: {lost: %u, killed: %u, failed: %u}\n%s", method, policy,
                     (unsigned)rng_below(&sim->rng, 6), (unsigned)rng_below(&sim->rng, 3), (unsigned)rng_below(&sim->rng, 3), stopping_rule(sim));
}

void submit(struct sim *sim)
{
    char *text = make_spec(sim);
    struct problems problems = {0};
    struct spec *spec = NULL;
    struct err err = {0};
    uint64_t *id = &sim->sweeps[sim->sweep_count++];
    if (spec_parse(text, strlen(text), &spec, &problems) != 0 ||
        core_submit(sim->controller.core, now_of(sim), &spec, "sim", id, &err) != 0 ||
        suggester_add(sim->controller.suggester, *id, core_sweep_spec(sim->controller.core, *id), 0, &err) != 0)
        fail(sim, "submit: %s", problems.count ? problems.items[0].message : err.text);
    problems_release(&problems);
    free(text);
}

static void verb_on_trial(struct sim *sim, uint64_t sweep, bool retry)
{
    struct controller *controller = &sim->controller;
    uint64_t count = core_sweep(controller->core, sweep)->trial_count;
    struct trial_row row = {0};
    if (count == 0 || store_find_trial(controller->store, sweep, 1 + rng_below(&sim->rng, count), &row, NULL) != 0)
        return;
    int rc = retry ? core_retry_trial(controller->core, now_of(sim), &row, NULL)
                   : core_cancel_trial(controller->core, now_of(sim), row.id, NULL);
    struct fate *fate = fate_of(sim, row.id);
    if (rc == 0 && retry && fate)
        fate->retried = true;
    say(sim, "%s trial %llu: %d", retry ? "retry" : "cancel", (unsigned long long)row.number, rc);
    trial_row_release(&row);
}

void use_a_verb(struct sim *sim)
{
    static const enum sweep_verb verbs[] = {VERB_PAUSE, VERB_RESUME, VERB_RESUME, VERB_STOP, VERB_CANCEL};
    if (!sim->controller_up)
        return;
    uint64_t sweep = sim->sweeps[rng_below(&sim->rng, sim->sweep_count)];
    unsigned draw = (unsigned)rng_below(&sim->rng, 20);
    if (draw < 8) {
        verb_on_trial(sim, sweep, draw < 4);
    } else {
        enum sweep_verb verb = verbs[draw == 19 ? 4 : draw % 4];
        int rc = core_control_sweep(sim->controller.core, now_of(sim), sweep, verb, NULL);
        say(sim, "verb %d on sweep %llu: %d", (int)verb, (unsigned long long)sweep, rc);
    }
    finish_turn(sim);
}

void resume_all(struct sim *sim)
{
    bool any = false;
    for (size_t i = 0; i < sim->sweep_count; i++) {
        const struct sweep_row *row = core_sweep(sim->controller.core, sim->sweeps[i]);
        if (row->state == SWEEP_PAUSED || row->state == SWEEP_STOPPED)
            any |= core_control_sweep(sim->controller.core, now_of(sim), row->id, VERB_RESUME, NULL) == 0;
    }
    if (any)
        finish_turn(sim);
}
