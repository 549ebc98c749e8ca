// Opening, transactions, identity, keys and replies: see store.h.
//
// Checkpoints are our own, after a commit has succeeded: SQLite's automatic ones swallow their
// failures, and after a failed sync this process must not go on.

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "controller/store/store_impl.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct store *store_alloc(bool writer)
{
    struct store *store = xcalloc(1, sizeof *store);
    store->dir_fd = store->lock_fd = -1;
    store->writer = writer;
    store->checkpoint_pages = CHECKPOINT_PAGES;
    for (size_t i = 0; i < LOG_FILES_MAX; i++)
        store->logs[i].fd = -1;
    return store;
}

static void forget(struct store *store)
{
    struct sweep_info *info, *next;
    HASH_ITER(hh, store->sweeps, info, next)
    {
        HASH_DEL(store->sweeps, info);
        free(info->shapes);
        free(info->metrics);
        free(info);
    }
    memset(store->owners, 0, sizeof store->owners);
}

int store_number(struct store *store, const char *sql, int64_t *ret, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *ret = sqlite3_column_int64(statement, 0);
    if (rc != SQLITE_ROW)
        rc = store_failure(store, sqlite3_extended_errcode(store->db), err);
    else
        rc = 0;
    sqlite3_finalize(statement);
    return rc;
}

static int count_wal_pages(void *context, sqlite3 *db, const char *schema, int pages)
{
    (void)db;
    (void)schema;
    struct store *store = context;
    if (pages < store->wal_pages) // it began anew
        store->checkpoint_pages = CHECKPOINT_PAGES;
    store->wal_pages = pages;
    return SQLITE_OK;
}

int store_begin(struct store *store, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_BEGIN, &query, err);
    return rc == 0 ? query_run(&query, err) : rc;
}

void store_rollback(struct store *store)
{
    if (!sqlite3_get_autocommit(store->db)) // SQLite itself rolls back on most failures
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    forget(store);
}

// A full disk or a reader that stands in the way only means that the WAL grows on for a while.
static int checkpoint(struct store *store, struct err *err)
{
    if (store->wal_pages < store->checkpoint_pages)
        return 0;
    store->checkpoint_pages = store->wal_pages + CHECKPOINT_PAGES;
    int rc = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
        return 0;
    rc = store_failure(store, sqlite3_extended_errcode(store->db), err);
    return rc == ERR_NO_SPACE ? 0 : rc;
}

int store_end(struct store *store, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_COMMIT, &query, err);
    if (rc == 0)
        rc = query_run(&query, err);
    if (rc != 0) {
        store_rollback(store);
        return rc;
    }
    return checkpoint(store, err);
}

static int open_file(struct store *store, const char *path, int flags, struct err *err)
{
    int rc = sqlite3_open_v2(path, &store->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK)
        return store_failure(store, store->db ? sqlite3_extended_errcode(store->db) : rc, err);
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
    // Until the file is known to be ours and sound, closing it again must leave it as it is.
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return 0;
}

static int read_id(struct store *store, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_META_GET, &query, err);
    if (rc != 0)
        return rc;
    put_text(&query, "id");
    rc = query_step(&query, err);
    if (rc > 0)
        snprintf(store->id, sizeof store->id, "%s", get_text(&query));
    query_close(&query);
    if (rc == 0)
        return store_failure(store, SQLITE_CORRUPT, err);
    return rc > 0 ? 0 : rc;
}

static int configure_writer(struct store *store, struct err *err)
{
    char cache[64];
    snprintf(cache, sizeof cache, "PRAGMA cache_size = -%d; PRAGMA foreign_keys = ON", CACHE_KIB);
    int rc = store_exec(store, cache, err);
    if (rc == 0 && store->dir)
        rc = store_exec(store,
                        store->rollback_journal ? "PRAGMA journal_mode = DELETE"
                                                : "PRAGMA journal_mode = WAL",
                        err);
    if (rc != 0)
        return rc;
    char sizes[128];
    snprintf(sizes, sizeof sizes, "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = %d",
             WAL_BYTES_MAX);
    rc = store_exec(store, sizes, err);
    sqlite3_wal_hook(store->db, count_wal_pages, store);
    return rc;
}

