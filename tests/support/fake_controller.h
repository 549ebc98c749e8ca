// A controller that does what a test says, for real agents: it welcomes, answers beats, takes reports, acknowledges.
#pragma once

#include "base/str.h"
#include "wire/link.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define FAKE_ATTEMPTS 32
#define FAKE_LEASE_MS 30000

struct fake_attempt {
    bool started, exited, refused;
    struct str streams[STREAM_COUNT];
    char class_word[32], message[512];
    int64_t code, signal;
    unsigned exits; // how often its end was told
};

struct fake_controller {
    char dir[64];              // of the test
    char data[80];             // where the agent finds it
    struct link_server *server;
    uint64_t peer;
    uint64_t session;          // of the last welcome, +1 each
    uint64_t epoch;
    uint32_t hellos;
    struct msg_hello hello;    // the last one: numbers and counts only
    char uid[40], name[64], held_state[16];
    char gpu_names[64];        // ids, with commas
    uint64_t held_attempt;     // the first of the last hello
    char verdict[8];           // for everything held
    bool forgets;              // acknowledge and forget what is complete
    bool byes;
    struct fake_attempt attempts[FAKE_ATTEMPTS];
    // over the network
    struct keypair keys;
    char join_key[KEY_Z85_MAX], agent_key[KEY_Z85_MAX];
    uint32_t joins;
};

void fake_init(struct fake_controller *fake); // a fresh directory, an ipc socket
void fake_release(struct fake_controller *fake);
void fake_stop(struct fake_controller *fake);  // as if the controller died
void fake_start(struct fake_controller *fake); // again, with the next epoch

// A tcp socket instead, with CURVE; the token admits to joining. Returns the join string; the caller frees.
char *fake_start_tcp(struct fake_controller *fake, const char *token);

// Take messages until `done` says true. Fails the test when that takes too long.
void fake_wait(struct fake_controller *fake, bool (*done)(const struct fake_controller *fake), const char *what);

// Send one launch. `script` is run by sh. `change` may change the item before it goes.
void fake_launch(struct fake_controller *fake, uint64_t attempt, const char *script, void (*change)(struct msg_launch_item *item));
void fake_kill(struct fake_controller *fake, uint64_t attempt, const char *word, uint64_t grace_ms);
void fake_send(struct fake_controller *fake, const struct msg *msg);
