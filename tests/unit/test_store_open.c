// Opening: who may, what is refused and left untouched, what is repaired.

#include "base/file.h"
#include "base/mem.h"
#include "controller/store/store_impl.h"
#include "tests/unit/store_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int try_open(struct fixture *fixture, struct err *err)
{
    struct store *store = NULL;
    int rc = store_open(fixture->dir, "test", &store, err);
    if (rc == 0)
        store_close(store);
    return rc;
}

static mode_t mode_of(const struct fixture *fixture, const char *name)
{
    struct stat st;
    char *path = fixture_path(fixture, name);
    assert_int_equal(stat(path, &st), 0);
    free(path);
    return st.st_mode & 0777;
}

static void test_open_makes_directory_and_files_private_when_new(void **state)
{
    struct fixture *fixture = *state;
    mode_t old = umask(0);
    fixture_open(fixture);
    add_sweep(fixture, 1, "aaaaaaaa", "x");
    fixture_commit(fixture);
    umask(old);
    assert_int_equal(mode_of(fixture, "."), 0700);
    assert_int_equal(mode_of(fixture, STORE_FILE), 0600);
    assert_int_equal(mode_of(fixture, STORE_FILE "-wal"), 0600);
    assert_int_equal(mode_of(fixture, STORE_LOCK), 0600);
    assert_null(store_warning(fixture->store));
    assert_string_equal(store_dir(fixture->store), fixture->dir);
}

static void test_open_says_who_when_another_holds_it(void **state)
{
    struct fixture *fixture = *state;
    struct err err = {0};
    char pid[64];
    snprintf(pid, sizeof pid, "process %ld (trawl test)", (long)getpid());
    assert_int_equal(try_open(fixture, &err), ERR_BUSY);
    assert_non_null(strstr(err.text, pid));
    assert_non_null(strstr(err.text, "`trawl submit`"));
    assert_non_null(strstr(err.text, "--data"));
    fixture_close(fixture);
    assert_int_equal(try_open(fixture, &err), 0);
}

static void test_open_keeps_no_descriptor_for_children_when_open(void **state)
{
    struct fixture *fixture = *state;
    add_sweep(fixture, 1, "aaaaaaaa", "x");
    add_log(fixture, 1, 1, 0, "text");
    fixture_commit(fixture);
    DIR *dir = opendir("/proc/self/fd");
    int checked = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char target[512];
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
        if (n < 0)
            continue;
        target[n] = '\0';
        if (strncmp(target, fixture->root, strlen(fixture->root)) != 0)
            continue;
        assert_true(fcntl(atoi(entry->d_name), F_GETFD) & FD_CLOEXEC);
        checked++;
    }
    closedir(dir);
    assert_true(checked >= 4); // lock, directory, database, log
}

static void test_open_refuses_directory_when_others_may_write_it(void **state)
{
    struct fixture *fixture = *state;
    struct err err = {0};
    fixture_close(fixture);
    static const mode_t MODES[] = {0770, 0707, 0777};
    for (size_t i = 0; i < 3; i++) {
        chmod(fixture->dir, MODES[i]);
        assert_int_equal(try_open(fixture, &err), ERR_PERMISSION);
        assert_non_null(strstr(err.text, "chmod go-w"));
    }
    chmod(fixture->dir, 0755);
    assert_int_equal(try_open(fixture, &err), 0);
}

static void test_open_refuses_directory_when_it_is_foreign(void **state)
{
    struct fixture *fixture = *state;
    struct err err = {0};
    struct store *store = NULL;
    const char *foreign = geteuid() == 0 ? fixture->dir : "/proc";
    if (geteuid() == 0) {
        assert_int_equal(mkdir(fixture->dir, 0700), 0);
        assert_int_equal(chown(fixture->dir, 12345, (gid_t)-1), 0);
    }
    assert_int_equal(store_open(foreign, "test", &store, &err), ERR_PERMISSION);
    assert_non_null(strstr(err.text, "another user"));
}

// Everything the refusal of a file must leave: its bytes, and no second file of its own.
static void refuses_untouched(struct fixture *fixture, int code, const char *words)
{
    struct str before = STR_INIT, after = STR_INIT;
    struct err err = {0};
    file_bytes(fixture, STORE_FILE, &before);
    assert_int_equal(try_open(fixture, &err), code);
    if (!strstr(err.text, words))
        fail_msg("'%s' lacks '%s'", err.text, words);
    file_bytes(fixture, STORE_FILE, &after);
    assert_int_equal(before.len, after.len);
    assert_memory_equal(before.s, after.s, before.len);
    str_release(&before);
    str_release(&after);
}

