// The core's state and what its files ask of each other. Private.
//
//   agents.c   hello, beat, bye, leases       reports.c  report: started, bytes, ends, refusals; sealing
//   trials.c   a trial's states and points    sweeps.c   submit, suggestions, verbs, ends
//   place.c    which trial goes where         launch.c   what a run is told; launches and kills
//   stops.c    early stopping                 warm.c     results from elsewhere, configurations of people
//   core.c     making, restoring, time, looking in
#pragma once

#include "base/mem.h"
#include "controller/core/core.h"
#include "controller/core/metrics.h"
#include "strategies/stopping.h"

#include <uthash.h>
#include <utlist.h>

#define GPUS_MAX 16         // of one attempt (attempt_row.gpus)
#define LAUNCH_RESEND_MS 2000
#define KILL_RESEND_MS 5000
#define ASK_MAX 1024        // points in one ask
#define LAUNCH_ITEMS_MAX 64 // of one launch message
#define LAUNCH_BYTES_MAX (MSG_BODY_MAX - 1024) // of the items of one launch message
#define SWEEP_NAME_MAX 256  // bytes, as the wire takes them
#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MAX_MS 60000
#define SEEN_EVERY_MS 30000 // how often an agent's last_seen is written

struct sequence { // points of one metric so far
    uint32_t name;
    uint64_t count;
};

struct metric_name {
    char *name;
    uint32_t id;
    UT_hash_handle hh;
};

struct attempt {
    struct attempt_row row; // message owned
    struct trial *trial;
    struct agent *agent;
    bool reserved;          // its resources are taken at the agent
    bool has_summary[OBJECTIVES_MAX]; // the objective came as a summary: points no longer change it
    bool dirty;
    uint64_t launched_ms;   // when the launch was sent last
    const char *kill_class; // NULL: not to be ended; else why (a static word)
    uint64_t kill_grace_ms, killed_ms; // when the kill was sent last, 0: not yet
    uint64_t garbage;       // lines that were no metrics
    char *garbage_first;
    uint64_t nameless;      // values dropped because there are too many names, or theirs is too long
    struct sequence *sequences;
    size_t sequence_count, sequence_capacity;
    struct attempt *prev, *next; // of the agent
    struct attempt *trial_prev, *trial_next; // of the trial
    UT_hash_handle hh;
};

struct trial {
    struct trial_row row;   // config owned
    struct sweep *sweep;
    struct attempt *current; // the open attempt whose result counts
    struct attempt *attempts; // all that are held in memory
    uint64_t curve;         // the attempt whose values the sweep's stopping rule holds, 0: none
    bool has_step;          // of that attempt: the step of its last report, once there is one
    int64_t last_step;
    uint64_t not_before_ms; // backoff; 0: it may start now
    bool queued;            // in the sweep's list of pending or of waiting ones
    struct trial *prev, *next;
    UT_hash_handle hh;
};

struct point { // repeats of one configuration
    uint64_t point;
    uint32_t made;
    struct repeat *over;    // those that have ended
    size_t over_count, over_capacity;
    bool told;              // before this: what runs is being run again
    UT_hash_handle hh;
};

struct sweep {
    struct sweep_row row;   // strings owned; the spec's text is not kept
    struct spec *spec;      // policy: the latest reading
    struct spec *base;      // the first reading: the strategy borrows its space. May be the same.
    struct trial *pending;  // that may start now, in the order of numbers
    struct trial *waiting;  // pending, too, but in backoff; in no order
    uint64_t pending_count, waiting_count; // each of its own list
    uint64_t wake_ms;       // when the first of the waiting ones is due; meant only while there are some
    uint32_t running;
    struct point *points;
    bool asking;            // an ask is out
    uint64_t ask_after_ms;
    bool awaits_tell;       // its strategy has nothing before another tell
    uint64_t asked_tells;   // tells when it was asked
    uint64_t asked_point;   // the last point of the ask that is out,
    uint32_t asked_count;   // and how many it is for
    uint64_t prior_count;
    bool held, dirty;
    bool passed_over;       // it found no place in this pass
    size_t stored_at;       // where the batch may hold its row
    struct pareto_front front; // of the done trials; with one objective: its best
    bool target_reached;
    double mean_ms;         // of recent runs; negative: none yet
    uint64_t served;        // when a slot went here last, as a count
    uint32_t start_failures;
    uint64_t active_since_ms; // 0: nothing runs
    struct stopping *stopping; // the rule of `early_terminate:`, NULL: none
    bool curves_known;      // it was told what had been reported before this process
    char *blocked_text;     // why nothing is placed, NULL: no reason that would not pass
    UT_hash_handle hh;
};

struct agent {
    struct agent_row row;   // strings owned
    uint64_t peer;          // 0: not connected
    uint64_t lease_until_ms; // 0: no lease runs
    uint64_t seen_written_ms;
    uint32_t used_slots, used_cpus;
    uint64_t used_memory;
    uint32_t gpu_count;
    uint32_t *gpu_used;     // millis of each
    uint32_t *gpu_runs;
    struct attempt *attempts; // open ones
    struct msg_launch_item *launches;
    size_t launch_count, launch_capacity;
    struct msg_kill_item *kills;
    size_t kill_count, kill_capacity;
    char **labels;
    size_t label_count;
    struct agent *prev, *next;
    UT_hash_handle hh, hh_uid, hh_peer;
};

