#include "tests/unit/store_fixture.h"

#include "base/mem.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int fixture_setup(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof *fixture);
    const char *tmp = getenv("TMPDIR");
    snprintf(fixture->root, sizeof fixture->root, "%s/trawl-store-XXXXXX",
             tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(fixture->root))
        return -1;
    snprintf(fixture->dir, sizeof fixture->dir, "%s/data", fixture->root);
    batch_init(&fixture->batch);
    *state = fixture;
    return 0;
}

int fixture_setup_open(void **state)
{
    if (fixture_setup(state) != 0)
        return -1;
    fixture_open(*state);
    return 0;
}

static void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *below = xasprintf("%s/%s", path, entry->d_name);
        if (unlink(below) != 0)
            remove_tree(below);
        free(below);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    fixture_close(fixture);
    batch_release(&fixture->batch);
    remove_tree(fixture->root);
    free(fixture);
    return 0;
}

void fixture_open(struct fixture *fixture)
{
    struct err err = {0};
    if (store_open(fixture->dir, "test", &fixture->store, &err) != 0)
        fail_msg("store_open: %s", err.text);
}

void fixture_close(struct fixture *fixture)
{
    store_close(fixture->store);
    fixture->store = NULL;
}

void fixture_reopen(struct fixture *fixture)
{
    fixture_close(fixture);
    fixture_open(fixture);
}

void fixture_commit(struct fixture *fixture)
{
    struct err err = {0};
    if (store_commit(fixture->store, &fixture->batch, &err) != 0)
        fail_msg("store_commit: %s", err.text);
    batch_clear(&fixture->batch);
}

struct sweep_row *add_sweep(struct fixture *fixture, uint64_t id, const char *key, const char *name)
{
    struct sweep_row *row = &batch_change(&fixture->batch, CHANGE_SWEEP_NEW)->sweep;
    row->id = id;
    snprintf(row->key, sizeof row->key, "%s", key);
    row->name = (char *)name;
    row->spec_text = (char *)"method: random\n";
    row->fingerprint = 0xf000000000000000u + id;
    row->created_ms = 1000 * (int64_t)id;
    return row;
}

struct trial_row *add_trial(struct fixture *fixture, uint64_t id, uint64_t sweep, uint64_t number)
{
    struct trial_row *row = &batch_change(&fixture->batch, CHANGE_TRIAL_NEW)->trial;
    row->id = id;
    row->sweep = sweep;
    row->number = number;
    row->point = number;
    row->config = (char *)"{\"lr\":0.5}";
    row->created_ms = 10;
    return row;
}

struct trial_row *change_trial(struct fixture *fixture, uint64_t id, uint64_t sweep,
                               uint64_t number, enum trial_state trial_state, double value)
{
    struct trial_row *row = &batch_change(&fixture->batch, CHANGE_TRIAL)->trial;
    row->id = id;
    row->sweep = sweep;
    row->number = number;
    row->point = number;
    row->state = trial_state;
    row->values.has[0] = true;
    row->values.at[0] = value;
    row->created_ms = 10;
    return row;
}

struct attempt_row *add_attempt(struct fixture *fixture, uint64_t id, uint64_t trial,
                                uint64_t sweep, uint32_t number)
{
    struct attempt_row *row = &batch_change(&fixture->batch, CHANGE_ATTEMPT_NEW)->attempt;
    row->id = id;
    row->trial = trial;
    row->sweep = sweep;
    row->number = number;
    row->assigned_ms = 20;
    return row;
}

struct agent_row *add_agent(struct fixture *fixture, uint64_t id, const char *uid)
{
    struct agent_row *row = &batch_change(&fixture->batch, CHANGE_AGENT)->agent;
    row->id = id;
    snprintf(row->uid, sizeof row->uid, "%s", uid);
    row->name = row->host = (char *)"node";
    row->gpus = row->labels = (char *)"[]";
    return row;
}

void add_metric_name(struct fixture *fixture, uint32_t id, const char *name)
{
    struct change *change = batch_change(&fixture->batch, CHANGE_METRIC_NAME);
    change->metric_name.id = id;
    change->metric_name.name = name;
}

void add_point(struct fixture *fixture, uint64_t attempt, uint32_t name, uint64_t sequence,
               double value)
{
    struct change *change = batch_change(&fixture->batch, CHANGE_POINT);
    change->point.attempt = attempt;
    change->point.name = name;
    change->point.sequence = sequence;
    change->point.step = (int64_t)sequence;
    change->point.value = value;
}

void add_log(struct fixture *fixture, uint64_t attempt, uint64_t trial_number, uint64_t offset,
             const char *text)
{
    struct change *change = batch_change(&fixture->batch, CHANGE_LOG);
    change->log.attempt = attempt;
    change->log.sweep = 1;
    change->log.trial_number = trial_number;
    change->log.attempt_number = 1;
    change->log.stream = STREAM_STDOUT;
    change->log.offset = offset;
    change->log.data = text;
    change->log.len = strlen(text);
}

void add_event(struct fixture *fixture, uint64_t sweep, uint64_t trial, const char *text)
{
    struct change *change = batch_change(&fixture->batch, CHANGE_EVENT);
    change->event.sweep = sweep;
    change->event.trial = trial;
    change->event.at_ms = 77;
    change->event.kind = "created";
    change->event.text = text;
}

char *fixture_path(const struct fixture *fixture, const char *name)
{
    return xasprintf("%s/%s", fixture->dir, name);
}

void file_bytes(const struct fixture *fixture, const char *name, struct str *out)
{
    char *path = fixture_path(fixture, name);
    struct err err = {0};
    str_clear(out);
    if (file_read(path, 1u << 28, out, &err) != 0)
        fail_msg("%s", err.text);
    free(path);
}

static sqlite3 *plain_open(const struct fixture *fixture, int flags)
{
    sqlite3 *db = NULL;
    char *path = fixture_path(fixture, STORE_FILE);
    if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK)
        fail_msg("cannot open %s: %s", path, sqlite3_errmsg(db));
    free(path);
    return db;
}

char *sql_text(const struct fixture *fixture, const char *sql)
{
    sqlite3 *db = plain_open(fixture, SQLITE_OPEN_READONLY);
    sqlite3_stmt *statement = NULL;
    char *text = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        const char *column = (const char *)sqlite3_column_text(statement, 0);
        text = xstrdup(column ? column : "NULL");
    } else if (rc == SQLITE_DONE) {
        text = xstrdup("no row");
    } else {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return text;
}

long long sql_number(const struct fixture *fixture, const char *sql)
{
    char *text = sql_text(fixture, sql);
    long long number = strtoll(text, NULL, 10);
    free(text);
    return number;
}

void sql_run(const struct fixture *fixture, const char *sql)
{
    sqlite3 *db = plain_open(fixture, SQLITE_OPEN_READWRITE);
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}
