// The controller's end: one ROUTER for this machine (ipc), one for others (tcp with CURVE), and the ZAP handler that decides about keys,
// all served by the thread that receives. A handler in a thread of its own could die alone and let everybody in.

#include "base/mem.h"
#include "wire/link_impl.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ZAP_ENDPOINT "inproc://zeromq.zap.01"
#define SELF_TEST_MS 500
#define PEERS_BACKLOG 4096

enum { SOCKET_IPC, SOCKET_TCP, SOCKET_ZAP, SOCKET_COUNT };

struct link_server {
    void *sockets[SOCKET_COUNT];
    struct link_waker waker;
    struct link_server_options options;
    char endpoint[256];
    struct link_counts counts;
    struct str scratch;
    unsigned turn; // which socket is asked first: neither starves the other
    uint64_t denied;
    bool context_held;
};

// ---- Keys at the handshake

static bool decide(struct link_server *server, const zmq_msg_t *credentials, char key[static KEY_Z85_MAX])
{
    enum peer_role role;
    if (zmq_msg_size(credentials) != 32)
        return false;
    zmq_z85_encode(key, zmq_msg_data((zmq_msg_t *)credentials), 32);
    return server->options.check_key && server->options.check_key(server->options.check_context, key, &role);
}

static void answer_zap(struct link_server *server, zmq_msg_t *frames, int count)
{
    void *socket = server->sockets[SOCKET_ZAP];
    char key[KEY_Z85_MAX] = "";
    bool curve = count == 7 && zmq_msg_size(&frames[5]) == 5 && memcmp(zmq_msg_data(&frames[5]), "CURVE", 5) == 0;
    bool admitted = curve && decide(server, &frames[6], key);
    server->denied += !admitted;
    server->counts.unauthorised += !admitted;
    zmq_send(socket, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(socket, count > 1 ? zmq_msg_data(&frames[1]) : "", count > 1 ? zmq_msg_size(&frames[1]) : 0, ZMQ_SNDMORE);
    zmq_send(socket, admitted ? "200" : "400", 3, ZMQ_SNDMORE);
    zmq_send(socket, "", 0, ZMQ_SNDMORE);
    zmq_send(socket, key, admitted ? strlen(key) : 0, ZMQ_SNDMORE);
    zmq_send(socket, "", 0, 0);
}

static void serve_zap(struct link_server *server)
{
    zmq_msg_t frames[7];
    int count;
    if (!server->sockets[SOCKET_ZAP])
        return;
    while ((count = link_receive_frames(server->sockets[SOCKET_ZAP], frames, 7)) != 0) {
        if (count < 0)
            continue;
        answer_zap(server, frames, count);
        for (int i = 0; i < count; i++)
            zmq_msg_close(&frames[i]);
    }
}

// ---- Making

static void *new_router(void *context)
{
    void *socket = zmq_socket(context, ZMQ_ROUTER);
    if (!socket)
        return NULL;
    int one = 1, backlog = PEERS_BACKLOG;
    link_common_options(socket);
    zmq_setsockopt(socket, ZMQ_ROUTER_MANDATORY, &one, sizeof one);
    zmq_setsockopt(socket, ZMQ_BACKLOG, &backlog, sizeof backlog);
    return socket;
}

static int bind_ipc(struct link_server *server, void *context, struct err *err)
{
    char *dir = xstrdup(server->options.ipc_path);
    char *slash = strrchr(dir, '/');
    char *endpoint;
    if (slash) {
        *slash = '\0';
        endpoint = link_ipc_endpoint(*dir ? dir : "/", slash + 1);
    } else {
        endpoint = link_ipc_endpoint(".", dir);
    }
    int rc = 0;
    server->sockets[SOCKET_IPC] = new_router(context);
    if (!server->sockets[SOCKET_IPC] || zmq_bind(server->sockets[SOCKET_IPC], endpoint) != 0)
        rc = err_set(err, ERR_IO, "cannot make the socket %s: %s", server->options.ipc_path, zmq_strerror(errno));
    else if (chmod(server->options.ipc_path, 0600) != 0)
        rc = err_set_errno(err, "cannot protect the socket %s", server->options.ipc_path);
    free(endpoint);
    free(dir);
    return rc;
}

static int bind_zap(struct link_server *server, void *context, struct err *err)
{
    server->sockets[SOCKET_ZAP] = zmq_socket(context, ZMQ_REP);
    if (!server->sockets[SOCKET_ZAP] || zmq_bind(server->sockets[SOCKET_ZAP], ZAP_ENDPOINT) != 0)
        return err_set(err, ERR_IO, "cannot start the key check: %s", zmq_strerror(errno));
    return 0;
}

static int explain_bind(const struct link_server *server, int number, struct err *err)
{
    const char *bind = server->options.tcp_bind;
    switch (number) {
    case EADDRINUSE:
        return err_set(err, ERR_BUSY, "the address %s is in use by another program; choose another with --listen HOST:PORT", bind);
    case EACCES:
        return err_set(err, ERR_PERMISSION, "not permitted to listen on %s; ports below 1024 are for root", bind);
    case EADDRNOTAVAIL:
    case ENODEV:
        return err_set(err, ERR_INVALID, "this machine has no address %s; use *:PORT for all of its addresses", bind);
    default:
        return err_set(err, ERR_INVALID, "cannot listen on '%s': %s; it is HOST:PORT, for example *:7077", bind,
                       zmq_strerror(number));
    }
}

static int bind_tcp(struct link_server *server, void *context, struct err *err)
{
    int rc = bind_zap(server, context, err);
    if (rc != 0)
        return rc;
    void *socket = server->sockets[SOCKET_TCP] = new_router(context);
    if (!socket)
        return err_set(err, ERR_IO, "cannot make a socket: %s", zmq_strerror(errno));
    int one = 1;
    zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &one, sizeof one);
    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, server->options.keys->secret_key, KEY_Z85_MAX);
    zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, LINK_ZAP_DOMAIN, strlen(LINK_ZAP_DOMAIN));
    zmq_setsockopt(socket, ZMQ_ZAP_ENFORCE_DOMAIN, &one, sizeof one);
    char *endpoint = xasprintf("tcp://%s", server->options.tcp_bind);
    if (zmq_bind(socket, endpoint) != 0)
        rc = explain_bind(server, errno, err);
    free(endpoint);
    size_t size = sizeof server->endpoint;
    if (rc == 0 && zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, server->endpoint, &size) != 0)
        rc = err_set(err, ERR_IO, "the socket has no address: %s", zmq_strerror(errno));
    return rc;
}

