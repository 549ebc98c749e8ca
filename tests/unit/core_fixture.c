#include "core_fixture.h"

#include "base/mem.h"

#include <stdio.h>

#define WALL_MS 1700000000000

// ---- The ledger

static void set_string(char **place, const char *text)
{
    char *copy = text ? xstrdup(text) : NULL;
    free(*place);
    *place = copy;
}

static void keep_sweep(struct world *world, const struct change *change)
{
    const struct sweep_row *row = &change->sweep;
    assert_true(row->id < WORLD_SWEEPS);
    struct sweep_row *kept = &world->sweeps[row->id];
    char *name = kept->name, *reason = kept->reason;
    char key[SWEEP_KEY_MAX];
    if (change->kind == CHANGE_SWEEP_SPEC) {
        set_string(&world->spec_texts[row->id], row->spec_text);
        return;
    }
    memcpy(key, change->kind == CHANGE_SWEEP_NEW ? row->key : kept->key, sizeof key);
    *kept = *row;
    kept->spec_text = NULL;
    kept->name = name;
    kept->reason = reason;
    memcpy(kept->key, key, sizeof key);
    set_string(&kept->reason, row->reason);
    if (change->kind == CHANGE_SWEEP_NEW) {
        set_string(&kept->name, row->name);
        set_string(&world->spec_texts[row->id], row->spec_text);
        world->sweep_end = row->id + 1;
    } else {
        world->sweep_changes++;
    }
}

static void keep_trial(struct world *world, const struct change *change)
{
    const struct trial_row *row = &change->trial;
    assert_true(row->id < WORLD_ROWS);
    struct trial_row *kept = &world->trials[row->id];
    char *config = kept->config;
    if (change->kind == CHANGE_TRIAL) {
        assert_true(kept->id == row->id);
        assert_null(row->config);
    }
    *kept = *row;
    kept->config = config;
    if (change->kind == CHANGE_TRIAL_NEW) {
        set_string(&kept->config, row->config);
        world->trial_end = row->id + 1;
    }
}

static void keep_attempt(struct world *world, const struct change *change)
{
    const struct attempt_row *row = &change->attempt;
    assert_true(row->id < WORLD_ROWS);
    struct attempt_row *kept = &world->attempts[row->id];
    char *message = kept->message;
    *kept = *row;
    kept->message = message;
    set_string(&kept->message, row->message);
    if (change->kind == CHANGE_ATTEMPT_NEW)
        world->attempt_end = row->id + 1;
}

static void keep_agent(struct world *world, const struct agent_row *row)
{
    assert_true(row->id < WORLD_AGENTS);
    struct agent_row *kept = &world->agents[row->id];
    agent_row_release(kept);
    *kept = *row;
    kept->name = xstrdup(row->name);
    kept->host = xstrdup(row->host);
    kept->version = xstrdup(row->version);
    kept->boot = xstrdup(row->boot);
    kept->gpus = xstrdup(row->gpus);
    kept->labels = xstrdup(row->labels);
    if (row->id >= world->agent_end)
        world->agent_end = row->id + 1;
}

static void keep_point(struct world *world, const struct change *change)
{
    assert_true(world->point_count < WORLD_POINTS);
    world->points[world->point_count++] = (struct told_point){.attempt = change->point.attempt,
                                                              .sequence = change->point.sequence,
                                                              .name = change->point.name,
                                                              .step = change->point.step,
                                                              .time = change->point.time,
                                                              .value = change->point.value};
}

