// Who the agent is and whom it works for: its directory and the way to its controller.
//
//   <dir>/lock uid incarnation   one agent a directory; its identity, durable before it is used
//   <dir>/agent.key              its own key pair (0600), admitted by the controller once
//   <dir>/controller             who admitted it: endpoint, server key, and the public key of the token it joined with; a line each
//   <dir>/runs/                  the spool

#define _GNU_SOURCE // realpath
#include "agent/agent_impl.h"

#include "agent/rundir.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define JOIN_TIMEOUT_MS 20000
#define JOIN_REPEAT_MS 1000
#define CONTROLLER_BYTES_MAX 4096

// ---- Identity

static int damaged(const struct agent *agent, const char *name, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "%s/%s is damaged; remove that directory to start as a new agent (its runs count as lost then)",
                   agent->options->dir, name);
}

static int make_uid(struct agent *agent, struct err *err)
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return err_set_errno(err, "no random numbers from the system");
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(agent->uid + 2 * i, 3, "%02x", bytes[i]);
    return file_replace_at(agent->dir_fd, "uid", agent->uid, 32, 0600, true, err);
}

static int load_uid(struct agent *agent, struct err *err)
{
    struct str text = STR_INIT;
    int rc = file_read_at(agent->dir_fd, "uid", 64, &text, err);
    if (rc == ERR_NOT_FOUND)
        rc = make_uid(agent, err);
    else if (rc == 0 && (text.len != 32 || strspn(text.s, "0123456789abcdef") != 32))
        rc = damaged(agent, "uid", err);
    else if (rc == 0)
        memcpy(agent->uid, text.s, 33);
    str_release(&text);
    return rc;
}

static int count_incarnation(struct agent *agent, struct err *err)
{
    struct str text = STR_INIT;
    uint64_t last = 0;
    int rc = file_read_at(agent->dir_fd, "incarnation", 32, &text, err);
    if (rc == 0 && !num_parse_u64(str_get(&text), &last))
        rc = damaged(agent, "incarnation", err);
    else if (rc == ERR_NOT_FOUND)
        rc = 0;
    str_release(&text);
    if (rc != 0)
        return rc;
    char number[24];
    agent->incarnation = last + 1;
    rundir_name(agent->incarnation, number);
    return file_replace_at(agent->dir_fd, "incarnation", number, strlen(number), 0600, true, err);
}

static int open_dir(const char *path, int *ret_fd, struct err *err)
{
    *ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret_fd >= 0 ? 0 : err_set_errno(err, "cannot open %s", path);
}

int join_open_dirs(struct agent *agent, struct err *err)
{
    const char *dir = agent->options->dir;
    char resolved[PATH_MAX];
    int rc = dir_make(dir, err);
    if (rc == 0 && !realpath(dir, resolved))
        rc = err_set_errno(err, "cannot resolve %s", dir);
    if (rc == 0)
        rc = open_dir(resolved, &agent->dir_fd, err);
    if (rc != 0)
        return rc;
    rc = file_lock_at(agent->dir_fd, "lock", &agent->lock_fd, err);
    if (rc == ERR_BUSY)
        return err_set(err, rc, "another agent works in %s; end it, or start this one with another --name or --dir", dir);
    agent->spool_path = xasprintf("%s/runs", resolved);
    if (rc == 0)
        rc = dir_make(agent->spool_path, err);
    if (rc == 0)
        rc = open_dir(agent->spool_path, &agent->spool_fd, err);
    if (rc == 0)
        rc = load_uid(agent, err);
    return rc == 0 ? count_incarnation(agent, err) : rc;
}

// ---- The controller of a data directory

static int connect_local(struct agent *agent, struct err *err)
{
    char *endpoint = link_ipc_endpoint(agent->options->data_dir, "controller.sock");
    struct link_client_options options = {.endpoint = endpoint};
    int rc = link_client_new(&options, &agent->link, err);
    agent->where = xasprintf("the controller of %s", agent->options->data_dir);
    free(endpoint);
    return rc;
}

// ---- Joining one over the network

struct controller { // who admitted us, and with which token
    char *endpoint;
    char server_key[KEY_Z85_MAX], token_key[KEY_Z85_MAX];
};

static void load_controller(struct agent *agent, struct controller *ret)
{
    struct str text = STR_INIT;
    char *rest = NULL;
    *ret = (struct controller){0};
    if (file_read_at(agent->dir_fd, "controller", CONTROLLER_BYTES_MAX, &text, NULL) == 0 && text.len > 0) {
        const char *endpoint = strtok_r(text.s, "\n", &rest), *server_key = strtok_r(NULL, "\n", &rest);
        const char *token_key = strtok_r(NULL, "\n", &rest);
        if (token_key && strlen(server_key) == KEY_Z85_MAX - 1 && strlen(token_key) == KEY_Z85_MAX - 1) {
            ret->endpoint = xstrdup(endpoint);
            memcpy(ret->server_key, server_key, KEY_Z85_MAX);
            memcpy(ret->token_key, token_key, KEY_Z85_MAX);
        }
    }
    str_release(&text);
}

