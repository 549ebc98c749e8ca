// The simulated world: one controller, three machines with agents and runs, and the network between them.
//
//   sim.c          seeds, time, faults           sim_controller.c  turns, crashes, restarts, people's verbs
//   sim_agents.c   agents, runs, their files     sim_check.c       what the store was told, and the end
//
// A run's metrics are lines of one length that name their attempt and their place, so that every stored point can be traced to the line
// it came from; its output is a pattern of its attempt and offset.
#pragma once

#include "agent/core.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "base/num.h"
#include "base/rng.h"
#include "controller/controller_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGENTS 3
#define SWEEPS_MAX 3
#define FAULTS_UNTIL_MS 60000
#define END_MS 4000000
#define WALL_OFFSET 1700000000000
#define LEASE_MS 600000
#define SHORT_LEASE_MS 20000
#define ATTEMPT_BASE 100000000u // a line says ATTEMPT_BASE + attempt and LINE_BASE + its index: numbers of one width
#define LINE_BASE 1000000u
#define LINE_FORMAT "{\"attempt\": %u, \"line\": %u, \"loss\": 0.5}\n"
#define LINE_LEN 53u
#define OBJECTIVE 0.5
#define PATIENCE 1 // reports of a run without a better value that a stopping rule allows, where a sweep has one

struct process { // a run: its shim, its program, its directory
    uint64_t attempt, sweep, trial; // sweep: index in sim; trial: number in the sweep
    bool stop_policy;         // its shim ends it when its lease runs out
    bool alive, exited, gone; // gone: its directory is no more
    bool forgotten;           // because the agent was told so
    uint64_t lease_ms, lease_until_ms;
    uint64_t ends_ms;         // when it is over, or was
    const char *fate;         // class word it will end with by itself
    const char *class_word;   // and the one it ended with
    const char *kill_word;    // it was asked to end
    uint64_t lines, printed;  // in its files now
    uint64_t lines_written, printed_written; // at most; a power loss may take some back
    uint64_t started_ms;
    struct process *next;
};

struct node { // a machine
    struct agent_core *core;  // NULL: the agent is dead
    struct process *processes;
    uint64_t uid;             // a wiped spool is a new agent
    uint64_t incarnation, peer, back_ms, in_cut_ms, out_cut_ms;
};

struct letter { // a message on its way
    uint64_t at_ms, order;
    bool to_controller;
    size_t node;
    uint64_t peer;
    struct msg msg;
    struct letter *next;
};

struct fate { // of a trial, as the batches told it
    uint64_t id, sweep, trial; // id in the database, its sweep's, number in the sweep
    enum trial_state state;
    bool retried;             // by a person: it may leave its terminal state once
    uint64_t completions;     // processes that ended well by themselves
    UT_hash_handle hh;
};

struct seen { // an attempt that started, and what the store has of it
    uint64_t attempt;
    const struct process *process;
    uint64_t printed, lines;
    UT_hash_handle hh;
};

struct sim {
    uint64_t seed;
    struct rng rng;
    uint64_t now_ms, order;
    struct controller controller;
    bool controller_up;
    uint64_t controller_back_ms, next_peer;
    struct node nodes[AGENTS];
    struct letter *letters;
    struct fate *fates;
    struct seen *started;
    uint64_t sweeps[SWEEPS_MAX];
    size_t sweep_count;
    bool lease_may_end;       // a short lease: under `keep`, two live processes of a trial are then possible
    bool calm;                // no verbs, failures or power losses: each trial must run to completion exactly once
    uint64_t lease_ms;
    uint64_t events, changes;
    uint64_t storm_second, storm_count;
    bool trace;
    const char *failure;
    char failure_text[512];
};

void say(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool chance(struct sim *sim, unsigned percent);
bool faults(const struct sim *sim);
struct now now_of(const struct sim *sim);
void post(struct sim *sim, bool to_controller, size_t node, uint64_t peer, const struct msg *msg);

// sim_controller.c
void start_controller(struct sim *sim);
void crash_controller(struct sim *sim, const char *when);
void forget_core(struct sim *sim);
void finish_turn(struct sim *sim);
void submit(struct sim *sim);
void use_a_verb(struct sim *sim);
void resume_all(struct sim *sim); // the people go home: whatever was paused or stopped goes on

// sim_agents.c
void start_agent(struct sim *sim, size_t index);
void stop_agent(struct sim *sim, size_t index, const char *how);
void run_agent(struct sim *sim, size_t index);
void run_processes(struct sim *sim, size_t index);
void lose_processes(struct sim *sim, size_t index);
void lose_power(struct sim *sim, size_t index);
uint8_t printed_byte(uint64_t attempt, uint64_t offset);

// sim_check.c
struct fate *fate_of(struct sim *sim, uint64_t id);
struct seen *seen_of(const struct sim *sim, uint64_t attempt);
void check_committed(struct sim *sim); // the batch that the store has just taken
void check_alone(struct sim *sim, const struct process *process);
bool is_over(const struct sim *sim);
void check_end(struct sim *sim);