static void keep(struct world *world, const struct change *change)
{
    switch (change->kind) {
    case CHANGE_SWEEP_NEW:
    case CHANGE_SWEEP_SPEC:
    case CHANGE_SWEEP:
        keep_sweep(world, change);
        return;
    case CHANGE_TRIAL_NEW:
    case CHANGE_TRIAL:
        keep_trial(world, change);
        return;
    case CHANGE_PRIOR:
        str_addf(&world->priors, "%llu %s %s %s", (unsigned long long)change->prior.number, trial_state_word(change->prior.state),
                 change->prior.config, change->prior.source);
        for (size_t i = 0; i < change->prior.value_count; i++)
            str_addf(&world->priors, " %g", change->prior.values[i]);
        str_addch(&world->priors, '\n');
        return;
    case CHANGE_ATTEMPT_NEW:
    case CHANGE_ATTEMPT:
        keep_attempt(world, change);
        return;
    case CHANGE_AGENT:
        keep_agent(world, &change->agent);
        return;
    case CHANGE_METRIC_NAME:
        if (change->metric_name.id < 64)
            set_string(&world->names[change->metric_name.id], change->metric_name.name);
        world->name_end = change->metric_name.id + 1;
        return;
    case CHANGE_POINT:
        keep_point(world, change);
        return;
    case CHANGE_SUMMARY:
        str_addf(&world->summaries, "%s=%s\n", world->names[change->summary.name], change->summary.json);
        return;
    case CHANGE_LOG:
        assert_true(change->log.offset == world->attempts[change->log.attempt].cursors[change->log.stream] || change->log.offset > 0);
        str_addn(&world->logs, change->log.data, change->log.len);
        return;
    case CHANGE_EVENT:
        str_addf(&world->events, "%s: %s\n", change->event.kind, change->event.text);
        return;
    }
}

// The counts of a sweep's row are those of its trials' rows: in each batch, because a crash may come after it.
static void check_ledger(const struct world *world)
{
    for (uint64_t id = 1; id < world->sweep_end; id++) {
        uint64_t counts[TRIAL_STATE_COUNT] = {0}, total = 0;
        for (uint64_t i = 1; i < world->trial_end; i++) {
            if (world->trials[i].sweep == id) {
                counts[world->trials[i].state]++;
                total++;
            }
        }
        for (int state = 0; state < TRIAL_STATE_COUNT; state++)
            assert_int_equal(world->sweeps[id].trials[state], counts[state]);
        assert_int_equal(world->sweeps[id].trial_count, total);
    }
}

static void commit(struct world *world)
{
    struct batch *batch = &world->batch;
    struct err err = {0};
    if (!core_check(world->core, &err))
        fail_msg("%s", err.text);
    world->sweep_changes = 0;
    for (size_t i = 0; i < batch->change_count; i++)
        keep(world, &batch->changes[i]);
    check_ledger(world);
    for (size_t i = 0; i < batch->send_count; i++) {
        assert_true(world->sent_count < 256);
        struct send *sent = &world->sent[world->sent_count++];
        sent->peer = batch->sends[i].peer;
        msg_copy(&batch->sends[i].msg, &sent->msg);
    }
    for (size_t i = 0; i < batch->tell_count; i++)
        world->tells[world->tell_count++] = batch->tells[i];
    batch_clear(batch);
}

// ---- Turns

static void answer(struct world *world, const struct ask *ask)
{
    struct answer given;
    assert_true(suggester_ask(world->suggester, ask, &given));
    core_suggested(world->core, world->now, given.sweep, given.suggestions, given.count, given.cursor, given.outcome,
                   given.reason ? given.reason : "");
    answer_release(&given);
}

void turn(struct world *world, uint64_t ms)
{
    size_t asked = 0, told = 0;
    world->now.mono_ms += ms;
    world->now.wall_ms += (int64_t)ms;
    for (;;) {
        core_tick(world->core, world->now);
        for (; told < world->batch.tell_count; told++)
            suggester_tell(world->suggester, &world->batch.tells[told]);
        if (asked == world->batch.ask_count)
            break;
        while (asked < world->batch.ask_count) {
            struct ask ask = world->batch.asks[asked++];
            world->ask_count++;
            if (world->hold_answers)
                world->held_asks[world->held_ask_count++] = ask;
            else
                answer(world, &ask);
        }
    }
    commit(world);
}

void answer_asks(struct world *world)
{
    world->hold_answers = false;
    for (size_t i = 0; i < world->held_ask_count; i++)
        answer(world, &world->held_asks[i]);
    world->held_ask_count = 0;
    turn(world, 0);
}

static struct spec *parse(const char *text)
{
    struct problems problems = {0};
    struct spec *spec = NULL;
    if (spec_parse(text, strlen(text), &spec, &problems) != 0)
        fail_msg("%s", problems.items[0].message);
    problems_release(&problems);
    return spec;
}

