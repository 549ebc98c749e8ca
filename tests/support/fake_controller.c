#include "fake_controller.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS 120000

static bool check_key(void *context, const char *public_key, enum peer_role *ret_role)
{
    const struct fake_controller *fake = context;
    *ret_role = strcmp(public_key, fake->join_key) == 0 ? PEER_JOIN : PEER_AGENT;
    return *ret_role == PEER_JOIN || (fake->agent_key[0] && strcmp(public_key, fake->agent_key) == 0);
}

void fake_start(struct fake_controller *fake)
{
    char path[128];
    struct err err = {0};
    snprintf(path, sizeof path, "%s/controller.sock", fake->data);
    const struct link_server_options options = {.ipc_path = path};
    if (link_server_new(&options, &fake->server, &err) != 0)
        fail_msg("%s", err.text);
    fake->epoch++;
}

char *fake_start_tcp(struct fake_controller *fake, const char *token)
{
    struct err err = {0};
    struct keypair join;
    fake_stop(fake);
    if (keypair_new(&fake->keys, &err) != 0 || keypair_from_token(token, &join, &err) != 0)
        fail_msg("%s", err.text);
    memcpy(fake->join_key, join.public_key, KEY_Z85_MAX);
    const struct link_server_options options = {
        .tcp_bind = "127.0.0.1:*", .keys = &fake->keys, .check_key = check_key, .check_context = fake};
    if (link_server_new(&options, &fake->server, &err) != 0)
        fail_msg("%s", err.text);
    struct join_string string = {.token = (char *)token, .endpoint = (char *)link_server_endpoint(fake->server)};
    memcpy(string.server_key, fake->keys.public_key, KEY_Z85_MAX);
    return join_string_format(&string);
}

void fake_init(struct fake_controller *fake)
{
    *fake = (struct fake_controller){.forgets = true, .verdict = "keep"};
    snprintf(fake->dir, sizeof fake->dir, "/tmp/trawl-agent-test-XXXXXX");
    assert_non_null(mkdtemp(fake->dir));
    snprintf(fake->data, sizeof fake->data, "%s/.trawl", fake->dir);
    assert_int_equal(dir_make(fake->data, NULL), 0);
    fake_start(fake);
}

void fake_stop(struct fake_controller *fake)
{
    link_server_free(fake->server);
    fake->server = NULL;
}

void fake_release(struct fake_controller *fake)
{
    fake_stop(fake);
    for (int i = 0; i < FAKE_ATTEMPTS; i++)
        for (int s = 0; s < STREAM_COUNT; s++)
            str_release(&fake->attempts[i].streams[s]);
    char *command = xasprintf("rm -rf '%s'", fake->dir);
    assert_int_equal(system(command), 0);
    free(command);
}

void fake_send(struct fake_controller *fake, const struct msg *msg)
{
    struct msg copy = *msg;
    copy.version = PROTOCOL_VERSION;
    assert_int_equal(link_server_send(fake->server, fake->peer, &copy), 0);
}

// ---- What agents say

static void on_hello(struct fake_controller *fake, const struct msg_hello *hello)
{
    struct msg_verdict *verdicts = xcalloc(hello->held_count, sizeof *verdicts);
    struct str gpus = STR_INIT;
    fake->hellos++;
    fake->hello = *hello;
    snprintf(fake->uid, sizeof fake->uid, "%s", hello->agent);
    snprintf(fake->name, sizeof fake->name, "%s", hello->name);
    for (size_t i = 0; i < hello->gpu_count; i++)
        str_addf(&gpus, "%s%s", i ? "," : "", hello->gpus[i].id);
    snprintf(fake->gpu_names, sizeof fake->gpu_names, "%s", str_get(&gpus));
    str_release(&gpus);
    for (size_t i = 0; i < hello->held_count; i++) {
        verdicts[i] = (struct msg_verdict){.attempt = hello->held[i].attempt, .action = fake->verdict};
        for (int s = 0; s < STREAM_COUNT && hello->held[i].attempt < FAKE_ATTEMPTS; s++)
            verdicts[i].cursors[s] = fake->attempts[hello->held[i].attempt].streams[s].len;
    }
    if (hello->held_count > 0) {
        fake->held_attempt = hello->held[0].attempt;
        snprintf(fake->held_state, sizeof fake->held_state, "%s", hello->held[0].state);
    }
    const struct msg msg = {.type = MSG_WELCOME,
                            .welcome = {.agent = hello->agent,
                                        .store = (char *)"store",
                                        .epoch = fake->epoch,
                                        .session = ++fake->session,
                                        .incarnation = hello->incarnation,
                                        .hello = hello->hello,
                                        .sent_ms = hello->sent_ms,
                                        .lease_ms = FAKE_LEASE_MS,
                                        .verdicts = verdicts,
                                        .verdict_count = hello->held_count}};
    fake_send(fake, &msg);
    free(verdicts);
}

