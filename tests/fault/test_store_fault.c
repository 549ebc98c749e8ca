// Every call that the store makes on the disk fails in turn, until a run has no fault.
//
// A child process opens a database and commits turns, telling each committed one through a pipe;
// the parent then opens what it left, without faults. Whatever failed, wherever: it opens, it is
// sound, every turn that was told is there, and each turn is there whole or not at all.

#include "tests/fault/fault_vfs.h"
#include "tests/unit/store_fixture.h"

#include "base/mem.h"
#include "controller/store/store_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TURNS       5
#define TURN_TRIALS 3
#define CALLS_MAX   5000

static void build_turn(struct fixture *fixture, unsigned turn)
{
    static const char *const TEXT[] = {"aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd", "eeeeeeee"};
    if (turn == 0) {
        add_sweep(fixture, 1, "faultkey", "faults");
        add_metric_name(fixture, 1, "loss");
    }
    for (uint64_t i = 1; i <= TURN_TRIALS; i++) {
        uint64_t id = turn * TURN_TRIALS + i;
        add_trial(fixture, id, 1, id);
        add_attempt(fixture, id, id, 1, 1);
        for (uint64_t k = 0; k < 20; k++)
            add_point(fixture, id, 1, k, (double)k);
        add_event(fixture, 1, id, "made");
    }
    add_log(fixture, 1, 1, turn * 8, TEXT[turn]);
    if (turn > 0) {
        struct attempt_row *row = &batch_change(&fixture->batch, CHANGE_ATTEMPT)->attempt;
        *row = (struct attempt_row){.id = 1, .trial = 1, .sweep = 1, .number = 1};
        row->cursors[STREAM_STDOUT] = (turn + 1) * 8;
    } else {
        fixture->batch.changes[2 + 1].attempt.cursors[STREAM_STDOUT] = 8;
    }
}

#define CHILD_NO_SENTENCE 50
#define CHILD_NO_MARKER   51
#define CHILD_STUCK       52

static bool marker_there(const struct fixture *fixture)
{
    char *path = fixture_path(fixture, NEEDS_COPY);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

// What a controller does: wait out a full disk, end on anything else.
static int commit_turn(struct fixture *fixture, unsigned turn, struct err *err)
{
    int rc;
    batch_clear(&fixture->batch);
    build_turn(fixture, turn);
    fixture->store->checkpoint_pages = 1; // after every turn, so that its calls fail too
    for (int tries = 1; (rc = store_commit(fixture->store, &fixture->batch, err)) == ERR_NO_SPACE;
         tries++) {
        if (tries == 2)
            fault_disarm(); // someone made room
        if (tries == 3)
            return ERR_STATE;
    }
    return rc;
}

static int run_turns(struct fixture *fixture, int pipe_fd, struct err *err)
{
    uint64_t epoch;
    int rc = store_open(fixture->dir, "fault", &fixture->store, err);
    if (rc == 0)
        rc = store_begin_epoch(fixture->store, &epoch, err);
    for (unsigned turn = 0; rc == 0 && turn < TURNS; turn++) {
        rc = commit_turn(fixture, turn, err);
        if (rc == 0)
            dprintf(pipe_fd, "+");
    }
    if (rc == 0)
        store_close(fixture->store);
    return rc;
}

static int child_status(const struct fixture *fixture, int rc, const struct err *err)
{
    if (rc == 0)
        return 0;
    if (err->text[0] == '\0' || err->code != rc)
        return CHILD_NO_SENTENCE;
    if (rc == ERR_STATE)
        return CHILD_STUCK; // a second try met what the first had left, or never got through
    if (strstr(err->text, "copied to new files") && !marker_there(fixture))
        return CHILD_NO_MARKER;
    return 1;
}

struct crash_outcome {
    unsigned told;
    bool struck;
    int status;
};

static struct crash_outcome run(struct fixture *fixture, enum fault_kind kind, unsigned at, bool lasting)
{
    struct crash_outcome outcome = {0};
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct err err = {0};
        close(fds[0]);
        fault_arm(kind, at, lasting);
        int rc = run_turns(fixture, fds[1], &err);
        fault_disarm();
        if (!fault_happened())
            dprintf(fds[1], "-");
        int status = child_status(fixture, rc, &err);
        if (status > 1)
            fprintf(stderr, "call %u: %d %s\n", at, rc, err.text);
        _exit(status);
    }
    close(fds[1]);
    outcome.struck = true;
    for (char c; read(fds[0], &c, 1) == 1;) {
        outcome.told += c == '+';
        outcome.struck = outcome.struck && c != '-';
    }
    close(fds[0]);
    assert_int_equal(waitpid(pid, &outcome.status, 0), pid);
    assert_true(WIFEXITED(outcome.status));
    outcome.status = WEXITSTATUS(outcome.status);
    return outcome;
}