uint64_t submit(struct world *world, const char *text)
{
    struct spec *spec = parse(text);
    uint64_t id = 0;
    struct err err = {0};
    assert_int_equal(core_submit(world->core, world->now, &spec, "test", &id, &err), 0);
    assert_null(spec);
    assert_int_equal(suggester_add(world->suggester, id, core_sweep_spec(world->core, id), 0, &err), 0);
    turn(world, 0);
    return id;
}

static void make_core(struct world *world)
{
    struct core_options options = {.epoch = ++world->epoch,
                                   .store = "store",
                                   .lease_ms = LEASE_MS,
                                   .next_trial = world->trial_end,
                                   .next_attempt = world->attempt_end,
                                   .next_agent = world->agent_end,
                                   .next_sweep = world->sweep_end,
                                   .next_session = 1 + 1000 * world->epoch,
                                   .next_metric_name = world->name_end,
                                   .key_seed = 7};
    world->core = core_new(&options, &world->batch);
    world->suggester = suggester_new(false);
}

static bool in_open_group(const struct world *world, const struct trial_row *row)
{
    for (uint64_t i = 1; i < world->trial_end; i++) {
        const struct trial_row *other = &world->trials[i];
        if (other->sweep == row->sweep && other->point == row->point && !trial_state_terminal(other->state))
            return true;
    }
    return false;
}

static void restore_attempts(struct world *world)
{
    for (uint64_t i = 1; i < world->attempt_end; i++) {
        const struct attempt_row *row = &world->attempts[i];
        bool open = row->state == ATTEMPT_ASSIGNED || row->state == ATTEMPT_RUNNING || row->state == ATTEMPT_EXITED;
        if (open || (row->state == ATTEMPT_LOST && !trial_state_terminal(world->trials[row->trial].state)))
            core_restore_attempt(world->core, row);
        for (uint32_t name = 1; open && name < world->name_end; name++) {
            uint64_t count = 0;
            for (size_t p = 0; p < world->point_count; p++)
                count += world->points[p].attempt == i && world->points[p].name == name;
            if (count)
                core_restore_sequence(world->core, i, name, count);
        }
    }
}

// As a store walks them: each trial's result or latest attempt, in the order of trials.
static void restore_curves(struct world *world, uint64_t sweep)
{
    bool all = false;
    if (!core_wants_curves(world->core, sweep, &all))
        return;
    const char *metric = core_sweep_spec(world->core, sweep)->objectives[0].name;
    for (uint64_t i = 1; i < world->trial_end; i++) {
        const struct trial_row *row = &world->trials[i];
        if (row->sweep != sweep || (!all && trial_state_terminal(row->state)))
            continue;
        for (size_t p = 0; p < world->point_count; p++) {
            const struct told_point *point = &world->points[p];
            if (point->attempt == row->attempt && str_equal(world->names[point->name], metric))
                core_restore_curve(world->core, sweep, row->number, point->attempt, point->step, point->value);
        }
    }
    core_curves_known(world->core, sweep);
}

void restart(struct world *world)
{
    core_free(world->core);
    suggester_free(world->suggester);
    batch_clear(&world->batch);
    make_core(world);
    for (uint64_t i = 1; i < world->agent_end; i++)
        core_restore_agent(world->core, &world->agents[i]);
    for (uint32_t i = 1; i < world->name_end; i++)
        core_restore_metric_name(world->core, i, world->names[i]);
    for (uint64_t i = 1; i < world->sweep_end; i++) {
        struct spec *spec = parse(world->spec_texts[i]);
        core_restore_sweep(world->core, &world->sweeps[i], &spec);
        assert_int_equal(suggester_add(world->suggester, i, core_sweep_spec(world->core, i), world->sweeps[i].cursor, NULL), 0);
    }
    for (uint64_t i = 1; i < world->trial_end; i++) {
        const struct trial_row *row = &world->trials[i];
        if (!trial_state_terminal(row->state))
            assert_int_equal(core_restore_trial(world->core, row, NULL), 0);
        else if (in_open_group(world, row))
            core_restore_repeat(world->core, row);
        if (row->state == TRIAL_DONE)
            core_restore_result(world->core, row->sweep, row->number, &row->values);
    }
    restore_attempts(world);
    for (uint64_t i = 1; i < world->sweep_end; i++)
        restore_curves(world, i);
    core_started(world->core, world->now);
    turn(world, 0);
}

