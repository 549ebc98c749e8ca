// Starting shims through their server.

#define _GNU_SOURCE // MSG_CMSG_CLOEXEC
#include "agent/launcher.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct launcher {
    char *program;
    int fd;     // our end, -1: no server
    pid_t pid;
};

struct launcher *launcher_new(const char *program)
{
    struct launcher *launcher = xcalloc(1, sizeof *launcher);
    launcher->program = xstrdup(program);
    launcher->fd = -1;
    return launcher;
}

static void stop_server(struct launcher *launcher)
{
    fd_close(&launcher->fd);
    if (launcher->pid > 0)
        waitpid(launcher->pid, NULL, 0);
    launcher->pid = 0;
}

void launcher_free(struct launcher *launcher)
{
    if (!launcher)
        return;
    stop_server(launcher);
    free(launcher->program);
    free(launcher);
}

static int start_server(struct launcher *launcher, struct err *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return err_set_errno(err, "cannot make a socket pair");
    posix_spawnattr_t attr;
    posix_spawn_file_actions_t actions;
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pair[1], STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_RDWR, 0);
    char server[] = "--server";
    char *argv[] = {launcher->program, server, NULL}, *env[] = {NULL};
    int rc = posix_spawn(&launcher->pid, launcher->program, &actions, &attr, argv, env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    close(pair[1]);
    launcher->fd = pair[0];
    if (rc == 0)
        return 0;
    launcher->pid = 0;
    fd_close(&launcher->fd);
    return err_set(err, ERR_IO, "cannot start %s: %s", launcher->program, strerror(rc));
}

// The pid and the descriptor that the server answers with; -1 when it could not fork, 0 when it is gone.
static pid_t receive(int fd, int *ret_fd)
{
    pid_t pid = -1;
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec body = {&pid, sizeof pid};
    struct msghdr message = {
        .msg_iov = &body, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    ssize_t n;
    do
        n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n != sizeof pid)
        return 0;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS)
        memcpy(ret_fd, CMSG_DATA((struct cmsghdr *)header), sizeof *ret_fd);
    return pid;
}

int launcher_start(struct launcher *launcher, const char *directory, pid_t *ret_pid, int *ret_fd, struct err *err)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        if (launcher->fd < 0) {
            int rc = start_server(launcher, err);
            if (rc != 0)
                return rc;
        }
        int pid_fd = -1;
        ssize_t sent = send(launcher->fd, directory, strlen(directory), MSG_NOSIGNAL);
        if (sent < 0) { // it was killed while idle: nothing has been started
            stop_server(launcher);
            continue;
        }
        pid_t pid = receive(launcher->fd, &pid_fd);
        if (pid > 0) {
            *ret_pid = pid;
            *ret_fd = pid_fd;
            return 0;
        }
        if (pid < 0)
            break;
        stop_server(launcher);
        return err_set(err, ERR_STATE, "the server that starts shims was killed");
    }
    return err_set(err, ERR_IO, "cannot start a shim: out of processes or memory?");
}
