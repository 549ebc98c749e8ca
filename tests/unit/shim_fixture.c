#define _GNU_SOURCE // nftw, pidfd_open
#include "shim_fixture.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int make_fifo(const struct place *place, const char *name)
{
    return mkfifoat(place->fd, name, 0600) == 0 ? openat(place->fd, name, O_RDWR | O_CLOEXEC) : -1;
}

int enter(void **state)
{
    static unsigned number;
    struct place *place = xcalloc(1, sizeof *place);
    *place = (struct place){.fd = -1, .fifo = -1, .hold = -1, .shim_fd = -1};
    snprintf(place->uid, sizeof place->uid, "%08x%08x%s", (unsigned)getpid(), number++, "0123456789abcdef");
    snprintf(place->path, sizeof place->path, "/tmp/trawl-shim-XXXXXX");
    *state = place;
    if (!mkdtemp(place->path))
        return -1;
    place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    place->fifo = make_fifo(place, "fifo");
    place->hold = make_fifo(place, "hold");
    return place->fd < 0 || place->fifo < 0 || place->hold < 0 ? -1 : 0;
}

int leave(void **state)
{
    struct place *place = *state;
    if (place->shim > 0) {
        kill(place->shim, SIGKILL);
        waitpid(place->shim, NULL, 0);
    }
    rundir_sweep_processes(ATTEMPT, place->uid);
    rundir_exit_release(&place->exited);
    fd_close(&place->shim_fd);
    fd_close(&place->fifo);
    fd_close(&place->hold);
    fd_close(&place->fd);
    int rc = nftw(place->path, drop, 8, FTW_DEPTH | FTW_PHYS);
    free(place);
    return rc;
}

// ---- Starting

#define ARGS_MAX 16

void make_run(struct place *place, uint64_t attempt, const struct how *how)
{
    const char *const script[] = {"sh", "-c", how->script, NULL}, *const *argv = how->argv ? how->argv : script;
    struct msg_arg args[ARGS_MAX] = {{0}};
    size_t argc = 0;
    while (argv[argc])
        argc++;
    assert_true(argc <= ARGS_MAX);
    char *env[] = {xasprintf("PATH=%s", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin"),
                   xasprintf("TRAWL_ATTEMPT=%llu", (unsigned long long)attempt),
                   xasprintf("TRAWL_AGENT=%s", place->uid),
                   xasprintf("TRAWL_RUN_DIR=%s/%llu", place->path, (unsigned long long)attempt),
                   xasprintf("FIFO=%s/fifo", place->path),
                   xasprintf("HOLD=%s/hold", place->path),
                   NULL};
    struct msg_pattern patterns[] = {{(char *)how->metric, (char *)how->pattern}, {(char *)how->more_metric, (char *)how->more_pattern}};
    const struct msg_launch_item item = {.attempt = attempt, .config = (char *)"{}", .argv = args, .argc = argc,
                                         .timeout_ms = how->timeout_ms, .grace_ms = how->grace_ms, .lease_ms = how->lease_ms,
                                         .memory_bytes = how->memory_bytes, .patterns = patterns,
                                         .pattern_count = how->more_pattern ? 2 : how->pattern && *how->pattern ? 1 : 0};
    const struct rundir_run run = {.item = &item, .argv = argv, .env = (const char *const *)env,
                                   .working_dir = how->working_dir ? how->working_dir : place->path};
    struct err err = {0};
    int rc = rundir_make(place->fd, &run, &err);
    for (size_t i = 0; env[i]; i++)
        free(env[i]);
    if (rc != 0)
        fail_msg("%s", err.text);
}

void start_shim(struct place *place, uint64_t attempt)
{
    char *directory = xasprintf("%s/%llu", place->path, (unsigned long long)attempt);
    fd_close(&place->shim_fd);
    place->shim = fork();
    if (place->shim == 0) {
        char program[] = SHIM_PROGRAM;
        char *argv[] = {program, directory, NULL}, *env[] = {NULL};
        int null = open("/dev/null", O_RDWR);
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        for (int fd = STDERR_FILENO + 1; fd < 1024; fd++) // what the test's own parent left open is not the shim's
            close(fd);
        execve(program, argv, env);
        _exit(99);
    }
    free(directory);
    assert_true(place->shim > 0);
    place->shim_fd = (int)syscall(SYS_pidfd_open, place->shim, 0);
    assert_true(place->shim_fd >= 0);
}

void start_run(struct place *place, const struct how *how)
{
    make_run(place, ATTEMPT, how);
    start_shim(place, ATTEMPT);
}

// ---- Waiting

bool ends_within(int pid_fd, int deadline_ms)
{
    struct pollfd poll_fd = {.fd = pid_fd, .events = POLLIN};
    int n;
    do
        n = poll(&poll_fd, 1, deadline_ms);
    while (n < 0 && errno == EINTR);
    return n == 1;
}

void wait_shim(struct place *place)
{
    int status;
    assert_true(ends_within(place->shim_fd, DEADLINE_MS));
    assert_int_equal(waitpid(place->shim, &status, 0), place->shim);
    place->shim = 0;
    place->shim_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

enum rundir_state look(struct place *place)
{
    enum rundir_state state;
    rundir_exit_release(&place->exited);
    assert_int_equal(rundir_look(place->fd, ATTEMPT, &state, &place->exited, NULL, NULL, NULL), 0);
    return state;
}

void wait_end(struct place *place)
{
    wait_shim(place);
    assert_int_equal(look(place), RUNDIR_EXITED);
}

void run_to_end(struct place *place, const struct how *how)
{
    start_run(place, how);
    wait_end(place);
}

void read_word(struct place *place, char *word, size_t size)
{
    size_t len = 0;
    struct pollfd poll_fd = {.fd = place->fifo, .events = POLLIN};
    while (len + 1 < size) {
        assert_int_equal(poll(&poll_fd, 1, DEADLINE_MS), 1);
        assert_int_equal(read(place->fifo, word + len, 1), 1);
        if (word[len] == '\n')
            break;
        len++;
    }
    word[len] = '\0';
}

int watch_pid_of_word(struct place *place, pid_t *ret_pid)
{
    char word[32];
    read_word(place, word, sizeof word);
    pid_t pid = (pid_t)strtol(word, NULL, 10);
    assert_true(pid > 1);
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    assert_true(fd >= 0);
    if (ret_pid)
        *ret_pid = pid;
    return fd;
}

void release_hold(struct place *place)
{
    assert_int_equal(write(place->hold, "\n", 1), 1);
}

void ask_to_end(struct place *place, const char *word, int signal_number)
{
    char path[96], *text = xasprintf("%s\n", word);
    snprintf(path, sizeof path, "%d/stop", ATTEMPT);
    int fd = openat(place->fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    free(text);
    assert_int_equal(kill(place->shim, signal_number), 0);
}

void read_file_of_run(struct place *place, const char *name, struct str *ret)
{
    char path[96];
    snprintf(path, sizeof path, "%d/%s", ATTEMPT, name);
    str_clear(ret);
    if (file_read_at(place->fd, path, 128u << 20, ret, NULL) != 0)
        str_clear(ret);
}

void assert_class(const struct place *place, const char *word)
{
    if (strcmp(place->exited.class_word, word) != 0)
        fail_msg("class is %s, not %s: %s", place->exited.class_word, word, place->exited.message);
}
