// The parts of the agent's shell. Private.
#pragma once

#include "agent/agent.h"
#include "agent/core.h"
#include "agent/launcher.h"
#include "wire/link.h"

#include <sys/types.h>
#include <uthash.h>

struct shim { // one that lives
    uint64_t attempt;
    pid_t pid;
    int pid_fd; // -1: none could be had; it is looked at now and then
    uint64_t since_ms;
    UT_hash_handle hh;
};

struct agent {
    const struct agent_options *options;
    char uid[33];
    char boot[40];
    int dir_fd, lock_fd, spool_fd, signal_fd;
    char *spool_path, *shim_path, *bin_dir;
    struct msg_gpu *gpus;
    size_t gpu_count;
    uint32_t slots;
    uint64_t incarnation;
    char *where;           // the controller, for people
    struct link_client *link;
    struct agent_core *core;
    struct launcher *launcher;
    struct shim *shims;
    struct pollfd *fds;
    size_t fd_capacity;
    uint64_t growth_ms;    // when streams are looked at next
    uint64_t started_ms;
    uint64_t connected_ms; // when we were connected last
    bool said_connected, said_waiting;
    bool leaving;
    int signals;           // SIGINT and SIGTERM so far
    int refused_code;
    char *buffer;          // AGENT_READ_MAX
};

// ---- agent_join.c: who we are and whom we work for

// Lock the agent's directory, make the spool, read or make identity. ERR_BUSY when another agent works there, ERR_CORRUPT when the identity
// is damaged.
int join_open_dirs(struct agent *agent, struct err *err);
// Set agent->link: to the controller of the data directory, or by the join string, which may ask for our key to be admitted first (up to
// 20 s; a signal sets agent->leaving).
int join_connect(struct agent *agent, struct err *err);

// ---- agent_runs.c: run directories and shims

void runs_start(struct agent *agent, uint64_t attempt, const struct msg_launch_item *item);
void runs_kill(struct agent *agent, const struct agent_action *action);
void runs_renew(struct agent *agent, uint64_t attempt);
void runs_forget(struct agent *agent, uint64_t attempt);
void runs_read(struct agent *agent, const struct agent_action *action);
void runs_shim_ended(struct agent *agent, struct shim *shim);
// Tell the core how long the streams of running runs are.
void runs_look_at_growth(struct agent *agent, uint64_t now_ms);
// What lies in the spool at the start: ends are told, the living adopted, the rest marked lost.
int runs_find(struct agent *agent, struct err *err);
void runs_release(struct agent *agent); // the shims live on
