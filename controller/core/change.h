// What a turn decided: changes for the store, messages for peers, questions to strategies. Plain data.
//
// The order inside a batch is the order of decision; the store applies all changes of a turn in one
// transaction, and only after its commit are the messages sent ("commit before act").
#pragma once

#include "base/exit_class.h"
#include "space/space.h"
#include "strategies/strategy.h"
#include "wire/msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Time of a turn, read once by the shell.
struct now {
    uint64_t mono_ms; // for leases and timers
    int64_t wall_ms;  // for people, in the database
};

// id, word, terminal?, meaning
#define SWEEP_STATE_LIST(X)                                                                        \
    X(SWEEP_RUNNING, "running", "configurations are given out")                                    \
    X(SWEEP_PAUSED, "paused", "nothing new starts; running trials go on; `trawl resume`")          \
    X(SWEEP_STOPPING, "stopping", "nothing new starts; ends when its running trials have ended")   \
    X(SWEEP_FINISHED, "finished", "every configuration, cap, target or budget is reached")         \
    X(SWEEP_STOPPED, "stopped", "ended by `trawl stop`; `trawl resume` goes on")                   \
    X(SWEEP_CANCELLED, "cancelled", "ended by `trawl cancel`, running trials too")

enum sweep_state {
#define SWEEP_STATE_ENUM(id, word, text) id,
    SWEEP_STATE_LIST(SWEEP_STATE_ENUM)
#undef SWEEP_STATE_ENUM
        SWEEP_STATE_COUNT
};

#define TRIAL_STATE_LIST(X)                                                                        \
    X(TRIAL_PENDING, "pending", false, "waits for a slot")                                         \
    X(TRIAL_RUNNING, "running", false, "an attempt is assigned or runs")                           \
    X(TRIAL_DONE, "done", true, "its run ended well; its value counts")                            \
    X(TRIAL_FAILED, "failed", true, "its run failed and no retry is left")                         \
    X(TRIAL_STOPPED, "stopped", true, "ended early by a stopping rule; its last value counts")     \
    X(TRIAL_CANCELLED, "cancelled", true, "ended by `trawl cancel`")

enum trial_state {
#define TRIAL_STATE_ENUM(id, word, terminal, text) id,
    TRIAL_STATE_LIST(TRIAL_STATE_ENUM)
#undef TRIAL_STATE_ENUM
        TRIAL_STATE_COUNT
};

#define ATTEMPT_STATE_LIST(X)                                                                      \
    X(ATTEMPT_ASSIGNED, "assigned", "sent to an agent, not known to have started")                 \
    X(ATTEMPT_RUNNING, "running", "its process runs")                                              \
    X(ATTEMPT_EXITED, "exited", "its process ended; its last bytes are awaited")                   \
    X(ATTEMPT_SEALED, "sealed", "over, every byte of it is stored")                                \
    X(ATTEMPT_LOST, "lost", "its lease ran out or its agent no longer has it")                     \
    X(ATTEMPT_REFUSED, "refused", "its agent did not start it")

enum attempt_state {
#define ATTEMPT_STATE_ENUM(id, word, text) id,
    ATTEMPT_STATE_LIST(ATTEMPT_STATE_ENUM)
#undef ATTEMPT_STATE_ENUM
        ATTEMPT_STATE_COUNT
};

const char *sweep_state_word(enum sweep_state state);
const char *trial_state_word(enum trial_state state);
const char *attempt_state_word(enum attempt_state state);
bool sweep_state_parse(const char *word, enum sweep_state *ret);
bool trial_state_parse(const char *word, enum trial_state *ret);
bool attempt_state_parse(const char *word, enum attempt_state *ret);
bool trial_state_terminal(enum trial_state state);
bool sweep_state_terminal(enum sweep_state state); // finished, cancelled, stopped

#define SWEEP_KEY_MAX 9 // public id of a sweep: 8 characters a-z 0-9, random, and the terminator

