// What the tests of shim and launcher share: a spool of their own, a run directory made as the agent makes it, a real shim, and waiting
// for its end, or for words of the run, under a deadline.
#pragma once

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "agent/rundir.h"
#include "base/str.h"

#include <stdbool.h>
#include <sys/types.h>

#define DEADLINE_MS 60000
#define ATTEMPT 7
#define AGENT_UID "00112233445566778899aabbccddeeff"

struct place {
    char path[64];  // of the spool
    int fd;
    int fifo;       // runs write words to $FIFO
    int hold;       // and wait for a line of $HOLD
    char uid[40];   // this test's agent: no process of another test has it
    pid_t shim;
    int shim_fd;
    int shim_code;  // exit code, or -1 when a signal ended it
    struct msg_exited exited; // of the last run that was waited for
};

// What to run; absent fields are "none".
struct how {
    const char *script;       // for sh -c
    const char *const *argv;  // instead of a script, NULL-terminated
    const char *working_dir;  // NULL: the spool
    const char *pattern, *metric;
    const char *more_pattern, *more_metric; // a second one
    uint64_t timeout_ms, grace_ms, lease_ms, memory_bytes;
};

int enter(void **state);
int leave(void **state);

void make_run(struct place *place, uint64_t attempt, const struct how *how);
void start_shim(struct place *place, uint64_t attempt);
void start_run(struct place *place, const struct how *how); // both, for ATTEMPT
void wait_shim(struct place *place);                        // reaps it
void wait_end(struct place *place);                         // and fills `exited`, which must be there
void run_to_end(struct place *place, const struct how *how);

// A line that the run wrote to $FIFO: its word, or a pid that is watched from then on.
void read_word(struct place *place, char *word, size_t size);
int watch_pid_of_word(struct place *place, pid_t *ret_pid);
bool ends_within(int pid_fd, int deadline_ms);
void release_hold(struct place *place);

void ask_to_end(struct place *place, const char *word, int signal_number);
enum rundir_state look(struct place *place);
void read_file_of_run(struct place *place, const char *name, struct str *ret); // empty when it is not there
void assert_class(const struct place *place, const char *word);
