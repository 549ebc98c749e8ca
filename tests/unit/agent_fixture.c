#include "agent_fixture.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void fixture_init(struct fixture *fix, uint32_t slots)
{
    static const struct msg_gpu gpus[] = {{.id = (char *)"GPU-0", .name = (char *)"g"}, {.id = (char *)"GPU-1", .name = (char *)"g"}};
    const struct agent_setup setup = {.uid = UID,
                                      .name = "here",
                                      .host = "host",
                                      .version = "1",
                                      .boot = "boot",
                                      .incarnation = 7,
                                      .slots = slots,
                                      .cpus = slots,
                                      .memory_bytes = 1 << 30,
                                      .gpus = gpus,
                                      .gpu_count = 2,
                                      .jitter_seed = 3};
    *fix = (struct fixture){.now = 1000, .content = "abcdefg\n"};
    fix->core = agent_core_new(&setup);
}

static void forget_last_turn(struct fixture *fix)
{
    str_clear(&fix->text);
    msg_release(&fix->report);
    fix->report = (struct msg){.type = MSG_REPORT};
}

void fixture_release(struct fixture *fix)
{
    forget_last_turn(fix);
    msg_release(&fix->report);
    str_release(&fix->text);
    for (size_t i = 0; i < fix->held_count; i++)
        free(fix->held_states[i]);
    agent_core_free(fix->core);
}

// What the controller would get: every message must survive the wire.
static void check_wire(const struct msg *msg)
{
    uint8_t header[MSG_HEADER_BYTES];
    struct str body = STR_INIT;
    struct msg back;
    struct err err = {0};
    msg_encode(msg, header, &body);
    if (msg_decode(header, sizeof header, str_get(&body), body.len, msg->raw, msg->raw_len, &back, &err) != 0)
        fail_msg("%s does not decode: %s", msg_name(msg->type), err.text);
    msg_release(&back);
    str_release(&body);
}

static void take_hello(struct fixture *fix, const struct msg_hello *hello)
{
    for (size_t i = 0; i < fix->held_count; i++)
        free(fix->held_states[i]);
    fix->hello = hello->hello;
    fix->hello_sent_ms = hello->sent_ms;
    fix->held_count = hello->held_count < 16 ? hello->held_count : 16;
    for (size_t i = 0; i < fix->held_count; i++) {
        fix->held[i] = hello->held[i];
        fix->held_states[i] = xstrdup(hello->held[i].state);
    }
    str_addch(&fix->text, 'H');
}

static void take_report(struct fixture *fix, struct msg *msg)
{
    const struct msg_report *report = &msg->report;
    for (size_t i = 0; i < report->started_count; i++)
        str_addf(&fix->text, "T%llu", (unsigned long long)report->started[i].attempt);
    for (size_t i = 0; i < report->chunk_count; i++)
        str_addch(&fix->text, 'c');
    for (size_t i = 0; i < report->exited_count; i++)
        str_addf(&fix->text, "E%llu", (unsigned long long)report->exited[i].attempt);
    for (size_t i = 0; i < report->refused_count; i++)
        str_addf(&fix->text, "R%llu", (unsigned long long)report->refused[i].attempt);
    msg_release(&fix->report);
    fix->report = *msg;
    *msg = (struct msg){0};
}

static void take_sent(struct fixture *fix, struct msg *msg)
{
    check_wire(msg);
    if (msg->type == MSG_HELLO)
        take_hello(fix, &msg->hello);
    else if (msg->type == MSG_REPORT)
        take_report(fix, msg);
    else
        str_addch(&fix->text, msg->type == MSG_BEAT ? 'B' : msg->type == MSG_BYE ? 'Y' : '?');
    if (msg->type != 0)
        msg_release(msg);
}

static void take_start(struct fixture *fix, const struct agent_action *action)
{
    struct err err = {.code = ERR_IO};
    str_addf(&fix->text, "S%llu", (unsigned long long)action->attempt);
    assert_non_null(action->item);
    assert_int_equal(action->item->attempt, action->attempt);
    if (fix->keep_starts)
        return;
    if (fix->fail_start)
        strncpy(err.text, fix->fail_start, sizeof err.text - 1);
    agent_core_start_done(fix->core, fix->now, action->attempt, 4242, 1700000000000, fix->fail_start ? &err : NULL);
}

// Reads give what the file would hold there: the content, over and over, up to the length that was told.
static void take_read(struct fixture *fix, const struct agent_action *action)
{
    static char data[AGENT_READ_MAX];
    str_addch(&fix->text, 'D');
    fix->read_offset[action->stream] = action->offset;
    if (!fix->content || action->attempt >= 64)
        return;
    uint64_t length = fix->lengths[action->attempt][action->stream], size = strlen(fix->content), len = 0;
    while (len < action->max && action->offset + len < length) {
        data[len] = fix->content[(action->offset + len) % size];
        len++;
    }
    agent_core_read_done(fix->core, fix->now, action->attempt, action->stream, action->offset, data, len, 0);
}

