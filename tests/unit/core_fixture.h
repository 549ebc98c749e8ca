// What the tests of the controller's core share: a core with real strategies, a manual clock, agents that are only messages, and a
// ledger of the rows that its batches told, as a database would hold them.
#pragma once

#include "base/str.h"
#include "controller/core/core.h"
#include "controller/suggest.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORLD_ROWS 512 // ids of trials and attempts stay below
#define WORLD_SWEEPS 8
#define WORLD_AGENTS 16
#define WORLD_POINTS 1024
#define LEASE_MS 60000
#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct told_point { // CHANGE_POINT
    uint64_t attempt, sequence;
    uint32_t name;
    int64_t step;
    double time, value;
};

struct world {
    struct core *core;
    struct batch batch;
    struct suggester *suggester;
    struct now now;
    uint64_t epoch;
    bool hold_answers; // asks are not answered until world_answer
    struct ask held_asks[8];
    size_t held_ask_count;
    // The ledger
    struct sweep_row sweeps[WORLD_SWEEPS];
    char *spec_texts[WORLD_SWEEPS];
    struct trial_row trials[WORLD_ROWS];
    struct attempt_row attempts[WORLD_ROWS];
    uint64_t trial_end, attempt_end, sweep_end, agent_end; // ids from 1 to one less
    struct agent_row agents[WORLD_AGENTS];
    char *names[64];
    uint32_t name_end;
    struct told_point points[WORLD_POINTS];
    size_t point_count;
    struct tell tells[WORLD_ROWS];
    size_t tell_count;
    size_t ask_count;
    size_t sweep_changes;     // CHANGE_SWEEP in the last turn
    struct str events;        // "kind: text" a line, all so far
    struct str logs;          // bytes of CHANGE_LOG, all so far
    struct str priors;        // "number state config source values" a line
    struct str summaries;     // "name=json" a line
    // What went out since world_forget_sent
    struct send sent[256];
    size_t sent_count;
    uint64_t hellos[WORLD_AGENTS]; // of each agent of a test
    uint64_t incarnations[WORLD_AGENTS];
    uint64_t sessions[WORLD_AGENTS];
};

int world_setup(void **state); // *state: a struct world
int world_teardown(void **state);

// Time, then a turn: tick and answers until there are no more asks, all into the ledger; core_check must hold.
void turn(struct world *world, uint64_t ms);
uint64_t submit(struct world *world, const char *text); // returns the sweep's id, after a turn
void answer_asks(struct world *world);                  // those held, then a turn
void restart(struct world *world);                      // the core anew from the ledger; connections are gone

// Agents are numbered from 0; the number names the connection, too.
struct machine {
    uint32_t slots, cpus, gpus; // 0: 1 slot; cpus as slots
    uint64_t memory_bytes;
    const char *label;
    const char *key;            // NULL: local
};
struct held {
    uint64_t attempt;
    const char *state;
};
void connect_agent(struct world *world, size_t agent, struct machine machine);
void say_hello(struct world *world, size_t agent, struct machine machine, const struct held *held, size_t count); // and a turn
void send_hello(struct world *world, size_t agent, uint64_t peer, uint64_t incarnation, uint64_t hello, struct machine machine,
                const struct held *held, size_t count); // as it is, and a turn

// Reports, each with a turn after it.
void report_started(struct world *world, size_t agent, uint64_t attempt);
void report_bytes(struct world *world, size_t agent, uint64_t attempt, enum stream stream, uint64_t offset, const char *bytes);
void report_exit(struct world *world, size_t agent, uint64_t attempt, const char *class_word, int64_t code, uint64_t metrics_length);
void report_failure(struct world *world, size_t agent, uint64_t attempt, const char *class_word, const char *message);
void report_refused(struct world *world, size_t agent, uint64_t attempt, const char *reason);
// Metrics and the end in one report, as a short run sends them.
void finish(struct world *world, size_t agent, uint64_t attempt, const char *metrics, const char *class_word, int64_t code);
void finish_ms(struct world *world, size_t agent, uint64_t attempt, const char *metrics, uint64_t ms); // success after so long
void give(struct world *world, size_t agent, const struct msg *msg); // and a turn

// What went out: NULL when nothing of the kind did.
const struct msg *sent_to(const struct world *world, size_t agent, enum msg_type type, size_t index);
size_t sent_total(const struct world *world, enum msg_type type);
const struct msg_launch_item *launched(const struct world *world, uint64_t attempt); // in any launch since
const char *verdict_of(const struct world *world, size_t agent, uint64_t attempt);   // of the latest welcome
bool told_forget(const struct world *world, size_t agent, uint64_t attempt);
uint64_t acked(const struct world *world, size_t agent, uint64_t attempt, enum stream stream); // by the latest ack; UINT64_MAX: none
const struct msg_kill_item *killed(const struct world *world, uint64_t attempt);
void forget_sent(struct world *world);

// The ledger.
struct trial_row *trial(struct world *world, uint64_t sweep, uint64_t number);
struct attempt_row *current(struct world *world, uint64_t sweep, uint64_t number); // the attempt of a trial; NULL: none
size_t open_at(const struct world *world, size_t agent);                // attempts assigned or running there
uint64_t open_of(const struct world *world, uint64_t sweep);            // of a sweep
#define assert_event(world, text) assert_non_null(strstr(str_get(&(world)->events), text))
#define assert_no_event(world, text) assert_null(strstr(str_get(&(world)->events), text))
#define assert_trial(world, sweep, number, expected) \
    assert_string_equal(trial_state_word(trial(world, sweep, number)->state), trial_state_word(expected))
#define assert_sweep(world, sweep, expected) \
    assert_string_equal(sweep_state_word((world)->sweeps[sweep].state), sweep_state_word(expected))
