// What the store's tests share: a data directory of their own, small rows, and a look at the file
// with plain SQLite.
#pragma once

#include "base/file.h"
#include "base/str.h"
#include "controller/store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture {
    char dir[256];  // the data directory; made by the store
    char root[200]; // its parent, removed at the end
    struct batch batch;
    struct store *store;
};

int fixture_setup(void **state);      // directory only
int fixture_setup_open(void **state); // and a store in it
int fixture_teardown(void **state);
void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);
void fixture_reopen(struct fixture *fixture);
void fixture_commit(struct fixture *fixture); // must succeed; clears the batch

// Changes with plausible columns, to be altered by the test before the commit.
struct sweep_row *add_sweep(struct fixture *fixture, uint64_t id, const char *key,
                            const char *name);
struct trial_row *add_trial(struct fixture *fixture, uint64_t id, uint64_t sweep, uint64_t number);
struct trial_row *change_trial(struct fixture *fixture, uint64_t id, uint64_t sweep,
                               uint64_t number, enum trial_state trial_state, double value);
struct attempt_row *add_attempt(struct fixture *fixture, uint64_t id, uint64_t trial,
                                uint64_t sweep, uint32_t number);
struct agent_row *add_agent(struct fixture *fixture, uint64_t id, const char *uid);
void add_metric_name(struct fixture *fixture, uint32_t id, const char *name);
void add_point(struct fixture *fixture, uint64_t attempt, uint32_t name, uint64_t sequence,
               double value);
void add_log(struct fixture *fixture, uint64_t attempt, uint64_t trial_number, uint64_t offset,
             const char *text);
void add_event(struct fixture *fixture, uint64_t sweep, uint64_t trial, const char *text);

// The first column of the first row as text ("NULL", "no row"), on a plain read-only connection.
// The caller frees.
char *sql_text(const struct fixture *fixture, const char *sql);
long long sql_number(const struct fixture *fixture, const char *sql);
void sql_run(const struct fixture *fixture, const char *sql); // writes; the store must be closed

char *fixture_path(const struct fixture *fixture, const char *name); // the caller frees
void file_bytes(const struct fixture *fixture, const char *name, struct str *out);

#define assert_sql(fixture, expected, sql)                                                         \
    do {                                                                                           \
        char *assert_sql_text = sql_text(fixture, sql);                                            \
        assert_string_equal(assert_sql_text, expected);                                            \
        free(assert_sql_text);                                                                     \
    } while (0)
