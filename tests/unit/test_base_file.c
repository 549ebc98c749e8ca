// Files, directories, locks and log lines, each test in a directory of its own.

#define _XOPEN_SOURCE 700 // nftw
#include "test_base.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct place {
    char path[64];
    int fd;
};

static int enter(void **state)
{
    struct place *place = xcalloc(1, sizeof *place);
    snprintf(place->path, sizeof place->path, "/tmp/trawl-base-XXXXXX");
    *state = place;
    if (!mkdtemp(place->path))
        return -1;
    place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return place->fd < 0 ? -1 : 0;
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int leave(void **state)
{
    struct place *place = *state;
    fd_close(&place->fd);
    int rc = nftw(place->path, drop, 8, FTW_DEPTH | FTW_PHYS);
    free(place);
    return rc;
}

static void holds(int dir_fd, const char *name, const char *text)
{
    struct str out = STR_INIT;
    assert_int_equal(file_read_at(dir_fd, name, 1 << 20, &out, NULL), 0);
    assert_string_equal(str_get(&out), text);
    str_release(&out);
}

static bool is_there(int dir_fd, const char *name)
{
    struct stat st;
    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void test_file_write_at_replaces_the_content_when_the_file_is_there(void **state)
{
    struct place *place = *state;
    assert_int_equal(file_write_at(place->fd, "a", "longer", 6, 0640, NULL), 0);
    assert_int_equal(file_write_at(place->fd, "a", "x", 1, 0640, NULL), 0);
    holds(place->fd, "a", "x");
    struct stat st;
    assert_int_equal(fstatat(place->fd, "a", &st, 0), 0);
    assert_int_equal(st.st_mode & 0707, 0600);
    char *path = xasprintf("%s/a", place->path);
    struct str out = STR_INIT;
    str_add(&out, "before ");
    assert_int_equal(file_read(path, 1, &out, NULL), 0); // exactly at the limit, behind what is there
    assert_string_equal(out.s, "before x");
    str_release(&out);
    free(path);
}

static void test_file_read_leaves_the_string_alone_when_the_file_is_too_large(void **state)
{
    struct place *place = *state;
    size_t len = 200000; // more than one read
    char *data = xcalloc(len, 1);
    assert_int_equal(file_write_at(place->fd, "a", data, len, 0600, NULL), 0);
    struct str out = STR_INIT;
    str_add(&out, "kept");
    struct err err = {0};
    assert_int_equal(file_read_at(place->fd, "a", len - 1, &out, &err), ERR_LIMIT);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(out.s, "kept");
    assert_int_equal(out.len, 4);
    assert_int_equal(file_read_at(place->fd, "a", len, &out, NULL), 0);
    assert_int_equal(out.len, len + 4);
    str_release(&out);
    free(data);
}

static void test_file_read_says_why_when_it_cannot(void **state)
{
    struct place *place = *state;
    struct str out = STR_INIT;
    struct err err = {0};
    assert_int_equal(file_read_at(place->fd, "absent", 10, &out, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "absent"));
    assert_int_equal(file_read_at(place->fd, ".", 10, &out, &err), ERR_IO);
    assert_int_equal(out.len, 0);
    str_release(&out);
}

static void test_file_replace_at_leaves_one_file_when_it_succeeds(void **state)
{
    struct place *place = *state;
    for (int sync = 0; sync < 2; sync++) {
        assert_int_equal(file_replace_at(place->fd, "a", "one", 3, 0600, sync, NULL), 0);
        assert_int_equal(file_replace_at(place->fd, "a", "two2", 4, 0600, sync, NULL), 0);
        holds(place->fd, "a", "two2");
        assert_false(is_there(place->fd, "a.tmp"));
    }
}

static void test_file_replace_at_keeps_the_old_file_when_it_fails(void **state)
{
    struct place *place = *state;
    assert_int_equal(mkdirat(place->fd, "a", 0700), 0);
    assert_int_equal(file_write_at(place->fd, "a/inside", "x", 1, 0600, NULL), 0);
    struct err err = {0};
    assert_int_not_equal(file_replace_at(place->fd, "a", "new", 3, 0600, false, &err), 0);
    assert_non_null(strstr(err.text, "a.tmp"));
    assert_false(is_there(place->fd, "a.tmp"));
    holds(place->fd, "a/inside", "x");
}

static void test_file_is_not_written_when_its_name_is_a_link(void **state)
{
    struct place *place = *state;
    assert_int_equal(file_write_at(place->fd, "target", "old", 3, 0600, NULL), 0);
    assert_int_equal(symlinkat("target", place->fd, "link"), 0);
    int fd = -7;
    assert_int_not_equal(file_write_at(place->fd, "link", "new", 3, 0600, NULL), 0);
    assert_int_not_equal(file_lock_at(place->fd, "link", &fd, NULL), 0);
    assert_int_equal(fd, -7);
    holds(place->fd, "target", "old");
}

static void test_file_write_all_reports_no_space_when_the_device_is_full(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    struct err err = {0};
    assert_int_equal(file_write_all(fd, "x", 1, &err), ERR_NO_SPACE);
    assert_int_equal(err.code, ERR_NO_SPACE);
    fd_close(&fd);
    assert_int_equal(fd, -1);
    fd_close(&fd);
}

static void test_file_write_all_waits_when_a_pipe_does_not_block(void **state)
{
    (void)state;
    enum { LEN = 1 << 20 }; // far more than a pipe holds
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[1]);
        char buffer[4096];
        size_t total = 0;
        for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0; total += (size_t)n)
            for (ssize_t i = 0; i < n; i++)
                if (buffer[i] != 'x')
                    _exit(2);
        _exit(total == LEN ? 0 : 1);
    }
    close(ends[0]);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    char *data = xmalloc(LEN);
    memset(data, 'x', LEN);
    assert_int_equal(file_write_all(ends[1], data, LEN, NULL), 0);
    fd_close(&ends[1]);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    free(data);
}

