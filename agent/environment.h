// A run's environment and command line: what only the agent knows.
#pragma once

#include "base/str.h"
#include "wire/msg.h"

struct environment; // what is the same for all runs of an agent

// `bin_dir` is appended to PATH, so that `trawl log` is found. All borrowed.
struct environment_setup {
    const char *uid, *spool_path, *bin_dir;
    const struct msg_gpu *gpus;
    size_t gpu_count;
};

// The environment of one run, NULL-terminated "NAME=value" strings, and its finished argv. The caller frees with environment_free.
char **environment_of(const struct environment_setup *setup, const struct msg_launch_item *item);
char **environment_argv(const struct environment_setup *setup, const struct msg_launch_item *item);
void environment_free(char **strings);
