// The end of an agent and of the command line: one DEALER.

#include "base/mem.h"
#include "wire/link_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct link_client {
    void *context, *socket;
    void *monitor;        // tells of connections
    unsigned connections; // since the socket was opened
    bool reconnected;
    char *endpoint, *server_key;
    struct keypair keys;
    bool curve;
    struct link_waker waker;
    struct str scratch;
};

static void close_socket(struct link_client *client)
{
    link_waker_release(&client->waker);
    if (client->monitor) {
        zmq_socket_monitor(client->socket, NULL, 0);
        zmq_close(client->monitor);
    }
    client->monitor = NULL;
    if (client->socket) {
        int linger = 200;
        zmq_setsockopt(client->socket, ZMQ_LINGER, &linger, sizeof linger);
        zmq_close(client->socket);
    }
    client->socket = NULL;
}

static int open_monitor(struct link_client *client, struct err *err)
{
    static unsigned number;
    char endpoint[64];
    int linger = 0;
    snprintf(endpoint, sizeof endpoint, "inproc://link-monitor-%u", number++);
    if (zmq_socket_monitor(client->socket, endpoint, ZMQ_EVENT_HANDSHAKE_SUCCEEDED) == 0)
        client->monitor = zmq_socket(client->context, ZMQ_PAIR);
    if (!client->monitor || zmq_setsockopt(client->monitor, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
        zmq_connect(client->monitor, endpoint) != 0)
        return err_set(err, ERR_IO, "cannot watch the connection: %s", zmq_strerror(errno));
    client->connections = 0;
    return 0;
}

static void take_events(struct link_client *client)
{
    zmq_msg_t frames[2];
    int count;
    while ((count = link_receive_frames(client->monitor, frames, 2)) != 0) {
        client->reconnected = client->connections > 0;
        client->connections++;
        for (int i = 0; i < count; i++)
            zmq_msg_close(&frames[i]);
    }
}

bool link_client_reconnected(struct link_client *client)
{
    take_events(client);
    bool reconnected = client->reconnected;
    client->reconnected = false;
    return reconnected;
}

static int open_socket(struct link_client *client, struct err *err)
{
    client->socket = zmq_socket(client->context, ZMQ_DEALER);
    if (!client->socket)
        return err_set(err, ERR_IO, "cannot make a socket: %s", zmq_strerror(errno));
    int reconnect = 100, reconnect_max = 1000, timeout = 10000;
    link_common_options(client->socket);
    zmq_setsockopt(client->socket, ZMQ_RECONNECT_IVL, &reconnect, sizeof reconnect);
    zmq_setsockopt(client->socket, ZMQ_RECONNECT_IVL_MAX, &reconnect_max, sizeof reconnect_max);
    zmq_setsockopt(client->socket, ZMQ_CONNECT_TIMEOUT, &timeout, sizeof timeout);
    if (client->curve) {
        zmq_setsockopt(client->socket, ZMQ_CURVE_SERVERKEY, client->server_key, KEY_Z85_MAX);
        zmq_setsockopt(client->socket, ZMQ_CURVE_PUBLICKEY, client->keys.public_key, KEY_Z85_MAX);
        zmq_setsockopt(client->socket, ZMQ_CURVE_SECRETKEY, client->keys.secret_key, KEY_Z85_MAX);
    }
    int rc = open_monitor(client, err);
    if (rc != 0)
        return rc;
    if (zmq_connect(client->socket, client->endpoint) != 0)
        return err_set(err, ERR_INVALID, "cannot connect to %s: %s", client->endpoint, zmq_strerror(errno));
    void *const sockets[] = {client->socket, client->monitor};
    return link_waker_init(&client->waker, sockets, 2, err);
}

int link_client_new(const struct link_client_options *options, struct link_client **ret, struct err *err)
{
    struct link_client *client = xcalloc(1, sizeof *client);
    client->endpoint = xstrdup(options->endpoint);
    client->server_key = xstrdup(options->server_key);
    client->curve = options->keys != NULL;
    if (options->keys)
        client->keys = *options->keys;
    client->waker = (struct link_waker){-1, -1};
    int rc = link_context(&client->context, err);
    if (rc == 0)
        rc = open_socket(client, err);
    if (rc != 0) {
        link_client_free(client);
        return rc;
    }
    *ret = client;
    return 0;
}

void link_client_free(struct link_client *client)
{
    if (!client)
        return;
    close_socket(client);
    if (client->context)
        link_context_release();
    str_release(&client->scratch);
    free(client->endpoint);
    free(client->server_key);
    free(client);
}

int link_client_fd(const struct link_client *client)
{
    return client->waker.epoll_fd;
}

int link_client_receive(struct link_client *client, struct msg *ret)
{
    zmq_msg_t frames[3];
    int count = link_receive_frames(client->socket, frames, 3);
    if (count == 0) {
        take_events(client);
        link_waker_clear(&client->waker);
        link_waker_look(&client->waker, client->socket);
        link_waker_look(&client->waker, client->monitor);
        return ERR_AGAIN;
    }
    if (count < 2) {
        for (int i = 0; i < count; i++)
            zmq_msg_close(&frames[i]);
        return ERR_PROTOCOL;
    }
    int rc = msg_decode(zmq_msg_data(&frames[0]), zmq_msg_size(&frames[0]), zmq_msg_data(&frames[1]),
                        zmq_msg_size(&frames[1]), count == 3 ? zmq_msg_data(&frames[2]) : NULL,
                        count == 3 ? zmq_msg_size(&frames[2]) : 0, ret, NULL);
    for (int i = 0; i < count; i++)
        zmq_msg_close(&frames[i]);
    return rc;
}

int link_client_send(struct link_client *client, const struct msg *msg)
{
    int rc = link_send_frames(client->socket, msg, &client->scratch);
    link_waker_look(&client->waker, client->socket);
    return rc == 0 ? 0 : ERR_AGAIN;
}

int link_client_reconnect(struct link_client *client, struct err *err)
{
    close_socket(client);
    return open_socket(client, err);
}