int world_setup(void **state)
{
    struct world *world = xcalloc(1, sizeof *world);
    world->now = (struct now){.mono_ms = 1000000, .wall_ms = WALL_MS};
    world->trial_end = world->attempt_end = world->sweep_end = world->agent_end = 1;
    world->name_end = 1;
    batch_init(&world->batch);
    make_core(world);
    core_started(world->core, world->now);
    *state = world;
    return 0;
}

int world_teardown(void **state)
{
    struct world *world = *state;
    core_free(world->core);
    suggester_free(world->suggester);
    batch_release(&world->batch);
    forget_sent(world);
    for (size_t i = 0; i < WORLD_SWEEPS; i++) {
        sweep_row_release(&world->sweeps[i]);
        free(world->spec_texts[i]);
    }
    for (size_t i = 0; i < WORLD_ROWS; i++) {
        trial_row_release(&world->trials[i]);
        attempt_row_release(&world->attempts[i]);
    }
    for (size_t i = 0; i < WORLD_AGENTS; i++)
        agent_row_release(&world->agents[i]);
    for (size_t i = 0; i < 64; i++)
        free(world->names[i]);
    str_release(&world->events);
    str_release(&world->logs);
    str_release(&world->summaries);
    str_release(&world->priors);
    free(world);
    return 0;
}

// ---- Agents

static uint64_t peer_of(size_t agent)
{
    return agent + 1;
}

void send_hello(struct world *world, size_t agent, uint64_t peer, uint64_t incarnation, uint64_t hello, struct machine machine,
                const struct held *held, size_t count)
{
    char uid[33], name[32];
    char *label = (char *)machine.label;
    struct msg_gpu gpus[32];
    struct msg_held list[64] = {{0}};
    snprintf(uid, sizeof uid, "%032zx", agent + 1);
    snprintf(name, sizeof name, "machine%zu", agent);
    assert_true(machine.gpus <= 32 && count <= 64);
    for (size_t i = 0; i < machine.gpus; i++)
        gpus[i] = (struct msg_gpu){.id = (char *)"GPU", .name = (char *)"a GPU", .memory_bytes = 1};
    for (size_t i = 0; i < count; i++)
        list[i] = (struct msg_held){.attempt = held[i].attempt, .state = (char *)held[i].state};
    uint32_t slots = machine.slots ? machine.slots : 1;
    struct msg msg = {.type = MSG_HELLO,
                      .hello = {.agent = uid, .name = name, .host = name, .version = (char *)"1", .boot = (char *)"b",
                                .incarnation = incarnation, .hello = hello, .slots = slots,
                                .cpus = machine.cpus ? machine.cpus : slots, .memory_bytes = machine.memory_bytes,
                                .gpus = gpus, .gpu_count = machine.gpus, .labels = &label, .label_count = label != NULL,
                                .held = list, .held_count = count}};
    struct peer from = {.id = peer, .role = machine.key ? PEER_AGENT : PEER_LOCAL};
    if (machine.key)
        snprintf(from.public_key, sizeof from.public_key, "%s", machine.key);
    size_t before = world->sent_count;
    core_message(world->core, world->now, &from, &msg);
    turn(world, 0);
    for (size_t i = before; i < world->sent_count; i++)
        if (world->sent[i].peer == peer && world->sent[i].msg.type == MSG_WELCOME)
            world->sessions[agent] = world->sent[i].msg.welcome.session;
}

void say_hello(struct world *world, size_t agent, struct machine machine, const struct held *held, size_t count)
{
    if (world->incarnations[agent] == 0)
        world->incarnations[agent] = 1;
    send_hello(world, agent, peer_of(agent), world->incarnations[agent], ++world->hellos[agent], machine, held, count);
}

void connect_agent(struct world *world, size_t agent, struct machine machine)
{
    say_hello(world, agent, machine, NULL, 0);
}

