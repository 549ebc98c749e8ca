// Durable metric points a second, against the same number of rows in one bare SQLite transaction in
// the same run.
//
//   bench_ingest DIR [points]      (default 2,000,000; DIR is made and left behind)
//
// 64 runs report 4 metrics each, line by line, as they arrive in turns of 8,192 points; every turn
// is one durable commit. The baseline is a table of three columns without index, filled in one
// transaction with one commit at its end.

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "controller/store/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define RUNS        64
#define NAMES       4
#define TURN_POINTS 8192

static void check(int rc, const struct err *err)
{
    if (rc == 0)
        return;
    fprintf(stderr, "bench_ingest: %s\n", err->text);
    exit(1);
}

static void check_sqlite(int rc, sqlite3 *db)
{
    if (rc == SQLITE_OK || rc == SQLITE_DONE)
        return;
    fprintf(stderr, "bench_ingest: %s\n", sqlite3_errmsg(db));
    exit(1);
}

static double value_of(uint64_t i)
{
    return 1.0 / (double)(i + 3);
}

static void prepare(struct store *store, struct batch *batch)
{
    static const char *const METRICS[NAMES] = {"loss", "accuracy", "val_loss", "lr"};
    struct err err = {0};
    struct sweep_row *sweep = &batch_change(batch, CHANGE_SWEEP_NEW)->sweep;
    *sweep = (struct sweep_row){.id = 1, .key = "ingest00", .name = (char *)"ingest"};
    for (uint64_t run = 1; run <= RUNS; run++) {
        struct trial_row *trial = &batch_change(batch, CHANGE_TRIAL_NEW)->trial;
        *trial = (struct trial_row){
            .id = run, .sweep = 1, .number = run, .point = run, .config = (char *)"{\"lr\":0.1}"};
        struct attempt_row *attempt = &batch_change(batch, CHANGE_ATTEMPT_NEW)->attempt;
        *attempt = (struct attempt_row){.id = run, .trial = run, .sweep = 1, .number = 1};
    }
    for (uint32_t name = 1; name <= NAMES; name++) {
        struct change *change = batch_change(batch, CHANGE_METRIC_NAME);
        change->metric_name.id = name;
        change->metric_name.name = METRICS[name - 1];
    }
    check(store_commit(store, batch, &err), &err);
    batch_clear(batch);
}

// Point number i: lines of all metrics, 32 lines of a run before the next run's.
static void add_point(struct batch *batch, uint64_t i)
{
    uint64_t line = i / NAMES;
    uint64_t run = line / 32 % RUNS;
    uint64_t sequence = line / (32 * RUNS) * 32 + line % 32;
    struct change *change = batch_change(batch, CHANGE_POINT);
    change->point.attempt = run + 1;
    change->point.name = (uint32_t)(i % NAMES) + 1;
    change->point.sequence = sequence;
    change->point.step = (int64_t)sequence;
    change->point.time = 1.7e9 + (double)sequence;
    change->point.value = value_of(i);
}

static double ingest(struct store *store, uint64_t points)
{
    struct batch batch;
    struct err err = {0};
    batch_init(&batch);
    prepare(store, &batch);
    uint64_t start = clock_mono_ns();
    for (uint64_t i = 0; i < points;) {
        for (uint64_t end = i + TURN_POINTS; i < end && i < points; i++)
            add_point(&batch, i);
        check(store_commit(store, &batch, &err), &err);
        batch_clear(&batch);
    }
    double seconds = (double)(clock_mono_ns() - start) / 1e9;
    batch_release(&batch);
    return seconds;
}

static double baseline(const char *dir, uint64_t points)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *insert = NULL;
    char *path = xasprintf("%s/baseline.db", dir);
    remove(path);
    check_sqlite(sqlite3_open(path, &db), db);
    check_sqlite(sqlite3_exec(db,
                              "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                              "CREATE TABLE point (run INTEGER, step INTEGER, value REAL)",
                              NULL, NULL, NULL),
                 db);
    uint64_t start = clock_mono_ns();
    check_sqlite(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL), db);
    check_sqlite(sqlite3_prepare_v2(db, "INSERT INTO point VALUES (?, ?, ?)", -1, &insert, NULL),
                 db);
    for (uint64_t i = 0; i < points; i++) {
        sqlite3_bind_int64(insert, 1, (sqlite3_int64)(i % RUNS));
        sqlite3_bind_int64(insert, 2, (sqlite3_int64)i);
        sqlite3_bind_double(insert, 3, value_of(i));
        check_sqlite(sqlite3_step(insert), db);
        sqlite3_reset(insert);
    }
    check_sqlite(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), db);
    double seconds = (double)(clock_mono_ns() - start) / 1e9;
    sqlite3_finalize(insert);
    sqlite3_close(db);
    free(path);
    return seconds;
}

int main(int argc, char **argv)
{
    struct store *store = NULL;
    struct err err = {0};
    uint64_t points = 2000000;
    if (argc < 2 || (argc > 2 && !num_parse_u64(argv[2], &points)) || points == 0) {
        fprintf(stderr, "usage: bench_ingest DIR [points]\n");
        return 2;
    }
    check(store_open(argv[1], "bench", &store, &err), &err);
    double ours = ingest(store, points);
    store_close(store);
    double bare = baseline(argv[1], points);
    printf("ingest: %.0f points/s durable (%llu points, %.2f s)\n", (double)points / ours,
           (unsigned long long)points, ours);
    printf("baseline: %.0f rows/s, one bare transaction\n", (double)points / bare);
    printf("ratio: %.2f\n", bare / ours);
    return 0;
}