static void take_chunks(struct fake_controller *fake, const struct msg *msg)
{
    const char *raw = msg->raw;
    for (size_t i = 0; i < msg->report.chunk_count; i++) {
        const struct msg_chunk *chunk = &msg->report.chunks[i];
        assert_true(chunk->attempt < FAKE_ATTEMPTS);
        struct str *stream = &fake->attempts[chunk->attempt].streams[chunk->stream];
        if (chunk->offset == stream->len)
            str_addn(stream, raw, chunk->length);
        raw += chunk->length;
        struct msg_cursor cursor = {.attempt = chunk->attempt, .stream = chunk->stream, .offset = stream->len};
        const struct msg ack = {.type = MSG_ACK, .ack = {.session = fake->session, .cursors = &cursor, .cursor_count = 1}};
        if (fake->forgets)
            fake_send(fake, &ack);
    }
}

static void take_end(struct fake_controller *fake, const struct msg_exited *exited)
{
    assert_true(exited->attempt < FAKE_ATTEMPTS);
    struct fake_attempt *attempt = &fake->attempts[exited->attempt];
    uint64_t id = exited->attempt;
    attempt->exited = true;
    attempt->exits++;
    attempt->code = exited->code;
    attempt->signal = exited->signal;
    snprintf(attempt->class_word, sizeof attempt->class_word, "%s", exited->class_word);
    snprintf(attempt->message, sizeof attempt->message, "%s", exited->message);
    for (int s = 0; s < STREAM_COUNT; s++)
        assert_int_equal(attempt->streams[s].len, exited->lengths[s]); // few bytes: they come with the end
    const struct msg ack = {.type = MSG_ACK, .ack = {.session = fake->session, .forget = &id, .forget_count = 1}};
    if (fake->forgets)
        fake_send(fake, &ack);
}

static void on_report(struct fake_controller *fake, const struct msg *msg)
{
    const struct msg_report *report = &msg->report;
    if (report->session != fake->session)
        return;
    take_chunks(fake, msg);
    for (size_t i = 0; i < report->started_count; i++)
        fake->attempts[report->started[i].attempt].started = true;
    for (size_t i = 0; i < report->refused_count; i++)
        fake->attempts[report->refused[i].attempt].refused = true;
    for (size_t i = 0; i < report->exited_count; i++)
        take_end(fake, &report->exited[i]);
}

static void take(struct fake_controller *fake, const struct peer *peer, const struct msg *msg)
{
    fake->peer = peer->id;
    if (msg->type == MSG_HELLO) {
        on_hello(fake, &msg->hello);
    } else if (msg->type == MSG_BEAT) {
        const struct msg ack = {.type = MSG_BEAT_ACK, .beat_ack = {.session = msg->beat.session, .epoch = fake->epoch, .sent_ms = msg->beat.sent_ms}};
        fake_send(fake, &ack);
    } else if (msg->type == MSG_REPORT) {
        on_report(fake, msg);
    } else if (msg->type == MSG_BYE) {
        fake->byes = true;
    } else if (msg->type == MSG_JOIN) {
        fake->joins++;
        snprintf(fake->agent_key, sizeof fake->agent_key, "%s", msg->join.public_key);
        const struct msg joined = {.type = MSG_JOINED, .joined = {.public_key = msg->join.public_key}};
        fake_send(fake, &joined);
    }
}

void fake_wait(struct fake_controller *fake, bool (*done)(const struct fake_controller *), const char *what)
{
    uint64_t end = clock_mono_ms() + DEADLINE_MS;
    struct peer peer;
    struct msg msg;
    for (;;) {
        while (fake->server && link_server_receive(fake->server, &peer, &msg) == 0) {
            take(fake, &peer, &msg);
            msg_release(&msg);
        }
        if (done(fake))
            return;
        if (clock_mono_ms() > end)
            fail_msg("did not happen: %s", what);
        struct pollfd fd = {.fd = fake->server ? link_server_fd(fake->server) : -1, .events = POLLIN};
        poll(&fd, 1, 20); // conditions may also be about files and processes
    }
}

// ---- What agents are told

void fake_launch(struct fake_controller *fake, uint64_t attempt, const char *script, void (*change)(struct msg_launch_item *item))
{
    struct msg_arg argv[] = {{.text = (char *)"sh"}, {.text = (char *)"-c"}, {.text = (char *)script}};
    struct msg_env env[] = {{.name = (char *)"FROM_SPEC", .value = (char *)"yes"}};
    struct msg_launch_item item = {.attempt = attempt,
                                   .sweep = (char *)"k3x9",
                                   .sweep_name = (char *)"named",
                                   .trial = 17,
                                   .number = 1,
                                   .seed = 99,
                                   .config = (char *)"{\"lr\":0.1}",
                                   .argv = argv,
                                   .argc = 3,
                                   .env = env,
                                   .env_count = 1,
                                   .working_dir = (char *)"",
                                   .grace_ms = 30000,
                                   .cpus = 1};
    if (change)
        change(&item);
    const struct msg msg = {.type = MSG_LAUNCH, .launch = {.session = fake->session, .items = &item, .count = 1}};
    fake_send(fake, &msg);
}

void fake_kill(struct fake_controller *fake, uint64_t attempt, const char *word, uint64_t grace_ms)
{
    struct msg_kill_item item = {.attempt = attempt, .class_word = (char *)word, .grace_ms = grace_ms};
    const struct msg msg = {.type = MSG_KILL, .kill = {.session = fake->session, .items = &item, .count = 1}};
    fake_send(fake, &msg);
}