void give(struct world *world, size_t agent, const struct msg *msg)
{
    struct peer from = {.id = peer_of(agent), .role = PEER_LOCAL};
    core_message(world->core, world->now, &from, msg);
    turn(world, 0);
}

static struct msg report_of(const struct world *world, size_t agent)
{
    return (struct msg){.type = MSG_REPORT, .report = {.session = world->sessions[agent]}};
}

void report_started(struct world *world, size_t agent, uint64_t attempt)
{
    struct msg_started started = {.attempt = attempt, .pid = 77, .at_ms = world->now.wall_ms};
    struct msg msg = report_of(world, agent);
    msg.report.started = &started;
    msg.report.started_count = 1;
    give(world, agent, &msg);
}

void report_bytes(struct world *world, size_t agent, uint64_t attempt, enum stream stream, uint64_t offset, const char *bytes)
{
    struct msg_chunk chunk = {.attempt = attempt, .stream = stream, .offset = offset, .length = (uint32_t)strlen(bytes)};
    struct msg msg = report_of(world, agent);
    msg.report.chunks = &chunk;
    msg.report.chunk_count = 1;
    msg.raw = bytes;
    msg.raw_len = strlen(bytes);
    give(world, agent, &msg);
}

static struct msg_exited exit_of(const struct world *world, uint64_t attempt, const char *class_word, int64_t code)
{
    return (struct msg_exited){.attempt = attempt, .class_word = (char *)class_word, .code = code, .message = (char *)"",
                               .started_ms = world->now.wall_ms - 5000, .ended_ms = world->now.wall_ms};
}

static void give_exit(struct world *world, size_t agent, struct msg_exited *exited, const char *metrics)
{
    struct msg_chunk chunk = {.attempt = exited->attempt, .stream = STREAM_METRICS, .length = (uint32_t)strlen(metrics)};
    struct msg msg = report_of(world, agent);
    msg.report.exited = exited;
    msg.report.exited_count = 1;
    msg.report.chunks = &chunk;
    msg.report.chunk_count = *metrics ? 1 : 0;
    msg.raw = metrics;
    msg.raw_len = strlen(metrics);
    give(world, agent, &msg);
}

void report_exit(struct world *world, size_t agent, uint64_t attempt, const char *class_word, int64_t code, uint64_t metrics_length)
{
    struct msg_exited exited = exit_of(world, attempt, class_word, code);
    exited.lengths[STREAM_METRICS] = metrics_length;
    give_exit(world, agent, &exited, "");
}

void report_failure(struct world *world, size_t agent, uint64_t attempt, const char *class_word, const char *message)
{
    struct msg_exited exited = exit_of(world, attempt, class_word, -1);
    exited.message = (char *)message;
    give_exit(world, agent, &exited, "");
}

void finish(struct world *world, size_t agent, uint64_t attempt, const char *metrics, const char *class_word, int64_t code)
{
    struct msg_exited exited = exit_of(world, attempt, class_word, code);
    exited.lengths[STREAM_METRICS] = strlen(metrics);
    give_exit(world, agent, &exited, metrics);
}

void finish_ms(struct world *world, size_t agent, uint64_t attempt, const char *metrics, uint64_t ms)
{
    struct msg_exited exited = exit_of(world, attempt, "success", 0);
    exited.started_ms = exited.ended_ms - (int64_t)ms;
    exited.lengths[STREAM_METRICS] = strlen(metrics);
    give_exit(world, agent, &exited, metrics);
}

void report_refused(struct world *world, size_t agent, uint64_t attempt, const char *reason)
{
    struct msg_refused refused = {.attempt = attempt, .reason = (char *)reason};
    struct msg msg = report_of(world, agent);
    msg.report.refused = &refused;
    msg.report.refused_count = 1;
    give(world, agent, &msg);
}

// ---- What went out

void forget_sent(struct world *world)
{
    for (size_t i = 0; i < world->sent_count; i++)
        msg_release(&world->sent[i].msg);
    world->sent_count = 0;
}

