// Shims through their server: each answered with a pidfd, also when the server was killed.

#define _GNU_SOURCE // pidfd_open
#include "shim_fixture.h"

#include "agent/launcher.h"
#include "base/file.h"
#include "base/mem.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static pid_t start_through(struct launcher *launcher, struct place *place, uint64_t attempt, int *ret_fd)
{
    char *directory = xasprintf("%s/%llu", place->path, (unsigned long long)attempt);
    struct err err = {0};
    pid_t pid = 0;
    if (launcher_start(launcher, directory, &pid, ret_fd, &err) != 0)
        fail_msg("%s", err.text);
    free(directory);
    return pid;
}

static pid_t parent_of(pid_t pid)
{
    char path[64];
    struct str text = STR_INIT;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    assert_int_equal(file_read(path, 4096, &text, NULL), 0);
    const char *p = strrchr(str_get(&text), ')');
    assert_non_null(p);
    pid_t parent = (pid_t)strtol(p + 4, NULL, 10);
    str_release(&text);
    return parent;
}

static void test_launcher_gives_a_pidfd_that_tells_the_end_of_the_shim(void **state)
{
    struct place *place = *state;
    struct launcher *launcher = launcher_new(SHIM_PROGRAM);
    make_run(place, ATTEMPT, &(struct how){.script = "echo up > $FIFO; read go < $HOLD; exit 4"});
    int fd = -1;
    char word[32];
    start_through(launcher, place, ATTEMPT, &fd);
    read_word(place, word, sizeof word);
    assert_false(ends_within(fd, 0));
    assert_int_equal(look(place), RUNDIR_RUNNING);
    release_hold(place);
    assert_true(ends_within(fd, DEADLINE_MS));
    assert_int_equal(look(place), RUNDIR_EXITED);
    assert_class(place, "failed");
    close(fd);
    launcher_free(launcher);
}

static void test_launcher_leaves_its_shims_when_it_ends(void **state)
{
    struct place *place = *state;
    struct launcher *launcher = launcher_new(SHIM_PROGRAM);
    make_run(place, ATTEMPT, &(struct how){.script = "echo up > $FIFO; read go < $HOLD; exit 0"});
    int fd = -1;
    char word[32];
    start_through(launcher, place, ATTEMPT, &fd);
    read_word(place, word, sizeof word);
    launcher_free(launcher);
    assert_int_equal(look(place), RUNDIR_RUNNING);
    release_hold(place);
    assert_true(ends_within(fd, DEADLINE_MS));
    assert_int_equal(look(place), RUNDIR_EXITED);
    assert_class(place, "success");
    close(fd);
}

static void test_launcher_starts_a_new_server_when_the_old_one_was_killed(void **state)
{
    struct place *place = *state;
    struct launcher *launcher = launcher_new(SHIM_PROGRAM);
    int first = -1, second = -1;
    char word[32];
    make_run(place, ATTEMPT + 1, &(struct how){.script = "echo up > $FIFO; read go < $HOLD; exit 0"});
    pid_t shim = start_through(launcher, place, ATTEMPT + 1, &first);
    read_word(place, word, sizeof word);
    pid_t server = parent_of(shim);
    int server_fd = (int)syscall(SYS_pidfd_open, server, 0);
    assert_int_equal(kill(server, SIGKILL), 0);
    assert_true(ends_within(server_fd, DEADLINE_MS));
    close(server_fd);
    make_run(place, ATTEMPT, &(struct how){.script = "exit 0"});
    start_through(launcher, place, ATTEMPT, &second);
    assert_true(ends_within(second, DEADLINE_MS));
    assert_int_equal(look(place), RUNDIR_EXITED);
    assert_false(ends_within(first, 0)); // the old one's shim goes on
    release_hold(place);
    assert_true(ends_within(first, DEADLINE_MS));
    close(first);
    close(second);
    launcher_free(launcher);
}

static void test_launcher_says_what_is_missing_when_the_shim_is_not_there(void **state)
{
    struct place *place = *state;
    struct launcher *launcher = launcher_new("/nowhere/trawl-shim");
    struct err err = {0};
    pid_t pid;
    int fd;
    assert_int_equal(launcher_start(launcher, place->path, &pid, &fd, &err), ERR_IO);
    assert_non_null(strstr(err.text, "/nowhere/trawl-shim"));
    launcher_free(launcher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_launcher_gives_a_pidfd_that_tells_the_end_of_the_shim, enter, leave),
        cmocka_unit_test_setup_teardown(test_launcher_leaves_its_shims_when_it_ends, enter, leave),
        cmocka_unit_test_setup_teardown(test_launcher_starts_a_new_server_when_the_old_one_was_killed, enter, leave),
        cmocka_unit_test_setup_teardown(test_launcher_says_what_is_missing_when_the_shim_is_not_there, enter, leave),
    };
    return cmocka_run_group_tests_name("launcher", tests, NULL, NULL);
}
