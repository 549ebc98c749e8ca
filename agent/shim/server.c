// Forking shims on request.

#define _GNU_SOURCE // CLONE_PIDFD
#include "agent/shim/shim.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

// fork that gives a pidfd at once: the shim may be over, and reaped, before anybody could open one by number.
static pid_t fork_with_fd(int *ret_fd)
{
    return (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, ret_fd, 0, 0);
}

static int answer(pid_t pid, int pid_fd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    struct iovec body = {&pid, sizeof pid};
    struct msghdr message = {.msg_iov = &body, .msg_iovlen = 1};
    if (pid > 0) {
        message.msg_control = control.space;
        message.msg_controllen = sizeof control.space;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof pid_fd);
        memcpy(CMSG_DATA(header), &pid_fd, sizeof pid_fd);
    }
    return sendmsg(STDIN_FILENO, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int serve(void)
{
    char directory[PATH_MAX];
    signal(SIGCHLD, SIG_IGN); // shims are reaped by the kernel: their agent watches them by pidfd
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN); // the other end says when it is over
    signal(SIGHUP, SIG_IGN);
    for (;;) {
        ssize_t n = recv(STDIN_FILENO, directory, sizeof directory - 1, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        directory[n] = '\0';
        int pid_fd = -1;
        pid_t pid = fork_with_fd(&pid_fd);
        if (pid == 0) {
            dup2(STDOUT_FILENO, STDIN_FILENO); // /dev/null: the socket is not the shim's
            signal(SIGCHLD, SIG_DFL);
            signal(SIGINT, SIG_DFL);
            signal(SIGTERM, SIG_DFL);
            signal(SIGHUP, SIG_DFL);
            _exit(supervise(directory));
        }
        int rc = answer(pid, pid_fd);
        if (pid_fd >= 0)
            close(pid_fd);
        if (rc != 0)
            return 0;
    }
}
