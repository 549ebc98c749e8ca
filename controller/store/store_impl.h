// What the store's files share. Private to this folder and its tests.
#pragma once

#include "controller/store/query.h"
#include "controller/store/store.h"

#include <uthash.h>

#define SCHEMA_VERSION        2                  // user_version of the newest schema_<n>.sql
#define APPLICATION_ID        0x5452574c         // "TRWL"
#define CHECKPOINT_PAGES      4000               // of WAL (16 MB) between two checkpoints
#define WAL_BYTES_MAX         (64 * 1024 * 1024) // kept on disk after a checkpoint
#define CACHE_KIB             8192               // of pages a writing connection
#define BUSY_TIMEOUT_MS       5000
#define QUICK_CHECK_BYTES_MAX (16 << 20) // files up to here are read whole when opened
#define REPLIES_MAX           10000      // answers kept for repeated requests
#define LOG_FILES_MAX         128        // log files held open
#define SHAPES_MAX            4096       // key sets of configurations remembered a sweep
#define WIDE_PARAMETERS_MAX   1000       // columns of a wide view; SQLite allows 2000
#define WIDE_METRICS_MAX      500
#define WIDE_VIEWS_MAX                                                                             \
    1000 // newest sweeps that have one: each is parsed whenever the file is opened

#define NEEDS_COPY "needs-copy" // left after an I/O error: the next open copies the database first

struct extreme { // a done trial of a sweep; id 0: none
    uint64_t id, number;
    double value;
};

// What is remembered of a sweep so that the turn need not ask the database. All of it is read from
// there again after a rollback.
struct sweep_info {
    uint64_t id;
    char key[SWEEP_KEY_MAX];
    struct extreme lowest, highest;
    bool extremes_known, extremes_changed;
    uint64_t *shapes; // hashes of the key sets whose leaves are in `parameter`
    size_t shape_count, shape_capacity;
    uint8_t *metrics; // bit set of metric names that are in `sweep_metric`
    size_t metrics_bytes;
    bool metrics_known;
    bool wide_stale; // the view lacks a column
    UT_hash_handle hh;
};

#define OWNER_SLOTS 1024
struct owner { // sweep of an attempt, direct-mapped by attempt
    uint64_t attempt, sweep;
};

struct log_file {
    uint64_t attempt;
    enum stream stream;
    int fd;        // -1: free
    uint64_t used; // turn of the clock of uses
};

struct reply_row {
    char *id, *body;
    int code;
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    char *dir;           // NULL in memory
    int dir_fd, lock_fd; // -1: none
    bool writer;
    bool rollback_journal; // on a network file system, instead of WAL
    char *warning;
    char id[33];
    int wal_pages;        // after the last commit
    int checkpoint_pages; // a checkpoint is due when the WAL has so many
    struct sweep_info *sweeps;
    struct owner owners[OWNER_SLOTS];
    struct log_file logs[LOG_FILES_MAX];
    uint64_t log_clock;
    struct reply_row *replies; // to go with the next commit
    size_t reply_count, reply_capacity;
    const struct change **points; // scratch of commit.c
    size_t point_capacity;
};

// dir.c: the data directory.
// Make or check the directory, take the lock; fills dir, dir_fd, lock_fd, warning,
// rollback_journal.
int dir_open(struct store *store, const char *data_dir, const char *what, struct err *err);
// Copy the database to new files if the last writer met an I/O error.
int dir_copy_if_marked(struct store *store, struct err *err);
void dir_mark_needs_copy(const struct store *store);
char *dir_path(const struct store *store, const char *name); // the caller frees
// The name of a file system (statfs f_type) that other machines share; NULL for a local one.
const char *dir_network_name(long type);

// schema.c
// Refuse what is newer, foreign or damaged, without a write.
int schema_check(struct store *store, bool created, struct err *err);
int schema_migrate(struct store *store, struct err *err);

// store.c
int store_begin(struct store *store, struct err *err);
int store_end(struct store *store, struct err *err); // commit, then checkpoint when due
void store_rollback(struct store *store);            // what was remembered is forgotten too
void store_drop_replies(struct store *store); // they are written, or will never be
// ERR_STATE when there is no such sweep.
int store_sweep_info(struct store *store, uint64_t id, struct sweep_info **ret, struct err *err);
// One whole number: of a pragma, for example.
int store_number(struct store *store, const char *sql, int64_t *ret, struct err *err);

// rows.c: rows whose strings are borrowed from the statement.
void row_get_sweep(struct query *query, struct sweep_row *ret);
void row_get_trial(struct query *query, struct trial_row *ret);
void row_get_attempt(struct query *query, struct attempt_row *ret);
void row_get_agent(struct query *query, struct agent_row *ret);
// Give the borrowed strings of a row to its holder.
void row_own_sweep(struct sweep_row *row);
void row_own_trial(struct trial_row *row);
int row_put_sweep(struct store *store, const struct sweep_row *row, bool is_new, struct err *err);
int row_put_trial(struct store *store, const struct trial_row *row, bool is_new, struct err *err);
int row_put_attempt(struct store *store, const struct attempt_row *row, bool is_new,
                    struct err *err);
int row_put_agent(struct store *store, const struct agent_row *row, struct err *err);

// priors.c
int row_put_prior(struct store *store, const struct prior_row *row, struct err *err);

// extremes.c: the done trials of least and of greatest value of each sweep.
int extremes_note(struct store *store, const struct trial_row *row, struct err *err);
int extremes_flush(struct store *store, struct err *err);

// wide.c: the view sweep_<key>.
int wide_note_config(struct store *store, uint64_t sweep, const char *config, struct err *err);
void wide_note_attempt(struct store *store, uint64_t attempt, uint64_t sweep);
int wide_note_metric(struct store *store, uint64_t attempt, uint32_t name, struct err *err);
int wide_flush(struct store *store, struct err *err);

// logs.c
int logs_append(struct store *store, const struct change *change, struct err *err);
int logs_check(struct store *store, int64_t now_ms, struct err *err);
void logs_close(struct store *store);
