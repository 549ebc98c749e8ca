// The agent's shell: the one loop around the pure core.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent_options {
    const char *join;        // join string; NULL: the controller that `dir` joined before, or of `data_dir` on this machine
    const char *data_dir;    // local: where the controller's socket is; NULL: not local
    const char *dir;         // the agent's own directory: identity, lock, spool
    const char *name;
    const char *working_dir; // absolute: where runs start
    uint32_t slots, cpus;    // 0: found out
    uint64_t memory_bytes;   // 0: found out
    const char *gpus;        // "0,2", "none", NULL: all visible
    const char *const *labels;
    size_t label_count;
    bool ephemeral;          // end when the controller has been gone for a while and nothing runs
};

// Run until drained, detached or told to end. Returns 0 or the code that ended it.
int agent_run(const struct agent_options *options, struct err *err);
