// Sockets: the one face of ZeroMQ. One context a process; every tcp socket speaks CURVE.
//
// A link is a ROUTER (controller: many peers, each named by a number) or a DEALER (agent, command line: one
// peer). Sends never block; ERR_AGAIN says that the message was not taken. All loss is possible: see msg.h.
#pragma once

#include "base/err.h"
#include "wire/msg.h"

#include <stdbool.h>
#include <stdint.h>

#define KEY_Z85_MAX 41 // 40 characters and the terminator

struct keypair {
    char public_key[KEY_Z85_MAX];
    char secret_key[KEY_Z85_MAX];
};

// A fresh key pair; and one derived from a token (BLAKE2b of it), so that a join token is a key.
int keypair_new(struct keypair *ret, struct err *err);
int keypair_from_token(const char *token, struct keypair *ret, struct err *err);

// Load `name` from the directory, or make it (0600) when it is not there; refuses laxer modes.
int keypair_load(int dir_fd, const char *name, bool create, struct keypair *ret, struct err *err);

// The one string that `trawl agent` joins with: trawl://TOKEN@HOST:PORT/SERVER_KEY (server key as 64
// hexadecimal digits, token 32).
struct join_string {
    char *token;
    char *endpoint; // tcp://HOST:PORT
    char server_key[KEY_Z85_MAX];
};
int join_string_parse(const char *text, struct join_string *ret, struct err *err);
char *join_string_format(const struct join_string *join); // the caller frees
void join_string_release(struct join_string *join);

struct link_server;

// Who is behind a message.
enum peer_role { PEER_LOCAL, PEER_JOIN, PEER_AGENT };
struct peer {
    uint64_t id;                  // names the connection, for link_server_send
    enum peer_role role;          // PEER_LOCAL: over ipc, guarded by file permissions
    char public_key[KEY_Z85_MAX]; // "" for PEER_LOCAL
};

// Decides about a CURVE key at the handshake and again for every message (revocation is immediate):
// returns true and the role when it is admitted.
typedef bool (*key_check_fn)(void *context, const char *public_key, enum peer_role *ret_role);

struct link_server_options {
    const char *ipc_path;   // socket file in a 0700 directory; NULL: none. Paths over the limit of ipc work too.
    const char *tcp_bind;   // "*:7077", "127.0.0.1:*"; NULL: none
    const struct keypair *keys; // for tcp
    key_check_fn check_key;
    void *check_context;
};

// Binds ipc and tcp. A port in use, a path that cannot be made: a sentence that says what to do.
// Tries an unknown key against itself before it serves (a handshake that is let through is ERR_PERMISSION).
int link_server_new(const struct link_server_options *options, struct link_server **ret,
                    struct err *err);
void link_server_free(struct link_server *server);

// "tcp://0.0.0.0:7077" as bound, NULL without tcp.
const char *link_server_endpoint(const struct link_server *server);

// A descriptor that polls readable when link_server_receive should be called until it says ERR_AGAIN
// (edge-triggered: drain it after every send as well).
int link_server_fd(const struct link_server *server);

// The next message. ERR_AGAIN: none now. A message that cannot be decoded is answered with MSG_ERROR,
// counted, and skipped, so it never gets here.
int link_server_receive(struct link_server *server, struct peer *ret_peer, struct msg *ret);

// ERR_AGAIN: the peer's queue is full; ERR_NOT_FOUND: the peer is gone.
int link_server_send(struct link_server *server, uint64_t peer_id, const struct msg *msg);

struct link_counts {
    uint64_t received, sent, undecodable, unauthorised, not_sent;
};
struct link_counts link_server_counts(const struct link_server *server);

struct link_client;

struct link_client_options {
    const char *endpoint;       // "ipc:///path" or "tcp://host:port"
    const char *server_key;     // Z85, tcp only
    const struct keypair *keys; // tcp only
};

// Connects in the background; never fails for an absent peer.
int link_client_new(const struct link_client_options *options, struct link_client **ret,
                    struct err *err);
void link_client_free(struct link_client *client);
int link_client_fd(const struct link_client *client);
int link_client_receive(struct link_client *client, struct msg *ret); // ERR_AGAIN, ERR_VERSION, ERR_PROTOCOL
int link_client_send(struct link_client *client, const struct msg *msg); // ERR_AGAIN

// True once after each new connection but the first: whoever was connected before may be another now (a restarted controller does
// not know the session), so say hello.
bool link_client_reconnected(struct link_client *client);

// Close the socket and connect anew: the cure for a connection that ZeroMQ gave up silently.
int link_client_reconnect(struct link_client *client, struct err *err);

// The endpoint of a socket file `name` in directory `dir`: "ipc://dir/name", also when that is longer than a socket address may
// be (then through a descriptor of the directory that stays open for the life of the process). The caller frees.
char *link_ipc_endpoint(const char *dir, const char *name);
