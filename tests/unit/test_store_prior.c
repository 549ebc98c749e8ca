// What version 2 of the database added: results from elsewhere, configurations of people, runs that go on from others; and how a
// database of version 1 becomes one of version 2.

#include "base/mem.h"
#include "tests/unit/store_fixture.h"

#include <fcntl.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCHEMA_1 TRAWL_SOURCE_DIR "/controller/store/schema_1.sql"

static struct prior_row *add_prior(struct fixture *fixture, uint64_t number, enum trial_state trial_state, size_t value_count, double value)
{
    struct prior_row *row = &batch_change(&fixture->batch, CHANGE_PRIOR)->prior;
    row->sweep = 1;
    row->number = number;
    row->state = trial_state;
    row->value_count = value_count;
    row->values[0] = value;
    row->config = (char *)"{\"lr\":0.5}";
    row->source = (char *)"old.csv:3";
    return row;
}

struct list {
    struct prior_row rows[8];
    size_t count;
};

static int each_prior(void *context, const struct prior_row *row)
{
    struct list *list = context;
    assert_true(list->count < 8);
    assert_string_equal(row->config, "{\"lr\":0.5}");
    assert_string_equal(row->source, "old.csv:3");
    list->rows[list->count++] = *row;
    return 0;
}

static void test_priors_come_back_in_their_order_when_stored(void **state)
{
    struct fixture *fixture = *state;
    struct list list = {0};
    struct err err = {0};
    add_sweep(fixture, 1, "aaaaaaaa", "x");
    add_prior(fixture, 2, TRIAL_FAILED, 0, 0);
    add_prior(fixture, 1, TRIAL_DONE, 1, 0.1);
    struct prior_row *several = add_prior(fixture, 3, TRIAL_STOPPED, 4, (double)NAN);
    several->values[1] = (double)INFINITY;
    several->values[2] = -(double)INFINITY;
    several->values[3] = 1e-300;
    fixture_commit(fixture);
    fixture_reopen(fixture);
    assert_int_equal(store_each_prior(fixture->store, 2, each_prior, &list, &err), 0);
    assert_int_equal(list.count, 0);
    assert_int_equal(store_each_prior(fixture->store, 1, each_prior, &list, &err), 0);
    assert_int_equal(list.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(list.rows[i].sweep, 1);
        assert_int_equal(list.rows[i].number, i + 1);
    }
    assert_int_equal(list.rows[0].state, TRIAL_DONE);
    assert_int_equal(list.rows[0].value_count, 1);
    assert_true(list.rows[0].values[0] == 0.1);
    assert_int_equal(list.rows[1].state, TRIAL_FAILED);
    assert_int_equal(list.rows[1].value_count, 0);
    assert_int_equal(list.rows[2].state, TRIAL_STOPPED);
    assert_int_equal(list.rows[2].value_count, 4);
    assert_true(isnan(list.rows[2].values[0]));
    assert_true(isinf(list.rows[2].values[1]) && list.rows[2].values[1] > 0);
    assert_true(isinf(list.rows[2].values[2]) && list.rows[2].values[2] < 0);
    assert_true(list.rows[2].values[3] == 1e-300);
    assert_sql(fixture, "0.1", "SELECT json_extract(\"values\", '$[0]') FROM prior WHERE number = 1");
}

static void test_trial_keeps_its_origin_when_it_changes(void **state)
{
    struct fixture *fixture = *state;
    struct trial_row row = {0};
    struct err err = {0};
    add_sweep(fixture, 1, "aaaaaaaa", "x");
    struct trial_row *added = add_trial(fixture, 1, 1, 1);
    added->enqueued = true;
    added = add_trial(fixture, 2, 1, 2);
    added->parent = 1;
    added->parent_attempt = 77;
    fixture_commit(fixture);
    change_trial(fixture, 1, 1, 1, TRIAL_DONE, 0.5);
    change_trial(fixture, 2, 1, 2, TRIAL_DONE, 0.5);
    fixture_commit(fixture);
    assert_int_equal(store_find_trial(fixture->store, 1, 1, &row, &err), 0);
    assert_true(row.enqueued);
    assert_int_equal(row.parent, 0);
    trial_row_release(&row);
    assert_int_equal(store_find_trial(fixture->store, 1, 2, &row, &err), 0);
    assert_false(row.enqueued);
    assert_int_equal(row.parent, 1);
    assert_int_equal(row.parent_attempt, 77);
    trial_row_release(&row);
    assert_sql(fixture, "NULL", "SELECT parent FROM trial WHERE id = 1");
}

static int each_run(void *context, uint64_t number, uint32_t repeat, uint64_t attempt)
{
    struct str *text = context;
    str_addf(text, "%llu/%u/%llu ", (unsigned long long)number, repeat, (unsigned long long)attempt);
    return 0;
}

#define assert_runs(fixture, point, repeats, expected)                                                                                      \
    do {                                                                                                                                    \
        struct str runs = STR_INIT;                                                                                                         \
        assert_int_equal(store_each_run_of_point((fixture)->store, 1, point, repeats, each_run, &runs, NULL), 0);                            \
        assert_string_equal(str_get(&runs), expected);                                                                                      \
        str_release(&runs);                                                                                                                 \
    } while (0)

