// The messages between controller, agents and command line: plain data, one table, pure codec.
//
// On the wire a message is two or three frames: a header of MSG_HEADER_BYTES, a JSON body, and for messages
// that carry stream bytes a raw frame. Delivery is at least once and may lose, double, delay or reorder;
// every effect is idempotent (identity, session, attempt, offset). docs/protocol.md is the specification.
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTOCOL_VERSION 1     // what this build speaks
#define PROTOCOL_VERSION_MIN 1 // the oldest it understands
#define MSG_HEADER_BYTES 16    // magic "TRWL", u16 version, u16 type, u64 sequence; little endian
#define MSG_BODY_MAX (1u << 20)
#define MSG_RAW_MAX (1u << 20)
#define MSG_STRING_MAX 65536
#define MSG_ITEMS_MAX 4096     // elements of one array

enum stream { STREAM_METRICS, STREAM_STDOUT, STREAM_STDERR, STREAM_COUNT };
const char *stream_name(enum stream stream); // "metrics", "stdout", "stderr"

// id, number on the wire, name, direction (A agent, C controller, U command line), has a raw frame, since
#define MSG_LIST(X)                                                                                \
    X(MSG_JOIN, 1, "join", "A>C", false, 1)             /* enrol a key with a join key */           \
    X(MSG_JOINED, 2, "joined", "C>A", false, 1)                                                    \
    X(MSG_HELLO, 3, "hello", "A>C", false, 1)           /* who I am, what I hold */                 \
    X(MSG_WELCOME, 4, "welcome", "C>A", false, 1)       /* your session, what to do with it */      \
    X(MSG_NEED_HELLO, 5, "need_hello", "C>A", false, 1) /* I do not know this session */            \
    X(MSG_BEAT, 6, "beat", "A>C", false, 1)                                                        \
    X(MSG_BEAT_ACK, 7, "beat_ack", "C>A", false, 1)                                                \
    X(MSG_LAUNCH, 8, "launch", "C>A", false, 1)                                                    \
    X(MSG_REPORT, 9, "report", "A>C", true, 1)          /* started, stream bytes, exited, refused */ \
    X(MSG_ACK, 10, "ack", "C>A", false, 1)              /* durable up to here; forget these */      \
    X(MSG_KILL, 11, "kill", "C>A", false, 1)                                                       \
    X(MSG_BYE, 12, "bye", "A>C", false, 1)              /* I leave; what I held is over */          \
    X(MSG_DRAIN, 13, "drain", "C>A", false, 1)          /* end your runs, say bye, exit */          \
    X(MSG_REQUEST, 14, "request", "U>C", false, 1)                                                 \
    X(MSG_REPLY, 15, "reply", "C>U", false, 1)                                                     \
    X(MSG_ERROR, 16, "error", "C>*", false, 1)

enum msg_type {
#define MSG_ENUM(id, number, name, direction, raw, since) id = number,
    MSG_LIST(MSG_ENUM)
#undef MSG_ENUM
};

struct msg_join { // sent over a connection that authenticated with the join key
    char *public_key; // Z85, 40 characters: the agent's own key, to be admitted
    char *name;
};

struct msg_joined {
    char *public_key;
};

struct msg_gpu {
    char *id;   // what goes into CUDA_VISIBLE_DEVICES: a UUID or an index
    char *name;
    uint64_t memory_bytes;
};

struct msg_held { // an attempt that lies in the agent's spool
    uint64_t attempt;
    char *state;      // "queued", "running", "exited"
    uint64_t lengths[STREAM_COUNT];
};

struct msg_hello {
    char *agent;          // 32 hexadecimal digits, made with the agent's directory
    char *name;           // for people; host name by default
    char *host;
    char *version;        // of the program
    char *boot;           // boot id of the machine
    uint64_t incarnation; // +1 at each start of the agent, durable
    uint64_t hello;       // +1 at each hello of this incarnation: later ones void earlier ones
    uint64_t sent_ms;     // agent's monotonic clock
    uint32_t slots, cpus;
    uint64_t memory_bytes;
    struct msg_gpu *gpus;
    size_t gpu_count;
    char **labels;
    size_t label_count;
    struct msg_held *held;
    size_t held_count;
};

struct msg_verdict {
    uint64_t attempt;
    char *action; // "keep", "kill", "forget"
    uint64_t cursors[STREAM_COUNT];
};

struct msg_welcome {
    char *agent;
    char *store;          // id of the database
    uint64_t epoch;       // +1 at each start of a controller on the database
    uint64_t session;
    uint64_t incarnation, hello; // echoes
    uint64_t sent_ms;     // echo
    uint64_t lease_ms;
    struct msg_verdict *verdicts; // one for each held attempt
    size_t verdict_count;
};

struct msg_need_hello {
    uint64_t session; // the one that is not known
    uint64_t epoch;
};

struct msg_beat {
    uint64_t session;
    uint64_t sent_ms;
    uint64_t disk_free_bytes;
};

struct msg_beat_ack {
    uint64_t session, epoch;
    uint64_t sent_ms; // echo
};

struct msg_arg {
    char *text;
    bool local; // the agent finishes it: see space/command.h
};

struct msg_env {
    char *name, *value;
};

// A regular expression over lines of stdout, and the objective that it reads.
struct msg_pattern {
    char *metric;            // name of the objective, "" for none
    char *pattern;
};

