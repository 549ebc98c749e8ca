// What the files behind link.h share. Private; includes zmq.h.
#pragma once

#include "wire/link.h"

#include <zmq.h>

#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93 // without it CURVE lets everybody in when the ZAP handler is absent (measured)
#endif

#define LINK_FRAME_MAX (MSG_BODY_MAX + 64)
#define LINK_ROUTING_ID_BYTES 5 // what a ROUTER names a peer that has not named itself; others are not served
#define LINK_ZAP_DOMAIN "trawl"

// The one context of the process, made at first use. ERR_VERSION for a libzmq with known remote faults.
int link_context(void **ret, struct err *err);
// Note that one socket of the context is gone; the last one ends the context.
void link_context_release(void);

// Options that every socket has.
void link_common_options(void *socket);

// A descriptor that polls readable when any of the sockets may have something, or after link_wake.
struct link_waker {
    int epoll_fd, event_fd;
};
int link_waker_init(struct link_waker *waker, void *const *sockets, size_t count, struct err *err);
void link_waker_release(struct link_waker *waker);
void link_waker_clear(struct link_waker *waker);
// A send may have swallowed the notification of an arrival: look, and wake if so.
void link_waker_look(struct link_waker *waker, void *socket);

// Receive one message of at most 3 frames after `skip` leading ones. Returns the number of frames (0: none now; -1: not a message
// of ours, swallowed whole). `frames` are initialised and owned by the caller when the result is positive.
int link_receive_frames(void *socket, zmq_msg_t *frames, int max);

// Send header, body and raw bytes; the routing id was sent before (flags as zmq_send). 0 or -1 with errno.
int link_send_frames(void *socket, const struct msg *msg, struct str *scratch);