static void test_open_refuses_untouched_when_database_is_newer(void **state)
{
    struct fixture *fixture = *state;
    fixture_close(fixture);
    sql_run(fixture, "PRAGMA user_version = 999");
    refuses_untouched(fixture, ERR_VERSION, "newer");
    struct store *reader = NULL;
    assert_int_equal(store_open_reader(fixture->dir, &reader, NULL), ERR_VERSION);
}

static void test_open_refuses_untouched_when_newer_version_is_in_the_wal(void **state)
{
    struct fixture *fixture = *state;
    struct str wal = STR_INIT, after = STR_INIT;
    fixture_close(fixture);
    sqlite3 *db = NULL;
    char *path = fixture_path(fixture, STORE_FILE);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 999", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    free(path);
    file_bytes(fixture, STORE_FILE "-wal", &wal);
    assert_true(wal.len > 0);
    refuses_untouched(fixture, ERR_VERSION, "newer");
    file_bytes(fixture, STORE_FILE "-wal", &after);
    assert_int_equal(wal.len, after.len);
    assert_memory_equal(wal.s, after.s, wal.len);
    str_release(&wal);
    str_release(&after);
}

static int see_value(void *context, const struct trial_row *row)
{
    *(struct values *)context = row->values;
    return 0;
}

static void test_open_brings_an_older_database_up_to_date_when_it_writes(void **state)
{
    struct fixture *fixture = *state;
    struct str schema = STR_INIT;
    struct values values = {0};
    struct trial_query all = {.sweep = 1, .state = -1};
    struct store *reader = NULL;
    fixture_close(fixture);
    char *path = fixture_path(fixture, STORE_FILE);
    assert_int_equal(truncate(path, 0), 0);
    free(path);
    assert_int_equal(file_read(TRAWL_SOURCE_DIR "/controller/store/schema_1.sql", 1 << 20, &schema, NULL), 0);
    sql_run(fixture, str_get(&schema));
    sql_run(fixture, "PRAGMA user_version = 1; PRAGMA application_id = 1414682444;"
                     "INSERT INTO sweep (id, key, name, state, reason, fingerprint, \"cursor\", exhausted, point_count, trial_count, "
                     "tell_count, pending, running, done, failed, stopped, cancelled, active_ms, created_ms) "
                     "VALUES (1, 'aaaaaaaa', 'a', 'running', '', 1, 1, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1);"
                     "INSERT INTO trial (id, sweep, number, state, value, attempt_count, point, repeat, asked_after, created_ms, config) "
                     "VALUES (1, 1, 1, 'done', 0.5, 1, 1, 0, 0, 1, '{}')");
    assert_int_equal(store_open_reader(fixture->dir, &reader, NULL), ERR_VERSION); // a reader changes nothing
    fixture_open(fixture);
    assert_int_equal(store_each_trial(fixture->store, &all, see_value, &values, NULL), 0);
    assert_true(values.has[0] && values.at[0] == 0.5 && !values.has[1]);
    str_release(&schema);
}

static void overwrite(const struct fixture *fixture, off_t offset, const char *bytes, size_t len)
{
    char *path = fixture_path(fixture, STORE_FILE);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(pwrite(fd, bytes, len, offset), (ssize_t)len);
    close(fd);
    free(path);
}

static void test_open_refuses_untouched_when_database_is_damaged(void **state)
{
    struct fixture *fixture = *state;
    char garbage[4096];
    memset(garbage, 0x5a, sizeof garbage);
    fixture_close(fixture);
    overwrite(fixture, 3 * 4096, garbage, sizeof garbage); // a page in the middle
    refuses_untouched(fixture, ERR_CORRUPT, ".recover");
    overwrite(fixture, 0, garbage, 100); // the header too
    refuses_untouched(fixture, ERR_CORRUPT, ".recover");
}

static void test_open_refuses_untouched_when_database_is_cut_short(void **state)
{
    struct fixture *fixture = *state;
    fixture_close(fixture);
    char *path = fixture_path(fixture, STORE_FILE);
    assert_int_equal(truncate(path, 5 * 4096 + 100), 0);
    free(path);
    refuses_untouched(fixture, ERR_CORRUPT, ".recover");
}

static void test_open_refuses_untouched_when_database_is_of_another_program(void **state)
{
    struct fixture *fixture = *state;
    fixture_open(fixture);
    fixture_close(fixture);
    char *path = fixture_path(fixture, STORE_FILE);
    unlink(path);
    free(path);
    overwrite(fixture, 0, "", 0);
    sql_run(fixture, "CREATE TABLE photos (id INTEGER); INSERT INTO photos VALUES (1)");
    refuses_untouched(fixture, ERR_INVALID, "another program");
}