const struct msg *sent_to(const struct world *world, size_t agent, enum msg_type type, size_t index)
{
    for (size_t i = 0; i < world->sent_count; i++)
        if (world->sent[i].peer == peer_of(agent) && world->sent[i].msg.type == type && index-- == 0)
            return &world->sent[i].msg;
    return NULL;
}

size_t sent_total(const struct world *world, enum msg_type type)
{
    size_t count = 0;
    for (size_t i = 0; i < world->sent_count; i++)
        count += world->sent[i].msg.type == type;
    return count;
}

static const struct msg *last_sent(const struct world *world, size_t agent, enum msg_type type)
{
    for (size_t i = world->sent_count; i-- > 0;)
        if (world->sent[i].peer == peer_of(agent) && world->sent[i].msg.type == type)
            return &world->sent[i].msg;
    return NULL;
}

const struct msg_launch_item *launched(const struct world *world, uint64_t attempt)
{
    for (size_t i = 0; i < world->sent_count; i++) {
        const struct msg *msg = &world->sent[i].msg;
        for (size_t j = 0; msg->type == MSG_LAUNCH && j < msg->launch.count; j++)
            if (msg->launch.items[j].attempt == attempt)
                return &msg->launch.items[j];
    }
    return NULL;
}

const char *verdict_of(const struct world *world, size_t agent, uint64_t attempt)
{
    const struct msg *msg = last_sent(world, agent, MSG_WELCOME);
    for (size_t i = 0; msg && i < msg->welcome.verdict_count; i++)
        if (msg->welcome.verdicts[i].attempt == attempt)
            return msg->welcome.verdicts[i].action;
    return "none";
}

bool told_forget(const struct world *world, size_t agent, uint64_t attempt)
{
    const struct msg *msg = last_sent(world, agent, MSG_ACK);
    for (size_t i = 0; msg && i < msg->ack.forget_count; i++)
        if (msg->ack.forget[i] == attempt)
            return true;
    return false;
}

uint64_t acked(const struct world *world, size_t agent, uint64_t attempt, enum stream stream)
{
    const struct msg *msg = last_sent(world, agent, MSG_ACK);
    for (size_t i = 0; msg && i < msg->ack.cursor_count; i++)
        if (msg->ack.cursors[i].attempt == attempt && msg->ack.cursors[i].stream == stream)
            return msg->ack.cursors[i].offset;
    return UINT64_MAX;
}

const struct msg_kill_item *killed(const struct world *world, uint64_t attempt)
{
    for (size_t i = 0; i < world->sent_count; i++) {
        const struct msg *msg = &world->sent[i].msg;
        for (size_t j = 0; msg->type == MSG_KILL && j < msg->kill.count; j++)
            if (msg->kill.items[j].attempt == attempt)
                return &msg->kill.items[j];
    }
    return NULL;
}

// ---- Looking into the ledger

struct trial_row *trial(struct world *world, uint64_t sweep, uint64_t number)
{
    for (uint64_t i = 1; i < world->trial_end; i++)
        if (world->trials[i].sweep == sweep && world->trials[i].number == number)
            return &world->trials[i];
    fail_msg("sweep %llu has no trial %llu", (unsigned long long)sweep, (unsigned long long)number);
    return NULL;
}

struct attempt_row *current(struct world *world, uint64_t sweep, uint64_t number)
{
    uint64_t id = trial(world, sweep, number)->attempt;
    return id ? &world->attempts[id] : NULL;
}

static bool is_open(const struct attempt_row *row)
{
    return row->id != 0 && (row->state == ATTEMPT_ASSIGNED || row->state == ATTEMPT_RUNNING);
}

size_t open_at(const struct world *world, size_t agent)
{
    size_t count = 0;
    char uid[33];
    snprintf(uid, sizeof uid, "%032zx", agent + 1);
    for (uint64_t i = 1; i < world->attempt_end; i++)
        count += is_open(&world->attempts[i]) && strcmp(world->agents[world->attempts[i].agent].uid, uid) == 0;
    return count;
}

uint64_t open_of(const struct world *world, uint64_t sweep)
{
    uint64_t count = 0;
    for (uint64_t i = 1; i < world->attempt_end; i++)
        count += is_open(&world->attempts[i]) && world->attempts[i].sweep == sweep;
    return count;
}
