// The agent core's state. Private to core.c (session, messages, time) and core_report.c (reads and reports).
//
// A run is queued -> starting -> running -> exited -> forgotten. Its bytes have three marks a stream: acked <= sent, and length, all
// within the stream. What was refused or forgotten in this session is buried: a delayed copy of its launch never starts it again.
#pragma once

#include "agent/core.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"

#include <uthash.h>

#define REPORT_ITEMS_MAX 1024          // of each kind in one report
#define REPORT_TEXT_MAX (64u << 10)    // bytes of messages and reasons in one report: six times that in JSON at worst, under MSG_BODY_MAX
#define REASON_MAX 2000                // bytes of one message or reason
#define HELD_MAX MSG_ITEMS_MAX         // a hello names every run that is held

enum run_state { RUN_QUEUED, RUN_STARTING, RUN_RUNNING, RUN_EXITED };

struct run {
    uint64_t attempt;
    enum run_state state;
    struct msg launch;           // holds the item of a launch; empty for one that was found in the spool
    uint64_t lease_ms;           // policy stop; 0: keep
    struct msg_started started;
    uint64_t started_at_ms;      // monotonic
    bool started_told;
    bool killed;
    struct msg_exited exited;    // owned
    uint64_t exit_sent_ms;       // 0: not in this session
    uint64_t lengths[STREAM_COUNT], sent[STREAM_COUNT], acked[STREAM_COUNT];
    uint64_t progress_ms[STREAM_COUNT]; // when `acked` advanced, or the oldest byte that waits for it was sent
    UT_hash_handle hh;
};

struct tombstone {
    uint64_t attempt;
    UT_hash_handle hh;
};

struct agent_core {
    struct msg_hello facts;      // owns what a hello repeats
    struct rng rng;
    struct run *runs;            // in order of arrival
    struct tombstone *tombstones; // of this session, in order of burial
    uint64_t tombstone_floor;    // attempts up to here count as buried: their tombstones made room for newer ones
    struct msg_refused *refused; // to be told
    size_t refused_count, refused_capacity;
    struct agent_action *actions;
    size_t action_first, action_count, action_capacity;
    struct msg_chunk *chunks;    // read, for the next report
    size_t chunk_count, chunk_capacity;
    struct str raw;
    uint64_t window_used;        // this turn: bytes sent and not acknowledged, and those that reads may bring
    uint64_t log_turn;           // the attempt whose logs come first, so that one that prints much does not silence the others
    uint64_t session, epoch, hello;
    uint64_t welcomed;           // the last hello that was answered: a second copy of its welcome says nothing
    uint64_t lease_ms, beat_ms;
    uint64_t confirmed_ms;       // when the latest of our hellos and beats that the controller answered was sent: its lease runs since
    uint64_t next_hello_ms, hello_wait_ms;
    uint64_t heard_ms, beat_sent_ms;
    uint64_t now_ms;
    bool started;                // the first tick has been
    bool draining, at_once, detaching, left;
    uint64_t drained_ms;         // since when nothing runs while draining
    char *refused_by;
};

struct run *core_find(const struct agent_core *core, uint64_t attempt);
struct agent_action *core_add_action(struct agent_core *core, enum agent_action_kind kind);

// Reads that the window has room for, asked of the shell.
void core_ask_reads(struct agent_core *core);
// What was read for a session that is over is read again.
void core_drop_chunks(struct agent_core *core);
// What waits to be told, as much as fits one message; called again until it says false: nothing does.
bool core_build_report(struct agent_core *core, struct agent_action *ret);
// When the next report has something to say at the latest.
void core_report_deadline(const struct agent_core *core, uint64_t *deadline);