static void log_reaches_cursor(struct fixture *fixture)
{
    struct str bytes = STR_INIT;
    long long cursor = sql_number(fixture, "SELECT max(stdout_bytes) FROM attempt");
    if (cursor > 0) {
        file_bytes(fixture, "logs/faultkey/1-1.out", &bytes);
        assert_true((long long)bytes.len >= cursor);
        assert_memory_equal(bytes.s, "aaaaaaaabbbbbbbbccccccccddddddddeeeeeeee", (size_t)cursor);
    }
    str_release(&bytes);
}

static void check_left(struct fixture *fixture, const struct crash_outcome *outcome)
{
    fixture_open(fixture);
    assert_false(marker_there(fixture));
    assert_sql(fixture, "ok", "PRAGMA integrity_check");
    long long trials = sql_number(fixture, "SELECT count(*) FROM trial");
    assert_int_equal(trials % TURN_TRIALS, 0);
    assert_true(trials >= outcome->told * TURN_TRIALS);
    assert_true(trials <= (outcome->told + 1) * TURN_TRIALS);
    assert_int_equal(sql_number(fixture, "SELECT count(*) FROM attempt"), trials);
    assert_int_equal(sql_number(fixture, "SELECT count(*) FROM metric_point"), trials * 20);
    assert_int_equal(sql_number(fixture, "SELECT count(*) FROM event"), trials);
    if (trials > 0)
        assert_int_equal(sql_number(fixture, "SELECT count(*) FROM sweep_faultkey"), trials);
    log_reaches_cursor(fixture);
    fixture_close(fixture);
}

// Returns how many calls there are.
static unsigned walk_calls(enum fault_kind kind, bool lasting)
{
    for (unsigned at = 1; at < CALLS_MAX; at++) {
        struct fixture *fixture = NULL;
        assert_int_equal(fixture_setup((void **)&fixture), 0);
        struct crash_outcome outcome = run(fixture, kind, at, lasting);
        if (outcome.status > 1 && outcome.status != FAULT_CRASHED)
            fail_msg("kind %d, call %u: status %d", kind, at, outcome.status);
        if (outcome.status == 0)
            assert_int_equal(outcome.told, TURNS);
        check_left(fixture, &outcome);
        fixture_teardown((void **)&fixture);
        if (!outcome.struck)
            return at - 1;
    }
    fail_msg("the calls have no end");
    return 0;
}

static void test_store_keeps_told_turns_when_any_call_fails(void **state)
{
    (void)state;
    unsigned calls = walk_calls(FAULT_IO, false);
    print_message("%u calls\n", calls);
    assert_true(calls > 100);
}

static void test_store_keeps_told_turns_when_the_disk_is_full_for_one_call(void **state)
{
    (void)state;
    assert_true(walk_calls(FAULT_FULL, false) > 30);
}

static void test_store_keeps_told_turns_when_the_disk_stays_full(void **state)
{
    (void)state;
    assert_true(walk_calls(FAULT_FULL, true) > 30);
}

static void test_store_keeps_told_turns_when_half_a_write_arrives(void **state)
{
    (void)state;
    assert_true(walk_calls(FAULT_SHORT, false) > 30);
}

static void test_store_keeps_told_turns_when_killed_at_any_call(void **state)
{
    (void)state;
    assert_true(walk_calls(FAULT_CRASH, false) > 50);
}

