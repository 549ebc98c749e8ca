// The turn: drain inputs, apply them to the core, answer its questions, one transaction, send.

#include "controller/controller.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "controller/controller_impl.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct now controller_now(void)
{
    return (struct now){.mono_ms = clock_mono_ms(), .wall_ms = clock_wall_ms()};
}

// ---- Keys

static void admitted_set(struct controller *controller, const char *public_key, bool join,
                         bool revoked)
{
    struct admitted *key = NULL;
    HASH_FIND_STR(controller->admitted, public_key, key);
    if (!key) {
        key = xcalloc(1, sizeof *key);
        snprintf(key->public_key, sizeof key->public_key, "%s", public_key);
        HASH_ADD_STR(controller->admitted, public_key, key);
    }
    key->role = join ? PEER_JOIN : PEER_AGENT;
    key->revoked = revoked;
}

static int each_key(void *context, const struct key_row *row)
{
    admitted_set(context, row->public_key, strcmp(row->role, "join") == 0, row->revoked);
    return 0;
}

int controller_admit(struct controller *controller, const char *public_key, const char *name,
                     const char *role, bool revoked, struct err *err)
{
    struct key_row row = {.name = (char *)name,
                          .role = (char *)role,
                          .revoked = revoked,
                          .created_ms = clock_wall_ms(),
                          .used_ms = clock_wall_ms()};
    snprintf(row.public_key, sizeof row.public_key, "%s", public_key);
    int rc = store_key_put(controller->store, &row, err);
    if (rc == 0)
        admitted_set(controller, public_key, strcmp(role, "join") == 0, revoked);
    return rc;
}

static bool check_key(void *context, const char *public_key, enum peer_role *ret_role)
{
    struct controller *controller = context;
    struct admitted *key = NULL;
    HASH_FIND_STR(controller->admitted, public_key, key);
    if (!key || key->revoked)
        return false;
    *ret_role = key->role;
    return true;
}

// ---- Making and ending

static char *make_token(void)
{
    unsigned char bytes[16];
    randombytes_buf(bytes, sizeof bytes);
    char *text = xmalloc(2 * sizeof bytes + 1);
    sodium_bin2hex(text, 2 * sizeof bytes + 1, bytes, sizeof bytes);
    return text;
}

// The join token stays the same for a data directory, so that a noted string goes on working.
static int load_token(struct controller *controller, char **ret, struct err *err)
{
    struct str text = STR_INIT;
    int rc = file_read_at(controller->dir_fd, JOIN_TOKEN_FILE, 256, &text, NULL);
    while (rc == 0 && text.len > 0 && text.s[text.len - 1] == '\n')
        text.s[--text.len] = '\0';
    if (rc == 0 && text.len == 32) {
        *ret = str_detach(&text);
        return 0;
    }
    str_release(&text);
    char *token = make_token();
    rc = file_replace_at(controller->dir_fd, JOIN_TOKEN_FILE, token, strlen(token), 0600, true, err);
    if (rc == 0)
        *ret = token;
    else
        free(token);
    return rc;
}

static void make_join_string(struct controller *controller, const char *token, const char *host)
{
    char name[256] = "localhost";
    if (!host && gethostname(name, sizeof name - 1) != 0)
        snprintf(name, sizeof name, "localhost");
    const char *endpoint = link_server_endpoint(controller->server);
    const char *port = strrchr(endpoint, ':');
    struct join_string join = {.token = (char *)token,
                               .endpoint = xasprintf("tcp://%s%s", host ? host : name, port)};
    snprintf(join.server_key, sizeof join.server_key, "%s", controller->keys.public_key);
    controller->join_string = join_string_format(&join);
    free(join.endpoint);
}

static int open_server(struct controller *controller, const struct controller_options *options,
                       struct err *err)
{
    char *token = NULL;
    char *socket_path = xasprintf("%s/%s", controller->data_dir, CONTROLLER_SOCKET);
    int rc = 0;
    if (options->tcp_bind) {
        struct keypair join = {0};
        rc = keypair_load(controller->dir_fd, SERVER_KEY_FILE, true, &controller->keys, err);
        if (rc == 0)
            rc = load_token(controller, &token, err);
        if (rc == 0)
            rc = keypair_from_token(token, &join, err);
        if (rc == 0)
            rc = controller_admit(controller, join.public_key, "join", "join", false, err);
    }
    struct link_server_options link = {.ipc_path = socket_path,
                                       .tcp_bind = options->tcp_bind,
                                       .keys = options->tcp_bind ? &controller->keys : NULL,
                                       .check_key = check_key,
                                       .check_context = controller};
    if (rc == 0)
        rc = link_server_new(&link, &controller->server, err);
    if (rc == 0 && options->tcp_bind)
        make_join_string(controller, token, options->public_host);
    free(token);
    free(socket_path);
    return rc;
}