static void test_epoch_counts_up_and_id_stays_when_opened_again(void **state)
{
    struct fixture *fixture = *state;
    char id[64];
    uint64_t epoch = 0;
    snprintf(id, sizeof id, "%s", store_id(fixture->store));
    assert_int_equal(strlen(id), 32);
    assert_int_equal(store_begin_epoch(fixture->store, &epoch, NULL), 0);
    assert_int_equal(epoch, 1);
    fixture_reopen(fixture);
    assert_int_equal(store_begin_epoch(fixture->store, &epoch, NULL), 0);
    assert_int_equal(epoch, 2);
    assert_string_equal(store_id(fixture->store), id);
}

static void test_counters_are_one_past_the_last_when_rows_exist(void **state)
{
    struct fixture *fixture = *state;
    struct store_counters counters;
    assert_int_equal(store_counters(fixture->store, &counters, NULL), 0);
    assert_true(counters.next_trial == 1 && counters.next_attempt == 1 &&
                counters.next_agent == 1 && counters.next_sweep == 1 &&
                counters.next_session == 1 && counters.next_metric_name == 1);
    add_agent(fixture, 4, "a")->session = 9;
    add_sweep(fixture, 2, "aaaaaaaa", "x");
    add_trial(fixture, 7, 2, 1);
    add_attempt(fixture, 5, 7, 2, 1);
    add_metric_name(fixture, 3, "loss");
    fixture_commit(fixture);
    assert_int_equal(store_counters(fixture->store, &counters, NULL), 0);
    assert_true(counters.next_trial == 8 && counters.next_attempt == 6 &&
                counters.next_agent == 5 && counters.next_sweep == 3 &&
                counters.next_session == 10 && counters.next_metric_name == 4);
}

static void test_reader_says_what_to_type_when_there_is_no_database(void **state)
{
    struct fixture *fixture = *state;
    struct store *reader = NULL;
    struct err err = {0};
    assert_int_equal(store_open_reader(fixture->dir, &reader, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "`trawl run SPEC`"));
    assert_int_equal(mkdir(fixture->dir, 0700), 0);
    assert_int_equal(store_open_reader(fixture->dir, &reader, &err), ERR_NOT_FOUND);
    overwrite(fixture, 0, "", 0); // made, never filled
    assert_int_equal(store_open_reader(fixture->dir, &reader, &err), ERR_NOT_FOUND);
}

static void test_reader_sees_commits_when_a_writer_lives(void **state)
{
    struct fixture *fixture = *state;
    struct store *reader = NULL;
    struct sweep_row row;
    assert_int_equal(store_open_reader(fixture->dir, &reader, NULL), 0);
    assert_string_equal(store_id(reader), store_id(fixture->store));
    assert_int_equal(store_find_sweep(reader, "", &row, NULL), ERR_NOT_FOUND);
    add_sweep(fixture, 1, "aaaaaaaa", "x");
    fixture_commit(fixture);
    assert_int_equal(store_find_sweep(reader, "", &row, NULL), 0);
    assert_string_equal(row.name, "x");
    sweep_row_release(&row);
    fixture_close(fixture); // a reader does not keep the writer from ending
    assert_int_equal(store_find_sweep(reader, "x", &row, NULL), 0);
    sweep_row_release(&row);
    add_sweep(fixture, 2, "bbbbbbbb", "y");
    assert_int_not_equal(store_commit(reader, &fixture->batch, NULL), 0);
    store_close(reader);
}

static void test_reader_reads_when_no_writer_lives(void **state)
{
    struct fixture *fixture = *state;
    struct store *reader = NULL;
    struct sweep_row row;
    add_sweep(fixture, 1, "aaaaaaaa", "x");
    fixture_commit(fixture);
    fixture_close(fixture);
    assert_int_equal(store_open_reader(fixture->dir, &reader, NULL), 0);
    assert_int_equal(store_find_sweep(reader, NULL, &row, NULL), 0);
    sweep_row_release(&row);
    store_close(reader);
}

static void write_bytes(const struct fixture *fixture, const char *name, const struct str *bytes)
{
    int dir = open(fixture->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(file_write_at(dir, name, str_get(bytes), bytes->len, 0600, NULL), 0);
    close(dir);
}

// In a process of another user, for whom the directory is not to be written.
static int read_as_stranger(struct fixture *fixture)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct store *reader = NULL;
        struct sweep_row row;
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(100);
        int rc = store_open_reader(fixture->dir, &reader, NULL);
        if (rc == 0)
            rc = store_find_sweep(reader, "aaaaaaaa", &row, NULL);
        _exit(-rc);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return -WEXITSTATUS(status);
}

