// The store: one SQLite file that holds everything. The only folder that includes sqlite3.h.
//
// WAL, synchronous=FULL, foreign keys, STRICT tables, user_version migrations in .sql files. One read-write connection,
// held under a lock file: a data directory has one writer. Log bodies are files beside the database.
// After any I/O error on commit the process must end (ERR_IO); a full disk is rolled back and told (ERR_NO_SPACE).
//
// Names are plain and users may read the file with any SQLite tool while it runs: tables sweep, trial, attempt, agent,
// metric_name, metric_point, summary, prior, event, key, meta; views `trials` (one row a trial with sweep, number, state, value,
// duration), `runs`, `metrics`; and per sweep a wide view `sweep_<key>` (one column a parameter, one a metric's last value).
// NaN is stored as the text 'NaN' (SQLite has no NaN); infinities as REAL.
#pragma once

#include "base/err.h"
#include "controller/core/change.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

#define STORE_FILE "trawl.db"
#define STORE_LOCK "lock" // flock held by the live writer; its text is "<pid> <what>\n"

struct store;

// Open for writing (making directory, file and schema as needed; 0700/0600). ERR_BUSY when another live process holds
// it (the sentence says which pid and what to do), ERR_VERSION for a newer schema (file untouched), ERR_CORRUPT with what
// to do for a damaged one, ERR_PERMISSION for a directory that others may write.
int store_open(const char *data_dir, const char *what, struct store **ret, struct err *err);

// In memory, for tests and simulation.
int store_open_memory(struct store **ret, struct err *err);

// Read-only, beside a live writer or without one. ERR_NOT_FOUND when there is no database, with the next command to type.
int store_open_reader(const char *data_dir, struct store **ret, struct err *err);
void store_close(struct store *store);

// Identity and counters. store_begin_epoch commits epoch + 1 and returns it.
const char *store_id(const struct store *store);
int store_begin_epoch(struct store *store, uint64_t *ret_epoch, struct err *err);
struct store_counters {
    uint64_t next_trial, next_attempt, next_agent, next_sweep, next_session;
    uint32_t next_metric_name;
};
int store_counters(struct store *store, struct store_counters *ret, struct err *err);

// One turn: begin, every change in order, commit. On ERR_NO_SPACE nothing of it is there and it may be tried again.
int store_commit(struct store *store, const struct batch *batch, struct err *err);

// Keys admitted on tcp (wire/link.h): role "agent"; revoked ones stay, marked.
struct key_row {
    char public_key[41];
    char *name;
    char *role; // "agent", "join"
    bool revoked;
    int64_t created_ms, used_ms;
};
int store_key_put(struct store *store, const struct key_row *row, struct err *err);
int store_key_each(struct store *store, int (*each)(void *context, const struct key_row *row),
                   void *context, struct err *err);

// Replies to requests, so that a repeated request id gets its first answer.
int store_reply_put(struct store *store, const char *id, int code, const char *body, struct err *err);
bool store_reply_get(struct store *store, const char *id, int *ret_code, char **ret_body);

// ---- Restoring: live rows, in the order of core.h. Each row is borrowed by the callback; a callback's negative return
// ends the walk with that code.
int store_each_agent(struct store *store, int (*each)(void *, const struct agent_row *), void *context, struct err *err);
int store_each_metric_name(struct store *store, int (*each)(void *, uint32_t id, const char *name), void *context, struct err *err);
int store_each_sweep(struct store *store, bool live_only, int (*each)(void *, const struct sweep_row *), void *context, struct err *err);
int store_each_live_trial(struct store *store, int (*each)(void *, const struct trial_row *), void *context, struct err *err);
int store_each_live_attempt(struct store *store, int (*each)(void *, const struct attempt_row *), void *context, struct err *err);
int store_each_sequence(struct store *store, int (*each)(void *, uint64_t attempt, uint32_t name, uint64_t count), void *context, struct err *err);
// Terminal trials whose point has a sibling (repeat) that is not terminal.
int store_each_open_repeat(struct store *store, int (*each)(void *, const struct trial_row *), void *context, struct err *err);
// The points of a sweep in the order they were asked for, each as the row of its first repeat, behind trial `number`. `each` ends it by
// returning 1.
int store_each_asked(struct store *store, uint64_t sweep, uint64_t number, int (*each)(void *, const struct trial_row *), void *context,
                     struct err *err);
// The tells of a sweep in their order (for strategies that learn): for each told point the row of its first repeat and what its strategy
// was told (repeats_outcome). objective_count: the spec's.
int store_each_told(struct store *store, uint64_t sweep, size_t objective_count,
                    int (*each)(void *, const struct trial_row *, const struct outcome *), void *context, struct err *err);
// The results from elsewhere of a sweep, in their order.
int store_each_prior(struct store *store, uint64_t sweep, int (*each)(void *, const struct prior_row *), void *context, struct err *err);
// The trials of a point: number, repeat and attempt (the one of its result, or its latest; 0: none) of each, by repeat. At most `repeats`.
int store_each_run_of_point(struct store *store, uint64_t sweep, uint64_t point, uint32_t repeats,
                            int (*each)(void *, uint64_t number, uint32_t repeat, uint64_t attempt), void *context, struct err *err);

// ---- Reading, for the command line and HTTP (any connection)
// A sweep by key, unique prefix of a key, name, or "" / NULL for the latest. ERR_NOT_FOUND with near words.
int store_find_sweep(struct store *store, const char *word, struct sweep_row *ret, struct err *err);
int store_find_sweep_by_fingerprint(struct store *store, uint64_t fingerprint, struct sweep_row *ret, struct err *err); // latest; ERR_NOT_FOUND
int store_find_trial(struct store *store, uint64_t sweep, uint64_t number, struct trial_row *ret, struct err *err);

struct trial_query {
    uint64_t sweep;
    int state;            // enum trial_state, -1: all
    bool by_value;        // best first (NaN and none last), else by number
    bool maximize;
    uint64_t limit, offset; // limit 0: all
};
int store_each_trial(struct store *store, const struct trial_query *query, int (*each)(void *, const struct trial_row *), void *context, struct err *err);
int store_each_attempt(struct store *store, uint64_t trial, int (*each)(void *, const struct attempt_row *), void *context, struct err *err);

struct event_row {
    uint64_t id, sweep, trial, attempt, agent;
    int64_t at_ms;
    char *kind, *text;
};
int store_each_event(struct store *store, uint64_t sweep, uint64_t trial, int (*each)(void *, const struct event_row *), void *context, struct err *err); // 0: any

struct point_row {
    uint64_t trial_number, attempt, sequence;
    const char *name;
    int64_t step;
    double time, value;
};
// Points of the attempts that count (of each trial its result or latest attempt); trial_number 0: all; name NULL: all.
int store_each_point(struct store *store, uint64_t sweep, uint64_t trial_number, const char *name, int (*each)(void *, const struct point_row *), void *context, struct err *err);
// Last value a name for one attempt, as a JSON object (summary values win over points). The caller puts it.
int store_summary(struct store *store, uint64_t attempt, struct json_object **ret, struct err *err);

// Path of a log file ("logs/<sweep key>/<trial number>-<attempt number>.out" or ".err") under the data directory. The caller frees.
char *store_log_path(const struct store *store, const char *sweep_key, uint64_t trial_number, uint32_t attempt_number, enum stream stream);
const char *store_dir(const struct store *store); // NULL in memory
// What the user should know about the directory (it lies on a network file system), NULL: nothing.
const char *store_warning(const struct store *store);
