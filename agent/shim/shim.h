// The parts of the shim. Private. Single thread, libc and PCRE2 only.
#pragma once

#include "agent/shim/launch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// ---- output.c: bounded capture of one stream

struct output {
    int dir_fd, pipe_fd, file_fd; // pipe -1: ended; file -1: nothing printed yet
    const char *name;
    uint64_t written;             // bytes in the file
    uint64_t seen;                // bytes that the run printed
    char *ring;                   // the last SHIM_LOG_TAIL bytes, once the file is full
    uint64_t ringed;              // bytes that went through the ring
    bool full;                    // the disk did not take any more
    uint64_t dropped;
};

// Read what is there; false at the end of the pipe. `each` sees the bytes first (the pattern).
bool output_drain(struct output *output, void (*each)(void *, const char *, size_t), void *context);
void output_finish(struct output *output, bool sync); // append marker and tail, close

// ---- pattern.c: metrics out of printed lines

struct pattern;
// `pairs`: launch.patterns. NULL: there is none, or none that compiles.
struct pattern *pattern_new(int dir_fd, char *const *pairs);
void pattern_feed(void *pattern, const char *data, size_t len);
void pattern_finish(struct pattern *pattern, bool sync);

// ---- tree.c: every process below this one

// Send a signal to every descendant; returns how many there are.
unsigned tree_signal(int signal_number);
// SIGKILL to a fixed point: until no descendant is left (D state: gives up after about 10 s and returns false).
bool tree_kill(void);
// Resident bytes of all descendants.
uint64_t tree_rss(void);

// ---- run.c: starting the run

struct run_failure {
    int error; // errno of what failed
    int step;  // 1 chdir, 2 exec
};
// vfork and exec. Returns the pid, or -1 with *ret_failure.
pid_t run_start(const struct launch *launch, int out_fd, int err_fd, struct run_failure *ret_failure);

// ---- main.c and server.c

int supervise(const char *directory);

// Fork a shim for each directory that arrives on standard input, a SOCK_SEQPACKET socket; answer with its pid (a pid_t, -1 when there
// is none) and a pidfd. Ends when the other end is closed; its shims go on. A fork of this small static process costs a fraction of an
// exec, above all in virtual machines, where the C library's look at the processor at each exec is slow.
int serve(void);