static void let_strangers_read(const struct fixture *fixture)
{
    assert_int_equal(chmod(fixture->root, 0755), 0);
    assert_int_equal(chmod(fixture->dir, geteuid() == 0 ? 0755 : 0555), 0);
    static const char *const NAMES[] = {STORE_FILE, STORE_FILE "-wal"};
    for (size_t i = 0; i < 2; i++) {
        char *path = fixture_path(fixture, NAMES[i]);
        chmod(path, 0644);
        free(path);
    }
}

static void test_reader_reads_when_the_directory_cannot_be_written(void **state)
{
    struct fixture *fixture = *state;
    add_sweep(fixture, 1, "aaaaaaaa", "x");
    fixture_commit(fixture);
    fixture_close(fixture);
    let_strangers_read(fixture);
    assert_int_equal(read_as_stranger(fixture), 0);
    chmod(fixture->dir, 0700);
}

static void test_reader_refuses_when_it_cannot_reach_what_a_killed_writer_left(void **state)
{
    struct fixture *fixture = *state;
    struct str db = STR_INIT, wal = STR_INIT;
    add_sweep(fixture, 1, "aaaaaaaa", "x");
    fixture_commit(fixture);
    file_bytes(fixture, STORE_FILE, &db);
    file_bytes(fixture, STORE_FILE "-wal", &wal);
    fixture_close(fixture);
    write_bytes(fixture, STORE_FILE, &db);
    write_bytes(fixture, STORE_FILE "-wal", &wal);
    let_strangers_read(fixture);
    assert_int_equal(read_as_stranger(fixture), ERR_PERMISSION); // never half of the truth
    chmod(fixture->dir, 0700);
    str_release(&db);
    str_release(&wal);
}

static void test_close_leaves_one_file_when_it_was_the_last(void **state)
{
    struct fixture *fixture = *state;
    add_sweep(fixture, 1, "aaaaaaaa", "x");
    fixture_commit(fixture);
    char *wal = fixture_path(fixture, STORE_FILE "-wal");
    assert_int_equal(access(wal, F_OK), 0);
    fixture_close(fixture);
    assert_int_not_equal(access(wal, F_OK), 0);
    free(wal);
}

// A writer that died after an I/O error: database, WAL and the marker lie there.
static void leave_marked(struct fixture *fixture)
{
    struct str db = STR_INIT, wal = STR_INIT, none = STR_INIT;
    add_sweep(fixture, 1, "aaaaaaaa", "only in the wal");
    fixture_commit(fixture);
    file_bytes(fixture, STORE_FILE, &db);
    file_bytes(fixture, STORE_FILE "-wal", &wal);
    fixture_close(fixture);
    write_bytes(fixture, STORE_FILE, &db);
    write_bytes(fixture, STORE_FILE "-wal", &wal);
    write_bytes(fixture, NEEDS_COPY, &none);
    str_release(&db);
    str_release(&wal);
}

static ino_t inode_of(const struct fixture *fixture)
{
    struct stat st;
    char *path = fixture_path(fixture, STORE_FILE);
    assert_int_equal(stat(path, &st), 0);
    free(path);
    return st.st_ino;
}

static void test_open_copies_the_database_when_marked_after_an_io_error(void **state)
{
    struct fixture *fixture = *state;
    leave_marked(fixture);
    ino_t before = inode_of(fixture);
    fixture_open(fixture);
    assert_true(inode_of(fixture) != before);
    struct sweep_row row;
    assert_int_equal(store_find_sweep(fixture->store, "aaaaaaaa", &row, NULL), 0);
    assert_string_equal(row.name, "only in the wal");
    sweep_row_release(&row);
    char *marker = fixture_path(fixture, NEEDS_COPY);
    assert_int_not_equal(access(marker, F_OK), 0);
    free(marker);
    assert_int_equal(mode_of(fixture, STORE_FILE), 0600);
}

static void test_open_copies_again_when_killed_between_rename_and_removal(void **state)
{
    struct fixture *fixture = *state;
    struct str wal = STR_INIT, none = STR_INIT;
    leave_marked(fixture);
    file_bytes(fixture, STORE_FILE "-wal", &wal);
    fixture_open(fixture);
    fixture_close(fixture);
    write_bytes(fixture, STORE_FILE "-wal",
                &wal); // the old WAL beside the new file, marker still there
    write_bytes(fixture, NEEDS_COPY, &none);
    fixture_open(fixture);
    assert_int_equal(sql_number(fixture, "SELECT count(*) FROM sweep"), 1);
    str_release(&wal);
}