// Connect with a key that nobody knows: it must be denied, and nothing of it may arrive. The stock library would let it in if the
// handler were absent or the domain not enforced, so this is looked at, not believed.
static int self_test(struct link_server *server, struct err *err)
{
    const char *port = strrchr(server->endpoint, ':');
    char *endpoint = strstr(server->endpoint, "0.0.0.0") ? xasprintf("tcp://127.0.0.1%s", port) : xstrdup(server->endpoint);
    struct keypair stranger;
    struct link_client *client = NULL;
    uint64_t denied = server->denied;
    int rc = keypair_new(&stranger, err);
    struct link_client_options options = {.endpoint = endpoint, .server_key = server->options.keys->public_key, .keys = &stranger};
    if (rc == 0)
        rc = link_client_new(&options, &client, err);
    char reason[] = "";
    struct msg hello = {.type = MSG_BYE, .bye = {.reason = reason}};
    if (rc == 0)
        link_client_send(client, &hello);
    for (int ms = 0; rc == 0 && ms < SELF_TEST_MS && server->denied == denied; ms += 5) {
        zmq_msg_t frames[4];
        serve_zap(server);
        int count = link_receive_frames(server->sockets[SOCKET_TCP], frames, 4);
        for (int i = 0; i < count; i++)
            zmq_msg_close(&frames[i]);
        if (count != 0)
            rc = err_set(err, ERR_PERMISSION, "an unknown key was let in: this libzmq does not check keys; refusing to serve");
        poll(NULL, 0, 5);
    }
    link_client_free(client);
    free(endpoint);
    return rc;
}

int link_server_new(const struct link_server_options *options, struct link_server **ret, struct err *err)
{
    struct link_server *server = xcalloc(1, sizeof *server);
    void *context = NULL;
    server->options = *options;
    server->waker = (struct link_waker){-1, -1};
    int rc = link_context(&context, err);
    server->context_held = rc == 0;
    if (rc == 0 && options->ipc_path)
        rc = bind_ipc(server, context, err);
    if (rc == 0 && options->tcp_bind)
        rc = bind_tcp(server, context, err);
    server->options.ipc_path = server->options.tcp_bind = NULL; // borrowed until here only
    if (rc == 0 && options->tcp_bind)
        rc = self_test(server, err);
    server->options.keys = NULL;
    if (rc == 0)
        rc = link_waker_init(&server->waker, server->sockets, SOCKET_COUNT, err);
    if (rc != 0) {
        link_server_free(server);
        return rc;
    }
    *ret = server;
    return 0;
}

void link_server_free(struct link_server *server)
{
    if (!server)
        return;
    link_waker_release(&server->waker);
    int linger = 200; // goodbyes
    for (size_t i = 0; i < SOCKET_COUNT; i++) {
        if (!server->sockets[i])
            continue;
        zmq_setsockopt(server->sockets[i], ZMQ_LINGER, &linger, sizeof linger);
        zmq_close(server->sockets[i]);
    }
    str_release(&server->scratch);
    if (server->context_held)
        link_context_release();
    free(server);
}

const char *link_server_endpoint(const struct link_server *server)
{
    return server->sockets[SOCKET_TCP] ? server->endpoint : NULL;
}

