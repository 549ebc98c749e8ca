// What the tests of the agent's core share: a core with a manual clock, messages to it, and its actions as a short text.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/core.h"
#include "base/str.h"

#define UID "00112233445566778899aabbccddeeff"
#define LEASE_MS 30000

// One letter an action, in order: H hello, B beat, S start, K kill, F forget, D read, N renew, C reconnect, Y bye, X exit; what a report
// holds: T started, E exited, R refused, c chunk. Attempts follow their letter where there is one.
struct fixture {
    struct agent_core *core;
    uint64_t now;
    uint64_t session;
    struct str text;       // of the last turn
    struct msg report;     // the last one of the last turn
    uint64_t hello;        // number of the last hello
    uint64_t hello_sent_ms;
    struct msg_held held[16]; // of the last hello; without state
    char *held_states[16];
    size_t held_count;
    uint64_t kill_grace_ms;
    char kill_word[32];
    uint64_t read_offset[STREAM_COUNT];
    bool keep_starts;      // do not answer starts
    const char *fail_start; // answer them with this failure
    const char *content;   // what reads give: bytes of an endless repetition of it; NULL: reads are not answered
    uint64_t lengths[64][STREAM_COUNT]; // of attempts below 64, as the shell knows them
};

void fixture_init(struct fixture *fix, uint32_t slots);
void fixture_release(struct fixture *fix);

// Let `ms` pass, tick, take all actions. Returns their text.
const char *turn(struct fixture *fix, uint64_t ms);

// Say hello, be welcomed: the agent is in a session of that number.
void connect_agent(struct fixture *fix, uint64_t session);
void give_welcome(struct fixture *fix, uint64_t session, const struct msg_verdict *verdicts, size_t count);

struct launch_options {
    uint64_t lease_ms;
    uint64_t grace_ms;
    const uint32_t *gpus;
    size_t gpu_count;
};
void give_launch(struct fixture *fix, uint64_t session, uint64_t attempt, const struct launch_options *options);
void give_kill(struct fixture *fix, uint64_t session, uint64_t attempt, const char *word, uint64_t grace_ms);
void give_forget(struct fixture *fix, uint64_t session, uint64_t attempt);
void give_cursor(struct fixture *fix, uint64_t session, uint64_t attempt, enum stream stream, uint64_t offset);
void give_drain(struct fixture *fix, uint64_t session);
void give_beat_ack(struct fixture *fix, uint64_t session, uint64_t sent_ms);
void give_need_hello(struct fixture *fix, uint64_t session);
void give_exit(struct fixture *fix, uint64_t attempt, const char *word, const char *message);
void grow(struct fixture *fix, uint64_t attempt, enum stream stream, uint64_t length);