// Rows, as the store keeps them and the core is restored from. Strings are owned by whoever holds the row
// (row_release functions), borrowed inside a change.
struct sweep_row {
    uint64_t id;
    char key[SWEEP_KEY_MAX];
    char *name;
    char *spec_text;
    uint64_t fingerprint;
    enum sweep_state state;
    char *reason;           // why it is in this state, "" when there is nothing to say
    uint64_t cursor;        // the strategy's
    bool exhausted;         // the strategy has nothing more
    uint64_t point_count;   // points asked for so far; the next one is point_count + 1
    uint64_t trial_count;   // trials made so far; the next number is trial_count + 1
    uint64_t tell_count;    // points told so far
    uint64_t trials[TRIAL_STATE_COUNT]; // how many are in each state
    uint64_t active_ms;     // time budget used: wall time with at least one trial running
    int64_t created_ms, ended_ms; // ended 0: not yet
};

// The values of a run: of each objective, in the order of the spec, what was reported last.
struct values {
    bool has[OBJECTIVES_MAX];
    double at[OBJECTIVES_MAX]; // may be NaN or infinite; 0 where there is none
};
bool values_complete(const struct values *values, size_t objective_count); // there is one of each

struct trial_row {
    uint64_t id;            // unique in the database, ascending
    uint64_t sweep;
    uint64_t number;        // within the sweep, from 1: what people type
    uint64_t point;         // the strategy's name for its configuration
    uint32_t repeat;        // 0..repeats-1
    char *config;           // JSON
    enum trial_state state;
    struct values values;
    uint64_t attempt;       // the attempt that gave the result, or the latest; 0: none
    uint32_t attempt_count;
    uint32_t retries[EXIT_CLASS_COUNT]; // budget used, by class
    int64_t created_ms, started_ms, ended_ms;
    uint64_t tell_number;   // position in the order of tells, 0: not told
    uint64_t asked_after;   // tells that the strategy had seen when it gave this point
    bool enqueued;          // a person asked for it (`trawl enqueue`)
    uint64_t parent;        // number of the trial whose run it goes on from, 0: none
    uint64_t parent_attempt; // the attempt of that trial, as it was when this one was made
};

// A result from elsewhere, told to the strategy before its first ask (`--prior`). No trial.
struct prior_row {
    uint64_t sweep, number;     // number: from 1, the order of the tells
    char *config;               // JSON, one of the sweep's space
    enum trial_state state;     // done, failed or stopped
    size_t value_count;         // the number of objectives, or 0: no values
    double values[OBJECTIVES_MAX]; // may be NaN or infinite
    char *source;               // for people: "old.csv:3", "k3x9ab12:17"
};

// Points of priors have names of their own, so that they never meet those of trials.
#define PRIOR_POINT(number) (STRATEGY_PRIOR_POINTS + (number))

struct attempt_row {
    uint64_t id;            // the fence
    uint64_t trial, sweep;
    uint32_t number;        // within the trial, from 1
    uint64_t agent;         // agent_row.id
    uint64_t session;
    enum attempt_state state;
    bool has_class;         // of an open attempt: it was asked to end, and its end counts as that
    enum exit_class exit_class;
    int64_t code, signal, pid;
    char *message;
    int64_t assigned_ms, started_ms, ended_ms;
    uint64_t cursors[STREAM_COUNT]; // durable bytes of each stream
    uint64_t lengths[STREAM_COUNT]; // final, once exited
    uint64_t dropped_bytes, cpu_ms, max_rss_bytes;
    struct values values;   // reported so far
    uint32_t cpus;
    uint64_t memory_bytes;
    uint32_t gpus[16];      // indices at the agent
    uint32_t gpu_count, gpu_millis; // millis of each of them
};

struct agent_row {
    uint64_t id;
    char uid[33];           // msg_hello.agent
    char *name, *host, *version, *boot;
    char public_key[41];    // "" for a local one
    uint64_t incarnation, hello, session;
    uint32_t slots, cpus;
    uint64_t memory_bytes;
    char *gpus;             // JSON array of {id, name, memory_bytes}
    char *labels;           // JSON array
    bool draining, gone;    // gone: said bye
    int64_t first_seen_ms, last_seen_ms;
};

