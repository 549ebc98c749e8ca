// The context, options and frames that both ends share.
//
// Facts about ZeroMQ that this is written against were measured (docs/protocol.md): sends succeed and are lost at reconnects, its
// descriptor is edge-triggered and a send may swallow the edge of an arrival, one context a process.

#include "wire/link.h"

#include "base/mem.h"
#include "wire/link_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define IPC_PATH_MAX 100 // a socket address holds 107 bytes

static void *the_context;
static unsigned sockets_open;

int link_context(void **ret, struct err *err)
{
    int major, minor, patch;
    zmq_version(&major, &minor, &patch);
    if (major * 10000 + minor * 100 + patch < 40303)
        return err_set(err, ERR_VERSION, "libzmq %d.%d.%d has known remote faults; 4.3.3 is the oldest that will do", major,
                       minor, patch);
    if (!the_context) {
        the_context = zmq_ctx_new();
        if (!the_context)
            return err_set(err, ERR_IO, "cannot start ZeroMQ: %s", zmq_strerror(errno));
        zmq_ctx_set(the_context, ZMQ_MAX_SOCKETS, 65535);
    }
    sockets_open++;
    *ret = the_context;
    return 0;
}

void link_context_release(void)
{
    if (sockets_open == 0 || --sockets_open > 0)
        return;
    zmq_ctx_term(the_context);
    the_context = NULL;
}

static void set_int(void *socket, int option, int value)
{
    zmq_setsockopt(socket, option, &value, sizeof value);
}

void link_common_options(void *socket)
{
    int64_t frame_max = LINK_FRAME_MAX;
    zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max);
    set_int(socket, ZMQ_LINGER, 0);
    set_int(socket, ZMQ_SNDHWM, 1000);
    set_int(socket, ZMQ_RCVHWM, 1000);
    set_int(socket, ZMQ_HEARTBEAT_IVL, 5000);
    set_int(socket, ZMQ_HEARTBEAT_TIMEOUT, 15000);
    set_int(socket, ZMQ_HEARTBEAT_TTL, 20000);
    set_int(socket, ZMQ_TCP_KEEPALIVE, 1);
    set_int(socket, ZMQ_TCP_KEEPALIVE_IDLE, 60);
    set_int(socket, ZMQ_TCP_KEEPALIVE_INTVL, 15);
    set_int(socket, ZMQ_TCP_KEEPALIVE_CNT, 4);
    set_int(socket, ZMQ_TCP_MAXRT, 20000);
    set_int(socket, ZMQ_HANDSHAKE_IVL, 5000);
}

// ---- Waking

int link_waker_init(struct link_waker *waker, void *const *sockets, size_t count, struct err *err)
{
    waker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    waker->event_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK); // look once at the start
    struct epoll_event event = {.events = EPOLLIN};
    bool ok = waker->epoll_fd >= 0 && waker->event_fd >= 0 &&
              epoll_ctl(waker->epoll_fd, EPOLL_CTL_ADD, waker->event_fd, &event) == 0;
    for (size_t i = 0; i < count && ok; i++) {
        int fd = -1;
        size_t size = sizeof fd;
        ok = !sockets[i] || (zmq_getsockopt(sockets[i], ZMQ_FD, &fd, &size) == 0 &&
                             epoll_ctl(waker->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0);
    }
    return ok ? 0 : err_set_errno(err, "cannot watch the sockets");
}

void link_waker_release(struct link_waker *waker)
{
    if (waker->epoll_fd >= 0)
        close(waker->epoll_fd);
    if (waker->event_fd >= 0)
        close(waker->event_fd);
    waker->epoll_fd = waker->event_fd = -1;
}

void link_waker_clear(struct link_waker *waker)
{
    uint64_t count;
    ssize_t n = read(waker->event_fd, &count, sizeof count);
    (void)n; // empty is what we want
}

void link_waker_look(struct link_waker *waker, void *socket)
{
    int events = 0;
    size_t size = sizeof events;
    if (zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN)) {
        uint64_t one = 1;
        ssize_t n = write(waker->event_fd, &one, sizeof one);
        (void)n; // a full counter is readable too
    }
}

// ---- Frames

static void swallow(void *socket)
{
    int more = 1;
    size_t size = sizeof more;
    while (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) == 0 && more) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        int rc = zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT);
        zmq_msg_close(&frame);
        if (rc < 0)
            return;
    }
}

int link_receive_frames(void *socket, zmq_msg_t *frames, int max)
{
    int count = 0;
    for (;;) {
        if (count == max) {
            swallow(socket);
            break;
        }
        zmq_msg_init(&frames[count]);
        if (zmq_msg_recv(&frames[count], socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&frames[count]);
            for (int i = 0; i < count; i++)
                zmq_msg_close(&frames[i]);
            return 0;
        }
        if (!zmq_msg_more(&frames[count++]))
            return count;
    }
    for (int i = 0; i < count; i++)
        zmq_msg_close(&frames[i]);
    return -1;
}

int link_send_frames(void *socket, const struct msg *msg, struct str *scratch)
{
    uint8_t header[MSG_HEADER_BYTES];
    str_clear(scratch);
    msg_encode(msg, header, scratch);
    if (zmq_send(socket, header, sizeof header, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0)
        return -1;
    if (zmq_send(socket, str_get(scratch), scratch->len, ZMQ_DONTWAIT | (msg->raw_len ? ZMQ_SNDMORE : 0)) < 0)
        return -1;
    if (msg->raw_len && zmq_send(socket, msg->raw, msg->raw_len, ZMQ_DONTWAIT) < 0)
        return -1;
    return 0;
}

char *link_ipc_endpoint(const char *dir, const char *name)
{
    if (strlen(dir) + strlen(name) + 1 <= IPC_PATH_MAX)
        return xasprintf("ipc://%s/%s", dir, name);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC); // stays open: the address names it
    return xasprintf("ipc:///proc/self/fd/%d/%s", fd, name);
}
