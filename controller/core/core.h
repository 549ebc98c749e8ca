// The controller's core: sweeps, trials, attempts, leases, placement. Pure: (state, event, now) in, a batch of
// changes, messages and questions out. No I/O, no clock, no logging.
//
// Only what is alive is held in memory: running sweeps, pending and running trials, open attempts, agents. A
// sweep with a million finished trials costs its counters.
//
// Invariants (names as in docs/guarantees and reference: tests check them after every event)
//   I1 an attempt is launched in one session of one agent; a launch for another session is refused there
//   I2 at most one attempt of a trial is open (assigned, running) unless the policy is `keep` and a lease ran out
//   I4 bytes of a stream are applied once, gap-free, at the stored cursor
//   I5 a trial gets at most one result; terminal states never change (but by `trawl retry`, a new event)
//   I7 nothing of an older session changes state
//   I8 no message provokes a message that provokes the first; repetition comes from timers only
//
// Life of an attempt: assigned -> running -> exited -> sealed; or lost (lease over, or its agent says that
// it does not have it), or refused. A lost attempt that comes back is recorded; its result counts only when the
// trial has none. A trial becomes terminal when its attempt is sealed: exited, and every stream stored to its
// final length.
#pragma once

#include "base/err.h"
#include "controller/core/change.h"
#include "space/draft.h"
#include "spec/spec.h"
#include "strategies/pareto.h"
#include "wire/link.h" // struct peer

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct core;

struct core_options {
    uint64_t epoch;          // of this controller on this database
    const char *store;       // id of the database
    uint64_t lease_ms;       // default CORE_LEASE_MS
    uint64_t next_trial, next_attempt, next_agent, next_sweep, next_session; // first free ids
    uint32_t next_metric_name;
    uint64_t key_seed;       // random, for sweeps' public ids
};

#define CORE_LEASE_MS 300000     // an agent that is silent for so long has lost its attempts
#define CORE_BEAT_MS 10000       // agents beat so often (lease / 30)
#define CORE_PREFETCH_MS 100     // runs shorter than this are sent ahead of a free slot; for longer ones a round trip is nothing
#define CORE_PREFETCH_MAX 64     // attempts queued at an agent beyond its slots
#define CORE_START_FAILURES_MAX 3 // start failures in a row, before any success, that pause a sweep
#define METRIC_LINE_MAX 65536    // bytes of one line of metrics
#define METRIC_NAMES_MAX 10000   // distinct metric names in a database; more are dropped with an event
#define METRIC_NAME_MAX 256      // bytes of one name

// `batch` receives all output; the caller clears it after committing and sending.
struct core *core_new(const struct core_options *options, struct batch *batch);
void core_free(struct core *core);

// ---- Restoring, before the first event. Rows are borrowed; only live ones are given: agents, sweeps that are
// not terminal (all of them are accepted), trials pending or running, attempts assigned, running or exited (and lost
// ones whose trial is not terminal). `spec` is taken over (*spec set to NULL).
void core_restore_agent(struct core *core, const struct agent_row *row);
void core_restore_metric_name(struct core *core, uint32_t id, const char *name);
void core_restore_sweep(struct core *core, const struct sweep_row *row, struct spec **spec);
int core_restore_trial(struct core *core, const struct trial_row *row, struct err *err);
void core_restore_attempt(struct core *core, const struct attempt_row *row);
// Terminal trials of a group of repeats that is not over, so that their mean can be completed.
void core_restore_repeat(struct core *core, const struct trial_row *row);
// Point counts per (open attempt, name), so that sequences go on.
void core_restore_sequence(struct core *core, uint64_t attempt, uint32_t name, uint64_t count);
// What was reported before, for the rule of `early_terminate:`. Wanted: the points of the objective of each trial's result or latest
// attempt, in their order within a trial; with *ret_all those of every trial, else of trials that are not terminal. Before the
// first event, or for a terminal sweep before it goes on (core_respec, VERB_RESUME, core_retry_trial).
bool core_wants_curves(const struct core *core, uint64_t sweep, bool *ret_all);
void core_restore_curve(struct core *core, uint64_t sweep, uint64_t trial_number, uint64_t attempt, int64_t step,
                        double value);
void core_curves_known(struct core *core, uint64_t sweep); // that was all of it
// After the last row: agents with open attempts get a fresh lease from now on.
void core_started(struct core *core, struct now now);

// ---- Events

// A message of an agent (hello, beat, report, bye). `agent_uid` bound to a key elsewhere is refused. Borrowed; bytes
// stay referenced by the batch until it is cleared. Messages of other types are answered with MSG_ERROR.
void core_message(struct core *core, struct now now, const struct peer *peer, const struct msg *msg);

// Add a sweep; takes the spec over on success. *ret_id gets its id; its row is in the batch.
int core_submit(struct core *core, struct now now, struct spec **spec, const char *name,
                uint64_t *ret_id, struct err *err);

// The answer to an ask: `count` configurations for points first_point.., with the strategy's cursor and tell count
// after them. outcome: 0 more may come; ERR_EXHAUSTED; ERR_AGAIN (ask later); else the sweep is paused with `reason`.
struct suggestion {
    uint64_t point;
    struct config config; // borrowed, as all of it
    char *why;            // how the strategy came to it (strategy_note), or NULL
    uint64_t parent;      // the point whose run this one goes on from, 0: none
    struct run_of_point *parent_runs; // its trials by repeat, parent_run_count of them (the shell looks them up); NULL: not known
    size_t parent_run_count;
};
struct run_of_point {
    uint64_t trial, attempt; // the trial's number; the attempt of its result, or its latest
};
void core_suggested(struct core *core, struct now now, uint64_t sweep,
                    const struct suggestion *suggestions, size_t count, uint64_t cursor, int outcome,
                    const char *reason);

