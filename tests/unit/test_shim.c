// The shim over real processes: how runs end, what their ends are called, and that nothing of them is left.

#define _GNU_SOURCE // clock_gettime, kill
#include "shim_fixture.h"

#include "agent/shim/launch.h"
#include "base/file.h"
#include "base/mem.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void test_shim_tells_class_code_and_signal_when_a_run_ends_by_itself(void **state)
{
    (void)state;
    static const struct {
        const char *script, *class_word, *message;
        int64_t code, signal;
    } cases[] = {
        {"exit 0", "success", "", 0, 0},
        {"exit 3", "failed", "", 3, 0},
        {"echo first >&2; echo 'E: no module' >&2; echo >&2; exit 1", "failed", "E: no module", 1, 0},
        {"printf 'no newline' >&2; exit 1", "failed", "no newline", 1, 0},
        {"echo noise >&2; exit 0", "success", "", 0, 0},
        {"exit 127", "start_failed", "", 127, 0},
        {"exit 126", "start_failed", "", 126, 0},
        {"no-such-program-anywhere", "start_failed", "no-such-program-anywhere", 127, 0},
        {"kill -SEGV $$", "signal", "signal 11", -1, SIGSEGV},
        {"kill -ABRT $$", "signal", "signal 6", -1, SIGABRT},
        {"kill -TERM $$", "signal", "signal 15", -1, SIGTERM},
        {"kill -KILL $$", "killed", "signal 9", -1, SIGKILL},
        {"exit 255", "failed", "", 255, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        void *own = NULL;
        assert_int_equal(enter(&own), 0);
        struct place *place = own;
        run_to_end(place, &(struct how){.script = cases[i].script});
        assert_class(place, cases[i].class_word);
        assert_int_equal(place->exited.code, cases[i].code);
        assert_int_equal(place->exited.signal, cases[i].signal);
        if (!strstr(place->exited.message, cases[i].message) || (!*cases[i].message && *place->exited.message))
            fail_msg("`%s`: message '%s', wanted '%s'", cases[i].script, place->exited.message, cases[i].message);
        assert_int_equal(place->shim_code, 0);
        assert_true(place->exited.started_ms > 0 && place->exited.ended_ms >= place->exited.started_ms);
        assert_int_equal(leave(&own), 0);
    }
}

static void test_shim_keeps_the_letters_of_a_message_when_it_is_utf8(void **state)
{
    struct place *place = *state;
    run_to_end(place, &(struct how){.script = "printf 'Gr\\303\\266\\303\\237e \\360\\237\\230\\200 \"q\" \\\\ \\377 \\033[31m\\n' >&2; exit 1"});
    assert_class(place, "failed");
    assert_string_equal(place->exited.message, "Gr\303\266\303\237e \360\237\230\200 \"q\" \\ ? \033[31m");
}

static void test_shim_says_what_could_not_start_when_exec_fails(void **state)
{
    struct place *place = *state;
    const char *const argv[] = {"./no such program", "--flag", NULL};
    run_to_end(place, &(struct how){.argv = argv});
    assert_class(place, "start_failed");
    assert_int_equal(place->exited.code, -1);
    assert_non_null(strstr(place->exited.message, "./no such program"));
    assert_non_null(strstr(place->exited.message, "No such file"));
    assert_non_null(strstr(place->exited.message, place->path));
}

static void test_shim_says_permission_when_the_program_may_not_be_executed(void **state)
{
    struct place *place = *state;
    char *program = xasprintf("%s/plain.py", place->path);
    const char *const argv[] = {program, NULL};
    int fd = open(program, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    run_to_end(place, &(struct how){.argv = argv});
    assert_class(place, "start_failed");
    assert_non_null(strstr(place->exited.message, "plain.py"));
    assert_non_null(strstr(place->exited.message, "Permission denied"));
    free(program);
}

static void test_shim_names_the_directory_when_the_working_directory_is_bad(void **state)
{
    struct place *place = *state;
    run_to_end(place, &(struct how){.script = "exit 0", .working_dir = "/nowhere/at all"});
    assert_class(place, "start_failed");
    assert_non_null(strstr(place->exited.message, "working directory /nowhere/at all"));
    assert_non_null(strstr(place->exited.message, "No such file"));
}

static void test_shim_starts_the_run_with_its_environment_and_place_when_all_is_well(void **state)
{
    struct place *place = *state;
    struct str out = STR_INIT;
    run_to_end(place, &(struct how){.script = "pwd; env | grep -c .; echo \"$TRAWL_ATTEMPT\"; "
                                              "test $(ps -o pgid= -p $$ 2>/dev/null || echo $$) -eq $$ && echo leader; "
                                              "ls /proc/self/fd | wc -l; read line; echo $?; ulimit -c; umask"});
    assert_class(place, "success");
    read_file_of_run(place, "stdout.log", &out);
    // env has the six given and PWD of sh (and OLDPWD or _ of some); stdin is at its end, no core, private files.
    char *wanted = xasprintf("%s\n", place->path);
    assert_true(str_starts(str_get(&out), wanted));
    assert_non_null(strstr(str_get(&out), "\n7\nleader\n"));
    assert_non_null(strstr(str_get(&out), "\n4\n1\n0\n0077\n"));
    free(wanted);
    str_release(&out);
}

static void test_shim_finds_the_program_in_the_path_of_the_run(void **state)
{
    struct place *place = *state;
    static const char text[] = "#!/bin/sh\necho found\n";
    const char *const argv[] = {"program-of-the-spool", NULL};
    struct str out = STR_INIT;
    char *old = xasprintf("%s", getenv("PATH")), *path = xasprintf("%s:%s", place->path, old);
    assert_int_equal(file_replace_at(place->fd, argv[0], text, sizeof text - 1, 0700, false, NULL), 0);
    setenv("PATH", path, 1); // make_run gives it to the run; the shim itself starts without any
    run_to_end(place, &(struct how){.argv = argv});
    setenv("PATH", old, 1);
    assert_class(place, "success");
    read_file_of_run(place, "stdout.log", &out);
    assert_string_equal(str_get(&out), "found\n");
    str_release(&out);
    free(path);
    free(old);
}

static void test_shim_leaves_nothing_when_the_run_daemonised(void **state)
{
    struct place *place = *state;
    start_run(place, &(struct how){.script = "setsid sh -c 'trap \"\" TERM HUP; setsid sleep 1000 & echo $! > $FIFO; echo $$ > $FIFO; wait' & "
                                             "read go < $HOLD; exit 0"});
    int grandchild = watch_pid_of_word(place, NULL), child = watch_pid_of_word(place, NULL);
    release_hold(place);
    wait_end(place);
    assert_class(place, "success");
    assert_true(ends_within(grandchild, 0));
    assert_true(ends_within(child, 0));
    close(grandchild);
    close(child);
}

static void test_shim_ends_the_run_when_its_time_is_over(void **state)
{
    struct place *place = *state;
    start_run(place, &(struct how){.script = "echo $$ > $FIFO; sleep 1000", .timeout_ms = 2000, .grace_ms = 60000});
    int run = watch_pid_of_word(place, NULL);
    wait_end(place);
    assert_class(place, "timeout");
    assert_int_equal(place->exited.signal, SIGTERM);
    assert_non_null(strstr(place->exited.message, "timeout of 2 s"));
    assert_true(ends_within(run, 0));
    close(run);
}

static void test_shim_kills_after_the_grace_when_the_run_ignores_term(void **state)
{
    struct place *place = *state;
    start_run(place, &(struct how){.script = "trap '' TERM; sleep 1000 & echo $! > $FIFO; echo $$ > $FIFO; while :; do wait; done",
                                   .grace_ms = 200});
    int child = watch_pid_of_word(place, NULL), run = watch_pid_of_word(place, NULL);
    ask_to_end(place, "stopped", SIGTERM);
    wait_end(place);
    assert_class(place, "stopped");
    assert_int_equal(place->exited.signal, SIGKILL);
    assert_true(ends_within(run, 0));
    assert_true(ends_within(child, 0));
    close(run);
    close(child);
}

static void test_shim_lets_the_run_clean_up_when_it_heeds_term(void **state)
{
    struct place *place = *state;
    char word[32];
    start_run(place, &(struct how){.script = "trap 'echo saved > $TRAWL_RUN_DIR/artifacts/model; exit 5' TERM; echo up > $FIFO; "
                                             "while :; do sleep 0.01; done",
                                   .grace_ms = DEADLINE_MS});
    read_word(place, word, sizeof word);
    ask_to_end(place, "interrupted", SIGTERM);
    wait_end(place);
    assert_class(place, "interrupted");
    assert_int_equal(place->exited.code, 5);
    struct str text = STR_INIT;
    read_file_of_run(place, "artifacts/model", &text);
    assert_string_equal(str_get(&text), "saved\n");
    str_release(&text);
}

static void test_shim_takes_the_class_from_the_stop_word(void **state)
{
    (void)state;
    static const char *const words[] = {"stopped", "cancelled", "interrupted", "lost", "timeout"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        void *own = NULL;
        char word[32];
        assert_int_equal(enter(&own), 0);
        struct place *place = own;
        start_run(place, &(struct how){.script = "echo up > $FIFO; exec sleep 1000", .grace_ms = DEADLINE_MS});
        read_word(place, word, sizeof word);
        ask_to_end(place, words[i], SIGTERM);
        wait_end(place);
        assert_class(place, words[i]);
        assert_int_equal(leave(&own), 0);
    }
}

static void test_shim_says_interrupted_when_there_is_no_stop_word(void **state)
{
    struct place *place = *state;
    char word[32];
    start_run(place, &(struct how){.script = "echo up > $FIFO; exec sleep 1000", .grace_ms = DEADLINE_MS});
    read_word(place, word, sizeof word);
    assert_int_equal(kill(place->shim, SIGTERM), 0);
    wait_end(place);
    assert_class(place, "interrupted");
}

static void test_shim_kills_at_once_when_it_gets_usr1(void **state)
{
    struct place *place = *state;
    start_run(place, &(struct how){.script = "trap '' TERM; echo $$ > $FIFO; while :; do sleep 1000; done", .grace_ms = 3600000});
    int run = watch_pid_of_word(place, NULL);
    ask_to_end(place, "cancelled", SIGUSR1);
    wait_end(place);
    assert_class(place, "cancelled");
    assert_int_equal(place->exited.signal, SIGKILL);
    assert_true(ends_within(run, 0));
    close(run);
}

static void test_shim_kills_at_once_when_usr1_comes_during_the_grace(void **state)
{
    struct place *place = *state;
    char word[32];
    start_run(place, &(struct how){.script = "trap 'echo heard > $FIFO' TERM; echo up > $FIFO; while :; do sleep 0.01; done",
                                   .grace_ms = 3600000});
    read_word(place, word, sizeof word);
    ask_to_end(place, "stopped", SIGTERM);
    read_word(place, word, sizeof word);
    assert_string_equal(word, "heard");
    ask_to_end(place, "cancelled", SIGUSR1);
    wait_end(place);
    assert_class(place, "cancelled"); // the word in `stop`
    assert_int_equal(place->exited.signal, SIGKILL);
}

static void test_shim_says_oom_when_the_tree_uses_more_than_its_memory(void **state)
{
    struct place *place = *state;
    start_run(place, &(struct how){.script = "trap '' TERM; sh -c 'x=$(head -c 48000000 /dev/zero | tr \"\\\\0\" a); echo $$ > $FIFO; sleep 1000'; exit 0",
                                   .memory_bytes = 20u << 20, .grace_ms = 3600000});
    wait_end(place);
    assert_class(place, "oom");
    assert_non_null(strstr(place->exited.message, "20 MiB"));
    assert_non_null(strstr(place->exited.message, "resources.memory"));
    assert_true(place->exited.max_rss_bytes > 20u << 20);
}

static void test_shim_ends_the_run_as_lost_when_its_lease_is_over(void **state)
{
    struct place *place = *state;
    start_run(place, &(struct how){.script = "trap '' TERM; echo $$ > $FIFO; while :; do sleep 1000; done", .lease_ms = 300, .grace_ms = 3600000});
    int run = watch_pid_of_word(place, NULL);
    wait_end(place);
    assert_class(place, "lost");
    assert_non_null(strstr(place->exited.message, "lease"));
    assert_true(ends_within(run, 0));
    close(run);
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void test_shim_goes_on_when_its_lease_is_renewed(void **state)
{
    struct place *place = *state;
    char word[32];
    start_run(place, &(struct how){.script = "echo up > $FIFO; read go < $HOLD; exit 0", .lease_ms = 2000});
    read_word(place, word, sizeof word);
    for (uint64_t end = now_ms() + 3000; now_ms() < end;) {
        assert_int_equal(kill(place->shim, SIGUSR2), 0);
        assert_false(ends_within(place->shim_fd, 20));
    }
    release_hold(place);
    wait_end(place);
    assert_class(place, "success");
}

static void test_shim_never_runs_again_when_exit_json_is_there(void **state)
{
    struct place *place = *state;
    struct str before = STR_INIT, after = STR_INIT;
    run_to_end(place, &(struct how){.script = "echo ran >> $TRAWL_RUN_DIR/artifacts/ledger"});
    read_file_of_run(place, "exit.json", &before);
    start_shim(place, ATTEMPT);
    wait_shim(place);
    assert_int_not_equal(place->shim_code, 0);
    read_file_of_run(place, "exit.json", &after);
    assert_string_equal(str_get(&after), str_get(&before));
    read_file_of_run(place, "artifacts/ledger", &after);
    assert_string_equal(str_get(&after), "ran\n");
    str_release(&before);
    str_release(&after);
}

static void test_shim_leaves_the_run_alone_when_another_holds_the_lock(void **state)
{
    struct place *place = *state;
    start_run(place, &(struct how){.script = "echo $$ > $FIFO; read go < $HOLD; exit 0"});
    int run = watch_pid_of_word(place, NULL);
    pid_t first = place->shim, shim = 0;
    int first_fd = place->shim_fd;
    enum rundir_state rundir_state;
    place->shim_fd = -1;
    start_shim(place, ATTEMPT);
    wait_shim(place);
    assert_int_not_equal(place->shim_code, 0);
    place->shim = first;
    fd_close(&place->shim_fd);
    place->shim_fd = first_fd;
    assert_int_equal(rundir_look(place->fd, ATTEMPT, &rundir_state, NULL, &shim, NULL, NULL), 0);
    assert_int_equal(rundir_state, RUNDIR_RUNNING);
    assert_int_equal(shim, first);
    assert_false(ends_within(run, 0));
    release_hold(place);
    wait_end(place);
    assert_class(place, "success");
    close(run);
}

static void test_shim_takes_its_run_along_when_it_is_killed(void **state)
{
    struct place *place = *state;
    start_run(place, &(struct how){.script = "echo part; echo $$ > $FIFO; exec sleep 1000"});
    int run = watch_pid_of_word(place, NULL);
    assert_int_equal(kill(place->shim, SIGKILL), 0);
    wait_shim(place);
    assert_true(ends_within(run, DEADLINE_MS));
    close(run);
    assert_int_equal(look(place), RUNDIR_LOST);
    assert_int_equal(rundir_mark_lost(place->fd, ATTEMPT, "the shim was killed", NULL), 0);
    assert_int_equal(look(place), RUNDIR_EXITED);
    assert_class(place, "lost");
    assert_string_equal(place->exited.message, "the shim was killed");
    assert_int_equal(place->exited.code, -1);
}

static void test_rundir_sweep_ends_what_a_killed_shim_left_and_nothing_else(void **state)
{
    struct place *place = *state;
    start_run(place, &(struct how){.script = "setsid sleep 1000 & echo $! > $FIFO; echo $$ > $FIFO; exec sleep 1000"});
    int left = watch_pid_of_word(place, NULL), run = watch_pid_of_word(place, NULL);
    assert_int_equal(kill(place->shim, SIGKILL), 0);
    wait_shim(place);
    assert_true(ends_within(run, DEADLINE_MS));
    assert_int_equal(rundir_sweep_processes(ATTEMPT, AGENT_UID), 0);     // another agent's
    assert_int_equal(rundir_sweep_processes(ATTEMPT + 70, place->uid), 0); // 77 is not 7
    assert_false(ends_within(left, 0));
    assert_int_equal(rundir_sweep_processes(ATTEMPT, place->uid), 1);
    assert_true(ends_within(left, DEADLINE_MS));
    assert_int_equal(rundir_sweep_processes(ATTEMPT, place->uid), 0);
    close(left);
    close(run);
}

static void test_shim_refuses_when_the_launch_file_is_damaged(void **state)
{
    struct place *place = *state;
    struct str text = STR_INIT;
    make_run(place, ATTEMPT, &(struct how){.script = "echo ran > $TRAWL_RUN_DIR/artifacts/ledger"});
    read_file_of_run(place, "launch", &text);
    assert_true(text.len > 40);
    char path[32];
    snprintf(path, sizeof path, "%d/launch", ATTEMPT);
    assert_int_equal(file_replace_at(place->fd, path, str_get(&text), text.len - 1, 0600, false, NULL), 0);
    start_shim(place, ATTEMPT);
    wait_shim(place);
    assert_int_not_equal(place->shim_code, 0);
    assert_int_equal(look(place), RUNDIR_LOST);
    read_file_of_run(place, "artifacts/ledger", &text);
    assert_int_equal(text.len, 0);
    str_release(&text);
}

static int parse_copy(const char *data, size_t len, struct launch *ret)
{
    char *copy = xcalloc(len + 1, 1);
    memcpy(copy, data, len);
    char *exact = len ? realloc(copy, len) : copy; // so that a sanitizer sees a read past the end
    return launch_parse(exact, len, ret);
}

static void test_launch_parse_gives_every_field_when_whole_and_refuses_every_beginning(void **state)
{
    (void)state;
    static const char text[] = "trawl-launch 1\0" "12\0" "1000\0" "2000\0" "3000\0" "4096\0" "2\0" "2\0" "loss\0" "loss (.*)\0" "/work\0"
                               "2\0" "prog\0" "\0" "1\0" "A=b\0" "end";
    struct launch launch;
    assert_int_equal(parse_copy(text, sizeof text, &launch), 0);
    assert_int_equal(launch.attempt, 12);
    assert_int_equal(launch.timeout_ms, 1000);
    assert_int_equal(launch.grace_ms, 2000);
    assert_int_equal(launch.lease_ms, 3000);
    assert_int_equal(launch.memory_bytes, 4096);
    assert_int_equal(launch.cpus, 2);
    assert_string_equal(launch.patterns[0], "loss");
    assert_string_equal(launch.patterns[1], "loss (.*)");
    assert_null(launch.patterns[2]);
    assert_string_equal(launch.working_dir, "/work");
    assert_string_equal(launch.argv[0], "prog");
    assert_string_equal(launch.argv[1], "");
    assert_null(launch.argv[2]);
    assert_string_equal(launch.env[0], "A=b");
    assert_null(launch.env[1]);
    launch_release(&launch);
    for (size_t len = 0; len < sizeof text; len++)
        assert_int_equal(parse_copy(text, len, &launch), -1);
}

static void test_launch_parse_refuses_when_a_field_is_wrong(void **state)
{
    (void)state;
#define HEAD "trawl-launch 1\0" "1\0" "0\0" "0\0" "0\0" "0\0" "0\0" "\0" "\0" "/\0"
    static const struct {
        const char *text;
        size_t len;
    } cases[] = {
#define CASE(literal) {literal, sizeof literal}
        CASE("trawl-launch 2\0" "1\0" "0\0" "0\0" "0\0" "0\0" "0\0" "\0" "\0" "/\0" "1\0" "a\0" "0\0" "end"),
        CASE("trawl-launch 1\0" "-1\0" "0\0" "0\0" "0\0" "0\0" "0\0" "\0" "\0" "/\0" "1\0" "a\0" "0\0" "end"),
        CASE("trawl-launch 1\0" "\0" "0\0" "0\0" "0\0" "0\0" "0\0" "\0" "\0" "/\0" "1\0" "a\0" "0\0" "end"),
        CASE("trawl-launch 1\0" "99999999999999999999999\0" "0\0" "0\0" "0\0" "0\0" "0\0" "\0" "\0" "/\0" "1\0" "a\0" "0\0" "end"),
        CASE(HEAD "0\0" "0\0" "end"),          // nothing to start
        CASE(HEAD "18446744073709551610\0" "a\0" "0\0" "end"),
        CASE(HEAD "1000000000\0" "a\0" "0\0" "end"),
        CASE(HEAD "1\0" "a\0" "1\0" "end"),    // the environment took the end
        CASE(HEAD "1\0" "a\0" "0\0" "END"),
#undef CASE
    };
    struct launch launch;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (parse_copy(cases[i].text, cases[i].len, &launch) != -1)
            fail_msg("case %zu was taken", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shim_tells_class_code_and_signal_when_a_run_ends_by_itself),
        cmocka_unit_test_setup_teardown(test_shim_keeps_the_letters_of_a_message_when_it_is_utf8, enter, leave),
        cmocka_unit_test_setup_teardown(test_shim_says_what_could_not_start_when_exec_fails, enter, leave),
        cmocka_unit_test_setup_teardown(test_shim_says_permission_when_the_program_may_not_be_executed, enter, leave),
        cmocka_unit_test_setup_teardown(test_shim_names_the_directory_when_the_working_directory_is_bad, enter, leave),
        cmocka_unit_test_setup_teardown(test_shim_starts_the_run_with_its_environment_and_place_when_all_is_well, enter, leave),
        cmocka_unit_test_setup_teardown(test_shim_finds_the_program_in_the_path_of_the_run, enter, leave),
        cmocka_unit_test_setup_teardown(test_shim_leaves_nothing_when_the_run_daemonised, enter, leave),
        cmocka_unit_test_setup_teardown(test_shim_ends_the_run_when_its_time_is_over, enter, leave),
        cmocka_unit_test_setup_teardown(test_shim_kills_after_the_grace_when_the_run_ignores_term, enter, leave),
        cmocka_unit_test_setup_teardown(test_shim_lets_the_run_clean_up_when_it_heeds_term, enter, leave),
        cmocka_unit_test(test_shim_takes_the_class_from_the_stop_word),
        cmocka_unit_test_setup_teardown(test_shim_says_interrupted_when_there_is_no_stop_word, enter, leave),
        cmocka_unit_test_setup_teardown(test_shim_kills_at_once_when_it_gets_usr1, enter, leave),
        cmocka_unit_test_setup_teardown(test_shim_kills_at_once_when_usr1_comes_during_the_grace, enter, leave),
        cmocka_unit_test_setup_teardown(test_shim_says_oom_when_the_tree_uses_more_than_its_memory, enter, leave),
        cmocka_unit_test_setup_teardown(test_shim_ends_the_run_as_lost_when_its_lease_is_over, enter, leave),
        cmocka_unit_test_setup_teardown(test_shim_goes_on_when_its_lease_is_renewed, enter, leave),
        cmocka_unit_test_setup_teardown(test_shim_never_runs_again_when_exit_json_is_there, enter, leave),
        cmocka_unit_test_setup_teardown(test_shim_leaves_the_run_alone_when_another_holds_the_lock, enter, leave),
        cmocka_unit_test_setup_teardown(test_shim_takes_its_run_along_when_it_is_killed, enter, leave),
        cmocka_unit_test_setup_teardown(test_rundir_sweep_ends_what_a_killed_shim_left_and_nothing_else, enter, leave),
        cmocka_unit_test_setup_teardown(test_shim_refuses_when_the_launch_file_is_damaged, enter, leave),
        cmocka_unit_test(test_launch_parse_gives_every_field_when_whole_and_refuses_every_beginning),
        cmocka_unit_test(test_launch_parse_refuses_when_a_field_is_wrong),
    };
    return cmocka_run_group_tests_name("shim", tests, NULL, NULL);
}
