// The agent's core: its session with the controller and what it holds. Pure: (state, event, now) in, actions out.
//
// The agent trusts its spool, not its memory: at start the shell tells it what lies there (agent_core_found), and the
// hello carries that inventory. From the moment a hello is sent until its welcome arrives there is no session, and launches of
// any older session are refused: so an attempt that was missing from a hello can never start afterwards.
#pragma once

#include "base/err.h"
#include "wire/msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum agent_action_kind {
    ACTION_SEND,      // msg (owned)
    ACTION_START,     // item: make the run directory and start a shim; answer with agent_core_start_done
    ACTION_KILL,      // attempt, class_word, grace_ms: write `stop`, signal the shim
    ACTION_FORGET,    // attempt: rundir_forget
    ACTION_READ,      // attempt, stream, offset, max, last: read and answer with agent_core_read_done
    ACTION_RENEW,     // attempt: the lease was renewed (policy stop)
    ACTION_RECONNECT, // close the socket, open a new one
    ACTION_EXIT,      // drained, bye sent
};

struct agent_action {
    enum agent_action_kind kind;
    struct msg msg;
    const struct msg_launch_item *item; // borrowed until the next call
    uint64_t attempt;
    enum stream stream;
    uint64_t offset;
    size_t max;
    bool last;
    const char *class_word;
    uint64_t grace_ms;
};

struct agent_core;

struct agent_setup {
    const char *uid;        // 32 hexadecimal digits
    const char *name, *host, *version, *boot;
    uint64_t incarnation;
    uint32_t slots, cpus;
    uint64_t memory_bytes;
    const struct msg_gpu *gpus;
    size_t gpu_count;
    const char *const *labels;
    size_t label_count;
    uint64_t jitter_seed;   // for backoff
};

struct agent_core *agent_core_new(const struct agent_setup *setup);
void agent_core_free(struct agent_core *core);

// An attempt in the spool at start: `exited` (with its end) or running. Lost ones are marked by the shell first.
void agent_core_found(struct agent_core *core, uint64_t attempt, bool running, const struct msg_exited *exited,
                      const uint64_t lengths[STREAM_COUNT], uint64_t lease_ms);

// Events. Each may queue actions; take them with agent_core_next until it says false.
void agent_core_message(struct agent_core *core, uint64_t now_ms, const struct msg *msg);
void agent_core_reconnected(struct agent_core *core, uint64_t now_ms); // the link has another connection than before
void agent_core_start_done(struct agent_core *core, uint64_t now_ms, uint64_t attempt, int64_t pid, int64_t wall_ms,
                           const struct err *failure); // failure NULL: the shim started
void agent_core_exited(struct agent_core *core, uint64_t now_ms, const struct msg_exited *exited);
void agent_core_grown(struct agent_core *core, uint64_t now_ms, uint64_t attempt, const uint64_t lengths[STREAM_COUNT]);
void agent_core_read_done(struct agent_core *core, uint64_t now_ms, uint64_t attempt, enum stream stream, uint64_t offset,
                          const void *data, size_t len, uint64_t skipped);
// An ended run's stream has become shorter than its end said: what is missing is told as skipped, else the attempt would never be complete.
void agent_core_shrunk(struct agent_core *core, uint64_t now_ms, uint64_t attempt, const uint64_t lengths[STREAM_COUNT]);
void agent_core_drain(struct agent_core *core, uint64_t now_ms, bool at_once); // TERM to the agent: end runs, bye, exit
void agent_core_detach(struct agent_core *core, uint64_t now_ms); // exit and leave the runs to their shims
void agent_core_tick(struct agent_core *core, uint64_t now_ms); // end of each turn; builds the report
uint64_t agent_core_deadline(const struct agent_core *core);
bool agent_core_next(struct agent_core *core, struct agent_action *ret);

// Why the controller will never take this agent as it is (another protocol version, a foreign key), or NULL.
const char *agent_core_refused(const struct agent_core *core);

// Looking in.
size_t agent_core_running(const struct agent_core *core); // runs whose process lives
size_t agent_core_held(const struct agent_core *core);    // everything not yet forgotten
bool agent_core_connected(const struct agent_core *core);
bool agent_core_check(const struct agent_core *core, struct err *err);

#define AGENT_WINDOW_BYTES (1u << 20) // stream bytes sent and not yet acknowledged
#define AGENT_RESEND_MS 5000          // unacknowledged ends and bytes are sent again after
#define AGENT_STARTED_AFTER_MS 100    // a start is told once the run has lasted so long; a shorter one tells its end only
#define AGENT_READ_MAX (256u << 10)   // bytes of one read
#define AGENT_HELLO_MIN_MS 200        // backoff of hellos, doubling up to
#define AGENT_HELLO_MAX_MS 15000
