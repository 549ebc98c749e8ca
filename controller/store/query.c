// Statements and the errors of SQLite: see query.h.

#include "controller/store/query.h"

#include "base/mem.h"
#include "controller/store/store_impl.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

static const char *const STATEMENT_SQL[STATEMENT_COUNT] = {
#define STATEMENT_TEXT(id, sql) [id] = sql,
    STATEMENT_LIST(STATEMENT_TEXT)
#undef STATEMENT_TEXT
};

static const char *where(const struct store *store)
{
    return store->dir ? store->dir : "memory";
}

static bool is_full(const struct store *store, int sqlite_code)
{
    if ((sqlite_code & 0xff) == SQLITE_FULL)
        return true;
    // A quota, or no room for the shared index of the WAL: nothing was synced, so a rollback is
    // enough.
    if (sqlite_code == SQLITE_IOERR_WRITE || sqlite_code == SQLITE_IOERR_SHMSIZE ||
        sqlite_code == SQLITE_IOERR_TRUNCATE) {
        int number = sqlite3_system_errno(store->db);
        return number == ENOSPC || number == EDQUOT;
    }
    return false;
}

int store_failure(struct store *store, int sqlite_code, struct err *err)
{
    const char *detail = store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(sqlite_code);
    if (is_full(store, sqlite_code))
        return err_set(err, ERR_NO_SPACE, "the disk of %s is full (%s)", where(store), detail);
    switch (sqlite_code & 0xff) {
    case SQLITE_IOERR:
        dir_mark_needs_copy(store);
        return err_set(err, ERR_IO,
                       "the disk of %s failed (%s); check the disk, then start again: the database "
                       "is copied to new files first",
                       where(store), detail);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(err, ERR_CORRUPT,
                       "the database %s/" STORE_FILE
                       " is damaged (%s); keep a copy, then save what "
                       "is readable with `sqlite3 " STORE_FILE " .recover | sqlite3 new.db`",
                       where(store), detail);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, ERR_BUSY, "another program holds %s/" STORE_FILE " (%s); end it there",
                       where(store), detail);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
        return err_set(err, ERR_PERMISSION, "%s/" STORE_FILE " cannot be opened or written (%s)",
                       where(store), detail);
    case SQLITE_CONSTRAINT:
        return err_set(err, ERR_STATE, "a change contradicts the database %s/" STORE_FILE " (%s)",
                       where(store), detail);
    default:
        return err_set(err, ERR_IO, "the database %s/" STORE_FILE " failed (%s)", where(store),
                       detail);
    }
}

int store_exec(struct store *store, const char *sql, struct err *err)
{
    int rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : store_failure(store, sqlite3_extended_errcode(store->db), err);
}

int query_open(struct store *store, enum statement id, struct query *ret, struct err *err)
{
    sqlite3_stmt **slot = &store->statements[id];
    *ret = (struct query){.store = store};
    bool taken = *slot && sqlite3_stmt_busy(*slot); // a callback asks again what is being walked
    if (*slot && !taken) {
        ret->statement = *slot;
        ret->shared = true;
        return 0;
    }
    int rc = sqlite3_prepare_v3(store->db, STATEMENT_SQL[id], -1,
                                taken ? 0 : SQLITE_PREPARE_PERSISTENT, &ret->statement, NULL);
    if (rc != SQLITE_OK)
        return store_failure(store, sqlite3_extended_errcode(store->db), err);
    if (!taken) {
        *slot = ret->statement;
        ret->shared = true;
    }
    return 0;
}

int query_step(struct query *query, struct err *err)
{
    int rc = query->rc ? query->rc : sqlite3_step(query->statement);
    query->next = 0;
    if (rc == SQLITE_ROW)
        return 1;
    if (rc == SQLITE_DONE)
        return 0;
    return store_failure(query->store,
                         query->rc ? query->rc : sqlite3_extended_errcode(query->store->db), err);
}

// Bindings are left: every use binds all parameters anew.
void query_close(struct query *query)
{
    if (query->shared)
        sqlite3_reset(query->statement);
    else
        sqlite3_finalize(query->statement);
    *query = (struct query){0};
}

int query_run(struct query *query, struct err *err)
{
    int rc;
    do {
        rc = query_step(query, err);
    } while (rc > 0);
    query_close(query);
    return rc;
}

static void bound(struct query *query, int rc)
{
    if (rc != SQLITE_OK && query->rc == 0)
        query->rc = rc;
}

void put_null(struct query *query)
{
    bound(query, sqlite3_bind_null(query->statement, ++query->next));
}

void put_i64(struct query *query, int64_t value)
{
    bound(query, sqlite3_bind_int64(query->statement, ++query->next, value));
}

void put_u64(struct query *query, uint64_t value)
{
    put_i64(query, (int64_t)value);
}

void put_some(struct query *query, uint64_t value)
{
    if (value)
        put_u64(query, value);
    else
        put_null(query);
}

void put_time(struct query *query, int64_t value)
{
    put_some(query, (uint64_t)value);
}

void put_double(struct query *query, double value)
{
    bound(query, sqlite3_bind_double(query->statement, ++query->next, value));
}

void put_value(struct query *query, bool has, double value)
{
    if (!has)
        put_null(query);
    else if (isnan(value))
        put_text(query, "NaN");
    else
        put_double(query, value);
}

void put_text(struct query *query, const char *s)
{
    bound(query, sqlite3_bind_text(query->statement, ++query->next, s ? s : "", -1, SQLITE_STATIC));
}

void put_optional(struct query *query, const char *s)
{
    put_pointer_text(query, s && *s ? s : NULL);
}

void put_pointer_text(struct query *query, const char *s)
{
    if (s)
        put_text(query, s);
    else
        put_null(query);
}

uint64_t get_u64(struct query *query)
{
    return (uint64_t)get_i64(query);
}

uint32_t get_u32(struct query *query)
{
    return (uint32_t)get_i64(query);
}

int64_t get_i64(struct query *query)
{
    return sqlite3_column_int64(query->statement, query->next++);
}

double get_double(struct query *query)
{
    return sqlite3_column_double(query->statement, query->next++);
}

bool get_value(struct query *query, double *ret)
{
    int column = query->next++;
    int type = sqlite3_column_type(query->statement, column);
    if (type == SQLITE_NULL)
        return false;
    *ret = type == SQLITE_TEXT ? NAN : sqlite3_column_double(query->statement, column);
    return true;
}

char *get_text(struct query *query)
{
    const unsigned char *text = sqlite3_column_text(query->statement, query->next++);
    return text ? (char *)text : (char *)"";
}

bool get_null(struct query *query)
{
    return sqlite3_column_type(query->statement, query->next) == SQLITE_NULL;
}