struct msg_launch_item {
    uint64_t attempt;        // the fence: unique in the database, ascending
    char *sweep;             // id
    char *sweep_name;
    uint64_t trial, number;  // trial's id; attempt's number within the trial, from 1
    uint64_t seed;
    uint64_t parent_trial, parent_attempt; // number and attempt of the trial whose run this one goes on from, 0: none
    char *config;            // JSON text
    struct msg_arg *argv;
    size_t argc;
    struct msg_env *env;
    size_t env_count;
    char *working_dir;       // "" for the agent's
    uint64_t timeout_ms;     // 0: none
    uint64_t grace_ms;
    uint64_t lease_ms;       // policy stop: the shim ends the run when the lease is over; 0: keep
    struct msg_pattern *patterns; // metric.pattern, of each objective that has one
    size_t pattern_count;
    uint32_t cpus;
    uint64_t memory_bytes;
    uint32_t *gpus;          // indices into the hello's gpus
    size_t gpu_count;
};

struct msg_launch {
    uint64_t session;
    struct msg_launch_item *items;
    size_t count;
};

struct msg_started {
    uint64_t attempt;
    int64_t pid;
    int64_t at_ms; // wall clock
};

struct msg_chunk { // bytes of a stream, in the raw frame one after the other in this order
    uint64_t attempt;
    uint32_t stream;  // enum stream
    uint64_t offset;  // of the first byte (or of the skipped ones) in the stream
    uint64_t skipped; // bytes that were left out before these: a line over METRIC_LINE_MAX, for example
    uint32_t length;  // metrics: whole lines, the last of a run may lack its newline
};

struct msg_exited {
    uint64_t attempt;
    char *class_word;   // exit class, see spec/spec.h
    int64_t code;       // exit code, -1 when there is none
    int64_t signal;     // 0 when there is none
    char *message;      // why it could not start, "" else
    int64_t started_ms, ended_ms; // wall clock
    uint64_t cpu_ms, max_rss_bytes;
    uint64_t dropped_bytes;       // of output over the bound
    uint64_t lengths[STREAM_COUNT]; // final
};

struct msg_refused {
    uint64_t attempt;
    char *reason;
};

struct msg_report {
    uint64_t session;
    struct msg_started *started;
    size_t started_count;
    struct msg_chunk *chunks;
    size_t chunk_count;
    struct msg_exited *exited;
    size_t exited_count;
    struct msg_refused *refused;
    size_t refused_count;
};

struct msg_cursor {
    uint64_t attempt;
    uint32_t stream;
    uint64_t offset; // durable up to here
};

struct msg_ack {
    uint64_t session;
    struct msg_cursor *cursors;
    size_t cursor_count;
    uint64_t *forget; // attempts whose end is durable: their directory may go
    size_t forget_count;
};

struct msg_kill_item {
    uint64_t attempt;
    char *class_word; // what the end counts as: cancelled, stopped, interrupted, lost
    uint64_t grace_ms; // 0: SIGKILL at once
};

struct msg_kill {
    uint64_t session;
    struct msg_kill_item *items;
    size_t count;
};

struct msg_bye {
    uint64_t session;
    char *reason;
};

struct msg_drain {
    uint64_t session;
    char *reason;
    uint64_t grace_ms;
};

struct msg_request {
    char *id;   // random, chosen by the caller; a repeated id gets the first answer again
    char *op;   // "submit", "pause", "resume", "stop", "cancel", "retry", "status", "ping", "shutdown", ...
    char *body; // JSON text of the operation's arguments
};

struct msg_reply {
    char *id;
    int64_t code; // 0 or an ERR_ code
    char *body;   // JSON text: the result, or {"error": sentence}
};

struct msg_error {
    int64_t code;
    char *text;
    uint32_t version_min, version_max;
};

struct msg {
    enum msg_type type;
    uint16_t version;
    uint64_t sequence;
    union {
        struct msg_join join;
        struct msg_joined joined;
        struct msg_hello hello;
        struct msg_welcome welcome;
        struct msg_need_hello need_hello;
        struct msg_beat beat;
        struct msg_beat_ack beat_ack;
        struct msg_launch launch;
        struct msg_report report;
        struct msg_ack ack;
        struct msg_kill kill;
        struct msg_bye bye;
        struct msg_drain drain;
        struct msg_request request;
        struct msg_reply reply;
        struct msg_error error;
    };
    const void *raw; // raw frame; borrowed by encode, owned by a decoded message
    size_t raw_len;
    void *raw_owned; // set by msg_decode only
};

void msg_release(struct msg *msg); // frees everything inside; `msg` zeroed

// Deep copy (used by queues and the simulator). `ret` is the caller's to release.
void msg_copy(const struct msg *msg, struct msg *ret);

const char *msg_name(enum msg_type type); // "hello"; NULL for an unknown number

// Header and body into `header` and `body` (appended). The raw frame is msg->raw as it is.
void msg_encode(const struct msg *msg, uint8_t header[static MSG_HEADER_BYTES], struct str *body);

// Strict about what it needs: accepts nothing that encode would not write, except unknown fields, which
// are ignored. ERR_VERSION for another protocol version, ERR_UNSUPPORTED for an unknown type,
// ERR_PROTOCOL for the rest, ERR_LIMIT for sizes; never reads outside its input, never allocates more
// than a small multiple of it. Chunk lengths must add up to raw_len.
int msg_decode(const void *header, size_t header_len, const void *body, size_t body_len,
               const void *raw, size_t raw_len, struct msg *ret, struct err *err);