const char *turn(struct fixture *fix, uint64_t ms)
{
    struct agent_action action;
    struct err err = {0};
    forget_last_turn(fix);
    fix->now += ms;
    agent_core_tick(fix->core, fix->now);
    while (agent_core_next(fix->core, &action)) {
        switch (action.kind) {
        case ACTION_SEND:
            take_sent(fix, &action.msg);
            break;
        case ACTION_START:
            take_start(fix, &action);
            break;
        case ACTION_KILL:
            str_addf(&fix->text, "K%llu", (unsigned long long)action.attempt);
            fix->kill_grace_ms = action.grace_ms;
            strncpy(fix->kill_word, action.class_word, sizeof fix->kill_word - 1);
            break;
        case ACTION_FORGET:
            str_addf(&fix->text, "F%llu", (unsigned long long)action.attempt);
            break;
        case ACTION_READ:
            take_read(fix, &action);
            break;
        case ACTION_RENEW:
            str_addf(&fix->text, "N%llu", (unsigned long long)action.attempt);
            break;
        case ACTION_RECONNECT:
            str_addch(&fix->text, 'C');
            break;
        case ACTION_EXIT:
            str_addch(&fix->text, 'X');
            break;
        }
    }
    if (!agent_core_check(fix->core, &err))
        fail_msg("%s", err.text);
    return str_get(&fix->text);
}

static void give(struct fixture *fix, const struct msg *msg)
{
    agent_core_message(fix->core, fix->now, msg);
}

void give_welcome(struct fixture *fix, uint64_t session, const struct msg_verdict *verdicts, size_t count)
{
    struct msg msg = {.type = MSG_WELCOME,
                      .welcome = {.agent = (char *)UID,
                                  .store = (char *)"store",
                                  .epoch = 1,
                                  .session = session,
                                  .incarnation = 7,
                                  .hello = fix->hello,
                                  .sent_ms = fix->hello_sent_ms,
                                  .lease_ms = LEASE_MS,
                                  .verdicts = (struct msg_verdict *)verdicts,
                                  .verdict_count = count}};
    fix->session = session;
    give(fix, &msg);
}

void connect_agent(struct fixture *fix, uint64_t session)
{
    assert_string_equal(turn(fix, 0), "H");
    give_welcome(fix, session, NULL, 0);
    assert_true(agent_core_connected(fix->core));
}

void give_launch(struct fixture *fix, uint64_t session, uint64_t attempt, const struct launch_options *options)
{
    const struct launch_options none = {.grace_ms = 5000};
    options = options ? options : &none;
    struct msg_arg arg = {.text = (char *)"true"};
    struct msg_launch_item item = {.attempt = attempt,
                                   .sweep = (char *)"s",
                                   .sweep_name = (char *)"s",
                                   .config = (char *)"{}",
                                   .argv = &arg,
                                   .argc = 1,
                                   .working_dir = (char *)"",
                                   .lease_ms = options->lease_ms,
                                   .grace_ms = options->grace_ms,
                                   .gpus = (uint32_t *)options->gpus,
                                   .gpu_count = options->gpu_count};
    struct msg msg = {.type = MSG_LAUNCH, .launch = {.session = session, .items = &item, .count = 1}};
    give(fix, &msg);
}

void give_kill(struct fixture *fix, uint64_t session, uint64_t attempt, const char *word, uint64_t grace_ms)
{
    struct msg_kill_item item = {.attempt = attempt, .class_word = (char *)word, .grace_ms = grace_ms};
    struct msg msg = {.type = MSG_KILL, .kill = {.session = session, .items = &item, .count = 1}};
    give(fix, &msg);
}

void give_forget(struct fixture *fix, uint64_t session, uint64_t attempt)
{
    struct msg msg = {.type = MSG_ACK, .ack = {.session = session, .forget = &attempt, .forget_count = 1}};
    give(fix, &msg);
}

void give_cursor(struct fixture *fix, uint64_t session, uint64_t attempt, enum stream stream, uint64_t offset)
{
    struct msg_cursor cursor = {.attempt = attempt, .stream = stream, .offset = offset};
    struct msg msg = {.type = MSG_ACK, .ack = {.session = session, .cursors = &cursor, .cursor_count = 1}};
    give(fix, &msg);
}

void give_drain(struct fixture *fix, uint64_t session)
{
    struct msg msg = {.type = MSG_DRAIN, .drain = {.session = session, .reason = (char *)"over"}};
    give(fix, &msg);
}

void give_beat_ack(struct fixture *fix, uint64_t session, uint64_t sent_ms)
{
    struct msg msg = {.type = MSG_BEAT_ACK, .beat_ack = {.session = session, .epoch = 1, .sent_ms = sent_ms}};
    give(fix, &msg);
}

void give_need_hello(struct fixture *fix, uint64_t session)
{
    struct msg msg = {.type = MSG_NEED_HELLO, .need_hello = {.session = session, .epoch = 1}};
    give(fix, &msg);
}

void give_exit(struct fixture *fix, uint64_t attempt, const char *word, const char *message)
{
    struct msg_exited exited = {.attempt = attempt, .class_word = (char *)word, .message = (char *)message};
    if (attempt < 64)
        memcpy(exited.lengths, fix->lengths[attempt], sizeof exited.lengths);
    agent_core_exited(fix->core, fix->now, &exited);
}

void grow(struct fixture *fix, uint64_t attempt, enum stream stream, uint64_t length)
{
    fix->lengths[attempt][stream] = length;
    agent_core_grown(fix->core, fix->now, attempt, fix->lengths[attempt]);
}
