// The schema: what may be opened, and how an older file becomes the newest. Forward only.

#include "base/mem.h"
#include "controller/store/store_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char SCHEMA_1[] = {
#include "schema_1.inc"
    0};
static const char SCHEMA_2[] = {
#include "schema_2.inc"
    0};

// From version i to i + 1.
static const char *const MIGRATIONS[SCHEMA_VERSION] = {SCHEMA_1, SCHEMA_2};

static int is_empty(struct store *store, bool *ret, struct err *err)
{
    int64_t objects;
    int rc = store_number(store, "SELECT count(*) FROM sqlite_schema", &objects, err);
    if (rc == 0)
        *ret = objects == 0;
    return rc;
}

// A small file is read whole; of a large one that would take longer than a start may, and SQLite
// finds what is damaged when it gets there.
static int check_sound(struct store *store, struct err *err)
{
    int64_t pages, page_bytes, sound = 1;
    int rc = store_number(store, "PRAGMA page_count", &pages, err);
    if (rc == 0)
        rc = store_number(store, "PRAGMA page_size", &page_bytes, err);
    if (rc == 0 && pages * page_bytes <= QUICK_CHECK_BYTES_MAX)
        rc = store_number(store, "SELECT quick_check = 'ok' FROM pragma_quick_check(1)", &sound,
                          err);
    if (rc == 0 && !sound)
        rc = store_failure(store, SQLITE_CORRUPT, err);
    return rc;
}

int schema_check(struct store *store, bool created, struct err *err)
{
    int64_t version, application;
    bool empty = false;
    int rc = store_number(store, "PRAGMA user_version", &version, err);
    if (rc == 0)
        rc = store_number(store, "PRAGMA application_id", &application, err);
    if (rc == 0)
        rc = is_empty(store, &empty, err);
    if (rc != 0 || created || (empty && version == 0 && store->writer))
        return rc;
    if (application != APPLICATION_ID)
        return err_set(err, ERR_INVALID, "%s/" STORE_FILE " is a database of another program",
                       store->dir);
    if (version > SCHEMA_VERSION)
        return err_set(err, ERR_VERSION,
                       "%s/" STORE_FILE
                       " was written by a newer trawl (its version is %lld, this one "
                       "reads up to %d); install that one, or use another directory with --data",
                       store->dir, (long long)version, SCHEMA_VERSION);
    if (version < SCHEMA_VERSION && !store->writer)
        return err_set(err, ERR_VERSION,
                       "%s/" STORE_FILE
                       " was written by an older trawl (version %lld, now %d); `trawl "
                       "controller` brings it up to date",
                       store->dir, (long long)version, SCHEMA_VERSION);
    return store->writer ? check_sound(store, err) : 0;
}

static int migrate_one(struct store *store, int64_t version, struct err *err)
{
    char pragmas[128];
    snprintf(pragmas, sizeof pragmas, "PRAGMA user_version = %lld; PRAGMA application_id = %d",
             (long long)version + 1, APPLICATION_ID);
    int rc = store_exec(store, "BEGIN IMMEDIATE", err);
    if (rc == 0)
        rc = store_exec(store, MIGRATIONS[version], err);
    if (rc == 0)
        rc = store_exec(store, pragmas, err);
    if (rc == 0)
        rc = store_exec(store, "COMMIT", err);
    if (rc != 0)
        store_rollback(store);
    return rc;
}

int schema_migrate(struct store *store, struct err *err)
{
    int64_t version;
    int rc = store_number(store, "PRAGMA user_version", &version, err);
    while (rc == 0 && version < SCHEMA_VERSION)
        rc = migrate_one(store, version++, err);
    return rc;
}
