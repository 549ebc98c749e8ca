// Every process below the shim. It is a subreaper, so whatever a run daemonises becomes its child and is found here.

#include "agent/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TREE_MAX 65536
#define KILL_ROUNDS_MAX 1000

static size_t read_file(const char *path, char *buffer, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    while (fd >= 0 && len + 1 < size) {
        ssize_t n = read(fd, buffer + len, size - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    if (fd >= 0)
        close(fd);
    buffer[len] = '\0';
    return len;
}

// Children of a process (all of its threads'), appended to `pids`.
static size_t add_children(pid_t parent, pid_t *pids, size_t count)
{
    char path[64], text[16384];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    read_file(path, text, sizeof text);
    for (char *p = text; *p && count < TREE_MAX;) {
        char *end;
        long pid = strtol(p, &end, 10);
        if (end == p)
            break;
        pids[count++] = (pid_t)pid;
        p = *end ? end + 1 : end;
    }
    return count;
}

// All descendants, breadth first.
static size_t descendants(pid_t *pids)
{
    size_t count = add_children(getpid(), pids, 0);
    for (size_t i = 0; i < count; i++)
        count = add_children(pids[i], pids, count);
    return count;
}

unsigned tree_signal(int signal_number)
{
    pid_t *pids = malloc(TREE_MAX * sizeof *pids);
    if (!pids)
        return 0;
    size_t count = descendants(pids);
    for (size_t i = 0; i < count; i++)
        kill(pids[i], signal_number);
    free(pids);
    return (unsigned)count;
}

// Freeze first, so that none forks while the others die; then kill; again until nobody is left.
bool tree_kill(void)
{
    for (int round = 0; round < KILL_ROUNDS_MAX; round++) {
        int status;
        while (waitpid(-1, &status, WNOHANG) > 0)
            ;
        if (tree_signal(SIGSTOP) == 0)
            return true;
        tree_signal(SIGKILL);
        if (waitpid(-1, &status, WNOHANG) <= 0)
            poll(NULL, 0, round < 10 ? 1 : 10);
    }
    return false;
}

uint64_t tree_rss(void)
{
    pid_t *pids = malloc(TREE_MAX * sizeof *pids);
    uint64_t pages = 0;
    size_t count = pids ? descendants(pids) : 0;
    for (size_t i = 0; i < count; i++) {
        char path[64], text[256];
        unsigned long long size = 0, resident = 0;
        snprintf(path, sizeof path, "/proc/%d/statm", (int)pids[i]);
        if (read_file(path, text, sizeof text) && sscanf(text, "%llu %llu", &size, &resident) == 2)
            pages += resident;
    }
    free(pids);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