struct place { // where a run would go
    struct agent *agent;
    uint32_t gpus[GPUS_MAX];
    uint32_t gpu_count, gpu_millis;
    uint32_t left_free;     // whole GPUs that no one would use then
};

struct core {
    struct core_options options;
    char *store;
    struct batch *batch;
    struct metrics_parser *parser;
    struct sweep *sweeps;
    struct trial *trials;
    struct attempt *attempts;
    struct agent *agents, *agents_by_uid, *agents_by_peer;
    struct agent *next_agent; // where the search for a slot begins
    struct metric_name *names;
    uint64_t serving;
    bool draining;
    uint64_t drain_grace_ms;
    uint64_t now_ms;        // of the latest call
};

// core.c
void core_event(struct core *core, struct now now, const struct sweep *sweep, const struct trial *trial,
                const struct attempt *attempt, const struct agent *agent, const char *kind, const char *text);
struct msg *core_send(struct core *core, uint64_t peer, enum msg_type type);
struct sweep *core_find_sweep(const struct core *core, uint64_t id);
struct trial *core_find_trial(const struct core *core, uint64_t id);
struct attempt *core_find_attempt(const struct core *core, uint64_t id);

// agents.c
void agent_hello(struct core *core, struct now now, const struct peer *peer, const struct msg_hello *hello);
void agent_beat(struct core *core, struct now now, struct agent *agent, const struct msg_beat *beat);
void agent_bye(struct core *core, struct now now, struct agent *agent, const struct msg_bye *bye);
void agent_check_leases(struct core *core, struct now now);
void agent_free(struct core *core, struct agent *agent);
void agent_store(struct core *core, struct now now, struct agent *agent);
struct agent *agent_by_peer(const struct core *core, uint64_t peer);
void agent_set_capacity(struct agent *agent, uint32_t gpu_count, char **labels, size_t label_count);

// reports.c
void report_apply(struct core *core, struct now now, struct agent *agent, const struct msg_report *report, const char *raw);

// trials.c
struct attempt *attempt_new(struct core *core, struct trial *trial, struct agent *agent, const struct attempt_row *row);
void attempt_free(struct core *core, struct attempt *attempt);
void attempt_store(struct core *core, struct attempt *attempt);
void attempt_take(struct attempt *attempt);    // reserve its resources at its agent
void attempt_give_back(struct attempt *attempt);
void attempt_kill(struct attempt *attempt, const char *class_word, uint64_t grace_ms);
void attempt_end(struct core *core, struct now now, struct attempt *attempt, enum attempt_state state, const char *text, uint64_t wait_ms);
void attempt_seal(struct core *core, struct now now, struct attempt *attempt);
struct trial *trial_new(struct core *core, struct sweep *sweep, const struct trial_row *row);
void trial_free(struct core *core, struct trial *trial);
void trial_store(struct core *core, const struct trial *trial);
void trial_queue(struct trial *trial, uint64_t not_before_ms);
void trial_unqueue(struct trial *trial);
void trial_wake(struct sweep *sweep, uint64_t now_ms); // whose backoff is over may start
void trial_set_state(struct trial *trial, enum trial_state state);
void trial_finish(struct core *core, struct now now, struct trial *trial, enum trial_state state, const char *text);
struct point *point_get(struct sweep *sweep, uint64_t point);
void point_uncount(struct point *point, const struct trial_row *row);
struct point *point_count(struct sweep *sweep, const struct trial_row *row); // its trial is over
void point_free(struct sweep *sweep, struct point *point);

// sweeps.c
void sweep_set_state(struct core *core, struct now now, struct sweep *sweep, enum sweep_state state, const char *reason);
void sweep_ask(struct core *core, struct now now, struct sweep *sweep, uint64_t room);
void sweep_check_end(struct core *core, struct now now, struct sweep *sweep);
void sweep_free(struct core *core, struct sweep *sweep);
void sweep_store(struct core *core, struct sweep *sweep);
bool sweep_gives(const struct core *core, const struct sweep *sweep); // may start trials now
void sweep_note_result(struct sweep *sweep, uint64_t number, const struct values *values); // of a done trial
void sweep_check_target(struct sweep *sweep);
bool sweep_is_cancelling(const struct sweep *sweep);
void sweep_cancel_rest(struct core *core, struct now now, struct sweep *sweep);
uint64_t sweep_trials_left(const struct sweep *sweep); // caps and budgets; UINT64_MAX: no cap
bool sweep_is_closed(const struct sweep *sweep);       // not even what is pending will start
struct trial *sweep_make_trial(struct core *core, struct now now, struct sweep *sweep, const struct trial_row *made);

// stops.c
void stops_begin(struct sweep *sweep);
void stops_launched(struct trial *trial, uint64_t attempt);
void stops_report(struct core *core, struct now now, struct attempt *attempt, int64_t step, double value); // a value of the objective
void stops_ended(const struct trial *trial);

// place.c
void place_all(struct core *core, struct now now);
uint32_t place_cpus(const struct resources *need);
uint64_t place_room(const struct core *core, const struct sweep *sweep);

// launch.c
void launch_trial(struct core *core, struct now now, struct trial *trial, const struct place *place);
void launch_flush(struct core *core, struct now now); // send launches and kills