static void test_file_lock_at_is_busy_when_another_descriptor_holds_it(void **state)
{
    struct place *place = *state;
    int first = -1, second = -7;
    struct err err = {0};
    assert_int_equal(file_lock_at(place->fd, "lock", &first, &err), 0);
    assert_true(fcntl(first, F_GETFD) & FD_CLOEXEC);
    struct stat st;
    assert_int_equal(fstat(first, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(file_lock_at(place->fd, "lock", &second, &err), ERR_BUSY);
    assert_int_equal(second, -7);
    assert_non_null(strstr(err.text, "lock"));
    fd_close(&first);
    assert_int_equal(file_lock_at(place->fd, "lock", &second, &err), 0);
    fd_close(&second);
}

static void test_dir_make_makes_the_parents_when_they_are_absent(void **state)
{
    struct place *place = *state;
    char *path = xasprintf("%s/a//b/c/", place->path);
    assert_int_equal(dir_make(path, NULL), 0);
    assert_int_equal(dir_make(path, NULL), 0);
    struct stat st;
    assert_int_equal(fstatat(place->fd, "a/b/c", &st, 0), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0700);
    free(path);
}

static void test_dir_make_says_why_when_it_cannot(void **state)
{
    struct place *place = *state;
    struct err err = {0};
    assert_int_equal(file_write_at(place->fd, "file", "x", 1, 0600, NULL), 0);
    char *path = xasprintf("%s/file", place->path), *under = xasprintf("%s/file/b/c", place->path);
    assert_int_equal(dir_make(path, &err), ERR_STATE);
    assert_int_equal(dir_make(under, &err), ERR_IO);
    assert_int_equal(dir_make("", &err), ERR_NOT_FOUND);
    holds(place->fd, "file", "x");
    free(path);
    free(under);
}

// Run `talk` with stderr in a file, and read what it said.
static char *heard(struct place *place, void (*talk)(void))
{
    int saved = dup(STDERR_FILENO), fd = openat(place->fd, "stderr", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(saved >= 0 && fd >= 0);
    dup2(fd, STDERR_FILENO);
    talk();
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(fd);
    struct str out = STR_INIT;
    assert_int_equal(file_read_at(place->fd, "stderr", 1 << 20, &out, NULL), 0);
    return str_detach(&out);
}

static void say_each_level(void)
{
    errno = ENOTDIR;
    log_error("e %d", 1);
    log_warn("w");
    log_info("i");
    log_debug("hidden");
    log_set_level(LOG_DEBUG);
    log_set_name("trawl-agent");
    log_debug("shown");
    log_set_level(LOG_INFO);
    log_set_name("trawl");
    assert_int_equal(errno, ENOTDIR);
}

static void test_log_names_program_and_level_when_the_level_shows(void **state)
{
    char *text = heard(*state, say_each_level);
    assert_string_equal(text, "trawl: error: e 1\ntrawl: warning: w\ntrawl: i\ntrawl-agent: debug: shown\n");
    free(text);
}

static void say_odd_text(void)
{
    log_info("a\nforged: line\r\x1B[31mred");
    char longer[5000];
    memset(longer, 'y', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    log_info("%s", longer);
}

static void test_log_stays_one_line_each_when_the_text_has_controls_or_is_long(void **state)
{
    char *text = heard(*state, say_odd_text);
    assert_true(str_starts(text, "trawl: a forged: line  [31mred\ntrawl: yyy"));
    const char *second = strchr(text, '\n') + 1;
    assert_ptr_equal(strchr(second, '\n'), second + strlen(second) - 1);
    assert_true(strlen(second) > 2000 && strlen(second) <= 2048);
    free(text);
}

static void test_clock_mono_never_goes_back_when_read_often(void **state)
{
    (void)state;
    uint64_t last = clock_mono_ns();
    for (int i = 0; i < 10000; i++) {
        uint64_t now = clock_mono_ns();
        assert_true(now >= last);
        last = now;
    }
    uint64_t before = last / 1000000, ms = clock_mono_ms(), after = clock_mono_ns() / 1000000;
    assert_true(before <= ms && ms <= after);
    assert_true(clock_wall_ms() > 1577836800000); // later than 2020
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file_write_at_replaces_the_content_when_the_file_is_there, enter, leave),
        cmocka_unit_test_setup_teardown(test_file_read_leaves_the_string_alone_when_the_file_is_too_large, enter, leave),
        cmocka_unit_test_setup_teardown(test_file_read_says_why_when_it_cannot, enter, leave),
        cmocka_unit_test_setup_teardown(test_file_replace_at_leaves_one_file_when_it_succeeds, enter, leave),
        cmocka_unit_test_setup_teardown(test_file_replace_at_keeps_the_old_file_when_it_fails, enter, leave),
        cmocka_unit_test_setup_teardown(test_file_is_not_written_when_its_name_is_a_link, enter, leave),
        cmocka_unit_test(test_file_write_all_reports_no_space_when_the_device_is_full),
        cmocka_unit_test(test_file_write_all_waits_when_a_pipe_does_not_block),
        cmocka_unit_test_setup_teardown(test_file_lock_at_is_busy_when_another_descriptor_holds_it, enter, leave),
        cmocka_unit_test_setup_teardown(test_dir_make_makes_the_parents_when_they_are_absent, enter, leave),
        cmocka_unit_test_setup_teardown(test_dir_make_says_why_when_it_cannot, enter, leave),
        cmocka_unit_test_setup_teardown(test_log_names_program_and_level_when_the_level_shows, enter, leave),
        cmocka_unit_test_setup_teardown(test_log_stays_one_line_each_when_the_text_has_controls_or_is_long, enter, leave),
        cmocka_unit_test(test_clock_mono_never_goes_back_when_read_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