static void test_open_keeps_the_marker_when_the_copy_is_damaged(void **state)
{
    struct fixture *fixture = *state;
    char garbage[4096];
    struct err err = {0};
    memset(garbage, 0x5a, sizeof garbage);
    struct str none = STR_INIT;
    fixture_close(fixture);
    write_bytes(fixture, NEEDS_COPY, &none);
    overwrite(fixture, 3 * 4096, garbage, sizeof garbage);
    assert_int_equal(try_open(fixture, &err), ERR_CORRUPT);
    char *marker = fixture_path(fixture, NEEDS_COPY);
    assert_int_equal(access(marker, F_OK), 0);
    free(marker);
}

static void test_begin_epoch_records_loss_once_when_a_log_is_short(void **state)
{
    struct fixture *fixture = *state;
    uint64_t epoch;
    add_sweep(fixture, 1, "aaaaaaaa", "x");
    add_trial(fixture, 1, 1, 1);
    add_attempt(fixture, 1, 1, 1, 1)->cursors[STREAM_STDOUT] = 11;
    add_log(fixture, 1, 1, 0, "hello world");
    fixture_commit(fixture);
    char *path = store_log_path(fixture->store, "aaaaaaaa", 1, 1, STREAM_STDOUT);
    fixture_reopen(fixture);
    assert_int_equal(store_begin_epoch(fixture->store, &epoch, NULL), 0);
    assert_int_equal(sql_number(fixture, "SELECT count(*) FROM event"), 0);
    assert_int_equal(truncate(path, 5), 0);
    for (int start = 0; start < 2; start++) {
        fixture_reopen(fixture);
        assert_int_equal(store_begin_epoch(fixture->store, &epoch, NULL), 0);
        assert_int_equal(sql_number(fixture,
                                    "SELECT count(*) FROM event WHERE kind = 'log_lost' "
                                    "AND trial = 1 AND attempt = 1 AND text LIKE '6 bytes%'"),
                         1);
    }
    free(path);
}

static void test_network_name_is_known_when_machines_share_the_file_system(void **state)
{
    (void)state;
    assert_string_equal(dir_network_name(0x6969), "NFS");
    assert_string_equal(dir_network_name((long)0xfe534d42), "SMB");
    assert_string_equal(dir_network_name((long)(int32_t)0xff534d42), "CIFS"); // sign-extended
    assert_string_equal(dir_network_name(0x0bd00bd0), "Lustre");
    assert_null(dir_network_name(0xef53));           // ext4
    assert_null(dir_network_name(0x01021994));       // tmpfs
    assert_null(dir_network_name((long)0x9123683e)); // btrfs
}

#define OPEN(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)
#define BARE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BARE(test_open_makes_directory_and_files_private_when_new),
        OPEN(test_open_says_who_when_another_holds_it),
        OPEN(test_open_keeps_no_descriptor_for_children_when_open),
        OPEN(test_open_refuses_directory_when_others_may_write_it),
        BARE(test_open_refuses_directory_when_it_is_foreign),
        OPEN(test_open_refuses_untouched_when_database_is_newer),
        OPEN(test_open_refuses_untouched_when_newer_version_is_in_the_wal),
        OPEN(test_open_brings_an_older_database_up_to_date_when_it_writes),
        OPEN(test_open_refuses_untouched_when_database_is_damaged),
        OPEN(test_open_refuses_untouched_when_database_is_cut_short),
        BARE(test_open_refuses_untouched_when_database_is_of_another_program),
        OPEN(test_epoch_counts_up_and_id_stays_when_opened_again),
        OPEN(test_counters_are_one_past_the_last_when_rows_exist),
        BARE(test_reader_says_what_to_type_when_there_is_no_database),
        OPEN(test_reader_sees_commits_when_a_writer_lives),
        OPEN(test_reader_reads_when_no_writer_lives),
        OPEN(test_reader_reads_when_the_directory_cannot_be_written),
        OPEN(test_reader_refuses_when_it_cannot_reach_what_a_killed_writer_left),
        OPEN(test_close_leaves_one_file_when_it_was_the_last),
        OPEN(test_open_copies_the_database_when_marked_after_an_io_error),
        OPEN(test_open_copies_again_when_killed_between_rename_and_removal),
        OPEN(test_open_keeps_the_marker_when_the_copy_is_damaged),
        OPEN(test_begin_epoch_records_loss_once_when_a_log_is_short),
        cmocka_unit_test(test_network_name_is_known_when_machines_share_the_file_system),
    };
    return cmocka_run_group_tests_name("store_open", tests, NULL, NULL);
}