// Each agent costs descriptors: take as many as the system gives.
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int controller_new(const struct controller_options *options, struct controller **ret,
                   struct err *err)
{
    if (options->tcp_bind)
        raise_descriptors();
    struct controller *controller = xcalloc(1, sizeof *controller);
    controller->data_dir = xstrdup(options->data_dir);
    controller->dir_fd = -1;
    controller->started_ms = (uint64_t)clock_wall_ms();
    batch_init(&controller->batch);
    uint64_t epoch = 0;
    int rc = sodium_init() < 0 ? err_set(err, ERR_IO, "no random numbers from the system") : 0;
    if (rc == 0)
        rc = store_open(options->data_dir, options->what, &controller->store, err);
    if (rc == 0) {
        controller->dir_fd = open(options->data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (controller->dir_fd < 0)
            rc = err_set_errno(err, "cannot open %s", options->data_dir);
    }
    if (rc == 0)
        rc = store_begin_epoch(controller->store, &epoch, err);
    if (rc == 0)
        rc = store_key_each(controller->store, each_key, controller, err);
    if (rc == 0) {
        controller->suggester = suggester_new(false);
        rc = controller_restore_at(controller, epoch, options, controller_now(), err);
    }
    if (rc == 0 && !options->offline)
        rc = open_server(controller, options, err);
    if (rc != 0) {
        controller_free(controller);
        return rc;
    }
    *ret = controller;
    return 0;
}

static void clear_inputs(struct controller *controller)
{
    for (size_t i = 0; i < controller->input_count; i++)
        msg_release(&controller->inputs[i].msg);
    controller->input_count = 0;
}

static void clear_replies(struct controller *controller)
{
    for (size_t i = 0; i < controller->reply_count; i++)
        msg_release(&controller->replies[i].msg);
    controller->reply_count = 0;
}

void controller_free(struct controller *controller)
{
    if (!controller)
        return;
    link_server_free(controller->server);
    suggester_free(controller->suggester);
    core_free(controller->core);
    batch_release(&controller->batch);
    clear_inputs(controller);
    clear_replies(controller);
    free(controller->inputs);
    free(controller->replies);
    store_close(controller->store);
    fd_close(&controller->dir_fd);
    struct admitted *key, *tmp;
    HASH_ITER (hh, controller->admitted, key, tmp) {
        HASH_DEL(controller->admitted, key);
        free(key);
    }
    free(controller->join_string);
    free(controller->stalled);
    free(controller->data_dir);
    free(controller);
}

const char *controller_join_string(const struct controller *controller)
{
    return controller->join_string;
}

const struct core *controller_core(const struct controller *controller)
{
    return controller->core;
}

uint32_t controller_agents(const struct controller *controller)
{
    return core_agents_alive(controller->core);
}

const char *controller_stalled(const struct controller *controller)
{
    return controller->stalled;
}

bool controller_shutdown_asked(const struct controller *controller)
{
    return controller->shutdown_asked;
}

void controller_drain(struct controller *controller, bool end_runs, uint64_t grace_ms_max)
{
    core_drain(controller->core, controller_now(), end_runs, grace_ms_max);
}

void controller_dismiss_agents(struct controller *controller, const char *reason)
{
    core_dismiss_agents(controller->core, controller_now(), reason);
}

// ---- The turn

// A new agent's own key, sent over a connection that knew the join token.
static void handle_join(struct controller *controller, const struct input *input)
{
    const struct msg_join *join = &input->msg.join;
    struct err err = {0};
    ARRAY_GROW(controller->replies, controller->reply_count, controller->reply_capacity);
    struct reply *reply = &controller->replies[controller->reply_count++];
    *reply = (struct reply){.peer = input->peer.id};
    int rc = input->peer.role == PEER_JOIN
                 ? controller_admit(controller, join->public_key, join->name, "agent", false, &err)
                 : err_set(&err, ERR_PERMISSION, "join with the string that the controller printed");
    if (rc == 0) {
        log_info("agent %s joined", join->name);
        reply->msg.type = MSG_JOINED;
        reply->msg.joined.public_key = xstrdup(join->public_key);
        return;
    }
    reply->msg.type = MSG_ERROR;
    reply->msg.error = (struct msg_error){.code = rc, .text = xstrdup(err.text)};
}

static void handle_input(struct controller *controller, struct now now, const struct input *input)
{
    const struct peer *peer = &input->peer;
    if (input->msg.type == MSG_JOIN)
        handle_join(controller, input);
    else if (input->msg.type == MSG_REQUEST && peer->role == PEER_LOCAL)
        controller_handle_request(controller, peer, &input->msg.request);
    else if (peer->role != PEER_JOIN)
        core_message(controller->core, now, peer, &input->msg);
}

static void drain_inputs(struct controller *controller, struct now now)
{
    controller->more_inputs = true;
    while (controller->input_count < TURN_MESSAGES_MAX) {
        ARRAY_GROW(controller->inputs, controller->input_count, controller->input_capacity);
        struct input *input = &controller->inputs[controller->input_count];
        if (link_server_receive(controller->server, &input->peer, &input->msg) != 0) {
            controller->more_inputs = false;
            break;
        }
        controller->input_count++;
        handle_input(controller, now, input);
    }
}

static int each_parent_run(void *context, uint64_t number, uint32_t repeat, uint64_t attempt)
{
    struct suggestion *suggestion = context;
    if (repeat < suggestion->parent_run_count)
        suggestion->parent_runs[repeat] = (struct run_of_point){.trial = number, .attempt = attempt};
    return 0;
}

// The trials whose runs an answer's go on from. Without them (they cannot be read) the new ones begin afresh.
static void find_parents(struct controller *controller, const struct answer *answer)
{
    const struct spec *spec = core_sweep_spec(controller->core, answer->sweep);
    for (size_t i = 0; spec && i < answer->count; i++) {
        struct suggestion *suggestion = &answer->suggestions[i];
        struct err err = {0};
        if (suggestion->parent == 0)
            continue;
        suggestion->parent_runs = xcalloc(spec->repeats, sizeof *suggestion->parent_runs);
        suggestion->parent_run_count = spec->repeats;
        if (store_each_run_of_point(controller->store, answer->sweep, suggestion->parent, spec->repeats, each_parent_run, suggestion,
                                    &err) != 0)
            log_warn("the runs that others go on from cannot be found: %s", err.text);
    }
}

static void take_answer(struct controller *controller, struct now now, struct answer *answer)
{
    find_parents(controller, answer);
    core_suggested(controller->core, now, answer->sweep, answer->suggestions, answer->count,
                   answer->cursor, answer->outcome, answer->reason ? answer->reason : "");
    answer_release(answer);
}

// Let time pass in the core until it has no more questions that a fast strategy answers. Tells go before asks: the
// order in which a strategy hears of results is the order of the turns.
static void tick(struct controller *controller, struct now now)
{
    size_t told = 0, asked = 0;
    struct batch *batch = &controller->batch;
    for (int round = 0; round < TURN_ROUNDS_MAX; round++) {
        core_tick(controller->core, now);
        for (; told < batch->tell_count; told++)
            suggester_tell(controller->suggester, &batch->tells[told]);
        if (asked == batch->ask_count)
            return;
        while (asked < batch->ask_count) {
            struct ask ask = batch->asks[asked++];
            struct answer answer;
            if (suggester_ask(controller->suggester, &ask, &answer))
                take_answer(controller, now, &answer);
        }
    }
}

static void send_all(struct controller *controller)
{
    struct batch *batch = &controller->batch;
    for (size_t i = 0; controller->server && i < batch->send_count; i++)
        link_server_send(controller->server, batch->sends[i].peer, &batch->sends[i].msg);
    for (size_t i = 0; controller->server && i < controller->reply_count; i++)
        link_server_send(controller->server, controller->replies[i].peer,
                         &controller->replies[i].msg);
    clear_replies(controller);
}

// Commit, then act. On a full disk the batch stays as it is and is tried again; the core is ahead of the store meanwhile
// and nothing of it has left the process.
static int commit(struct controller *controller, struct now now, struct err *err)
{
    struct err failure = {0};
    int rc = store_commit(controller->store, &controller->batch, &failure);
    if (rc == ERR_NO_SPACE) {
        if (!controller->stalled) {
            controller->stalled = xstrdup(failure.text);
            log_warn("%s; nothing is lost: free some space and the sweep goes on", failure.text);
        }
        controller->stalled_until_ms = now.mono_ms + STALL_RETRY_MS;
        return 0;
    }
    if (rc != 0) {
        if (err)
            *err = failure;
        return rc;
    }
    if (controller->stalled) {
        log_info("there is space on the disk again");
        free(controller->stalled);
        controller->stalled = NULL;
    }
    send_all(controller);
    batch_clear(&controller->batch);
    clear_inputs(controller);
    return 0;
}

static int wait_time(const struct controller *controller, int timeout_ms)
{
    uint64_t now = clock_mono_ms();
    uint64_t deadline =
        controller->stalled ? controller->stalled_until_ms : core_deadline(controller->core);
    uint64_t left = deadline <= now ? 0 : deadline - now;
    return timeout_ms >= 0 && left > (uint64_t)timeout_ms ? timeout_ms
           : left > 60000                                  ? 60000
                                                           : (int)left;
}

static void wait_input(struct controller *controller, int extra_fd, int timeout_ms)
{
    struct pollfd fds[3];
    nfds_t count = 0;
    if (controller->server && !controller->stalled)
        fds[count++] =
            (struct pollfd){.fd = link_server_fd(controller->server), .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = suggester_fd(controller->suggester), .events = POLLIN};
    if (extra_fd >= 0)
        fds[count++] = (struct pollfd){.fd = extra_fd, .events = POLLIN};
    poll(fds, count, wait_time(controller, timeout_ms));
}

int controller_turn(struct controller *controller, int extra_fd, int timeout_ms, struct err *err)
{
    if (!controller->more_inputs)
        wait_input(controller, extra_fd, timeout_ms);
    struct now now = controller_now();
    if (controller->stalled)
        return now.mono_ms < controller->stalled_until_ms ? 0 : commit(controller, now, err);
    if (controller->server)
        drain_inputs(controller, now);
    struct answer answer;
    while (suggester_take(controller->suggester, &answer))
        take_answer(controller, now, &answer);
    tick(controller, now);
    return commit(controller, now, err);
}