static int store_controller(struct agent *agent, const struct controller *controller, struct err *err)
{
    char *text = xasprintf("%s\n%s\n%s\n", controller->endpoint, controller->server_key, controller->token_key);
    int rc = file_replace_at(agent->dir_fd, "controller", text, strlen(text), 0600, true, err);
    free(text);
    return rc;
}

// What came in answer to our asking. True: we are admitted.
static bool take_answers(struct link_client *link, int *rc, struct err *err)
{
    struct msg answer;
    bool joined = false;
    int got;
    while ((got = link_client_receive(link, &answer)) != ERR_AGAIN) {
        if (got == ERR_VERSION)
            *rc = err_set(err, ERR_VERSION, "the controller speaks another protocol version: use the same version of Trawl on both");
        if (got != 0)
            continue;
        joined = joined || answer.type == MSG_JOINED;
        if (answer.type == MSG_ERROR)
            *rc = err_set(err, ERR_PERMISSION, "the controller refused: %s", answer.error.text);
        msg_release(&answer);
    }
    return joined;
}

// Ask with the token's key to have our own admitted, until the controller says so.
static int enrol(struct agent *agent, const struct controller *to, const struct keypair *token, const struct keypair *own, struct err *err)
{
    struct link_client *link = NULL;
    struct link_client_options options = {.endpoint = to->endpoint, .server_key = to->server_key, .keys = token};
    struct msg ask = {.type = MSG_JOIN, .join = {.public_key = (char *)own->public_key, .name = (char *)agent->options->name}};
    uint64_t now = clock_mono_ms(), end = now + JOIN_TIMEOUT_MS, ask_at = now;
    bool joined = false;
    int rc = link_client_new(&options, &link, err);
    while (rc == 0 && !joined && !agent->leaving) {
        struct pollfd fds[] = {{.fd = link_client_fd(link), .events = POLLIN}, {.fd = agent->signal_fd, .events = POLLIN}};
        if (now >= ask_at) {
            link_client_send(link, &ask);
            ask_at = now + JOIN_REPEAT_MS;
        }
        poll(fds, 2, (int)(ask_at - now));
        now = clock_mono_ms();
        agent->leaving = fds[1].revents != 0;
        joined = take_answers(link, &rc, err);
        if (rc == 0 && !joined && now >= end)
            rc = err_set(err, ERR_UNREACHABLE, "no answer from %s: is the controller up, the port open, and the join string its current one "
                                               "(`trawl key join`)?", to->endpoint);
    }
    link_client_free(link);
    return rc;
}

// A key that was admitted before needs no token; another token than last time is tried all the same, for the key may have been revoked.
static int join_by_string(struct agent *agent, struct controller *known, const struct keypair *own, struct err *err)
{
    struct join_string join = {0};
    struct keypair token;
    int rc = join_string_parse(agent->options->join, &join, err);
    if (rc == 0)
        rc = keypair_from_token(join.token, &token, err);
    if (rc == 0) {
        bool same_server = known->endpoint && strcmp(known->server_key, join.server_key) == 0;
        bool same_token = same_server && strcmp(known->token_key, token.public_key) == 0;
        free(known->endpoint);
        known->endpoint = xstrdup(join.endpoint);
        memcpy(known->server_key, join.server_key, KEY_Z85_MAX);
        if (!same_token) {
            rc = enrol(agent, known, &token, own, err);
            memcpy(known->token_key, token.public_key, KEY_Z85_MAX);
            if (rc == 0 && !agent->leaving)
                rc = store_controller(agent, known, err);
            else if (rc == ERR_UNREACHABLE && same_server)
                rc = 0; // an old string; our key may still be good
        }
    }
    join_string_release(&join);
    return rc;
}

static int connect_remote(struct agent *agent, struct err *err)
{
    struct controller controller;
    struct keypair own;
    load_controller(agent, &controller);
    int rc = keypair_load(agent->dir_fd, "agent.key", true, &own, err);
    if (rc == 0 && agent->options->join)
        rc = join_by_string(agent, &controller, &own, err);
    else if (rc == 0 && !controller.endpoint)
        rc = err_set(err, ERR_NOT_FOUND, "%s has joined no controller yet: give the join string that the controller printed", agent->options->dir);
    struct link_client_options options = {.endpoint = controller.endpoint, .server_key = controller.server_key, .keys = &own};
    if (rc == 0 && !agent->leaving)
        rc = link_client_new(&options, &agent->link, err);
    agent->where = controller.endpoint;
    return rc;
}

int join_connect(struct agent *agent, struct err *err)
{
    return agent->options->data_dir ? connect_local(agent, err) : connect_remote(agent, err);
}