static void test_open_copies_and_goes_on_when_a_call_of_the_copy_fails(void **state)
{
    (void)state;
    unsigned at = 0;
    bool struck = true;
    while (struck) {
        struct fixture *fixture = NULL;
        struct store *store = NULL;
        struct err err = {0};
        assert_int_equal(fixture_setup((void **)&fixture), 0);
        fixture_open(fixture);
        build_turn(fixture, 0);
        fixture_commit(fixture);
        dir_mark_needs_copy(fixture->store);
        fixture_close(fixture);
        fault_arm(FAULT_IO, ++at, false);
        int rc = store_open(fixture->dir, "fault", &store, &err);
        struck = fault_happened();
        fault_disarm();
        if (rc == 0)
            store_close(store);
        else
            assert_true(err.text[0] != '\0');
        check_left(fixture, &(struct crash_outcome){.told = 1});
        fixture_teardown((void **)&fixture);
    }
    assert_true(at > 20);
}

static void test_commit_leaves_marker_when_sqlite_meets_an_io_error(void **state)
{
    struct fixture *fixture = *state;
    struct err err = {0};
    build_turn(fixture, 0);
    int rc = 0;
    unsigned at = 0;
    while (rc != ERR_IO || strstr(err.text, "the log")) { // an output file is not the database
        fault_arm(FAULT_IO, ++at, false);
        rc = store_commit(fixture->store, &fixture->batch, &err);
        assert_true(fault_happened());
        fault_disarm();
        assert_int_not_equal(rc, 0);
        assert_false(rc != ERR_IO && marker_there(fixture));
    }
    assert_true(marker_there(fixture));
    assert_non_null(strstr(err.text, "check the disk"));
    fixture_close(fixture);
    check_left(fixture, &(struct crash_outcome){.told = 0});
}

struct tally {
    unsigned durable_but_failed, ok_though_struck;
};

// A turn with a checkpoint behind it, with each of its calls failing in turn.
static struct tally tally_commits(enum fault_kind kind)
{
    struct tally tally = {0};
    bool struck = true;
    for (unsigned at = 1; struck; at++) {
        struct fixture *fixture = NULL;
        assert_int_equal(fixture_setup_open((void **)&fixture), 0);
        fixture->store->checkpoint_pages = 1;
        build_turn(fixture, 0);
        fault_arm(kind, at, false);
        int rc = store_commit(fixture->store, &fixture->batch, NULL);
        struck = fault_happened();
        fault_disarm();
        fixture_reopen(fixture);
        bool durable = sql_number(fixture, "SELECT count(*) FROM trial") > 0;
        assert_true(rc != 0 || durable);
        tally.durable_but_failed += rc != 0 && durable;
        tally.ok_though_struck += rc == 0 && struck;
        fixture_teardown((void **)&fixture);
    }
    return tally;
}

static void test_commit_ends_the_process_when_the_checkpoint_behind_it_fails(void **state)
{
    (void)state;
    struct tally tally = tally_commits(FAULT_IO);
    assert_true(tally.durable_but_failed > 0);
    assert_int_equal(tally.ok_though_struck, 0);
}

static void test_commit_succeeds_when_there_is_no_room_for_the_checkpoint_behind_it(void **state)
{
    (void)state;
    struct tally tally = tally_commits(FAULT_FULL);
    assert_int_equal(tally.durable_but_failed, 0);
    assert_true(tally.ok_though_struck > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_keeps_told_turns_when_any_call_fails),
        cmocka_unit_test(test_store_keeps_told_turns_when_the_disk_is_full_for_one_call),
        cmocka_unit_test(test_store_keeps_told_turns_when_the_disk_stays_full),
        cmocka_unit_test(test_store_keeps_told_turns_when_half_a_write_arrives),
        cmocka_unit_test(test_store_keeps_told_turns_when_killed_at_any_call),
        cmocka_unit_test(test_open_copies_and_goes_on_when_a_call_of_the_copy_fails),
        cmocka_unit_test(test_commit_ends_the_process_when_the_checkpoint_behind_it_fails),
        cmocka_unit_test(test_commit_succeeds_when_there_is_no_room_for_the_checkpoint_behind_it),
        cmocka_unit_test_setup_teardown(test_commit_leaves_marker_when_sqlite_meets_an_io_error,
                                        fixture_setup_open, fixture_teardown),
    };
    fault_install();
    return cmocka_run_group_tests_name("store_fault", tests, NULL, NULL);
}