int link_server_fd(const struct link_server *server)
{
    return server->waker.epoll_fd;
}

struct link_counts link_server_counts(const struct link_server *server)
{
    return server->counts;
}

// ---- Messages

// A peer's number is its socket and the five bytes that the ROUTER calls it by.
static uint64_t peer_number(unsigned socket, const zmq_msg_t *routing_id)
{
    const unsigned char *bytes = zmq_msg_data((zmq_msg_t *)routing_id);
    uint64_t number = socket + 1;
    for (int i = 0; i < LINK_ROUTING_ID_BYTES; i++)
        number = number << 8 | bytes[i];
    return number;
}

static bool identify(struct link_server *server, unsigned socket, zmq_msg_t *frames, struct peer *ret)
{
    *ret = (struct peer){.role = PEER_LOCAL};
    if (zmq_msg_size(&frames[0]) != LINK_ROUTING_ID_BYTES)
        return false;
    ret->id = peer_number(socket, &frames[0]);
    if (socket == SOCKET_IPC)
        return true;
    const char *user = zmq_msg_gets(&frames[1], "User-Id"); // on a payload frame: 4.3.4 loses it on the first
    if (!user || strlen(user) + 1 != KEY_Z85_MAX)
        return false;
    memcpy(ret->public_key, user, KEY_Z85_MAX);
    return server->options.check_key(server->options.check_context, user, &ret->role);
}

static void answer_error(struct link_server *server, uint64_t peer_id, const struct err *error)
{
    struct msg msg = {.type = MSG_ERROR,
                      .error = {.code = error->code,
                                .text = (char *)error->text,
                                .version_min = PROTOCOL_VERSION_MIN,
                                .version_max = PROTOCOL_VERSION}};
    link_server_send(server, peer_id, &msg);
}

// One message of one socket: 1 taken, 0 none, -1 something that was not for us (already swallowed).
static int receive_from(struct link_server *server, unsigned socket, struct peer *ret_peer, struct msg *ret)
{
    zmq_msg_t frames[4];
    if (!server->sockets[socket])
        return 0;
    int count = link_receive_frames(server->sockets[socket], frames, 4);
    if (count == 0)
        return 0;
    struct err err = {0};
    int taken = -1;
    if (count < 3) {
        server->counts.undecodable++;
    } else if (!identify(server, socket, frames, ret_peer)) {
        server->counts.unauthorised++;
    } else {
        int rc = msg_decode(zmq_msg_data(&frames[1]), zmq_msg_size(&frames[1]), zmq_msg_data(&frames[2]),
                            zmq_msg_size(&frames[2]), count == 4 ? zmq_msg_data(&frames[3]) : NULL,
                            count == 4 ? zmq_msg_size(&frames[3]) : 0, ret, &err);
        taken = rc == 0 ? 1 : -1;
        if (rc != 0) {
            server->counts.undecodable++;
            answer_error(server, ret_peer->id, &err);
        }
    }
    for (int i = 0; i < count; i++)
        zmq_msg_close(&frames[i]);
    return taken;
}

int link_server_receive(struct link_server *server, struct peer *ret_peer, struct msg *ret)
{
    serve_zap(server);
    for (;;) {
        int any = 0;
        for (unsigned i = 0; i < 2; i++) {
            unsigned socket = (server->turn + i) % 2;
            int taken = receive_from(server, socket, ret_peer, ret);
            if (taken > 0) {
                server->turn = socket + 1;
                server->counts.received++;
                return 0;
            }
            any |= taken;
        }
        if (any == 0)
            break;
    }
    link_waker_clear(&server->waker);
    for (unsigned i = 0; i < SOCKET_COUNT; i++) // what came since then must wake us again
        if (server->sockets[i])
            link_waker_look(&server->waker, server->sockets[i]);
    return ERR_AGAIN;
}

int link_server_send(struct link_server *server, uint64_t peer_id, const struct msg *msg)
{
    unsigned socket = (unsigned)(peer_id >> (8 * LINK_ROUTING_ID_BYTES)) - 1;
    unsigned char routing_id[LINK_ROUTING_ID_BYTES];
    if (socket > SOCKET_TCP || !server->sockets[socket])
        return ERR_NOT_FOUND;
    for (int i = LINK_ROUTING_ID_BYTES; i-- > 0; peer_id >>= 8)
        routing_id[i] = (unsigned char)peer_id;
    if (zmq_send(server->sockets[socket], routing_id, sizeof routing_id, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0) {
        server->counts.not_sent++;
        return errno == EHOSTUNREACH ? ERR_NOT_FOUND : ERR_AGAIN;
    }
    int rc = link_send_frames(server->sockets[socket], msg, &server->scratch);
    server->counts.sent += rc == 0;
    server->counts.not_sent += rc != 0;
    link_waker_look(&server->waker, server->sockets[socket]);
    return rc == 0 ? 0 : ERR_AGAIN;
}