// The file is made here, so that it and what SQLite puts beside it are 0600 from the start.
static int make_file(const struct store *store, bool *ret_created, struct err *err)
{
    struct stat st;
    int fd = openat(store->dir_fd, STORE_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set_errno(err, "cannot open %s/" STORE_FILE, store->dir);
    int rc = 0;
    if (fstat(fd, &st) != 0)
        rc = err_set_errno(err, "cannot look at %s/" STORE_FILE, store->dir);
    else if (st.st_size == 0 && fsync(store->dir_fd) != 0)
        rc = err_set_errno(err, "cannot sync %s", store->dir);
    else
        *ret_created = st.st_size == 0;
    close(fd);
    return rc;
}

static int open_writer(struct store *store, bool created, struct err *err)
{
    int rc = schema_check(store, created, err);
    if (rc == 0)
        rc = configure_writer(store, err);
    if (rc == 0)
        rc = schema_migrate(store, err);
    if (rc == 0)
        rc = read_id(store, err);
    if (rc == 0)
        sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    return rc;
}

int store_open(const char *data_dir, const char *what, struct store **ret, struct err *err)
{
    struct store *store = store_alloc(true);
    char *path = NULL;
    bool created = false;
    int rc = dir_open(store, data_dir, what, err);
    if (rc == 0)
        rc = dir_copy_if_marked(store, err);
    if (rc == 0)
        rc = make_file(store, &created, err);
    if (rc == 0) {
        path = dir_path(store, STORE_FILE);
        rc = open_file(store, path, SQLITE_OPEN_READWRITE, err);
    }
    if (rc == 0)
        rc = open_writer(store, created, err);
    free(path);
    if (rc != 0)
        store_close(store);
    else
        *ret = store;
    return rc;
}

int store_open_memory(struct store **ret, struct err *err)
{
    struct store *store = store_alloc(true);
    int rc = open_file(store, ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
    if (rc == 0)
        rc = open_writer(store, true, err);
    if (rc != 0)
        store_close(store);
    else
        *ret = store;
    return rc;
}

static int no_database(const char *data_dir, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND,
                   "there is no sweep in %s yet; start one with `trawl run SPEC`, or name another "
                   "directory with --data",
                   data_dir);
}

// A path inside an SQLite URI.
static char *immutable_uri(const char *path)
{
    struct str uri = STR_INIT;
    str_add(&uri, "file:");
    for (const char *p = path; *p; p++) {
        if (strchr("%?#", *p))
            str_addf(&uri, "%%%02X", (unsigned)*p);
        else
            str_addch(&uri, *p);
    }
    str_add(&uri, "?immutable=1");
    return str_detach(&uri);
}

static bool wal_is_empty(const struct store *store)
{
    struct stat st;
    return fstatat(store->dir_fd, STORE_FILE "-wal", &st, 0) != 0 || st.st_size == 0;
}

// A directory that cannot be written has no place for the WAL's index; without a WAL none is
// needed.
static int open_immutable(struct store *store, const char *path, struct err *err)
{
    sqlite3_close(store->db);
    store->db = NULL;
    if (!wal_is_empty(store))
        return err_set(err, ERR_PERMISSION,
                       "%s cannot be written and its database was not closed cleanly; copy the "
                       "directory to a place of your own and name that with --data",
                       store->dir);
    char *uri = immutable_uri(path);
    int rc = open_file(store, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
    free(uri);
    return rc == 0 ? schema_check(store, false, err) : rc;
}

static int open_reader(struct store *store, const char *path, struct err *err)
{
    struct err failure = {0};
    int rc = open_file(store, path, SQLITE_OPEN_READONLY, &failure);
    if (rc == 0)
        rc = schema_check(store, false, &failure);
    if (rc == ERR_PERMISSION)
        rc = open_immutable(store, path, &failure);
    if (rc == 0)
        rc = read_id(store, &failure);
    if (rc != 0 && err)
        *err = failure;
    return rc;
}

int store_open_reader(const char *data_dir, struct store **ret, struct err *err)
{
    struct store *store = store_alloc(false);
    struct stat st;
    char *path = NULL;
    int rc = 0;
    store->dir = xstrdup(data_dir);
    store->dir_fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->dir_fd < 0 && errno != ENOENT && errno != ENOTDIR)
        rc = err_set_errno(err, "cannot open the data directory %s", data_dir);
    else if (store->dir_fd < 0 || fstatat(store->dir_fd, STORE_FILE, &st, 0) != 0 ||
             st.st_size == 0)
        rc = no_database(data_dir, err);
    if (rc == 0) {
        path = dir_path(store, STORE_FILE);
        rc = open_reader(store, path, err);
    }
    free(path);
    if (rc != 0)
        store_close(store);
    else
        *ret = store;
    return rc;
}

void store_drop_replies(struct store *store)
{
    for (size_t i = 0; i < store->reply_count; i++) {
        free(store->replies[i].id);
        free(store->replies[i].body);
    }
    store->reply_count = 0;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    if (store->db) {
        store_rollback(store);
        for (size_t i = 0; i < STATEMENT_COUNT; i++)
            sqlite3_finalize(store->statements[i]);
        int keep = 0;
        sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, -1, &keep);
        if (store->writer && store->dir && !keep && !store->rollback_journal) // also beside readers
            sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        sqlite3_close(store->db);
    }
    forget(store);
    logs_close(store);
    store_drop_replies(store);
    free(store->replies);
    free(store->points);
    free(store->warning);
    free(store->dir);
    fd_close(&store->lock_fd);
    fd_close(&store->dir_fd);
    free(store);
}