// Results from elsewhere, for the strategy to hear of before its first ask: rows (sweep not set) numbered offset + 1, offset + 2, ...
// Those that the sweep has already are passed over, so that a repeated call changes nothing; *ret_first is the number of the first that
// was taken, *ret_count how many were (the last ones of `rows`). The caller tells the strategy. ERR_NOT_FOUND; ERR_STATE once the
// strategy has been asked; ERR_INVALID when `offset` leaves a gap, or for a row whose values are not of the sweep's objectives;
// ERR_LIMIT over PRIORS_MAX. Nothing is taken on an error.
#define PRIORS_MAX 100000
int core_prior(struct core *core, struct now now, uint64_t sweep, uint64_t offset, const struct prior_row *rows, size_t count,
               uint64_t *ret_first, size_t *ret_count, struct err *err);
// Pause a sweep whose strategy has not been asked yet, until its priors are there and it is resumed; else nothing happens.
void core_await_priors(struct core *core, struct now now, uint64_t sweep);
void core_restore_priors(struct core *core, uint64_t sweep, uint64_t count); // how many there are
uint64_t core_priors(const struct core *core, uint64_t sweep);

// Configurations that a person wants tried, ahead of the strategy's own: each becomes a point and its trials. What a draft leaves open
// is drawn from the stream ("enqueue", point). The strategy goes on as it would have; the caller restores the points to one that
// learns. *ret (count of them, the caller's to release and free) says what was made. A finished sweep runs again for them; a paused or
// stopped one waits to be resumed. ERR_NOT_FOUND; ERR_STATE for a cancelled sweep, one whose target or time budget is reached, or
// when a cap leaves no room for all of them; ERR_INVALID for a draft that cannot be completed, by its place from 1. Nothing is made on
// an error.
struct enqueued {
    uint64_t point, number; // number: of the first of its trials
    struct config config;   // owned
};
int core_enqueue(struct core *core, struct now now, uint64_t sweep, const struct config_draft *drafts, size_t count,
                 struct enqueued **ret, struct err *err);

// Take what may change between two runs of the same sweep (everything outside the fingerprint: caps, budgets, retries, resources,
// environment) from another reading of its spec, and go on when it had been stopped, paused or finished by a cap that is higher now. The
// spec is taken over on success. ERR_NOT_FOUND; ERR_STATE when nothing is left to do and the caps leave no more room (the spec is not taken then) or it was cancelled.
// With more room only, for what people enqueue, the sweep stays finished. Emits CHANGE_SWEEP_SPEC.
// The space, the strategy and its settings of the first reading stay where they are: the strategy borrows them.
int core_respec(struct core *core, struct now now, uint64_t sweep, struct spec **spec);

// The key's holder is not let in any more: what its agents have open is lost now instead of when their leases run out.
void core_expel(struct core *core, struct now now, const char *public_key);

// Give nothing of this sweep out until core_respec or VERB_RESUME; its stored state does not change. (`trawl run SPEC` works on its
// own sweep, not on others that lie unfinished in the data directory.)
void core_hold(struct core *core, uint64_t sweep);

// Ask every connected agent to end (MSG_DRAIN).
void core_dismiss_agents(struct core *core, struct now now, const char *reason);

// Verbs of people. ERR_NOT_FOUND; ERR_STATE with what the state is and what would work.
enum sweep_verb { VERB_PAUSE, VERB_RESUME, VERB_STOP, VERB_CANCEL };
int core_control_sweep(struct core *core, struct now now, uint64_t sweep, enum sweep_verb verb,
                       struct err *err);
int core_cancel_trial(struct core *core, struct now now, uint64_t trial, struct err *err);
// Run a terminal trial again, with a fresh budget; `row` is its row from the store (borrowed).
int core_retry_trial(struct core *core, struct now now, const struct trial_row *row,
                     struct err *err);

// End gracefully: nothing new starts; with `end_runs`, running ones get TERM (grace: the spec's) and count as
// interrupted, so that their trials are pending again; without, they are left to go on (agents keep them).
// grace_ms_max bounds the grace (UINT64_MAX: the spec's; 0: SIGKILL at once).
void core_drain(struct core *core, struct now now, bool end_runs, uint64_t grace_ms_max);

// Time passes: leases, retry backoff, budgets, questions to strategies, dispatch to free slots. Call once at the end of
// each turn (after all events), and at core_deadline. Asks in the batch are answered with core_suggested, then call again.
void core_tick(struct core *core, struct now now);
uint64_t core_deadline(const struct core *core); // mono_ms of the next timer, UINT64_MAX: none

// ---- Looking in (for the shell, the progress line, tests)
const struct sweep_row *core_sweep(const struct core *core, uint64_t id); // NULL when unknown
const struct spec *core_sweep_spec(const struct core *core, uint64_t id);
size_t core_sweep_count(const struct core *core);
uint64_t core_sweep_id(const struct core *core, size_t index);
// The best done trials, their numbers as ids: with several objectives the front, with one the best alone; since start or restore_result.
// NULL while there is none. Costs are negated values where the goal is to maximise.
const struct pareto_front *core_sweep_front(const struct core *core, uint64_t id);
void core_restore_result(struct core *core, uint64_t sweep, uint64_t number, const struct values *values); // of a done trial
uint32_t core_running(const struct core *core, uint64_t sweep); // trials with an open attempt; 0 for all sweeps: sweep 0
uint32_t core_agents_alive(const struct core *core);
// Why nothing is placed now: a sentence ("no agent has 4 GPUs", "no agent is connected"), or NULL.
const char *core_blocked(const struct core *core, uint64_t sweep);

// Every invariant that can be seen from inside; false with the sentence in `err`. For tests and simulation.
bool core_check(const struct core *core, struct err *err);
