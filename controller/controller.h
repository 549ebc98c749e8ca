// The controller's shell: sockets, store, strategies, signals and time around the pure core.
//
// A turn is: drain inputs, apply them to the core, answer its questions, one transaction, send. Nothing leaves before
// the commit behind it is durable. An I/O error of the store ends the process (crash-only); a full disk is waited out:
// nothing is dispatched or acknowledged meanwhile.
//
// Threads: this one owns the core, the store's writing connection and the sockets; one more computes suggestions of
// strategies that are slow, and speaks by messages with this one.
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "controller/core/core.h"

#include <stdbool.h>
#include <stdint.h>

struct controller;

struct controller_options {
    const char *data_dir;     // made when it is not there
    const char *what;         // "run" or "controller", for the lock's text
    const char *tcp_bind;     // NULL: this machine only
    const char *public_host;  // host name in the join string; NULL: the machine's own
    uint64_t lease_ms;        // 0: CORE_LEASE_MS
    bool offline;             // no sockets: for the command line when no controller lives
    bool hold_restored;       // sweeps of earlier are held until someone resumes them (`trawl run` does its own only)
};

// Open the store, restore the core, bind the sockets. The sentences of store_open and link_server_new come through.
int controller_new(const struct controller_options *options, struct controller **ret,
                   struct err *err);
void controller_free(struct controller *controller);

// The ipc endpoint that local agents and the command line use: socket CONTROLLER_SOCKET in the data directory.
#define CONTROLLER_SOCKET "controller.sock"

// The join string for other machines, NULL without tcp. Borrowed.
const char *controller_join_string(const struct controller *controller);

// One operation of people, the same from the wire (MSG_REQUEST), from within the process and, when no controller lives, from
// the command line that opens the data directory itself. `body` is JSON; the table of operations is in requests.c and
// docs/protocol.md. Appends the result as JSON to `reply`. What it decided is durable after the next controller_turn.
int controller_request(struct controller *controller, const char *op, const char *body,
                       struct str *reply, struct err *err);

// Nothing new starts; see core_drain. Returns at once; controller_turn does the rest.
void controller_drain(struct controller *controller, bool end_runs, uint64_t grace_ms_max);

// Tell all connected agents to end (after a drain): used by `trawl run` for its own agent.
void controller_dismiss_agents(struct controller *controller, const char *reason);

// Wait for input at most `timeout_ms` (or until `extra_fd` is readable, -1: none), then do one turn. 0, or a code that ends
// the process: ERR_IO, ERR_CORRUPT. A full disk is not an error: see controller_stalled.
int controller_turn(struct controller *controller, int extra_fd, int timeout_ms, struct err *err);

// Why nothing can be stored at present (disk full), or NULL.
const char *controller_stalled(const struct controller *controller);

// True once `trawl controller --stop` (operation "shutdown") asked for the end of the process.
bool controller_shutdown_asked(const struct controller *controller);

// The core, to look in only.
const struct core *controller_core(const struct controller *controller);

// Connected agents.
uint32_t controller_agents(const struct controller *controller);