static void test_runs_of_point_are_found_when_numbers_went_unused(void **state)
{
    struct fixture *fixture = *state;
    static const uint64_t POINTS[] = {1, 1, 2, 2, 9, 9}; // trials in pairs; points 3 to 8 never were
    add_sweep(fixture, 1, "aaaaaaaa", "x");
    for (uint64_t i = 0; i < 6; i++) {
        struct trial_row *row = add_trial(fixture, i + 1, 1, i + 1);
        row->point = POINTS[i];
        row->repeat = i % 2;
        row->attempt = i == 5 ? 0 : 100 + i;
    }
    fixture_commit(fixture);
    assert_runs(fixture, 1, 2, "1/0/100 2/1/101 ");
    assert_runs(fixture, 2, 2, "3/0/102 4/1/103 ");
    assert_runs(fixture, 9, 2, "5/0/104 6/1/0 ");
    assert_runs(fixture, 5, 2, "");
}

// ---- From version 1

// A database as the first release made it, with a sweep in it.
static void make_version_1(struct fixture *fixture)
{
    struct str sql = STR_INIT;
    struct err err = {0};
    sqlite3 *db = NULL;
    assert_int_equal(mkdir(fixture->dir, 0700), 0);
    char *path = fixture_path(fixture, STORE_FILE);
    close(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (file_read(SCHEMA_1, 1 << 20, &sql, &err) != 0)
        fail_msg("%s", err.text);
    str_add(&sql, "PRAGMA user_version = 1; PRAGMA application_id = 0x5452574c;"
                  "INSERT INTO sweep VALUES (1, 'aaaaaaaa', 'old', 'running', '', 5, 2, 0, 2, 2, 1, 1, 0, 1, 0, 0, 0, 0, 1000, NULL, 1, 1);"
                  "INSERT INTO spec VALUES (1, 'method: random');"
                  "INSERT INTO trial VALUES (1, 1, 1, 'done', 0.25, 3, 1, 1, 0, 1, 0, NULL, 10, 20, 30, '{\"lr\":0.5}'),"
                  "(2, 1, 2, 'pending', NULL, NULL, 0, 2, 0, NULL, 0, NULL, 10, NULL, NULL, '{\"lr\":0.7}');"
                  "INSERT INTO attempt VALUES (3, 1, 1, 1, NULL, NULL, 'sealed', 'success', 0, 0, 9, NULL, 15, 20, 30, 0, 0, 0, 0, 0, 0, 0, "
                  "0, 0, 0.25, 1, 0, NULL, 0);");
    if (sqlite3_exec(db, str_get(&sql), NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    sqlite3_close(db);
    str_release(&sql);
    free(path);
}

static void test_open_brings_a_database_up_to_date_when_it_is_of_version_1(void **state)
{
    struct fixture *fixture = *state;
    struct trial_row row = {0};
    struct err err = {0};
    make_version_1(fixture);
    fixture_open(fixture);
    assert_int_equal(store_find_trial(fixture->store, 1, 1, &row, &err), 0);
    assert_int_equal(row.state, TRIAL_DONE);
    assert_int_equal(row.attempt, 3);
    assert_false(row.enqueued);
    assert_int_equal(row.parent, 0);
    assert_string_equal(row.config, "{\"lr\":0.5}");
    trial_row_release(&row);
    add_prior(fixture, 1, TRIAL_DONE, 1, 0.5);
    add_trial(fixture, 3, 1, 3)->enqueued = true;
    fixture_commit(fixture);
    fixture_close(fixture);
    assert_int_equal(sql_number(fixture, "PRAGMA user_version"), 2);
    assert_int_equal(sql_number(fixture, "SELECT count(*) FROM trial WHERE enqueued = 1"), 1);
    assert_sql(fixture, "0.25", "SELECT value FROM trials WHERE number = 1");
    assert_sql(fixture, "ok", "PRAGMA integrity_check");
}

static void test_reader_refuses_when_the_database_is_of_version_1(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = NULL;
    struct err err = {0};
    make_version_1(fixture);
    assert_int_equal(store_open_reader(fixture->dir, &store, &err), ERR_VERSION);
    assert_non_null(strstr(err.text, "older trawl (version 1, now 2)"));
    assert_int_equal(sql_number(fixture, "PRAGMA user_version"), 1);
}

static void test_migrated_schema_is_that_of_a_new_database_when_compared(void **state)
{
    struct fixture *fixture = *state;
    static const char ALL[] = "SELECT group_concat(name || ':' || sql, ';') FROM (SELECT name, sql FROM sqlite_schema WHERE "
                              "name NOT LIKE 'sweep_%' ORDER BY name)";
    make_version_1(fixture);
    fixture_open(fixture);
    fixture_close(fixture);
    char *migrated = sql_text(fixture, ALL), *path = fixture_path(fixture, STORE_FILE);
    assert_int_equal(unlink(path), 0);
    free(path);
    fixture_open(fixture);
    fixture_close(fixture);
    assert_sql(fixture, migrated, ALL);
    free(migrated);
}

#define OPEN(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)
#define BARE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPEN(test_priors_come_back_in_their_order_when_stored),
        OPEN(test_trial_keeps_its_origin_when_it_changes),
        OPEN(test_runs_of_point_are_found_when_numbers_went_unused),
        BARE(test_open_brings_a_database_up_to_date_when_it_is_of_version_1),
        BARE(test_reader_refuses_when_the_database_is_of_version_1),
        BARE(test_migrated_schema_is_that_of_a_new_database_when_compared),
    };
    return cmocka_run_group_tests_name("store_prior", tests, NULL, NULL);
}