const char *store_id(const struct store *store)
{
    return store->id;
}

const char *store_dir(const struct store *store)
{
    return store->dir;
}

const char *store_warning(const struct store *store)
{
    return store->warning;
}

int store_sweep_info(struct store *store, uint64_t id, struct sweep_info **ret, struct err *err)
{
    struct sweep_info *info;
    HASH_FIND(hh, store->sweeps, &id, sizeof id, info);
    if (info) {
        *ret = info;
        return 0;
    }
    struct query query;
    int rc = query_open(store, STATEMENT_SWEEP_KEY, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, id);
    rc = query_step(&query, err);
    if (rc > 0) {
        info = xcalloc(1, sizeof *info);
        info->id = id;
        snprintf(info->key, sizeof info->key, "%s", get_text(&query));
        HASH_ADD(hh, store->sweeps, id, sizeof info->id, info);
        *ret = info;
        rc = 0;
    } else if (rc == 0) {
        rc = err_set(err, ERR_STATE, "a change names sweep %llu, which the database does not have",
                     (unsigned long long)id);
    }
    query_close(&query);
    return rc;
}

static int write_epoch(struct store *store, uint64_t epoch, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_META_PUT, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, epoch);
    put_text(&query, "epoch");
    return query_run(&query, err);
}

int store_begin_epoch(struct store *store, uint64_t *ret_epoch, struct err *err)
{
    int64_t epoch = 0;
    int rc = store_begin(store, err);
    if (rc != 0)
        return rc;
    rc = store_number(store, "SELECT value FROM meta WHERE name = 'epoch'", &epoch, err);
    if (rc == 0)
        rc = write_epoch(store, (uint64_t)epoch + 1, err);
    if (rc == 0)
        rc = logs_check(store, clock_wall_ms(), err);
    if (rc != 0) {
        store_rollback(store);
        return rc;
    }
    rc = store_end(store, err);
    if (rc == 0)
        *ret_epoch = (uint64_t)epoch + 1;
    return rc;
}

int store_counters(struct store *store, struct store_counters *ret, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_COUNTERS, &query, err);
    if (rc != 0)
        return rc;
    rc = query_step(&query, err);
    if (rc > 0) {
        ret->next_trial = get_u64(&query) + 1;
        ret->next_attempt = get_u64(&query) + 1;
        ret->next_agent = get_u64(&query) + 1;
        ret->next_sweep = get_u64(&query) + 1;
        ret->next_session = get_u64(&query) + 1;
        ret->next_metric_name = get_u32(&query) + 1;
        rc = 0;
    }
    query_close(&query);
    return rc;
}

int store_key_put(struct store *store, const struct key_row *row, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_KEY_PUT, &query, err);
    if (rc != 0)
        return rc;
    put_text(&query, row->public_key);
    put_text(&query, row->name);
    put_text(&query, row->role);
    put_u64(&query, row->revoked);
    put_i64(&query, row->created_ms);
    put_time(&query, row->used_ms);
    return query_run(&query, err);
}

int store_key_each(struct store *store, int (*each)(void *context, const struct key_row *row),
                   void *context, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_KEY_EACH, &query, err);
    if (rc != 0)
        return rc;
    while ((rc = query_step(&query, err)) > 0) {
        struct key_row row = {0};
        snprintf(row.public_key, sizeof row.public_key, "%s", get_text(&query));
        row.name = get_text(&query);
        row.role = get_text(&query);
        row.revoked = get_i64(&query) != 0;
        row.created_ms = get_i64(&query);
        row.used_ms = get_i64(&query);
        rc = each(context, &row);
        if (rc < 0)
            break;
    }
    query_close(&query);
    return rc;
}

// An answer is durable with what it answers, or not at all: it waits for the turn's transaction.
int store_reply_put(struct store *store, const char *id, int code, const char *body,
                    struct err *err)
{
    (void)err;
    ARRAY_GROW(store->replies, store->reply_count, store->reply_capacity);
    store->replies[store->reply_count++] =
        (struct reply_row){.id = xstrdup(id), .code = code, .body = xstrdup(body ? body : "")};
    return 0;
}

bool store_reply_get(struct store *store, const char *id, int *ret_code, char **ret_body)
{
    for (size_t i = 0; i < store->reply_count; i++) {
        if (strcmp(store->replies[i].id, id) == 0) {
            *ret_code = store->replies[i].code;
            *ret_body = xstrdup(store->replies[i].body);
            return true;
        }
    }
    struct query query;
    if (query_open(store, STATEMENT_REPLY_GET, &query, NULL) != 0)
        return false;
    put_text(&query, id);
    bool found = query_step(&query, NULL) > 0;
    if (found) {
        *ret_code = (int)get_i64(&query);
        *ret_body = xstrdup(get_text(&query));
    }
    query_close(&query);
    return found;
}