void sweep_row_release(struct sweep_row *row);
void trial_row_release(struct trial_row *row);
void attempt_row_release(struct attempt_row *row);
void agent_row_release(struct agent_row *row);

enum change_kind {
    CHANGE_SWEEP_NEW,     // sweep
    CHANGE_SWEEP_SPEC,    // sweep: its spec_text only
    CHANGE_SWEEP,         // sweep: all columns but name, key, spec
    CHANGE_TRIAL_NEW,     // trial
    CHANGE_TRIAL,         // trial: all columns but the identity and the configuration
    CHANGE_PRIOR,         // prior
    CHANGE_ATTEMPT_NEW,   // attempt
    CHANGE_ATTEMPT,       // attempt: all columns but the identity
    CHANGE_AGENT,         // agent: insert or replace
    CHANGE_METRIC_NAME,   // metric_name
    CHANGE_POINT,         // point
    CHANGE_SUMMARY,       // summary: the last value of a name for a trial's attempt, from {"summary": ...}
    CHANGE_LOG,           // log: bytes of stdout or stderr
    CHANGE_EVENT,         // event
};

struct change {
    enum change_kind kind;
    union {
        struct sweep_row sweep;
        struct trial_row trial;
        struct prior_row prior;
        struct attempt_row attempt;
        struct agent_row agent;
        struct {
            uint32_t id;      // ascending from 1, unique in the database
            const char *name;
        } metric_name;
        struct {
            uint64_t attempt;
            uint32_t name;    // metric_name.id
            uint64_t sequence; // count of points of this attempt and name before it
            int64_t step;     // reported, or the sequence
            double time;      // seconds since 1970, 0: not reported
            double value;
        } point;
        struct {
            uint64_t attempt;
            uint32_t name;
            const char *json; // any JSON value
        } summary;
        struct {
            uint64_t attempt, sweep, trial_number;
            uint32_t attempt_number;
            enum stream stream;
            uint64_t offset;
            const void *data;
            size_t len;
        } log;
        struct {
            uint64_t sweep, trial, attempt, agent; // 0: does not concern one
            int64_t at_ms;
            const char *kind; // one word: "created", "assigned", "started", "exited", "retry", "lost", ...
            const char *text; // a sentence for `trawl why`
        } event;
    };
};

struct send {
    uint64_t peer;
    struct msg msg; // owned
};

struct ask {
    uint64_t sweep;
    uint64_t first_point;
    uint32_t count;
};

// How one repeat of a point ended.
struct repeat {
    uint32_t number;        // trial_row.repeat
    enum trial_state state; // a terminal one
    struct values values;   // looked at when done or stopped
};

// What the strategy is told of a point whose repeats are all over. A repeat counts when it has a value of every objective (there may be
// none). Means and variances are summed in the order of the repeats' numbers, whatever the order in which they ended: so the same from a
// live sweep and from its stored rows, bit for bit. Sorts `repeats` in place.
struct outcome repeats_outcome(struct repeat *repeats, size_t count, size_t objective_count);

struct tell {
    uint64_t sweep, point;
    struct outcome outcome;
    bool has_step;      // of a stopped point without repeats: how far it came
    int64_t last_step;  // the step of its last report of the objective
};

// A batch. Strings and rows inside are owned by the batch; bytes of logs are borrowed from the message
// that brought them, which must live until the batch is cleared.
struct batch {
    struct change *changes;
    size_t change_count, change_capacity;
    struct send *sends;
    size_t send_count, send_capacity;
    struct ask *asks;
    size_t ask_count, ask_capacity;
    struct tell *tells;
    size_t tell_count, tell_capacity;
    void *arena; // strings; private to batch.c
};

void batch_init(struct batch *batch);
void batch_clear(struct batch *batch); // empty, memory kept
void batch_release(struct batch *batch);
const char *batch_string(struct batch *batch, const char *s); // a copy that lives as long as the content
const char *batch_stringf(struct batch *batch, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct change *batch_change(struct batch *batch, enum change_kind kind); // zeroed, to be filled
