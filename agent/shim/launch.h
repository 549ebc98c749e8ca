// The launch file: what the shim starts. Written by the agent, read by the shim; libc only.
//
// Text fields, each ended by NUL, in this order: "trawl-launch 1", attempt, timeout_ms, grace_ms, lease_ms, memory_bytes,
// cpus, twice the number of patterns, metric and pattern of each..., working_dir, argc, argv..., envc, env..., "end". Numbers are decimal. A reader refuses anything else.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define LAUNCH_FILE "launch"
#define LAUNCH_BYTES_MAX (4u << 20)

#define SHIM_LOG_MAX (64u << 20)      // bytes of stdout, and of stderr, kept from the start
#define SHIM_LOG_TAIL (256u << 10)    // bytes kept from the end once that is full
#define SHIM_SYNC_AFTER_MS 60000      // results of runs longer than this are fsynced

struct launch {
    uint64_t attempt, timeout_ms, grace_ms, lease_ms, memory_bytes, cpus;
    char *working_dir;                    // inside `data`
    char **patterns;                      // metric, expression, metric, expression, ..., NULL; as argv
    char **argv, **env;                   // NULL-terminated; the arrays are owned, the strings inside `data`
    char *data;
};

// Parse `data` (len bytes, taken over). 0, or -1 when it is not a launch file.
int launch_parse(char *data, size_t len, struct launch *ret);
void launch_release(struct launch *launch);

// How the agent and the shim talk besides files: signals to the shim.
//   SIGTERM: end the run: TERM to its group, grace_ms, then KILL of the whole tree. The class is the word in `stop`.
//   SIGUSR1: KILL the whole tree at once; class as above.
//   SIGUSR2: the lease was renewed (policy stop: the shim ends the run `lease_ms` after the last one).
